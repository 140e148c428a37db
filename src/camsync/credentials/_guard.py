"""`Guard`: a lock that is free in a forked child."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref


class Guard:
    """Holds a lock as `lock`, and a new one after a fork.

    Of the threads of a process only the one that forks is in the child: a lock that another one
    held would never be released there.
    """

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.renew()
        _GUARDS.add(self)

    def renew(self) -> None:
        """Take a new lock, which nobody holds. Who is inside the old one leaves the old one."""
        self.lock = threading.Lock()


_GUARDS: weakref.WeakSet[Guard] = weakref.WeakSet()


def _renew_all() -> None:
    for guard in _GUARDS:
        guard.renew()


with contextlib.suppress(AttributeError):  # Windows cannot fork
    os.register_at_fork(after_in_child=_renew_all)
