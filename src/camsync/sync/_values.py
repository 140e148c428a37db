"""What a sync takes, plans, tells and reports: frozen values."""

from __future__ import annotations

import datetime as dt
import enum

from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from .._time import aware
from .._words import size_text
from ..errors import AuthenticationError, CamsyncError
from ..models import ChannelId, DeviceId, Downloaded, Failed, Progress, Recording, RecordingKey


def _count(values: Sequence[object]) -> str:
    return f"<{len(values)}>"


def _distinct(
    channels: Iterable[tuple[DeviceId, ChannelId]],
) -> tuple[tuple[DeviceId, ChannelId], ...]:
    return tuple(dict.fromkeys(channels))


class Verdict(str, enum.Enum):
    """What is done about a recording, and why."""

    FETCH = "fetch"
    HELD = "held"
    """It is here, or was here and has been pruned or moved on by the host."""
    IN_PROGRESS = "in progress"
    """The device is still writing it, or has only just stopped: the next run takes it."""
    WAITING = "waiting"
    """It has failed, and the time for the next try has not come."""
    QUARANTINED = "quarantined"
    """It has failed in too many runs; `Holdings.rearm` gives it another chance."""
    GONE = "gone"
    """The device does not list it any more: it was overwritten before it was fetched."""


@attrs.frozen(kw_only=True)
class PlanItem:
    """One recording, and what is to be done about it.

    Attributes:
        recording: As the device lists it; None for what the device does not list any more.
        key: Its key.
        reason: In words, where there is something to say: the last error, the time of the next try.
    """

    key: RecordingKey = attrs.field(repr=str)
    verdict: Verdict
    recording: Recording | None = attrs.field(default=None, repr=False)
    reason: str = ""

    @property
    def size(self) -> int | None:
        """Bytes as announced or as about known; None when the device does not say."""
        if self.recording is None:
            return None
        sizes = (self.recording.size, self.recording.size_hint)
        return next((size for size in sizes if size is not None), None)


@attrs.frozen(kw_only=True)
class Problem:
    """Something that could not be looked at, and why. The others did not suffer from it.

    Attributes:
        device: The serial number of a channel's device; of a whole source its label, see `Source`.
        channel: Empty when it concerns the whole device.
    """

    device: str
    channel: str = ""
    error: CamsyncError

    def __str__(self) -> str:
        place = f"{self.device}, channel {self.channel}" if self.channel else self.device
        return f"{place}: {self.error.message}"


@attrs.frozen(kw_only=True)
class Plan:
    """What a sync would do now. Nothing was changed to find out.

    Attributes:
        dest: The destination.
        made_at: When (aware, UTC).
        items: All recordings of the spans that were searched, in the order of fetching.
        problems: What could not be searched.
    """

    dest: Path
    made_at: dt.datetime = attrs.field(validator=aware)
    items: tuple[PlanItem, ...] = attrs.field(repr=_count)
    problems: tuple[Problem, ...] = ()

    def of(self, verdict: Verdict) -> tuple[PlanItem, ...]:
        """Return the items with this verdict."""
        return tuple(item for item in self.items if item.verdict is verdict)

    @property
    def fetch(self) -> tuple[Recording, ...]:
        """The recordings that would be fetched, in this order."""
        wanted = (item.recording for item in self.of(Verdict.FETCH))
        return tuple(recording for recording in wanted if recording is not None)

    @property
    def bytes(self) -> int:
        """Bytes that would be fetched, as far as they are announced."""
        return sum(item.size or 0 for item in self.of(Verdict.FETCH))

    @property
    def unsized(self) -> int:
        """How many of the recordings to fetch have no announced size."""
        return sum(item.size is None for item in self.of(Verdict.FETCH))

    def __str__(self) -> str:
        size = f" ({size_text(self.bytes)})" if self.bytes else ""
        words = {each: each.value for each in Verdict} | {Verdict.FETCH: f"to fetch{size}"}
        counts = [f"{len(self.of(each))} {words[each]}" for each in Verdict if self.of(each)]
        text = ", ".join(counts) or "nothing was recorded"
        failed = f"; {len(self.problems)} could not be searched" if self.problems else ""
        return f"{text}{failed}"


class EventKind(str, enum.Enum):
    """What a `SyncEvent` is about."""

    STARTED = "started"
    SEARCHED = "searched"
    """A channel was searched to the end."""
    PROGRESS = "progress"
    FETCHED = "fetched"
    FOUND = "found"
    """The file stood there already, and was entered into the catalogue."""
    FAILED = "failed"
    GONE = "gone"
    PROBLEM = "problem"
    """A device or a channel could not be searched, or a device was given up."""
    FINISHED = "finished"


@attrs.frozen(kw_only=True)
class Totals:
    """How far the run is.

    Attributes:
        files_done: Recordings that are settled: fetched, found or failed.
        files_total: Recordings known to be due; it grows while devices are searched.
        bytes_done: Bytes that have come for them.
        bytes_total: Bytes announced for them, or None while a size is missing.
        rate: Bytes per second of all devices together, smoothed.
        eta: Seconds left, or None.
    """

    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int | None = 0
    rate: float = 0.0
    eta: float | None = None


@attrs.frozen(kw_only=True)
class SyncEvent:
    """Something that has happened in a run. Events come one at a time, in the caller's thread.

    Attributes:
        kind: What it is about.
        at: When (aware, UTC).
        device: The serial number; the URL of a device that could not be asked; empty for the run.
        channel: The channel, or empty.
        recording: Which recording, for those about one.
        progress: For `EventKind.PROGRESS`.
        file: For `EventKind.FETCHED` and `EventKind.FOUND`.
        error: For `EventKind.FAILED` and `EventKind.PROBLEM`.
        report: For `EventKind.FINISHED`.
        totals: How far the run is.
        message: In words.
    """

    kind: EventKind
    at: dt.datetime = attrs.field(validator=aware)
    device: str = ""
    channel: str = ""
    recording: Recording | None = attrs.field(default=None, repr=False)
    progress: Progress | None = attrs.field(default=None, repr=False)
    file: Downloaded | None = attrs.field(default=None, repr=False)
    error: CamsyncError | None = None
    report: SyncReport | None = attrs.field(default=None, repr=False)
    totals: Totals = Totals()
    message: str = ""

    def __str__(self) -> str:
        place = f"{self.device} channel {self.channel}" if self.channel else self.device
        if self.recording is not None:
            place = f"{self.recording.channel_name} {self.recording.start:%Y-%m-%d %H:%M:%S} UTC"
        said = self.message if self.progress is None else self.progress.stage.value
        return ": ".join(part for part in (self.kind.value, place.strip(), said) if part)


@attrs.frozen(kw_only=True)
class SyncReport:
    """What came of a run.

    Attributes:
        id: The batch, as the catalogue has it.
        dest: The destination.
        started: When the run began (aware, UTC).
        finished: When it ended.
        downloaded: Files that were fetched, in the order in which they were done.
        found: Files that stood there already and were only entered into the catalogue.
        failed: Recordings that could not be fetched, and why. They are tried again in a later run.
        problems: Devices and channels that could not be searched or were given up, and why.
        held: How many recordings of the searched spans were here already.
        in_progress: How many are still being written.
        waiting: Keys of those that have failed before and wait for their next try.
        quarantined: Keys of those that have failed so often that they are tried once a week.
        gone: Keys of those that the devices do not list any more, though they were never fetched.
        elsewhere: Keys of those that another worker, with the same catalogue, was still fetching when
            this run ended, or has failed to fetch meanwhile.
        left: How many were due but not begun, because of a limit, a full disk or *cancel*.
        channels_left: The channels that these are of, each once.
        stopped: Why the run ended early, in words; empty if it did not.
        stopped_by: The error behind it, such as a full disk; None if it was a limit or *cancel*.
        cancelled: Whether *cancel* was set.
        marks: The watermark of each channel: everything (of the kinds asked for) that began before is
            done.
    """

    id: str
    dest: Path
    started: dt.datetime = attrs.field(validator=aware)
    finished: dt.datetime = attrs.field(validator=aware)
    downloaded: tuple[Downloaded, ...] = attrs.field(default=(), repr=_count)
    found: tuple[Downloaded, ...] = attrs.field(default=(), repr=_count)
    failed: tuple[Failed, ...] = attrs.field(default=(), repr=_count)
    problems: tuple[Problem, ...] = attrs.field(default=(), repr=_count)
    held: int = 0
    in_progress: int = 0
    waiting: tuple[RecordingKey, ...] = attrs.field(default=(), repr=_count)
    quarantined: tuple[RecordingKey, ...] = attrs.field(default=(), repr=_count)
    gone: tuple[RecordingKey, ...] = attrs.field(default=(), repr=_count)
    elsewhere: tuple[RecordingKey, ...] = attrs.field(default=(), repr=_count)
    left: int = 0
    channels_left: tuple[tuple[DeviceId, ChannelId], ...] = ()
    stopped: str = ""
    stopped_by: CamsyncError | None = None
    cancelled: bool = False
    marks: dict[tuple[DeviceId, ChannelId], dt.datetime | None] = attrs.field(
        factory=dict, repr=False
    )

    @property
    def bytes(self) -> int:
        """Bytes of the files that were fetched."""
        return sum(file.size for file in self.downloaded)

    @property
    def complete(self) -> bool:
        """Whether everything that could be had is here: nothing failed, waits or was left."""
        return self.settled and not self.elsewhere

    @property
    def settled(self) -> bool:
        """Whether this run has nothing left to do: it is `complete`, or another worker has the rest."""
        amiss = (self.failed, self.problems, self.waiting, self.quarantined)
        return not any(amiss) and not self.left and not self.cancelled and not self.stopped

    @property
    def errors(self) -> tuple[CamsyncError, ...]:
        """All errors: what ended the run, then those of devices and channels, then the others."""
        everything: tuple[Problem | Failed, ...] = (*self.problems, *self.failed)
        first = () if self.stopped_by is None else (self.stopped_by,)
        return (*first, *(each.error for each in everything))

    @property
    def channels_fetched(self) -> tuple[tuple[DeviceId, ChannelId], ...]:
        """The channels of which files were fetched, each once."""
        return _distinct(
            (each.recording.key.device, each.recording.key.channel) for each in self.downloaded
        )

    @property
    def channels_failed(self) -> tuple[tuple[DeviceId, ChannelId], ...]:
        """The channels that could not be searched, or of which a recording failed, each once.

        A problem with a whole device is none of a channel's: `problems` has it.
        """
        searched = [each for each in self.problems if each.channel]
        return _distinct(
            (
                *((DeviceId(each.device), ChannelId(each.channel)) for each in searched),
                *((each.recording.key.device, each.recording.key.channel) for each in self.failed),
            )
        )

    @property
    def locked_out(self) -> tuple[Problem, ...]:
        """The devices that refused the login: nothing more is sent to them in this run."""
        return tuple(each for each in self.problems if isinstance(each.error, AuthenticationError))

    def __str__(self) -> str:
        parts = [f"{len(self.downloaded)} fetched ({size_text(self.bytes)})"]
        told: Sequence[tuple[int, str]] = (
            (len(self.found), "found on disk"),
            (self.held, "held already"),
            (self.in_progress, "still being written"),
            (len(self.failed), "failed"),
            (len(self.waiting), "waiting for another try"),
            (len(self.quarantined), "quarantined"),
            (len(self.gone), "gone before they were fetched"),
            (len(self.elsewhere), "with another worker"),
            (self.left, "left for the next run"),
            (len(self.problems), "problem" if len(self.problems) == 1 else "problems"),
        )
        parts += [f"{count} {words}" for count, words in told if count]
        return ", ".join(parts) + (f"; {self.stopped}" if self.stopped else "")
