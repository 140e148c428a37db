"""Files that only their owner may read: written whole, replaced at once, one writer at a time.

The only importer of filelock. A reader sees the file before or after a change and never in
between, also when the writer is killed or the power fails.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time

from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from ._secret import Secret
from .errors import (
    CredentialError,
    DamagedStoreError,
    ExposedStoreError,
    StoreUnavailableError,
)


_LONGEST = 64 * 1024 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
NOTHING = 0
TO_READ = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
ANYTHING = _OTHERS
"""What other users may do with a file: bits of its mode."""

_PATIENCE = 30.0
# Whoever releases a lock may take it again at once: the shorter the naps, the fairer the queue.
_POLL = 0.001
_POSIX = os.name == "posix"
_READERS = 50  # Windows: how often a file that somebody is just reading is tried again
_READER = 0.02
_TURNS: dict[str, threading.Lock] = {}
with contextlib.suppress(AttributeError):  # Windows cannot fork
    # A forked child has none of the threads that hold them.
    os.register_at_fork(after_in_child=_TURNS.clear)
# Opening a pipe, or a terminal, must neither wait nor change anything.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def read_private(path: Path, *, others: int = NOTHING) -> bytes | None:
    """Return what the file holds, or None when there is no file.

    Args:
        others: What other users may do with it. The group may read a file that belongs to root:
            Kubernetes hands secrets to programs that do not run as root that way.

    Raises:
        ExposedStoreError: They may do more, or it belongs to somebody else than this user or root.
            (POSIX only: Windows has no such bits.)
        DamagedStoreError: It is longer than 64 MiB.
        StoreUnavailableError: It cannot be read, or is a pipe, a device or the like.
    """
    content = _read(path, others, _LONGEST + 1, _open_regular)
    if content is None or len(content) <= _LONGEST:
        return content
    del content  # no frame of an error shows what the file holds
    msg = f"{path} is longer than {_LONGEST} bytes"
    raise DamagedStoreError(msg)


def read_given(path: Path, most: int, *, others: int = NOTHING) -> bytes | None:
    """Return the first *most* bytes of a file that a person has named, or None without a file.

    Unlike our own files it may be a pipe, which is waited for.

    Raises:
        ExposedStoreError: As for `read_private`; where others may do `ANYTHING`, never.
        StoreUnavailableError: It cannot be read.
    """
    return _read(path, others, most, None)


def _read(
    path: Path, others: int, most: int, opener: Callable[[str, int], int] | None
) -> bytes | None:
    try:
        with open(path, "rb", opener=opener) as stream:  # Path.open has no opener
            if _POSIX:
                _check_rights(path, os.fstat(stream.fileno()), others)
            return stream.read(most)
    except FileNotFoundError:
        return None
    except CredentialError:
        raise
    except OSError as error:
        raise unavailable(path, "read", error) from error


def _open_regular(path: str, flags: int) -> int:
    handle = os.open(path, flags | _NO_WAIT)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    msg = f"{path} cannot be read: it is no regular file"
    raise StoreUnavailableError(
        msg, next_step="move it away: nothing is ever stored in such a thing"
    )


def _check_rights(path: Path, found: os.stat_result, others: int) -> None:
    if others == ANYTHING:  # whoever put it there decides about its owner, too
        return
    me = os.geteuid()
    if found.st_uid not in {0, me}:
        raise _foreign(path, found.st_uid, me)
    handed_over = stat.S_IRGRP if found.st_uid != me else NOTHING
    if not found.st_mode & _OTHERS & ~(others | handed_over):
        return
    can = "change" if others & TO_READ else "read or change"
    msg = f"other users can {can} {path} (mode {stat.S_IMODE(found.st_mode):04o})"
    raise ExposedStoreError(msg)


def _foreign(path: Path, owner: int, me: int) -> ExposedStoreError:
    """Build the error for a file of somebody who can change it at any time; root's own are fine."""
    msg = f"{path} belongs to another user (uid {owner}), who can change it"
    step = f"check what is in it and take it over (chown {me}), or run camsync as that user"
    if me == 0:
        msg = f"{msg}: root does not rely on it"
        step = "run camsync as that user, without sudo; or give root a CAMSYNC_HOME of its own"
    return ExposedStoreError(msg, next_step=step)


def replace_private(path: Path, content: bytes) -> None:
    """Put *content* in the place of the file, with rights for its owner alone.

    Call it inside `locked`. The new file has mode 0600 before its first byte is written, and is on
    the disk before it takes the name.

    Raises:
        StoreUnavailableError: It could not be written; the old file is as it was.
    """
    if len(content) > _LONGEST:
        msg = f"{path} would grow longer than {_LONGEST} bytes"
        raise StoreUnavailableError(msg, next_step="delete what is no longer needed")
    # A link stays a link: its target is replaced.
    path = Path(os.path.realpath(path))
    fresh = path.with_name(f".{path.name}.new")
    try:
        # Under the lock a file of this name is what a killed writer has left.
        fresh.unlink(missing_ok=True)
        _write(fresh, content)
        _take_name(fresh, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise unavailable(path, "written", error) from error


def create_private(path: Path, content: Secret) -> bool:
    """Write *content* to a new file that only its owner may read; False when there is a file.

    Raises:
        StoreUnavailableError: It could not be written.
    """
    try:
        _make_folder(path.parent)
        _write(path, content)
    except FileExistsError:
        return False
    except OSError as error:
        raise unavailable(path, "written", error) from error
    _sync_folder(path.parent)
    return True


def _write(path: Path, content: bytes | Secret) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            if _POSIX:
                os.fchmod(handle, 0o600)  # a strict umask takes away rights of the owner, too
            stream.write(content if isinstance(content, bytes) else content.reveal().encode())
            stream.flush()
            os.fsync(handle)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def _take_name(fresh: Path, path: Path) -> None:
    tries = 1 if _POSIX else _READERS
    while True:
        try:
            fresh.replace(path)
            break
        except PermissionError:  # on Windows: somebody is reading it
            tries -= 1
            if not tries:
                raise
            time.sleep(_READER)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if not _POSIX:  # Windows cannot open a folder
        return
    # The new file is complete and has its name: a file system that cannot put folders on the disk
    # on demand (some network shares) is no reason to say that it failed.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _make_folder(folder: Path) -> None:
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was faster
            each.mkdir(mode=0o700)
            each.chmod(0o700)  # a strict umask takes away rights of the owner, too


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other threads and processes from changing the file while the block runs.

    Makes the folder (mode 0700) if there is none. The lock is a hidden file beside it.

    Raises:
        StoreUnavailableError: Somebody holds the lock for half a minute, or it cannot be made.
    """
    real = Path(os.path.realpath(path))
    # Threads queue here, so that only one of them asks for the file's lock again and again.
    turn = _TURNS.setdefault(str(real), threading.Lock())
    if not turn.acquire(timeout=_PATIENCE):
        raise _busy(path, "thread")
    try:
        with _taken(real, path):
            yield
    finally:
        turn.release()


def _taken(real: Path, path: Path) -> contextlib.AbstractContextManager[object]:
    try:
        _make_folder(real.parent)
        lock = filelock.FileLock(
            real.with_name(f".{real.name}.lock"), timeout=_PATIENCE, mode=0o600
        )
        return lock.acquire(poll_interval=_POLL)
    except filelock.Timeout as error:
        raise _busy(path, "process") from error
    except OSError as error:
        raise unavailable(path, "locked", error) from error


def _busy(path: Path, who: str) -> StoreUnavailableError:
    msg = f"another {who} has held the lock of {path} for {_PATIENCE:.0f} s"
    return StoreUnavailableError(msg, next_step=f"end that {who}", retryable=True)


def unavailable(path: Path, what: str, error: OSError) -> StoreUnavailableError:
    """Build the error for a file that cannot be *what* (read, written, locked)."""
    return StoreUnavailableError(
        f"{path} cannot be {what}: {error.strerror or error}",
        next_step="check the path, its permissions and the space on its disk",
    )
