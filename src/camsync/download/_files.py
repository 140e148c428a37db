"""Part files and the step from a part file to the final name.

A part file is hidden (``.Cam01_….mp4.1f2e3d4c.part``), stands in the folder of its destination so
that the last step is a rename within one file system, is created exclusively, and is locked while
somebody writes it. What an earlier run has left behind (a power cut, SIGKILL) carries no lock any
more and is removed when the same destination is wanted again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import sys
import time

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from .._cancel import CancelToken
from .._checksum import digest_of
from .._words import size_text
from ..errors import CamsyncError, DestinationError, DiskFullError
from ._aside import Aside, Look, Seen


if sys.platform != "win32":  # pragma: no branch - Windows has no fcntl
    import fcntl


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a system says when there is no room."""

_OLD = 3600.0
"""Seconds without a write after which a part file is an orphan where locks do not work."""

_TRIES = 20
_PART = re.compile(r"\..+\.(?:mp4|mpg|mpeg|ps|ts)\.[0-9a-f]{8}\.part", re.IGNORECASE | re.DOTALL)
"""What `_create` calls its files."""


@contextlib.contextmanager
def disk_errors(path: Path, *passing: type[OSError]) -> Iterator[None]:
    """Turn what the system says about *path* into camsync's errors, except for *passing*.

    Raises:
        DiskFullError: No room, or no quota left.
        DestinationError: Anything else.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, (CamsyncError, *passing)):
            raise
        reason = error.strerror or type(error).__name__
        if error.errno in FULL:
            msg = f"no room left while writing {path}: {reason}"
            raise DiskFullError(msg, free=_free(path.parent)) from error
        msg = f"cannot write {path}: {reason}"
        raise DestinationError(msg) from error


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None  # a remark in an error message, not worth another error


def require_space(folder: Path, needed: int, reserve: int) -> None:
    """Check that *folder*'s disk has room for *needed* bytes and keeps *reserve* free.

    Raises:
        DiskFullError: It has not.
        DestinationError: The disk cannot be asked.
    """
    with disk_errors(folder / "."):
        free = shutil.disk_usage(folder).free
    if free < needed + reserve:
        msg = (
            f"{folder} has {size_text(free)} free, but {size_text(needed)} are needed"
            f" and {size_text(reserve)} kept in reserve"
        )
        raise DiskFullError(msg, needed=needed + reserve, free=free)


def make_folder(folder: Path) -> None:
    """Create *folder* with its parents, durably.

    Raises:
        DestinationError: It cannot be created.
    """
    with disk_errors(folder):
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            sync_folder(path.parent)


def writable(folder: Path) -> None:
    """Check that files can be made in *folder*, which is created if it is missing.

    Raises:
        DestinationError: They cannot.
        DiskFullError: They could, if there were room.
    """
    make_folder(folder)
    with PartFile(folder / "camsync.mp4"):
        pass


def is_writable(folder: Path) -> bool:
    """Whether files can be made in *folder*, which is created if it is missing.

    Raises:
        DiskFullError: They could, if there were room.
    """
    try:
        writable(folder)
    except DestinationError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable, where the system has a way to ask for it."""
    if sys.platform == "win32":  # pragma: no cover - NTFS journals names; folders cannot be opened
        return
    with disk_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # some network and FUSE file systems know no fsync of a folder
            if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:
                raise
        finally:
            os.close(descriptor)


def keep(path: Path) -> None:
    """Make a file durable that was found: a run may have been killed just after it was named.

    Raises:
        DestinationError: It cannot be read.
    """
    with disk_errors(path):
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_folder(path.parent)


class PartFile:
    """A hidden file beside *final*: created exclusively, locked, gone when the block ends.

    Args:
        final: The name that it may get in the end.
        hashed: Whether to sum up as the bytes come, so that `digest` need not read them again.
        look: Is called with the bytes as they come, on a thread of its own; see `seen`.

    Raises:
        DiskFullError: No room.
        DestinationError: The file cannot be created.
    """

    def __init__(self, final: Path, *, hashed: bool = False, look: Look | None = None) -> None:
        self.final = final
        self.size = 0
        self._aside = Aside(hashed=hashed, look=look)
        with disk_errors(final):
            self.path, self._descriptor = _create(final)

    def __enter__(self) -> PartFile:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._aside.stop()
        if os.name == "nt":  # pragma: no cover - an open file cannot be removed there
            self.close()
        with disk_errors(self.path), contextlib.suppress(FileNotFoundError):
            self.path.unlink()
            # Else a power cut could bring it back for good; not worth an error, for it is gone now.
            with contextlib.suppress(DestinationError, DiskFullError):
                sync_folder(self.path.parent)
        self.close()

    def close(self) -> None:
        """Close the descriptor, which also gives up the lock. Calling it twice is fine."""
        self._aside.stop()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def receive(self, readinto: Callable[[memoryview], int], most: int) -> int:
        """Append what *readinto* brings, which is asked for up to *most* bytes; say how many."""
        room = self._aside.room(self.size, most)
        count = readinto(room)
        self._append(room[:count])
        return count

    def write(self, data: memoryview) -> None:
        """Append all of *data*."""
        while data:
            room = self._aside.room(self.size, len(data))
            room[:] = data[: len(room)]
            self._append(room)
            data = data[len(room) :]

    def _append(self, data: memoryview) -> None:
        """Write all of *data*; the system may take it in pieces."""
        begin, count = self.size, len(data)
        with disk_errors(self.final):
            while data:
                written = os.write(self._descriptor, data)
                self.size += written
                data = data[written:]
        self._aside.took(begin, count)

    def truncate(self, size: int) -> None:
        """Forget everything from *size* on."""
        with disk_errors(self.final):
            os.ftruncate(self._descriptor, size)
            os.lseek(self._descriptor, size, os.SEEK_SET)
        self._aside.cut(size)
        self.size = size

    def stream(self) -> BinaryIO:
        """Return an unbuffered file object for reading and writing, from the beginning.

        It shares the position with `write`, and closing it leaves the part file open.
        """
        with disk_errors(self.final):
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            return open(self._descriptor, "r+b", buffering=0, closefd=False)

    def seen(self) -> Seen | None:
        """Return what was learnt of all the bytes as they came, or None if some were missed."""
        return self._aside.finish(self.size)

    def digest(self, cancel: CancelToken | None = None) -> str:
        """Return the SHA-256 of the finished file in hexadecimal digits.

        What was summed up as it came is not read again.

        Raises:
            CancelledError: *cancel* was set.
            DestinationError: The file cannot be read back.
        """
        seen = self.seen()
        if seen is not None and seen.digest is not None:
            return seen.digest
        with disk_errors(self.final), self.stream() as file:
            return digest_of(file, cancel)

    def place(self, path: Path, *, replace: bool = False) -> None:
        """Give the file the final name *path*, durably, in the folder that it is in.

        A hard link either gets the name or fails because somebody else has it: unlike a rename
        it never destroys another file. Where there are no hard links (FAT, some network
        shares) the name is looked at first, which leaves a moment for somebody else to take it.

        Raises:
            FileExistsError: Another file has the name, and *replace* is not set.
            DiskFullError: The last bytes found no room.
            DestinationError: The name cannot be given.
        """
        with disk_errors(path):
            os.fsync(self._descriptor)
        if os.name == "nt":  # pragma: no cover - an open file cannot be renamed there
            self.close()
        with disk_errors(path, FileExistsError):
            if replace:
                self.path.replace(path)
            else:
                _name(self.path, path)
        sync_folder(path.parent)


def _name(part: Path, final: Path) -> None:
    if os.name == "nt":  # pragma: no cover - a rename there never replaces a file
        part.rename(final)
        return
    try:
        final.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in FULL:
            raise
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from error
        part.rename(final)
    else:
        part.unlink()


def _create(final: Path) -> tuple[Path, int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    for _ in range(_TRIES):
        path = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
        try:
            descriptor = os.open(path, flags, 0o644)
        except FileExistsError:
            continue
        _lock(descriptor, wait=True)
        # Between creating and locking, another run may have taken the file for an orphan.
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)
    raise FileExistsError(errno.EEXIST, "no free name for a part file", str(final))


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file until it is closed; say whether nobody else holds the lock.

    Where a file system knows no locks, nobody ever does.
    """
    if sys.platform == "win32":  # pragma: no cover - an open file is protected there anyway
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return True  # not a failure: `_is_orphan` goes by age then
    return True


def sweep(final: Path) -> None:
    """Remove the part files that dead processes have left beside *final*."""
    prefix, suffix = f".{final.name}.", ".part"
    with disk_errors(final):
        for path in list(final.parent.iterdir()):
            if path.name.startswith(prefix) and path.name.endswith(suffix):
                _remove_orphan(path)


def sweep_tree(root: Path) -> None:
    """Remove the part files that dead processes have left anywhere below *root*.

    Folders that cannot be read (``lost+found``) are passed over: nothing was written there.

    Raises:
        DestinationError: One cannot be removed.
    """
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names if _PART.fullmatch(name)):
            with disk_errors(path):
                _remove_orphan(path)


def _remove_orphan(path: Path) -> None:
    """Remove *path* if no process holds its lock; keep the lock until it is gone."""
    try:
        with contextlib.ExitStack() as stack:
            first, second = (stack.enter_context(path.open("rb")).fileno() for _ in range(2))
            if _is_orphan(first, second):
                path.unlink()
    except (FileNotFoundError, PermissionError):
        return  # somebody else has removed it, or owns it, or (Windows) has it open


def _is_orphan(first: int, second: int) -> bool:
    """Whether nobody holds the lock of the file behind two descriptors.

    On Lustre and some NFS mounts everybody gets every lock: so does the second descriptor, and
    then only age tells.
    """
    if not _lock(first, wait=False):
        return False
    if not _lock(second, wait=False):
        return True
    return time.time() - os.fstat(first).st_mtime > _OLD
