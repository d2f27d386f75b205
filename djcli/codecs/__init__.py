"""Codecs: how values turn into what PostgreSQL stores, and back."""
