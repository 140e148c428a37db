"""`Marks`: how far each channel was searched, and what became of its footage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from .._time import TimeSpan
from ..errors import ConfigurationError
from ._codec import exact, from_seconds, plain, to_seconds
from ._coverage import Coverage, Stretch, cover
from ._rows import overlapping
from ._schema import BATCH, CHANNEL, FOLDER, RECORDING, TRACK, UNSETTLED
from ._sql import is_in
from ._values import CLAIMED, ChannelMark, State
from ._work import Work


class Marks(Work):
    """Watermarks and coverage."""

    def mark_of(self, device: str, channel: str) -> ChannelMark:
        """Return how far a channel has been dealt with; nothing but Nones when it is not known."""
        number = self._channel(device, channel)
        if number is None:
            return ChannelMark()
        with self._catalogue.reading() as connection:
            return _mark(connection, number)

    def searched(
        self,
        device: str,
        channel: str,
        span: TimeSpan,
        *,
        oldest: datetime | None = None,
        deep: bool = False,
        since_batch: str,
    ) -> ChannelMark:
        """Note that a search of *span* is complete, and every recording of it was observed.

        What begins in that span, is not held, and was not among the recordings, is gone. What was
        fetched while it was being written will not become more.

        The span is joined to what was searched before if the two touch. If there is a hole
        between them, what was searched stays as it was: the watermark must not pass the hole.

        Args:
            oldest: Begin of the oldest footage that the device has, if it was found out.
            deep: Whether the whole device was searched, not only what can be new.
            since_batch: The run that has searched: `observe` was called with the same.

        Raises:
            ConfigurationError: There is no such run.
        """
        number = self._make_channel(device, channel)
        with self._catalogue.writing() as connection:
            self._end_missed(connection, number, span, since_batch)
            self._note_search(connection, number, span, oldest, deep=deep)
            return _mark(connection, number)

    def _end_missed(
        self, connection: sa.Connection, number: int, span: TimeSpan, batch: str
    ) -> None:
        begun = sa.select(BATCH.c.started_at).where(BATCH.c.id == batch)
        started = connection.execute(begun).scalar()
        if started is None:
            msg = f"there is no run {batch[:80]!r}"
            raise ConfigurationError(msg, next_step="call begin_batch() first")
        missed = (
            RECORDING.c.channel_id == number,
            RECORDING.c.start >= to_seconds(span.start),
            RECORDING.c.start < to_seconds(span.end),
            RECORDING.c.seen_batch != batch,
            # Another run may have seen it meanwhile.
            RECORDING.c.last_seen <= started,
        )
        leased = sa.and_(
            is_in(*CLAIMED),
            RECORDING.c.lease_until > self._now(),
        )
        values = {"state": State.GONE.value, "in_progress": 0}
        lost = RECORDING.update().where(*missed, UNSETTLED, sa.not_(is_in(State.VERIFIED)))
        connection.execute(lost.where(sa.not_(leased)).values(values))
        held = RECORDING.update().where(*missed, UNSETTLED, is_in(State.VERIFIED))
        connection.execute(held.values(in_progress=0))

    def _note_search(
        self,
        connection: sa.Connection,
        number: int,
        span: TimeSpan,
        oldest: datetime | None,
        *,
        deep: bool,
    ) -> None:
        row = connection.execute(sa.select(CHANNEL).where(CHANNEL.c.id == number)).one()
        start, end = to_seconds(span.start), to_seconds(span.end)
        if row.searched_until is not None:
            apart = start > row.searched_until or end < row.searched_from
            known = row.searched_from, row.searched_until
            start, end = known if apart else (min(start, known[0]), max(end, known[1]))
        values: dict[str, Any] = {"searched_from": start, "searched_until": end}
        if oldest is not None:
            values["oldest"] = to_seconds(oldest)
        if deep:
            values["last_deep"] = self._now()
        connection.execute(CHANNEL.update().where(CHANNEL.c.id == number).values(values))

    def coverage(
        self, device: str, channel: str, span: TimeSpan, *, stream: str | None = None
    ) -> Coverage:
        """Return what became of a channel's footage within *span*.

        Args:
            stream: Only this stream (``"01"``: the main stream); None for any of them.
        """
        number = self._channel(device, channel)
        if number is None:
            return Coverage(span=span)
        with self._catalogue.reading() as connection:
            stretches = _stretches(connection, number, span, stream)
        return cover(span, stretches, self._now())

    def gaps(self, device: str, channel: str, span: TimeSpan) -> tuple[TimeSpan, ...]:
        """Return the footage of *span* that is missing or lost, in order."""
        return self.coverage(device, channel, span).gaps


def _mark(connection: sa.Connection, number: int) -> ChannelMark:
    """Return a channel's mark: nothing that is still to be done lies before its watermark."""
    row = connection.execute(sa.select(CHANNEL).where(CHANNEL.c.id == number)).one()
    todo = sa.select(RECORDING.c.start).where(
        RECORDING.c.channel_id == number, UNSETTLED, sa.not_(is_in(State.QUARANTINED))
    )
    first = connection.execute(todo.order_by(RECORDING.c.start).limit(1)).scalar()
    folder = sa.select(FOLDER.c.name).where(FOLDER.c.channel_id == number)
    name = connection.execute(folder.order_by(FOLDER.c.stream).limit(1)).scalar()
    until = row.searched_until
    mark = until if until is None or first is None else min(first, until)
    return ChannelMark(
        watermark=from_seconds(mark),
        searched_from=from_seconds(row.searched_from),
        searched_until=from_seconds(until),
        oldest_on_device=from_seconds(row.oldest),
        last_deep=from_seconds(row.last_deep),
        folder=plain(name or ""),
    )


def _stretches(
    connection: sa.Connection, number: int, span: TimeSpan, stream: str | None
) -> list[Stretch]:
    length = sa.select(CHANNEL.c.longest).where(CHANNEL.c.id == number)
    longest = connection.execute(length).scalar_one()
    of_span = overlapping(to_seconds(span.start), to_seconds(span.end), longest)
    select = sa.select(
        RECORDING.c.start,
        RECORDING.c.end,
        RECORDING.c.state,
        RECORDING.c.in_progress,
        RECORDING.c.pruned_at,
    ).where(RECORDING.c.channel_id == number, *of_span)
    if stream is not None:
        select = select.join(TRACK).where(TRACK.c.stream == exact(stream))
    return [
        Stretch(start, end, State(state), bool(in_progress), pruned_at is not None)
        for start, end, state, in_progress, pruned_at in connection.execute(select)
    ]
