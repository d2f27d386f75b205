"""The live database: connections, transactions, errors, and the embedded server."""
