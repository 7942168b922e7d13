"""The formats that can be read: a module for each, `domain/image.py` has the table of them."""
