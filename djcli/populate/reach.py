"""Waiting for a server that went away."""

from __future__ import annotations

import logging
import time

from djcli.database.connection import Connection
from djcli.errors import LostConnectionError, ServerError
from djcli.settings import config

logger = logging.getLogger("djcli")


def reach_again(connection: Connection) -> None:
    """Wait for a server that was restarted, as long as the setting ``database.reconnect_timeout`` says (seconds).

    Raises
    ------
    ServerError, LostConnectionError
        If it does not come back.
    """
    logger.warning("the connection to the database was lost; trying to reach it again")
    give_up, pause = time.monotonic() + config["database.reconnect_timeout"], 0.05
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
