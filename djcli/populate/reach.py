"""Waiting for a server that went away."""

from __future__ import annotations

import logging
import time

from djcli.database.connection import Connection
from djcli.errors import LostConnectionError, ServerError

logger = logging.getLogger("djcli")

RECONNECT_SECONDS = 60.0
"""How long a server that went away is waited for."""


def reach_again(connection: Connection) -> None:
    """Wait for a server that was restarted.

    Raises
    ------
    ServerError, LostConnectionError
        If it does not come back.
    """
    logger.warning("the connection to the database was lost; trying to reach it again")
    give_up, pause = time.monotonic() + RECONNECT_SECONDS, 0.05
    while True:
        try:
            connection.ping()
        except (ServerError, LostConnectionError):
            if time.monotonic() > give_up:
                raise
        else:
            return
        time.sleep(pause)
        pause = min(2 * pause, 2.0)
