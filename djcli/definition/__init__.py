"""Definitions: types, the grammar, the frozen table model, and rendering it back to text."""
