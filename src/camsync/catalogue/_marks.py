"""`Marks`: how far each channel was searched, and what became of its footage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from .._time import TimeSpan
from ..errors import ConfigurationError
from ..models import Channel, ChannelId, DeviceId
from ._codec import exact, from_seconds, plain, shown, to_seconds
from ._coverage import Coverage, Stretch, cover
from ._rows import overlapping
from ._schema import BATCH, CHANNEL, FOLDER, RECORDING, TRACK, UNSETTLED
from ._sql import is_in
from ._steps import LOST, not_missed_yet
from ._trouble import sensible
from ._values import CLAIMED, MISSED_FOR, ChannelMark, KnownChannel, State
from ._work import Work


_SOME_KINDS = "?"
"""What comes after it in a channel's id are the kinds that were searched for: see `Books`."""


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
        empty: bool = False,
        since_batch: str,
    ) -> ChannelMark:
        """Note that a search of *span* is complete, and every recording of it was observed.

        What begins in that span, is not held, and was not among the recordings, is missed: see
        `missed`. What was fetched while it was being written will not become more.

        The span is joined to what was searched before if the two touch. If there is a hole
        between them, what was searched stays as it was: the watermark must not pass the hole.
        What was searched of the future, by a clock that was ahead, does not count.

        Args:
            oldest: Begin of the oldest footage that the device has, if it was found out.
            deep: Whether the whole device was searched, not only what can be new.
            empty: Nothing at all was listed, so that the answer is doubtful: a recorder says the
                same while its disk is not up. Then no mark moves; of a channel that was never
                searched it is only noted where the next search has to begin.
            since_batch: The run that has searched: `observe` was called with the same.

        Raises:
            ConfigurationError: There is no such run.
        """
        number = self._make_channel(device, channel)
        with self._catalogue.writing() as connection:
            self._end_missed(connection, number, span, since_batch)
            if empty:
                self._note_empty(connection, number, to_seconds(span.start))
            else:
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
        now = self._now()
        open_ones = (*missed, UNSETTLED, sa.not_(is_in(State.VERIFIED)), sa.not_(leased))
        long_ago = RECORDING.c.missed_at <= now - int(MISSED_FOR.total_seconds())
        connection.execute(RECORDING.update().where(*open_ones, long_ago).values(LOST))
        fresh = RECORDING.update().where(*open_ones, not_missed_yet(now))
        connection.execute(fresh.values(missed_at=now))
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
            with sensible(f"channel {number}"):
                start, end = _joined(row, start, end, self._now(), found=oldest is not None)
        values: dict[str, Any] = {"searched_from": start, "searched_until": end}
        if oldest is not None:
            values["oldest"] = to_seconds(oldest)
        if deep:
            values["last_deep"] = self._now()
        self._note_look(connection, number, values)

    def _note_empty(self, connection: sa.Connection, number: int, start: int) -> None:
        """Note that a search has listed nothing: the next one begins no later than this one."""
        first = {"searched_from": start, "searched_until": start}
        fresh = (CHANNEL.c.id == number, CHANNEL.c.searched_until.is_(None))
        connection.execute(CHANNEL.update().where(*fresh).values(first))
        self._note_look(connection, number, {})

    def _note_look(self, connection: sa.Connection, number: int, values: dict[str, Any]) -> None:
        values = {**values, "last_search": self._now()}
        connection.execute(CHANNEL.update().where(CHANNEL.c.id == number).values(values))

    def oldest_lost(self, device: str, channel: str, since: datetime) -> datetime | None:
        """Return where the oldest recording since *since* begins that is gone, or in quarantine.

        It may come back: a disk is repaired, a firmware updated.
        """
        number = self._channel(device, channel)
        if number is None:
            return None
        select = sa.select(RECORDING.c.start).where(
            RECORDING.c.channel_id == number,
            RECORDING.c.start >= to_seconds(since),
            is_in(State.GONE, State.QUARANTINED),
        )
        with self._catalogue.reading() as connection:
            first = connection.execute(select.order_by(RECORDING.c.start).limit(1)).scalar()
        with sensible("an entry"):
            return from_seconds(first)

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
        with sensible("an entry"):
            return cover(span, stretches, self._now())

    def channels(self) -> Sequence[KnownChannel]:
        """Return all channels of the destination, by device and number.

        Also those that were searched and had nothing: a camera that is dead, or was never alive.
        """
        mine = sa.select(CHANNEL).where(CHANNEL.c.destination_id == self._id)
        with self._catalogue.reading() as connection, sensible("a channel"):
            rows = connection.execute(mine).all()
            groups: dict[tuple[str, str], list[Any]] = {}
            for row in rows:
                base = plain(row.channel).partition(_SOME_KINDS)[0]
                groups.setdefault((plain(row.device), base), []).append(row)
            found = [_known(connection, *key, group) for key, group in groups.items()]
            return sorted(found, key=_by_number)

    def note(self, channels: Iterable[Channel]) -> None:
        """Note which channels a device has, and what they are called, before they are searched."""
        named = {
            self._make_channel(channel.device, channel.id): shown(channel.name)
            for channel in channels
        }
        mine = sa.select(CHANNEL.c.id, CHANNEL.c.name)
        with self._catalogue.reading() as connection:
            rows = connection.execute(mine.where(CHANNEL.c.destination_id == self._id))
            known = {row.id: row.name for row in rows}
        fresh = {number: name for number, name in named.items() if known[number] != name}
        if fresh:
            with self._catalogue.writing() as connection:
                for number, name in sorted(fresh.items()):
                    update = CHANNEL.update().where(CHANNEL.c.id == number)
                    connection.execute(update.values(name=name))

    def gaps(self, device: str, channel: str, span: TimeSpan) -> tuple[TimeSpan, ...]:
        """Return the footage of *span* that is missing or lost, in order."""
        return self.coverage(device, channel, span).gaps


def _mark(connection: sa.Connection, number: int, *, searched: int | None = None) -> ChannelMark:
    """Return a channel's mark: nothing that is still to be done lies before its watermark.

    Args:
        searched: Whose searches count, if not its own.
    """
    whose = number if searched is None else searched
    row = connection.execute(sa.select(CHANNEL).where(CHANNEL.c.id == whose)).one()
    todo = sa.select(RECORDING.c.start).where(
        RECORDING.c.channel_id == number, UNSETTLED, sa.not_(is_in(State.QUARANTINED))
    )
    first = connection.execute(todo.order_by(RECORDING.c.start).limit(1)).scalar()
    every = sa.select(RECORDING.c.start).where(RECORDING.c.channel_id == number)
    newest = every.order_by(RECORDING.c.start.desc(), RECORDING.c.id.desc()).limit(1)
    folder = sa.select(FOLDER.c.name).where(FOLDER.c.channel_id == number)
    name = connection.execute(folder.order_by(FOLDER.c.stream).limit(1)).scalar()
    last = connection.execute(newest).scalar()
    with sensible(f"channel {number}"):
        return _to_mark(row, first, last, name)


def _to_mark(row: Any, first: int | None, last: int | None, folder: str | None) -> ChannelMark:
    until = row.searched_until
    mark = until if until is None or first is None else min(first, until)
    return ChannelMark(
        watermark=from_seconds(mark),
        searched_from=from_seconds(row.searched_from),
        searched_until=from_seconds(until),
        oldest_on_device=from_seconds(row.oldest),
        last_deep=from_seconds(row.last_deep),
        last_search=from_seconds(row.last_search),
        oldest_open=from_seconds(first),
        newest=from_seconds(last),
        folder=plain(folder or ""),
    )


def _joined(row: Any, start: int, end: int, now: int, *, found: bool) -> tuple[int, int]:
    """Return what was searched without a hole, now that one span more was.

    A search that reaches beyond the present was made with a clock that was ahead: how far it has
    really reached, nobody knows. One that lies in the future altogether counts no more as soon as
    footage is *found* before it; a clock that stands in 1970 finds none.
    """
    if row.searched_from > now and found:
        return start, end
    if start > row.searched_until or end < row.searched_from:
        return row.searched_from, row.searched_until
    until = end if row.searched_until > now else max(end, row.searched_until)
    return min(start, row.searched_from), until


def _known(connection: sa.Connection, device: str, channel: str, rows: list[Any]) -> KnownChannel:
    """Build the value from a channel's row and those of its kinds, each with a mark of its own."""
    own = next((row for row in rows if plain(row.channel) == channel), rows[0])
    latest = max((own, *rows), key=_last_search)
    select = sa.select(RECORDING.c.end).where(RECORDING.c.channel_id == own.id)
    last = select.order_by(RECORDING.c.start.desc(), RECORDING.c.id.desc()).limit(1)
    return KnownChannel(
        device=DeviceId(device),
        channel=ChannelId(channel),
        name=own.name,
        mark=_mark(connection, own.id, searched=latest.id),
        newest=from_seconds(connection.execute(last).scalar()),
    )


def _last_search(row: Any) -> tuple[int, int]:
    return row.last_search or 0, row.searched_until or 0


def _by_number(known: KnownChannel) -> tuple[str, int, str]:
    channel = str(known.channel)
    return str(known.device), int(channel) if channel.isdecimal() else 0, channel


def _stretches(
    connection: sa.Connection, number: int, span: TimeSpan, stream: str | None
) -> list[Stretch]:
    length = sa.select(CHANNEL.c.longest).where(CHANNEL.c.id == number)
    longest = connection.execute(length).scalar_one()
    start, end = to_seconds(span.start), to_seconds(span.end)
    ends = sa.func.coalesce(RECORDING.c.lost_end, RECORDING.c.end)
    of_span = overlapping(start, end, longest, ends)
    select = sa.select(
        RECORDING.c.start,
        RECORDING.c.end,
        RECORDING.c.state,
        RECORDING.c.in_progress,
        RECORDING.c.pruned_at,
        RECORDING.c.file_end,
        RECORDING.c.lost_end,
    ).where(RECORDING.c.channel_id == number, *of_span)
    if stream is not None:
        select = select.join(TRACK).where(TRACK.c.stream == exact(stream))
    rows = connection.execute(select).all()
    with sensible("an entry"):
        return [stretch for row in rows for stretch in Stretch.of(row)]
