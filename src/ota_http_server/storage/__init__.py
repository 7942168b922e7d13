"""Rows and bytes: the database, one file of queries per noun, and the content-addressed blobs."""
