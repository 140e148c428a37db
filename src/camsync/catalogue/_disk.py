"""Looking at a destination's files."""

from __future__ import annotations

import errno
import os
import stat

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import attrs

from .. import _checksum
from .._cancel import CancelToken, check_cancelled
from ..errors import DestinationError


VIDEO = frozenset({".mp4", ".mpg", ".mpeg", ".ps", ".ts"})
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})


@attrs.frozen
class Found:
    """A file below the destination: its path (relative), bytes, and last change (seconds UTC)."""

    path: PurePosixPath
    size: int
    changed: float

    @property
    def is_video(self) -> bool:
        """Whether it has a name that a finished recording can have."""
        return self.path.suffix.lower() in VIDEO and not self.path.name.startswith(".")

    @property
    def is_part(self) -> bool:
        """Whether it has the name of a file that is being written."""
        return self.path.suffix == ".part" and self.path.name.startswith(".")


def size_of(path: Path) -> int | None:
    """Return the bytes of a regular file, or None when there is none (a link is none).

    Raises:
        OSError: It cannot be looked at, which says nothing about whether it is there.
    """
    try:
        found = path.lstat()
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def digest_of(path: Path, cancel: CancelToken | None = None) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        OSError: It cannot be read.
        CancelledError: *cancel* was set.
    """
    with path.open("rb") as stream:
        return _checksum.digest_of(stream, cancel)


def walk(
    root: Path, unreadable: Callable[[PurePosixPath], object], cancel: CancelToken | None = None
) -> Iterator[Found]:
    """Yield all regular files below *root*; links are not followed.

    Args:
        unreadable: Is told what could not be looked at.

    Raises:
        CancelledError: *cancel* was set.
    """

    def relative(path: str) -> PurePosixPath:
        return PurePosixPath(Path(path).relative_to(root).as_posix())

    def refused(error: OSError, path: str) -> None:
        if error.errno not in _NOT_THERE:
            unreadable(relative(path))

    for folder, folders, names in os.walk(
        root, onerror=lambda error: refused(error, error.filename)
    ):
        folders.sort()
        for name in sorted(names):
            check_cancelled(cancel)
            path = os.path.join(folder, name)  # noqa: PTH118 - a Path per file costs too much
            try:
                found = os.lstat(path)
            except OSError as error:
                refused(error, path)
                continue
            if stat.S_ISREG(found.st_mode):
                yield Found(relative(path), found.st_size, found.st_mtime)


def is_empty(dest: Path) -> bool:
    """Whether *dest* is a folder with nothing in it, or no folder at all."""
    try:
        return not any(dest.iterdir())
    except OSError as error:
        return error.errno in _NOT_THERE


def is_below(path: Path, root: str) -> bool:
    """Whether the folder of *path* is really below *root* (a real path), not only by a link."""
    real = os.path.realpath(path.parent)
    return Path(real).is_relative_to(root)


def require_there(dest: Path) -> None:
    """Check that *dest* is a folder with something in it.

    Raises:
        DestinationError: It is not: most likely its disk is not mounted.
    """
    try:
        if any(dest.iterdir()):
            return
        what = "is empty, but should hold recordings"
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
    msg = f"{dest} {what}"
    raise DestinationError(
        msg,
        next_step="is the disk mounted? If all files are gone for good: "
        f"camsync reconcile {dest} --forget, and they are fetched again",
    )
