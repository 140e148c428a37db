"""`Rows`: noting what devices have, and looking it up."""

from __future__ import annotations

import heapq

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import sqlalchemy as sa

from .._time import TimeSpan
from ..models import Recording, RecordingKey
from ._book import CHUNK, Book, ChannelKey, read, track_of
from ._codec import exact, shown, to_seconds
from ._schema import CHANNEL, RECORDING, SETTLED_STATES, UNSETTLED
from ._sql import ENTRY, in_chunks, insert_if_new, is_in, to_entry
from ._trouble import sensible
from ._values import SLACK, Entry, State


_LEAST = 20
_ORDER = (RECORDING.c.start, RECORDING.c.id)


class Rows(Book):
    """Observing and reading."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._facts: dict[int, tuple[str, int]] = {}
        """Name and longest recording of each channel, as far as this object has written them."""

    def observe(self, recordings: Iterable[Recording], *, batch: str) -> list[Entry]:
        """Note what a device has, in transactions of 500, and return the entries in that order.

        A recording that is held stays held, with the bounds that it was fetched with. Only if it
        was still being written then, and is complete now, or if it has become longer, it is
        `State.SEEN` again; so is one that was gone and is back.

        Args:
            batch: The run that has seen them: see `Holdings.begin_batch`.
        """
        result: list[Entry] = []
        for some in in_chunks(recordings, CHUNK):
            rows = [self._row_of(recording) for recording in some]
            keys = [recording.key for recording in some]
            located = self._located(keys)
            with self._catalogue.writing() as connection:
                self._note_facts(connection, some, rows)
                self._note(connection, rows, batch)
                found = read(connection, located, keys)
            self._remember_facts(some, rows)
            result += [found[key] for key in keys]
        return result

    def _row_of(self, recording: Recording) -> dict[str, Any]:
        key = recording.key
        track, channel = self._make_track(track_of(key))
        return {
            "channel_id": channel,
            "track_id": track,
            "key_start": to_seconds(key.start),
            "item": exact(key.item),
            "start": to_seconds(recording.start),
            "end": to_seconds(recording.end),
            "size": recording.size,
            "kind": recording.kind.value,
            "in_progress": int(recording.in_progress),
        }

    def _note(self, connection: sa.Connection, rows: list[dict[str, Any]], batch: str) -> None:
        now = self._now()
        order = sorted(rows, key=lambda row: (row["track_id"], row["key_start"], row["item"]))
        fresh = {"first_seen": now, "last_seen": now, "seen_batch": batch}
        insert_if_new(connection, RECORDING, [{**row, **fresh} for row in order])
        again = [{f"now_{name}": value for name, value in row.items()} for row in order]
        connection.execute(_SEE_AGAIN.values(last_seen=now, seen_batch=batch), again)

    def _note_facts(
        self, connection: sa.Connection, recordings: list[Recording], rows: list[dict[str, Any]]
    ) -> None:
        """Note the channels' names, and how long their recordings can be."""
        for number, (name, longest) in sorted(_facts(recordings, rows).items()):
            known = self._facts.get(number)
            if known is not None and known[0] == name and known[1] >= longest:
                continue
            grown = sa.case((CHANNEL.c.longest < longest, longest), else_=CHANNEL.c.longest)
            update = CHANNEL.update().where(CHANNEL.c.id == number)
            connection.execute(update.values(name=name, longest=grown))

    def _remember_facts(self, recordings: list[Recording], rows: list[dict[str, Any]]) -> None:
        for number, (name, longest) in _facts(recordings, rows).items():
            self._facts[number] = name, max(longest, self._facts.get(number, ("", 0))[1])

    def find(self, keys: Collection[RecordingKey]) -> Mapping[RecordingKey, Entry]:
        """Return the entries of those of *keys* that are known."""
        located = self._located(keys)
        with self._catalogue.reading() as connection:
            return read(connection, located, keys)

    def entries(
        self,
        *,
        channel: ChannelKey | None = None,
        span: TimeSpan | None = None,
        states: Collection[State] | None = None,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Yield entries, oldest first, without ever holding all of them in memory.

        No connection is held between two entries; what changes meanwhile may or may not be seen.

        Args:
            channel: The ids of a device and of its channel; None for all.
            span: Those whose footage overlaps it.
            states: Those in one of these states.
            limit: At most so many.
        """
        wanted = sa.select(CHANNEL.c.id, CHANNEL.c.longest)
        wanted = wanted.where(CHANNEL.c.destination_id == self._id)
        if channel is not None:
            device, number = map(exact, channel)
            wanted = wanted.where(CHANNEL.c.device == device, CHANNEL.c.channel == number)
        with self._catalogue.reading() as connection:
            channels = connection.execute(wanted).all()
        # All channels together take no more memory than one.
        size = max(_LEAST, CHUNK // max(len(channels), 1))
        streams = [
            self._stream(each.id, _conditions(each.longest, span, states), size)
            for each in channels
        ]
        merged = heapq.merge(*streams, key=lambda found: found[:2])
        return islice((entry for _, _, entry in merged), limit)

    def _stream(
        self, channel: int, conditions: list[Any], size: int
    ) -> Iterator[tuple[int, int, Entry]]:
        """Yield start, number and entry of a channel's recordings, in this order."""
        select = ENTRY.where(RECORDING.c.channel_id == channel, *conditions)
        select = select.order_by(*_ORDER).limit(size)
        after: list[Any] = []
        while True:
            with self._catalogue.reading() as connection:
                rows = connection.execute(select.where(*after)).all()
            for row in rows:
                yield row.start, row.id, to_entry(row)
            if len(rows) < size:
                return
            after = [sa.tuple_(*_ORDER) > sa.tuple_(rows[-1].start, rows[-1].id)]


def _facts(recordings: list[Recording], rows: list[dict[str, Any]]) -> dict[int, tuple[str, int]]:
    """Return name and longest recording of each channel that occurs."""
    facts: dict[int, tuple[str, int]] = {}
    for recording, row in zip(recordings, rows, strict=True):
        number = row["channel_id"]
        longest = max(row["end"] - row["start"], facts.get(number, ("", 0))[1])
        facts[number] = shown(recording.channel_name), longest
    return facts


def _conditions(longest: int, span: TimeSpan | None, states: Collection[State] | None) -> list[Any]:
    conditions: list[Any] = []
    if span is not None:
        conditions = overlapping(to_seconds(span.start), to_seconds(span.end), longest)
    if states is not None:
        conditions.append(is_in(*states))
        if not SETTLED_STATES.intersection(states):
            conditions.append(UNSETTLED)
    return conditions


def overlapping(start: int, end: int, longest: int, ends: Any = RECORDING.c.end) -> list[Any]:
    """Return the conditions for recordings that overlap a span, in a form that an index serves.

    Args:
        start: Begin of the span (seconds UTC).
        end: Its end.
        longest: What the channel's row says of its recordings.
        ends: Where a recording ends.
    """
    with sensible("the longest recording of a channel"):
        earliest = start - longest
    return [
        RECORDING.c.start < end,
        RECORDING.c.start >= earliest,
        ends > start,
    ]


def _now(name: str) -> Any:
    return sa.bindparam(f"now_{name}", type_=RECORDING.c[name].type)


def _see_again() -> sa.Update:
    """Build the statement for a recording that is known already; see `Rows.observe`."""
    is_held = is_in(State.VERIFIED)
    was_open = RECORDING.c.in_progress == 1
    complete = _now("in_progress") == 0
    here = sa.and_(RECORDING.c.path.is_not(None), RECORDING.c.pruned_at.is_(None))
    grown = sa.and_(here, _now("end") > RECORDING.c.end + int(SLACK.total_seconds()))
    more = sa.and_(is_held, complete, sa.or_(was_open, grown))
    anew = sa.or_(is_in(State.GONE), more)
    stays = sa.and_(is_held, sa.not_(more))

    def unless_held(name: str) -> Any:
        return sa.case((stays, RECORDING.c[name]), else_=_now(name))

    return (
        RECORDING.update()
        .where(*(RECORDING.c[name] == _now(name) for name in ("track_id", "key_start", "item")))
        .values(
            {name: unless_held(name) for name in ("start", "end", "size", "in_progress")}
            | {
                "kind": _now("kind"),
                "state": sa.case((anew, State.SEEN.value), else_=RECORDING.c.state),
                "failures": sa.case((anew, 0), else_=RECORDING.c.failures),
                "next_try": sa.case((anew, None), else_=RECORDING.c.next_try),
                "missed_at": None,
                "file_end": sa.case(
                    (sa.and_(more, here), RECORDING.c.end), else_=RECORDING.c.file_end
                ),
            }
        )
    )


_SEE_AGAIN = _see_again()
