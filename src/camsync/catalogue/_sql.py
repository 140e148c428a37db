"""Statements that every part of the catalogue uses."""

from __future__ import annotations

import functools

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, TypeVar

import sqlalchemy as sa

from ..models import ChannelId, Codec, DeviceId, RecordingKey, RecordingKind
from ._codec import from_seconds, plain
from ._schema import CHANNEL, RECORDING, TRACK
from ._trouble import NONSENSE, nonsense
from ._values import Entry, State


_Any = TypeVar("_Any")
_KINDS = frozenset(kind.value for kind in RecordingKind)
_CODECS = frozenset({"", *(codec.value for codec in Codec)})

ENTRY = (
    sa.select(
        RECORDING,
        TRACK.c.provider,
        TRACK.c.stream,
        CHANNEL.c.device,
        CHANNEL.c.channel,
        CHANNEL.c.name,
    )
    .join(TRACK, TRACK.c.id == RECORDING.c.track_id)
    .join(CHANNEL, CHANNEL.c.id == RECORDING.c.channel_id)
)
"""What `to_entry` wants to read."""


def insert_if_new(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert *rows*, without those whose unique columns are there already."""
    # That of PostgreSQL takes a tenth of the time that loading SQLAlchemy takes: only where it is used.
    dialect = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


@functools.cache  # there are a dozen of them, which every step of every recording asks for
def is_in(*states: State) -> sa.ColumnElement[bool]:
    """Return the condition that a recording is in one of *states*."""
    # Not IN: SQLAlchemy cannot execute that with many sets of parameters.
    return sa.or_(sa.false(), *(RECORDING.c.state == state.value for state in states))


def to_entry(row: Any) -> Entry:
    """Build the value from a row of `ENTRY`.

    Raises:
        DamagedCatalogueError: It holds what camsync does not write.
    """
    try:
        return _to_entry(row)
    except NONSENSE as error:
        what = f"entry {row.id}"
        raise nonsense(what, error) from error


def _to_entry(row: Any) -> Entry:
    return Entry(
        key=RecordingKey(
            provider=plain(row.provider),
            device=DeviceId(plain(row.device)),
            channel=ChannelId(plain(row.channel)),
            stream=plain(row.stream),
            start=from_seconds(row.key_start),
            item=plain(row.item),
        ),
        channel_name=row.name,
        start=from_seconds(row.start),
        end=from_seconds(row.end),
        size=row.size if row.size is None else whole(row.size),
        kind=RecordingKind(row.kind) if row.kind in _KINDS else RecordingKind.UNKNOWN,
        state=State(row.state),
        in_progress=bool(row.in_progress),
        attempts=whole(row.attempts),
        failures=whole(row.failures),
        error=row.error,
        error_category=row.error_category,
        error_code=row.error_code,
        next_try=from_seconds(row.next_try),
        path=None if row.path is None else PurePosixPath(plain(row.path)),
        file_size=row.file_size if row.file_size is None else whole(row.file_size),
        sha256=row.sha256,
        duration=row.duration,
        container=row.container,
        codec=row.codec if row.codec in _CODECS else Codec.UNKNOWN.value,
        batch=row.batch,
        first_seen=from_seconds(row.first_seen),
        last_seen=from_seconds(row.last_seen),
        done_at=from_seconds(row.done_at),
        missed_at=from_seconds(row.missed_at),
        pruned_at=from_seconds(row.pruned_at),
        pinned=bool(row.pinned),
        file_end=from_seconds(row.file_end),
        lost_end=from_seconds(row.lost_end),
    )


def whole(value: Any) -> int:
    """Return *value*, which was read: SQLite takes anything in the place of a number.

    Raises:
        TypeError: It is no whole number.
    """
    if isinstance(value, int):
        return value
    msg = f"{value!r:.40} is no whole number"
    raise TypeError(msg)


def in_chunks(items: Iterable[_Any], size: int) -> Iterator[list[_Any]]:
    """Yield *items* in lists of at most *size*, never an empty one."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
