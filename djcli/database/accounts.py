"""Accounts of the operating system: which one runs the embedded server, and what it can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from djcli.errors import ServerError

ROOT_RUNS_AS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root; the first of these that exists runs it instead."""


class SpawnOptions(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that make a program run as another account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A user of this machine, with its groups."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def is_caller(self) -> bool:
        """Whether this process runs as this account already."""
        return self.uid == os.geteuid()

    def spawn_options(self) -> SpawnOptions:
        """Return what `subprocess.Popen` needs to run a program as this account."""
        if self.is_caller:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": list(self.groups)}

    def has(self, path: Path, wanted: int) -> bool:
        """Tell by the permission bits whether the account has `wanted` (4 read, 1 enter or run) of a path.

        Access lists are not looked at: where one grants more, a detour is taken that was not needed.
        """
        status = path.stat()
        mode = status.st_mode
        if status.st_uid == self.uid:
            mode >>= 6
        elif status.st_gid == self.gid or status.st_gid in self.groups:
            mode >>= 3
        return mode & wanted == wanted

    def reaches(self, path: Path) -> bool:
        """Tell whether the account may enter every folder on the way to an absolute path."""
        return all(self.has(parent, 1) for parent in path.parents)


def account_of(uid: int) -> Account:
    """Return the account with this number.

    Raises
    ------
    ServerError
        If the number has no name on this machine, since ``initdb`` and peer authentication want one.
    """
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ServerError(
            f"user number {uid} has no name on this machine, and PostgreSQL needs one: "
            "add it to /etc/passwd, or name another server with --db-url"
        ) from None
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return Account(entry.pw_name, uid, entry.pw_gid, tuple(groups))


def server_account(data: Path) -> Account:
    """Decide which account runs the server whose data is in the folder `data`.

    It is the folder's owner, or the caller where there is no folder yet. Root's place is taken by an
    unprivileged account.

    Raises
    ------
    ServerError
        If the data is someone else's and the caller is not root, or root finds no account to use.
    """
    caller = os.geteuid()
    try:
        owner = data.lstat().st_uid
    except FileNotFoundError:
        owner = caller
    except PermissionError as error:
        raise ServerError(
            f"you may not enter {data.parent}, where the project's database is: "
            "ask its owner, or name another server with --db-url"
        ) from error
    if caller != 0:
        if owner != caller:
            raise ServerError(
                f"the project's database in {data} belongs to user {user_name(owner)}, not to you: "
                f"run djcli as {user_name(owner)} or root, or name another server with --db-url"
            )
        return account_of(caller)
    if owner != 0:
        return account_of(owner)
    for name in ROOT_RUNS_AS:
        try:
            return account_of(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    raise ServerError(
        "PostgreSQL does not run as root, and this machine has neither a user 'postgres' nor 'nobody': "
        "run djcli as an ordinary user, or name another server with --db-url"
    )


def user_name(uid: int) -> str:
    """Return the name of a user number, or the number as text where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def give_tree(folder: Path, account: Account) -> None:
    """Make a folder and all below it the account's own, following no symbolic link."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), account.uid, account.gid, follow_symlinks=False)
    os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def open_owned(path: Path, flags: int, owner: int | None = None) -> int:
    """Open or make a file that only its owner reads, never through a link, and return the descriptor.

    What root makes belongs to `owner`, or else to the owner of the folder, who may come back without root.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        os.fchown(descriptor, path.parent.stat().st_uid if owner is None else owner, -1)
    return descriptor


def make_private_folder(folder: Path, account: Account) -> None:
    """Make sure that a folder exists, is the account's own, and lets nobody else in.

    Raises
    ------
    ServerError
        If another user was there first. Root takes the place from them.
    """
    for _ in range(2):
        try:
            folder.mkdir(0o700)
        except FileExistsError:
            pass
        else:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == account.uid:
            break
        if os.geteuid() == 0:
            # What someone else laid there is neither followed nor used.
            if stat.S_ISDIR(status.st_mode):
                shutil.rmtree(folder)
            else:
                folder.unlink()
    else:
        raise ServerError(
            f"{folder}, where the server's socket belongs, is not a folder of user {account.name}: "
            "have it removed, or name another server with --db-url"
        )
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)
