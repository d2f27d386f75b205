"""Addresses of databases as libpq reads them, and keeping passwords out of sight."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from djcli.errors import ConfigError


def check_url(url: str, origin: str) -> str:
    """Return an address as it is, or raise `ConfigError` if it is no PostgreSQL address."""
    if url.startswith(("postgresql://", "postgres://")) or ("=" in url and "://" not in url.split("=")[0]):
        return url
    raise ConfigError(
        f"{without_password(url)!r} ({origin}) is not a PostgreSQL address: "
        "write postgresql://user@host:port/database or host=… user=… dbname=…"
    )


def without_password(url: str) -> str:
    """Return an address with its password masked, fit for messages."""
    masked = re.sub(r"(://[^:/@?#]*):[^@/]*@", r"\1:***@", url)
    return re.sub(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^&\s]*)", r"\1***", masked)


def holds_password(url: str) -> bool:
    """Tell whether an address has a password in it."""
    if "://" not in url:
        return re.search(r"(?:^|\s)password\s*=", url) is not None
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.password is not None or "password" in parse_qs(parts.query)


def conninfo(keys: Mapping[str, str]) -> str:
    """Render `key='value'` pairs as libpq reads them."""
    quoted = {key: value.replace("\\", "\\\\").replace("'", "\\'") for key, value in keys.items()}
    return " ".join(f"{key}='{value}'" for key, value in quoted.items())
