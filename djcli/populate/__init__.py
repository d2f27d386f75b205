"""Computing tables: what is still to be made, making it, and how far it has come."""
