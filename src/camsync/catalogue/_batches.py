"""`Batches`: the runs that have worked on a destination."""

from __future__ import annotations

import json
import secrets

from typing import Any

import sqlalchemy as sa

from ..errors import ConfigurationError
from ._book import Book
from ._codec import from_seconds, shown
from ._schema import BATCH
from ._trouble import NONSENSE, nonsense
from ._values import Batch


_LONGEST = 100_000


class Batches(Book):
    """Beginning and ending runs."""

    def begin_batch(self, **facts: Any) -> str:
        """Note that a run begins, and return its id, which sorts by time.

        Args:
            facts: What was asked for; what JSON does not know is kept as text. No secrets.
        """
        now = self._now()
        batch = f"{from_seconds(now):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        row = {
            "id": batch,
            "destination_id": self._make_id(),
            "started_at": now,
            "facts": _as_json(facts),
        }
        with self._catalogue.writing() as connection:
            connection.execute(BATCH.insert().values(row))
        return batch

    def end_batch(self, batch: str, /, **figures: Any) -> None:
        """Note that a run has ended, and what came of it.

        Raises:
            ConfigurationError: There is no such run.
        """
        mine = (BATCH.c.id == batch, BATCH.c.destination_id == self._id)
        values = {"ended_at": self._now(), "figures": _as_json(figures)}
        with self._catalogue.writing() as connection:
            if connection.execute(BATCH.update().where(*mine).values(values)).rowcount != 1:
                msg = f"there is no run {batch[:80]!r} of {self.dest}"
                raise ConfigurationError(msg)

    def swept(self, *, now: bool = False) -> bool:
        """Whether what killed runs have left behind is removed; with *now* it has just been.

        Not a matter of the latest runs only: the clock may have been years off when one was killed.
        Where several computers share the catalogue, a run that has not ended may still go on.
        """
        dead = (
            BATCH.c.destination_id == self._id,
            BATCH.c.ended_at.is_(None),
            BATCH.c.figures == "{}",
        )
        if self._catalogue.place.shared:
            return True
        if now:
            done = BATCH.update().where(*dead).values(figures=_as_json({"swept": True}))
            with self._catalogue.writing() as connection:
                connection.execute(done)
        left = sa.select(BATCH.c.id).where(*dead).limit(1)
        with self._catalogue.reading() as connection:
            return connection.execute(left).scalar() is None

    def batches(self, limit: int = 20) -> tuple[Batch, ...]:
        """Return the last *limit* runs, the latest first.

        Raises:
            DamagedCatalogueError: One of them is not what camsync writes.
        """
        latest = (BATCH.c.started_at.desc(), BATCH.c.id.desc())
        select = sa.select(BATCH).where(BATCH.c.destination_id == self._id)
        with self._catalogue.reading() as connection:
            rows = connection.execute(select.order_by(*latest).limit(limit)).all()
        return tuple(map(_to_batch, rows))


def _to_batch(row: Any) -> Batch:
    try:
        return Batch(
            id=row.id,
            started=from_seconds(row.started_at),
            ended=from_seconds(row.ended_at),
            facts=json.loads(row.facts),
            figures=json.loads(row.figures),
        )
    except NONSENSE as error:
        what = f"run {str(row.id)[:40]!r}"
        raise nonsense(what, error) from error


def _as_json(facts: dict[str, Any]) -> str:
    return shown(json.dumps(facts, default=str), _LONGEST)
