"""The values that travel between the stages: frozen, comparable, without I/O.

What a vendor says beyond the common fields lives in ``raw`` (not shown, not compared).
"""

from __future__ import annotations

import datetime as dt
import enum

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from .._time import TimeSpan, aware
from ..errors import CamsyncError, Category
from ._key import ChannelId, DeviceId, RecordingKey


__all__ = [
    "Capability",
    "Channel",
    "ChannelId",
    "ChannelSource",
    "Check",
    "CheckStatus",
    "Codec",
    "Device",
    "DeviceId",
    "DeviceKind",
    "Downloaded",
    "Failed",
    "Progress",
    "Recording",
    "RecordingKey",
    "RecordingKind",
    "Stage",
    "Volume",
    "VolumeState",
]


def _raw() -> Any:
    return attrs.field(factory=dict, repr=False, eq=False, hash=False)


def _told(name: str, *details: str) -> str:
    """Return a name with what is known in brackets."""
    known = ", ".join(detail for detail in details if detail)
    return f"{name} ({known})" if known else name


class Capability(enum.Flag):
    """What a device or account can do."""

    NONE = 0
    SEARCH = enum.auto()
    DOWNLOAD = enum.auto()
    STORAGE = enum.auto()
    DAYS = enum.auto()
    """Days with recordings can be asked per month."""
    RANGE = enum.auto()
    """A download can start in the middle."""
    SUB_STREAM = enum.auto()
    """The sub stream is recorded too."""


class DeviceKind(str, enum.Enum):
    """What kind of device it is; decided by what it offers, not by what it calls itself."""

    NVR = "nvr"
    DVR = "dvr"
    CAMERA = "camera"
    UNKNOWN = "unknown"


class ChannelSource(str, enum.Enum):
    """How the picture comes into the device."""

    NETWORK = "network"
    ANALOG = "analog"
    BUILT_IN = "built_in"
    UNKNOWN = "unknown"


class Codec(str, enum.Enum):
    """A video codec."""

    H264 = "h264"
    H265 = "h265"
    MJPEG = "mjpeg"
    MPEG4 = "mpeg4"
    UNKNOWN = "unknown"


class RecordingKind(str, enum.Enum):
    """Why something was recorded."""

    CONTINUOUS = "continuous"
    MOTION = "motion"
    ALARM = "alarm"
    MANUAL = "manual"
    EVENT = "event"
    UNKNOWN = "unknown"


class VolumeState(str, enum.Enum):
    """The state of a disk, a card or a network volume."""

    OK = "ok"
    IDLE = "idle"
    MISSING = "missing"
    """An empty bay that the device lists all the same: normal, not a failure."""
    UNFORMATTED = "unformatted"
    FORMATTING = "formatting"
    OFFLINE = "offline"
    ERROR = "error"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Device:
    """A recorder or a camera.

    Attributes:
        id: The serial number; never an address.
        name: The name that its owner gave it.
    """

    provider: str
    id: DeviceId
    name: str
    model: str = ""
    firmware: str = ""
    kind: DeviceKind = DeviceKind.UNKNOWN
    raw: Mapping[str, Any] = _raw()

    def __str__(self) -> str:
        """Return a line for people: ``Kitchen (IPC-C22C, 8L0DF93PAZ00000)``."""
        return _told(self.name or self.id, self.model, self.id if self.name else "")


@attrs.frozen(kw_only=True)
class Channel:
    """One camera as a device knows it.

    Attributes:
        id: The device's channel number as text, ``"1"``.
        online: Whether the camera is connected now; None when the device does not say.
            An offline channel still has recordings.
        fps: Frames per second as configured; None when unknown or "full".
        tracks: The recording tracks (ISAPI: channel x 100 + stream), main stream first.
    """

    device: DeviceId
    id: ChannelId
    name: str
    online: bool | None = None
    source: ChannelSource = ChannelSource.UNKNOWN
    model: str = ""
    codec: Codec = Codec.UNKNOWN
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    tracks: tuple[str, ...] = ()
    raw: Mapping[str, Any] = _raw()

    @property
    def resolution(self) -> str:
        """``"1920x1080"``, or an empty text."""
        return f"{self.width}x{self.height}" if self.width and self.height else ""

    def __str__(self) -> str:
        """Return a line for people: ``Front door (channel 1 of DS0001, offline)``."""
        place = f"channel {self.id} of {self.device}"
        return _told(self.name or "unnamed", place, "offline" if self.online is False else "")


@attrs.frozen(kw_only=True)
class Volume:
    """A disk, a memory card or a network volume.

    Attributes:
        capacity: Bytes; 0 for an empty bay.
        free: Bytes; 0 is normal on a recorder that overwrites.
    """

    device: DeviceId
    id: str
    name: str
    kind: str = ""
    state: VolumeState = VolumeState.UNKNOWN
    capacity: int = 0
    free: int = 0
    writable: bool = True
    raw: Mapping[str, Any] = _raw()


@attrs.frozen(kw_only=True)
class Recording:
    """A stretch of footage as a device holds it: usually one file.

    Attributes:
        start: Begin of the footage (aware, UTC).
        end: End as announced (aware, UTC); in the future while `in_progress`.
        size: Bytes as announced, or None.
        size_hint: About this many bytes, by the listing, where *size* is not known: for estimates
            and limits; never used to verify.
        in_progress: The device is still writing it, or has only just stopped.
        container: The container of the bytes as the device sends them.
        utc_offset: The device's wall clock minus UTC at the start, for names that people read.
    """

    key: RecordingKey = attrs.field(repr=str)
    channel_name: str
    start: dt.datetime = attrs.field(validator=aware, repr=str)
    end: dt.datetime = attrs.field(validator=aware, repr=str)
    size: int | None = None
    size_hint: int | None = None
    kind: RecordingKind = RecordingKind.UNKNOWN
    in_progress: bool = False
    container: str = "mpeg-ps"
    utc_offset: dt.timedelta | None = None
    raw: Mapping[str, Any] = _raw()

    @property
    def duration(self) -> dt.timedelta:
        """The announced length."""
        return self.end - self.start

    @property
    def span(self) -> TimeSpan:
        """The announced span of time."""
        return TimeSpan(self.start, self.end)

    @property
    def local_start(self) -> dt.datetime:
        """The start on the device's wall clock (aware); UTC when the offset is not known."""
        return self.start.astimezone(dt.timezone(self.utc_offset or dt.timedelta(0)))

    def __str__(self) -> str:
        """Return a line for people: ``Front door, cloud, 2026-11-23 04:28:49 UTC, 57 s``."""
        camera = self.channel_name or f"channel {self.key.channel} of {self.key.device}"
        place = _STREAMS.get(self.key.stream, self.key.stream)
        start = str(self.start.astimezone(dt.timezone.utc).replace(tzinfo=None, microsecond=0))
        return f"{camera}, {place}, {start} UTC, {self.duration.total_seconds():.0f} s"


_STREAMS = {"01": "main stream", "02": "sub stream", "sd": "memory card"}


def _key_of(recording: Recording) -> str:
    return f"<Recording {recording.key}>"


class Stage(str, enum.Enum):
    """What a `Progress` is about."""

    DOWNLOAD = "download"
    VERIFY = "verify"
    REMUX = "remux"
    RETRY = "retry"
    SKIPPED = "skipped"
    DONE = "done"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class Progress:
    """One event of a running download, at most about four times a second per file.

    Attributes:
        bytes_done: Bytes of this recording so far; it falls back to 0 after a retry.
        bytes_total: Bytes expected, or None when the device does not say.
        rate: Bytes per second, smoothed; 0.0 until known.
        eta: Seconds left for this recording, or None.
        file_index: Which file of the run this is, from 1.
        file_count: How many files the run has, or None.
        message: A remark for people (why a retry, which track was dropped), or empty.
    """

    stage: Stage
    recording: Recording = attrs.field(repr=_key_of)
    bytes_done: int = 0
    bytes_total: int | None = None
    rate: float = 0.0
    eta: float | None = None
    file_index: int = 1
    file_count: int | None = 1
    message: str = ""


@attrs.frozen(kw_only=True)
class Downloaded:
    """A recording that is complete, verified and under its final name.

    Attributes:
        path: The file, as given (not resolved).
        size: Bytes of that file.
        container: ``"mp4"``, or the original container.
        duration: Seconds of video found in the file, or None when it was not measured.
        start: Start of the footage (aware, UTC); also the file's ``creation_time``.
        codec: The video codec found in the file.
        existing: True when the file stood there already and nothing was fetched.
        sha256: Its SHA-256 in hexadecimal digits; empty when the file was there and is not read.
        notes: What was changed on the way ("audio pcm_alaw transcoded to AAC").
    """

    recording: Recording = attrs.field(repr=_key_of)
    path: Path
    size: int
    container: str
    start: dt.datetime = attrs.field(validator=aware)
    end: dt.datetime = attrs.field(validator=aware)
    duration: float | None = None
    codec: Codec = Codec.UNKNOWN
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    existing: bool = False
    elapsed: float = 0.0
    notes: tuple[str, ...] = ()
    sha256: str = ""


@attrs.frozen(kw_only=True)
class Failed:
    """A recording that could not be fetched, and why. Nothing stands under its final name."""

    recording: Recording = attrs.field(repr=_key_of)
    error: CamsyncError


class CheckStatus(str, enum.Enum):
    """How one step of a connection test went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen(kw_only=True)
class Check:
    """One step of a connection test.

    Attributes:
        name: The step, ``"tcp"``, ``"login"``, ``"clock"``, …
        seen: What was observed, in words.
        advice: What to do about it; empty when there is nothing to do.
        category: Of the error behind a failed step.
    """

    name: str
    status: CheckStatus
    seen: str
    advice: str = ""
    category: Category | None = None
