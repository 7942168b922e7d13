"""Manners shared by everything that speaks HTTP, free of any framework."""
