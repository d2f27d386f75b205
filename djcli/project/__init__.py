"""Projects: loading pipeline modules, and finding tables by name."""
