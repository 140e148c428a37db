"""The lock of a destination: one process at a time, and a message that says which."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import socket
import sys

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import CatalogueUnavailableError, DestinationBusyError


if sys.platform == "win32":  # pragma: no cover - there locks are taken by another module
    import msvcrt
else:
    import fcntl


_MOST = 1000
_HIDDEN = "another run, which calls it by another name or has another catalogue"
_FAR = 1 << 30
"""Windows forbids to read what is locked: the byte that is locked lies behind the content."""


@contextlib.contextmanager
def only_process(lock: Path, dest: Path, now: dt.datetime) -> Iterator[None]:
    """Hold the file *lock* for work on *dest*. It stays behind, empty; a dead process holds nothing.

    Raises:
        DestinationBusyError: Somebody else holds it.
        CatalogueUnavailableError: The file cannot be made or locked.
    """
    with contextlib.ExitStack() as stack:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            stack.callback(os.close, handle)
            if not _take(handle):
                raise busy(dest, _read(handle))
            os.ftruncate(handle, 0)
            os.write(handle, _about_me(now))
            stack.callback(os.ftruncate, handle, 0)
        except DestinationBusyError:
            raise
        except OSError as error:
            msg = f"the lock {lock} cannot be used: {error.strerror}"
            raise CatalogueUnavailableError(msg) from error
        yield


@contextlib.contextmanager
def only_here(dest: Path) -> Iterator[None]:
    """Hold the folder *dest* itself, by whatever name others call it and whatever catalogue they use.

    Nothing is written into it. A folder that is not there yet, and one on a file system that cannot
    lock folders, is not held; nor is any on Windows, where folders cannot be locked.

    Raises:
        DestinationBusyError: Somebody else holds it.
    """
    if sys.platform == "win32":  # pragma: no cover - see above
        yield
        return
    with contextlib.ExitStack() as stack:
        free = True
        with contextlib.suppress(OSError):
            handle = os.open(dest, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                free = False
        if not free:
            raise busy(dest, {}, unknown=_HIDDEN)
        yield


def _take(handle: int) -> bool:
    """Lock an open file until it is closed; False if somebody else has it."""
    try:
        if sys.platform == "win32":  # pragma: no cover - see above
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _about_me(now: dt.datetime) -> bytes:
    about = {"pid": os.getpid(), "host": socket.gethostname(), "since": now.isoformat()}
    return json.dumps(about).encode()


def _read(handle: int) -> dict[str, Any]:
    """Return what the holder has written; nothing if it has only just begun, or has ended."""
    os.lseek(handle, 0, os.SEEK_SET)
    with contextlib.suppress(ValueError):
        found = json.loads(os.read(handle, _MOST))
        if isinstance(found, dict):
            return found
    return {}


def busy(
    dest: Path, about: dict[str, Any], *, unknown: str = "another process"
) -> DestinationBusyError:
    """Build the error for a destination that somebody else has locked."""
    pid, host, since = (about.get(name) for name in ("pid", "host", "since"))
    who = f"process {pid} on {host} since {since}" if about else unknown
    moment = None
    with contextlib.suppress(TypeError, ValueError):
        moment = dt.datetime.fromisoformat(since or "")
    return DestinationBusyError(
        f"{dest} is in use by {who}", pid=pid, host=host or "", since=moment
    )
