"""The destination as a tree of files: it must be writable, and hold nothing half done."""

from __future__ import annotations

from pathlib import Path

from ..download import sweep_tree, writable
from ..errors import DestinationError


def prepare(dest: Path, *, clean: bool) -> None:
    """Create *dest*, and remove what dead processes have left behind anywhere below it.

    Args:
        dest: The destination.
        clean: Whether the last run has come to its end; then nothing can be left, and a tree of a
            million files need not be walked.

    Raises:
        DestinationError: Nothing can be written there.
        DiskFullError: There is no room at all.
    """
    writable(dest)
    if not clean:
        sweep_tree(dest)


class Tree:
    """The destination during a run: what a disk was unmounted from must not be filled instead.

    Args:
        dest: The destination; a plan needs none.
    """

    def __init__(self, dest: Path) -> None:
        self._dest = dest
        self._known: tuple[int, int] | None = None

    def check(self) -> None:
        """Check that the destination is still the folder that it was when this was first asked.

        Raises:
            DestinationError: It has vanished, or another folder has taken its place.
        """
        try:
            found = self._dest.stat()
        except OSError as error:
            msg = f"{self._dest} cannot be read any more: {error.strerror}"
            raise DestinationError(msg, next_step="is its disk still mounted?") from error
        here = (found.st_dev, found.st_ino)
        self._known = self._known or here
        if here != self._known:
            msg = f"{self._dest} is not the folder any more that it was when the run began"
            raise DestinationError(msg, next_step="is its disk still mounted?")
