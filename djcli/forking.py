"""Signals in processes that users' code forks: they are taken as if there were no djcli."""

from __future__ import annotations

import os
import signal
from functools import cache

ORDERLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a process to end."""

_masks: list[set[int]] = []


@cache
def forget_handlers_in_forks() -> None:
    """Let processes forked from now on end by signals as usual, whatever handlers this one has.

    A signal that came to a fork before it has forgotten our handlers would be lost, because Python clears what
    waits after a fork; so it is held back until then.
    """
    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_forget)


def _block() -> None:
    _masks.append(set(signal.pthread_sigmask(signal.SIG_BLOCK, ORDERLY)))


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop())


def _forget() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _unblock()
