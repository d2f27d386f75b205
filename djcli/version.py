"""The version, alone in its file so that ``djcli --version`` imports nothing else."""

__version__ = "0.1.0"
