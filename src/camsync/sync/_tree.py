"""The destination as a tree of files: it must be writable, and hold nothing half done."""

from __future__ import annotations

from pathlib import Path

from ..download import sweep_tree, writable


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
