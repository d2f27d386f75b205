"""`Pace`: how many keys the next batch has."""

from __future__ import annotations

from djcli.database.connection import Connection
from djcli.populate.claims import MAX_CLAIMS, SURE_CLAIMS, fair_claims

FIRST_BATCH = 1
"""Keys of the first batch: more would be kept from other workers, if makes turn out to be slow."""

GROWTH = 64
"""How much larger the next batch may be; it is no larger than will fit in the time."""

BATCH_SECONDS = 0.5
"""How long a batch may take: slow makes commit one by one, quick ones together."""


class Pace:
    """Lets batches grow while they are quick, and shrink when they are slow or cut short.

    Parameters
    ----------
    most
        How many keys a batch may have at most.
    connection
        The connection; the server is asked for its room for locks before a batch takes much of it.

    Attributes
    ----------
    size
        How many keys the next batch is to have.
    """

    def __init__(self, most: int, connection: Connection) -> None:
        self.size = FIRST_BATCH
        self._most = min(most, MAX_CLAIMS)
        self._is_sure = self._most <= SURE_CLAIMS
        self._connection = connection

    def stay_at(self, size: int) -> None:
        """Make no batch larger than this from now on."""
        self.size = self._most = size

    def shrink_to(self, size: int) -> None:
        """Go on with a batch that was cut short after so many keys."""
        self.size = max(1, size)

    def took(self, keys: int, seconds: float) -> None:
        """Take note of how long a batch of so many keys took."""
        if seconds < BATCH_SECONDS / 2 and keys >= self.size:
            fitting = int(keys * BATCH_SECONDS * 0.8 / seconds)
            self.size = max(self.size, min(fitting, self.size * GROWTH, self._most))
            if self.size > SURE_CLAIMS and not self._is_sure:
                self._is_sure, self._most = True, min(self._most, fair_claims(self._connection))
                self.size = min(self.size, self._most)
        elif seconds > BATCH_SECONDS and keys:
            self.size = max(1, min(self.size, int(keys * BATCH_SECONDS / seconds)))
