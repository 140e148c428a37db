"""`Mounted`: whether the disk that the files are on is there at all."""

from __future__ import annotations

import heapq
import logging
import os

from pathlib import Path

import sqlalchemy as sa

from ..errors import DestinationError
from ._book import Book
from ._codec import exact, plain
from ._disk import is_empty, size_of
from ._schema import CHANNEL, DESTINATION, RECORDING
from ._sql import is_in
from ._trouble import sensible
from ._values import State


_SAMPLE = 20
"""So many of the newest files are looked for: some of them may have been deleted by hand."""

_log = logging.getLogger("camsync.catalogue")


class Mounted(Book):
    """Noticing that a disk is not mounted, before its mount point is taken for an empty disk."""

    def check_mounted(self) -> None:
        """Check that the destination is on the disk that it was on, and remember which that is.

        The path of a disk that is not mounted leads to the disk below it: what is written there
        fills that one, and is out of sight as soon as the right disk is back. A destination may
        move to another mount point with its files; at least one of the newest must be there.

        Raises:
            DestinationError: It is below another mount point than before, without its files.
        """
        present, before = str(mount_point(self.dest)), self._mount_before()
        if before == present:
            if is_empty(self.dest) and self._newest():
                self._warn()
            return
        newest = self._newest()
        if not newest or any(_is_there(self.dest / path) for path in newest):
            self._note_mount(present)
        elif before is None:  # an older camsync did not write it down
            self._warn()
        else:
            raise _not_mounted(self.dest, before, present)

    def _mount_before(self) -> str | None:
        mine = sa.select(DESTINATION.c.mount).where(DESTINATION.c.id == self._id)
        with self._catalogue.reading() as connection:
            found = connection.execute(mine).scalar()
        with sensible("the mount point of a destination"):
            return None if found is None else plain(found)

    def _note_mount(self, mount: str) -> None:
        mine = DESTINATION.update().where(DESTINATION.c.id == self._id)
        with self._catalogue.writing() as connection:
            connection.execute(mine.values(mount=exact(mount)))

    def _newest(self) -> list[str]:
        """Return the paths of the newest files that should be there."""
        channels = sa.select(CHANNEL.c.id).where(CHANNEL.c.destination_id == self._id)
        held = (
            is_in(State.VERIFIED),
            RECORDING.c.pruned_at.is_(None),
            RECORDING.c.path.is_not(None),
        )
        found: list[tuple[int, str]] = []
        with self._catalogue.reading() as connection, sensible("a file"):
            for channel in connection.execute(channels).scalars().all():
                # One channel at a time: an index serves that.
                newest = sa.select(RECORDING.c.start, RECORDING.c.path).where(
                    RECORDING.c.channel_id == channel, *held
                )
                newest = newest.order_by(RECORDING.c.start.desc(), RECORDING.c.id.desc())
                rows = connection.execute(newest.limit(_SAMPLE))
                found += [(row.start, plain(row.path)) for row in rows]
            return [path for _, path in heapq.nlargest(_SAMPLE, found)]

    def _warn(self) -> None:
        _log.warning(
            "%s holds nothing of what was written to it: is its disk mounted? If the files are gone"
            " for good, 'camsync reconcile %s --forget' has them fetched again",
            self.dest,
            self.dest,
        )


def mount_point(path: Path) -> Path:
    """Return the mount point that *path*, which need not exist, is below; links are followed."""
    place = Path(os.path.realpath(path))
    while not os.path.ismount(place) and place != place.parent:
        place = place.parent
    return place


def _is_there(path: Path) -> bool:
    try:
        return size_of(path) is not None
    except OSError:  # nobody knows: then a write fails, too
        return False


def _not_mounted(dest: Path, before: str, present: str) -> DestinationError:
    msg = (
        f"{dest} was on the disk at {before}, and is on the one at {present} now, "
        "without the files that it should hold"
    )
    step = (
        f"mount the disk at {before}; if its files are gone for good: "
        f"camsync reconcile {dest} --forget, or Holdings.reconcile(forget=True)"
    )
    return DestinationError(msg, next_step=step)
