"""What is recorded, in the cloud and on the cards: clips found by arithmetic, nothing is stored.

On a card one clip follows the other up to now; the newest is still being written. Every fifth has a
twin of the same times (an event), and every seventh is followed by a clip without length: both
habits are reported of real devices. In the cloud there are clips with pauses between them. The
lengths and the rhythm are modelled.
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator

import attrs

from . import _ts
from ._cast import SimulatedChannel, SimulatedDevice
from ._footage import Footage


UTC = dt.timezone.utc
_SECOND = dt.timedelta(seconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_TWIN, _TWINS = 2, 5
_EMPTY, _EMPTIES = 3, 7
_UNSURE = dt.timedelta(hours=3)
"""More than any zone changes its clocks by."""

CLOUD, SD = "cloud", "sd"


@attrs.frozen(kw_only=True)
class SimulatedClip:
    """One recording: the truth that a client's findings can be compared with.

    Attributes:
        device: Device id.
        channel: Channel id.
        storage: ``cloud`` or ``sd``.
        id: ``recordId``.
        region: ``recordRegionId``; empty on a card.
        start: When it begins (aware, UTC, whole seconds).
        end: When it ends, so far.
        begin_time: ``beginTime`` as the service writes it: the device's wall clock.
        end_time: ``endTime`` in the same way.
        size: Bytes of its segments, unencrypted.
        kind: ``normal`` or ``videomotion`` on a card, ``1000`` or ``2000`` in the cloud.
        in_progress: Whether it is still being written.
        codec: ``h264`` or ``h265``.
    """

    device: str
    channel: str
    storage: str
    id: str
    region: str
    start: dt.datetime
    end: dt.datetime
    begin_time: str
    end_time: str
    size: int
    kind: str
    in_progress: bool
    codec: str

    @property
    def seconds(self) -> int:
        """How long it is."""
        return (self.end - self.start) // _SECOND

    @property
    def footage(self) -> Footage:
        """What it shows."""
        spans = ((epoch(self.start), self.seconds),) if self.seconds else ()
        return Footage(codec=self.codec, spans=spans)


def epoch(moment: dt.datetime) -> int:
    """Return the whole seconds since 1970."""
    return (moment - _EPOCH) // _SECOND


def wall_text(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Write a moment as the device's wall clock shows it."""
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(" ")


@attrs.frozen(kw_only=True)
class Window:
    """A span of wall-clock time, as a client asks for it."""

    begin: dt.datetime
    end: dt.datetime

    def moments(self, zone: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
        """Return UTC bounds that hold the window whatever the clocks did."""
        begin, end = (each.replace(tzinfo=zone).astimezone(UTC) for each in (self.begin, self.end))
        return begin - _UNSURE, end + _UNSURE

    def holds(self, begin: dt.datetime, end: dt.datetime, *, whole: bool = False) -> bool:
        """Whether a clip of these wall times counts; *whole* asks for its beginning."""
        if begin > self.end:
            return False
        if whole or end <= begin:  # no length, or the clocks went back meanwhile
            return begin >= self.begin
        return end > self.begin


@attrs.frozen(kw_only=True)
class Plan:
    """What all histories share: where they begin, and the length of a clip in seconds."""

    origin: dt.datetime
    length: int
    seed: int
    region: str


@attrs.frozen(kw_only=True)
class Track:
    """The clips of one channel in one storage; the n-th is a matter of arithmetic."""

    plan: Plan
    device: SimulatedDevice
    channel: SimulatedChannel
    storage: str
    place: int

    def _mix(self, number: int) -> int:
        value = (
            0x27D4EB2F + self.plan.seed * 0x9E3779B1 + self.place * 0x85EBCA77 + number * 0xC2B2AE3D
        )
        value = (value ^ value >> 15) * 0x85EBCA6B & 0xFFFFFFFF
        return value ^ value >> 13

    @property
    def _period(self) -> int:
        return self.plan.length * (2 if self.storage == CLOUD else 1)

    def _start(self, number: int) -> dt.datetime:
        shift = self._mix(0) % max(self.plan.length // 2, 1)
        return self.plan.origin + (shift + number * self._period) * _SECOND

    def _seconds(self, number: int) -> int:
        if self.storage == SD:
            return self.plan.length
        return self.plan.length - self._mix(number + 1) % max(self.plan.length // 4, 1)

    def clips(
        self, now: dt.datetime, begin: dt.datetime, until: dt.datetime
    ) -> Iterator[SimulatedClip]:
        """Yield the clips of which a part lies between two moments, oldest first."""
        number = max((begin - self._start(0)) // (self._period * _SECOND) - 1, 0)
        last = min(until - _SECOND, now - _SECOND)
        while self._start(number) <= last:
            yield from self._around(number, now)
            number += 1

    def _around(self, number: int, now: dt.datetime) -> Iterator[SimulatedClip]:
        start = self._start(number)
        end = start + self._seconds(number) * _SECOND
        writing = end > now
        if self.storage == CLOUD:
            if not writing:  # it is there when it has been uploaded
                yield self._made(number, start, end, "1000" if number % 2 else "2000")
            return
        end = min(end, start + (now - start) // _SECOND * _SECOND)
        yield self._made(number, start, end, "normal", writing=writing)
        if writing:
            return
        if number % _TWINS == _TWIN:
            yield self._made(number, start, end, "videomotion")
        if number % _EMPTIES == _EMPTY:
            yield self._made(number, end, end, "normal")

    def _made(
        self, number: int, start: dt.datetime, end: dt.datetime, kind: str, *, writing: bool = False
    ) -> SimulatedClip:
        begin_time, end_time = (wall_text(each, self.device.zone) for each in (start, end))
        # Its name does not change when it is finished.
        planned = start + self._seconds(number) * _SECOND if writing else end
        return SimulatedClip(
            device=self.device.id,
            channel=self.channel.id,
            storage=self.storage,
            id=self._id(number, begin_time, wall_text(planned, self.device.zone), kind),
            region=self.plan.region if self.storage == CLOUD else "",
            start=start,
            end=end,
            begin_time=begin_time,
            end_time=end_time,
            size=_ts.size(self.device.codec, epoch(start) % _ts.LOOP, (end - start) // _SECOND),
            kind=kind,
            in_progress=writing,
            codec=self.device.codec,
        )

    def _id(self, number: int, begin: str, end: str, kind: str) -> str:
        if self.storage == CLOUD:
            return str(10**12 + self.place * 10**8 + number)
        day, _, clock = begin.partition(" ")
        span = f"{clock}-{end[11:]}".replace(":", ".")
        mark = "M" if kind == "videomotion" else "R"
        folder = f"/mnt/sd/{day}/{int(self.channel.id) + 1:03d}/dav/{clock[:2]}"
        return f"{folder}/{span}[{mark}][0@0][{number}].mp4"

    def window(
        self, now: dt.datetime, window: Window, *, whole: bool = False
    ) -> Iterator[SimulatedClip]:
        """Yield the clips that count for a span of wall-clock time, in the order of recording."""
        begin, until = window.moments(self.device.zone)
        for clip in self.clips(now, begin, until):
            walls = (
                each.astimezone(self.device.zone).replace(tzinfo=None)
                for each in (clip.start, clip.end)
            )
            if window.holds(*walls, whole=whole):
                yield clip
