"""`Paces`: how many downloads at once the devices have borne, so that each run need not find out."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ._batches import Batches
from ._codec import exact, from_seconds, to_seconds
from ._schema import PACE
from ._sql import insert_if_new, whole
from ._trouble import sensible
from ._values import Pace


class Paces(Batches):
    """Remembering what was learnt about a device."""

    def pace_of(self, source: str) -> Pace | None:
        """Return what `note_pace` has noted of *source* last, or None.

        Args:
            source: The device or account, as the run calls it: a URL or a label.

        Raises:
            DamagedCatalogueError: That is not what camsync writes.
        """
        mine = (PACE.c.destination_id == self._id, PACE.c.source == exact(source))
        with self._catalogue.reading() as connection:
            row = connection.execute(sa.select(PACE).where(*mine)).one_or_none()
        if row is None:
            return None
        with sensible("the pace of a device"):
            return _to_pace(row)

    def note_pace(self, source: str, pace: Pace) -> None:
        """Remember *pace* for the next run."""
        key = {"destination_id": self._make_id(), "source": exact(source)}
        learnt = {
            "streams": pace.streams,
            "ceiling": pace.ceiling,
            "noted_at": to_seconds(pace.learnt_at),
        }
        mine = (PACE.c.destination_id == self._id, PACE.c.source == exact(source))
        with self._catalogue.writing() as connection:
            insert_if_new(connection, PACE, [{**key, **learnt}])
            connection.execute(PACE.update().where(*mine).values(learnt))


def _to_pace(row: Any) -> Pace:
    ceiling = row.ceiling if row.ceiling is None else whole(row.ceiling)
    if whole(row.streams) < 1:
        msg = f"{row.streams} downloads at once"
        raise ValueError(msg)
    return Pace(streams=row.streams, ceiling=ceiling, learnt_at=from_seconds(row.noted_at))
