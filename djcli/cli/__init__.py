"""The command line: one file per command group, and `console`, which does all the printing."""
