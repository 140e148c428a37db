"""`Book`: what every part of `Holdings` stands on: the destination, its channels and its tracks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..errors import ConfigurationError
from ..models import ChannelId, DeviceId, RecordingKey
from ._codec import exact, to_seconds
from ._schema import CHANNEL, RECORDING, TRACK
from ._sql import ENTRY, in_chunks, insert_if_new, to_entry
from ._steps import Step, parameters
from ._values import Entry


if TYPE_CHECKING:
    from ._catalogue import Catalogue


CHUNK = 500
"""Rows of one transaction, and values of one statement."""

_NOWHERE = 0
"""The number of no destination."""

Track = tuple[str, str, str, str]
"""Provider, device, channel and stream."""
ChannelKey = tuple[DeviceId, ChannelId]
Located = Mapping[int, Sequence[int]]
"""Numbers of tracks, and for each the starts of recordings (seconds UTC)."""


def track_of(key: RecordingKey) -> Track:
    """Return what all recordings of one stream of a channel share."""
    return key.provider, str(key.device), str(key.channel), key.stream


class Book:
    """One destination's share of a catalogue.

    Args:
        catalogue: Whose share it is.
        number: The destination's number; None if it is not known, and is to be entered as soon as
            something is written. Until then it reads as empty.
        dest: The folder.

    Attributes:
        dest: The folder, absolute, links not followed.
    """

    def __init__(self, catalogue: Catalogue, number: int | None, dest: Path) -> None:
        self.dest = dest
        self._catalogue = catalogue
        self._id = _NOWHERE if number is None else number
        # Rows of these tables are never removed or changed, so that what was committed stays true.
        self._tracks: dict[Track, tuple[int, int]] = {}
        self._channels: dict[ChannelKey, int] = {}
        self._folders: dict[tuple[int, str], str] = {}

    def _make_id(self) -> int:
        """Return the destination's number; it is entered if it is not known."""
        if self._id == _NOWHERE:
            self._id = self._catalogue.enter(self.dest)
        return self._id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.dest)!r}, {self._catalogue!r})"

    def _now(self) -> int:
        return self._catalogue.now()

    def _mine(self) -> Any:
        """Return the condition that a recording belongs to this destination."""
        channels = sa.select(CHANNEL.c.id).where(CHANNEL.c.destination_id == self._id)
        return RECORDING.c.channel_id.in_(channels)

    def _channel(self, device: str, channel: str) -> int | None:
        """Return the number of a channel, or None when it was never seen."""
        place = DeviceId(device), ChannelId(channel)
        if place not in self._channels:
            with self._catalogue.reading() as connection:
                number = connection.execute(self._find_channel(*place)).scalar()
            if number is None:
                return None
            self._channels[place] = number
        return self._channels[place]

    def _make_channel(self, device: str, channel: str) -> int:
        known = self._channel(device, channel)
        if known is not None:
            return known
        row = {
            "destination_id": self._make_id(),
            "device": exact(device),
            "channel": exact(channel),
        }
        with self._catalogue.writing() as connection:
            insert_if_new(connection, CHANNEL, [row])
            number: int = connection.execute(self._find_channel(device, channel)).scalar_one()
        self._channels[DeviceId(device), ChannelId(channel)] = number
        return number

    def _find_channel(self, device: str, channel: str) -> sa.Select[Any]:
        return sa.select(CHANNEL.c.id).where(
            CHANNEL.c.destination_id == self._id,
            CHANNEL.c.device == exact(device),
            CHANNEL.c.channel == exact(channel),
        )

    def _track(self, track: Track) -> tuple[int, int] | None:
        """Return the numbers of a track and its channel, or None when it was never seen."""
        if track not in self._tracks:
            provider, device, channel, stream = track
            parent = self._channel(device, channel)
            if parent is None:
                return None
            with self._catalogue.reading() as connection:
                number = connection.execute(_find_track(parent, provider, stream)).scalar()
            if number is None:
                return None
            self._tracks[track] = number, parent
        return self._tracks[track]

    def _make_track(self, track: Track) -> tuple[int, int]:
        found = self._track(track)
        if found is not None:
            return found
        provider, device, channel, stream = track
        parent = self._make_channel(device, channel)
        row = {"channel_id": parent, "provider": exact(provider), "stream": exact(stream)}
        with self._catalogue.writing() as connection:
            insert_if_new(connection, TRACK, [row])
            number = connection.execute(_find_track(parent, provider, stream)).scalar_one()
        self._tracks[track] = number, parent
        return self._tracks[track]

    def _columns(self, key: RecordingKey) -> dict[str, Any] | None:
        """Return the columns that identify *key*, or None when its track was never seen."""
        found = self._track(track_of(key))
        if found is None:
            return None
        return {"track_id": found[0], "key_start": to_seconds(key.start), "item": exact(key.item)}

    def _row(self, key: RecordingKey) -> list[Any]:
        """Return the conditions that pick the row of *key*.

        Raises:
            ConfigurationError: The catalogue has never heard of it.
        """
        columns = self._columns(key)
        if columns is None:
            raise unknown(key)
        return [RECORDING.c[name] == value for name, value in columns.items()]

    def _located(self, keys: Collection[RecordingKey]) -> Located:
        """Return where the rows of *keys* would be; those of tracks never seen are left out.

        Done before a transaction begins: looking up a track takes a connection of its own.
        """
        starts: dict[int, set[int]] = {}
        for key in keys:
            columns = self._columns(key)
            if columns is not None:
                starts.setdefault(columns["track_id"], set()).add(columns["key_start"])
        return {track: sorted(some) for track, some in starts.items()}

    def _change(self, keys: Iterable[RecordingKey], step: Step, **values: Any) -> int:
        """Do *step* with these *values* for each of *keys*; return for how many rows it was done."""
        rows = [columns for key in keys if (columns := self._columns(key)) is not None]
        rows.sort(key=lambda row: tuple(row.values()))  # always in one order: no deadlocks
        changed = 0
        for some in in_chunks(rows, CHUNK):
            with self._catalogue.writing() as connection:
                for row in some:
                    changed += connection.execute(step, parameters(row, values)).rowcount
        return changed


def _find_track(channel: int, provider: str, stream: str) -> sa.Select[Any]:
    return sa.select(TRACK.c.id).where(
        TRACK.c.channel_id == channel,
        TRACK.c.provider == exact(provider),
        TRACK.c.stream == exact(stream),
    )


_OF_TRACK = ENTRY.where(
    RECORDING.c.track_id == sa.bindparam("track"),
    RECORDING.c.key_start.in_(sa.bindparam("starts", expanding=True)),
)
"""Built once: a run asks it for each recording that it fetches."""


def read(
    connection: sa.Connection, located: Located, keys: Collection[RecordingKey]
) -> dict[RecordingKey, Entry]:
    """Return the entries of those of *keys* that are known."""
    wanted = set(keys)
    found: dict[RecordingKey, Entry] = {}
    for track, starts in located.items():
        for some in in_chunks(starts, CHUNK):
            rows = connection.execute(_OF_TRACK, {"track": track, "starts": some})
            entries = map(to_entry, rows)
            found.update((entry.key, entry) for entry in entries if entry.key in wanted)
    return found


def unknown(key: RecordingKey) -> ConfigurationError:
    """Build the error for a recording that was never observed."""
    msg = f"the catalogue does not know {key}"
    return ConfigurationError(msg, next_step="call observe() with the recording first")
