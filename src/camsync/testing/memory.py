"""`MemoryProvider`: a provider without a network, for tests of code that uses camsync.

It is a double, not a simulator: it speaks no protocol, and lists and gives what it was told to.
For the behaviour of devices there are `RecorderSimulator` and `ImouSimulator`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import threading

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from types import TracebackType
from typing import Any, ClassVar

import attrs

from camsync._cancel import CancelToken
from camsync._time import TimeSpan
from camsync.errors import CamsyncError, ConfigurationError, RecordingNotFoundError
from camsync.models import (
    Capability,
    Channel,
    ChannelId,
    Device,
    DeviceId,
    Recording,
    RecordingKey,
    RecordingKind,
    Volume,
)

from .recorder._media import program_stream


SECONDS = 2.0
"""The length of each recording's video."""


@functools.lru_cache(maxsize=1)
def content() -> bytes:
    """Return the bytes of every recording: two seconds of H.264 in a program stream."""
    return b"".join(program_stream("h264", seconds=SECONDS))


class _Stream:
    """The bytes of a recording (a `camsync.provider.ByteStream`)."""

    container = "mpeg-ps"

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0
        self.offset = 0
        self.size = len(data)

    def readinto(self, buffer: memoryview) -> int:
        part = self._data[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def abort(self) -> None:
        self._data = self._data[:0]


class MemoryProvider:
    """A recorder in memory: what it lists, and how it fails, is up to you.

    Args:
        serial: Its serial number.
        channels: How many cameras; they are called ``Camera 1``, ``Camera 2``, …

    Attributes:
        cameras: Its channels, by id.
        listed: What it lists, by channel id. Add to it with `record`; take away what you like.
        refusal: Raised by `channels`, unless None.
        blind: Raised at the end of a search, by channel id.
        trouble: Raised by `open`, by recording key.
        on_open: Called with each recording that is opened.
        opened: How often each recording was opened.
        searched: The spans that were asked for, by channel id.
        closed: How often it was closed.
    """

    name: ClassVar[str] = "hikvision"

    def __init__(self, serial: str = "MEMORY-1", channels: int = 1) -> None:
        self.serial = DeviceId(serial)
        numbers = [ChannelId(str(number)) for number in range(1, channels + 1)]
        self.cameras = {
            number: Channel(device=self.serial, id=number, name=f"Camera {number}")
            for number in numbers
        }
        self.listed: dict[str, list[Recording]] = {number: [] for number in numbers}
        self.refusal: CamsyncError | None = None
        self.blind: dict[str, CamsyncError] = {}
        self.trouble: dict[RecordingKey, CamsyncError] = {}
        self.on_open: Callable[[Recording], object] = str
        self.opened: Counter[RecordingKey] = Counter()
        self.searched: dict[str, list[TimeSpan]] = {number: [] for number in numbers}
        self.closed = 0
        self._lock = threading.Lock()

    def record(
        self, channel: str, start: dt.datetime, *, item: str = "a", **fields: Any
    ) -> Recording:
        """Record two seconds of *channel*, and return them as a search does.

        Args:
            channel: The channel's id.
            start: When it begins (aware).
            item: The device's own name for it.
            fields: Fields of the `Recording` that differ from the usual.
        """
        key = RecordingKey(
            provider=self.name,
            device=self.serial,
            channel=ChannelId(channel),
            start=start,
            item=item,
        )
        usual = Recording(
            key=key,
            channel_name=self.cameras[ChannelId(channel)].name,
            start=start,
            end=start + dt.timedelta(seconds=SECONDS),
            size=len(content()),
            utc_offset=dt.timedelta(0),
        )
        recording = attrs.evolve(usual, **fields)
        self.listed[channel].append(recording)
        return recording

    def rename(self, channel: str, name: str) -> None:
        """Rename a camera, as its owner would; its recordings are listed under the new name."""
        number = ChannelId(channel)
        self.cameras[number] = attrs.evolve(self.cameras[number], name=name)
        self.listed[channel] = [
            attrs.evolve(each, channel_name=name) for each in self.listed[channel]
        ]

    # -- The contract: see `camsync.provider.Provider` --------------------------------------------

    @property
    def capabilities(self) -> Capability:
        """What it can do: search and download."""
        return Capability.SEARCH | Capability.DOWNLOAD

    def devices(self) -> Sequence[Device]:
        """List the one device."""
        return [Device(provider=self.name, id=self.serial, name="Memory")]

    def channels(self, device: Device | None = None) -> Sequence[Channel]:
        """List the channels, or raise `refusal`.

        Raises:
            ConfigurationError: *device* is another one.
        """
        if self.refusal is not None:
            raise self.refusal
        if device is not None and device.id != self.serial:
            msg = f"{device.id} is another device"
            raise ConfigurationError(msg, next_step="take one from provider.devices()")
        return list(self.cameras.values())

    def search(
        self,
        channel: Channel,
        span: TimeSpan,
        *,
        kinds: Collection[RecordingKind] | None = None,
    ) -> Iterator[Recording]:
        """Yield what is listed of *channel*, then raise what `blind` says."""
        self.searched[channel.id].append(span)
        for each in sorted(self.listed[channel.id], key=lambda one: one.start):
            if each.span.overlaps(span) and (kinds is None or each.kind in kinds):
                yield each
        if channel.id in self.blind:
            raise self.blind[channel.id]

    @contextlib.contextmanager
    def open(
        self, recording: Recording, *, offset: int = 0, cancel: CancelToken | None = None
    ) -> Iterator[_Stream]:
        """Open a recording, or raise what `trouble` says. What is not listed is not there."""
        with self._lock:
            self.opened[recording.key] += 1
        self.on_open(recording)
        if recording.key in self.trouble:
            raise self.trouble[recording.key]
        if all(each.key != recording.key for each in self.listed[recording.key.channel]):
            msg = f"{recording.key} is not listed any more"
            raise RecordingNotFoundError(msg)
        yield _Stream(content())

    def storage(self, device: Device | None = None) -> Sequence[Volume]:
        """List no disks."""
        return []

    def close(self) -> None:
        """Count that it was closed."""
        self.closed += 1

    def __enter__(self) -> MemoryProvider:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        held = sum(map(len, self.listed.values()))
        return f"<MemoryProvider {self.serial}, {len(self.cameras)} channels, {held} recordings>"
