"""Relational algebra: immutable, value-free expression nodes with their headings, keys and lineage."""
