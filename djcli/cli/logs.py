"""What djcli logs, shown on stderr."""

from __future__ import annotations

import logging

from djcli.cli import console
from djcli.log import logger
from djcli.settings import config


class _ToConsole(logging.Handler):
    """Writes records as notes and warnings of the command line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one."""
        write = console.note if record.levelno < logging.WARNING else console.warn
        write(record.getMessage())


_HANDLER = _ToConsole()


def show_logs() -> None:
    """Show from now on what is logged, from the level that the settings name."""
    logger.setLevel(config["loglevel"])
    if _HANDLER not in logger.handlers:
        logger.addHandler(_HANDLER)
