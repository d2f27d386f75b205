"""Rows in files: one module a format reads and writes it, `formats` knows them by name."""
