"""What the catalogue tells: frozen values, without I/O."""

from __future__ import annotations

import datetime as dt
import enum

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import attrs

from .._words import size_text
from ..models import ChannelId, DeviceId, RecordingKey, RecordingKind


class State(str, enum.Enum):
    """How far a recording has come."""

    SEEN = "seen"
    """The device has it; nothing was done about it yet."""
    PLANNED = "planned"
    LEASED = "leased"
    """A run has claimed it, so that no other one fetches it too."""
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    """It is complete and under its final name, or was until it was pruned; or, with no path, the
    host's own table has it."""
    FAILED = "failed"
    """It could not be fetched; it is tried again from `Entry.next_try` on."""
    QUARANTINED = "quarantined"
    """It failed so often, while others did not, that it is tried once a week only."""
    GONE = "gone"
    """The device has lost it before it was fetched."""


MISSED_FOR = dt.timedelta(hours=6)
"""For so long a recording must not be listed until it is believed to be gone."""

SLACK = dt.timedelta(seconds=5)
"""By so much an end may differ from one list to the next without there being more footage."""

CLAIMED = (State.LEASED, State.DOWNLOADING)
"""States in which a run has the recording to itself, for as long as its lease lasts."""


@attrs.frozen(kw_only=True)
class Entry:
    """What the catalogue knows about one recording.

    Attributes:
        channel_name: What the channel was called when it was last seen.
        start: Begin of the footage (aware, UTC, whole seconds).
        end: Its end as last announced, or as fetched.
        size: Bytes as announced, or None.
        in_progress: The device was still writing it when it was last seen, or fetched.
        attempts: How often a transfer was begun.
        failures: How many runs it failed in, since the last success.
        error: The message of the last failure, or empty.
        error_category: Of that failure: a value of `camsync.Category`, or empty.
        error_code: The name of the error's class, with the vendor's code if there is one.
        next_try: When it should be tried again (aware, UTC), or None.
        path: The file, relative to the destination, or None.
        file_size: Bytes of that file, or None.
        sha256: Hexadecimal digest of that file, or empty when it was not read.
        duration: Seconds of video in that file, or None when it was not measured.
        batch: The run that planned or finished it last.
        first_seen: When it was first seen on the device; so with `last_seen`.
        done_at: When it was verified, or None.
        missed_at: When a complete search did not list it for the first time, or None.
        pruned_at: When its file was deleted by `Holdings.prune`, or None.
        pinned: Whether `Holdings.prune` must leave it alone.
        file_end: While the file is there and is to be replaced, since it has become too short or
            was changed: where its footage ends. None otherwise.
        lost_end: Where the footage ended that the device had, if it has lost what comes after
            `end` before that was fetched; None otherwise.
    """

    key: RecordingKey = attrs.field(repr=str)
    channel_name: str
    start: dt.datetime = attrs.field(repr=str)
    end: dt.datetime = attrs.field(repr=str)
    size: int | None = None
    kind: RecordingKind = RecordingKind.UNKNOWN
    state: State = State.SEEN
    in_progress: bool = False
    attempts: int = 0
    failures: int = 0
    error: str = ""
    error_category: str = ""
    error_code: str = ""
    next_try: dt.datetime | None = None
    path: PurePosixPath | None = None
    file_size: int | None = None
    sha256: str = ""
    duration: float | None = None
    container: str = ""
    codec: str = ""
    batch: str = ""
    first_seen: dt.datetime
    last_seen: dt.datetime
    done_at: dt.datetime | None = None
    missed_at: dt.datetime | None = None
    pruned_at: dt.datetime | None = None
    pinned: bool = False
    file_end: dt.datetime | None = None
    lost_end: dt.datetime | None = None

    def missed_for(self, now: dt.datetime) -> bool:
        """Whether the device has not listed it for so long that it is gone."""
        return self.missed_at is not None and now - self.missed_at >= MISSED_FOR

    def __str__(self) -> str:
        name = self.channel_name or f"{self.key.device} channel {self.key.channel}"
        where = self.error or ("" if self.path is None else str(self.path))
        text = f"{name} {self.start:%Y-%m-%d %H:%M:%S} UTC, {self.state.value}"
        return f"{text}: {where}" if where else text

    @property
    def held(self) -> bool:
        """Whether its file should be on disk now, below the destination."""
        on_disk = self.path is not None and self.pruned_at is None
        return on_disk and self.state is State.VERIFIED

    @property
    def is_short(self) -> bool:
        """Whether the device has more of it by now than its file."""
        return self.file_end is not None and self.end - self.file_end > SLACK


@attrs.frozen(kw_only=True)
class ChannelMark:
    """How far one channel has been dealt with.

    Attributes:
        watermark: Before this moment nothing is left to do; None when nothing was searched yet.
        searched_from: Begin of what has been searched without a hole.
        searched_until: End of it.
        oldest_on_device: Begin of the oldest footage that the device still had, if known.
        last_deep: When the whole device was searched last, not only what can be new.
        last_search: When a search was complete last, also if it has found nothing.
        oldest_open: Begin of the oldest recording that is still to be fetched, or None.
        newest: Begin of the newest recording that was ever seen, or None.
        folder: The camera's folder below the destination, or empty.
    """

    watermark: dt.datetime | None = None
    searched_from: dt.datetime | None = None
    searched_until: dt.datetime | None = None
    oldest_on_device: dt.datetime | None = None
    last_deep: dt.datetime | None = None
    last_search: dt.datetime | None = None
    oldest_open: dt.datetime | None = None
    newest: dt.datetime | None = None
    folder: str = ""


@attrs.frozen(kw_only=True)
class KnownChannel:
    """A channel of a destination, whether or not there was ever any footage of it.

    Attributes:
        name: What it was called when it was last seen, or empty.
        mark: How far it has been dealt with. Where only some kinds of recordings are fetched, how
            far those have been.
        newest: End of the newest footage that was ever seen of it (aware, UTC), or None.
    """

    device: DeviceId
    channel: ChannelId
    name: str = ""
    mark: ChannelMark = attrs.field(factory=ChannelMark)
    newest: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class Batch:
    """One run.

    Attributes:
        ended: None while it goes on, or when it was killed.
        facts: What was asked for, as given to `Holdings.begin_batch`.
        figures: What came of it, as given to `Holdings.end_batch`.
    """

    id: str
    started: dt.datetime
    ended: dt.datetime | None = None
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    figures: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Pace:
    """How many downloads at once a device has borne.

    Attributes:
        streams: How many there were at the end of the last run.
        ceiling: With more there was trouble; None when there was none.
        learnt_at: When the ceiling was found (aware, UTC); without one, when the run ended.
    """

    streams: int
    ceiling: int | None
    learnt_at: dt.datetime


@attrs.frozen(kw_only=True)
class Reconciliation:
    """What a comparison of catalogue and disk found.

    Attributes:
        checked: How many files the catalogue expects.
        missing: Their file is not there; they are `State.SEEN` again.
        changed: Their file has another size (or, looked at deeply, other bytes). Only when
            ``repair`` was asked for they are `State.SEEN` again. The file stays as it is until its
            recording was fetched anew.
        adopted: Their file has been moved within the destination; the new path is noted.
        unknown: Video files that no entry names.
        parts: Part files that nobody has written to for an hour.
        unreadable: Folders and files that could not be looked at.
    """

    checked: int = 0
    missing: tuple[Entry, ...] = ()
    changed: tuple[Entry, ...] = ()
    adopted: tuple[Entry, ...] = ()
    unknown: tuple[PurePosixPath, ...] = ()
    parts: tuple[PurePosixPath, ...] = ()
    unreadable: tuple[PurePosixPath, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether catalogue and disk agree."""
        found = (self.missing, self.changed, self.adopted, self.unknown, self.unreadable)
        return not any(found)

    def __str__(self) -> str:
        names = ("missing", "changed", "adopted", "unknown", "parts", "unreadable")
        counts = [f"{len(getattr(self, name))} {name}" for name in names if getattr(self, name)]
        return ", ".join([f"{self.checked} checked", *counts]) + (", all well" * self.clean)


@attrs.frozen(kw_only=True)
class Pruning:
    """What was deleted, or would be.

    Attributes:
        dry_run: Whether everything was only looked at.
        deleted: What was deleted (or would be), oldest first.
        kept: What should have been deleted but was not, each with the reason in words.
        bytes: The size of the files in `deleted`.
        left: Bytes that the catalogue holds below the destination afterwards.
    """

    dry_run: bool = True
    deleted: tuple[Entry, ...] = ()
    kept: tuple[tuple[Entry, str], ...] = ()
    bytes: int = 0
    left: int = 0

    def __str__(self) -> str:
        verb = "would be deleted" if self.dry_run else "deleted"
        kept = f", {len(self.kept)} kept" if self.kept else ""
        files = "1 file" if len(self.deleted) == 1 else f"{len(self.deleted)} files"
        done = f"{files} ({size_text(self.bytes)}) {verb}{kept}"
        return f"{done}; {size_text(self.left)} left"
