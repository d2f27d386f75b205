"""The logger of all that djcli tells beside its results; the command line shows it on standard error."""

from __future__ import annotations

import logging

logger = logging.getLogger("djcli")
