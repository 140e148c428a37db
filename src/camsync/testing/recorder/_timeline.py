"""What is recorded: files of fixed length on every track, found by arithmetic.

The files of a track follow each other from the beginning of the history to the clock's now; nothing
is stored, the n-th file is computed. Some files run one to three seconds into the next one, some
personalities nest a second file inside one, and the last file is still being written.
"""

from __future__ import annotations

import bisect
import datetime as dt
import functools
import heapq
import itertools
import re

from collections.abc import Iterator, Sequence
from typing import overload

import attrs

from ._channels import ChannelSetup
from ._media import FRAME_RATE, ProgramStream
from ._personality import Personality


_SECOND = dt.timedelta(seconds=1)
_NAME = re.compile(r"(?:ch(\d\d)_)?(\d{11})(\d{6})", re.ASCII)
_NESTED = 100


@attrs.frozen(kw_only=True)
class SimulatedRecording:
    """One file on the simulated disk: the truth that a client's findings can be compared with.

    Attributes:
        channel: Channel number.
        track: Track id, ``channel * 100 + stream``.
        name: The file's name, as in the playback URI.
        start: When it begins (aware, UTC, whole seconds).
        end: When it ends, or for the file being written, when the device says that it will end.
        size: Bytes that a download delivers now; also ``size=`` in the playback URI.
        in_progress: Whether it is still being written.
        codec: ``h264`` or ``h265``.
        kind: ``timing`` or ``motion``.
    """

    channel: int
    track: int
    name: str
    start: dt.datetime
    end: dt.datetime
    size: int
    in_progress: bool
    codec: str
    kind: str


@attrs.frozen(kw_only=True)
class Plan:
    """The settings that all tracks of a device share.

    *length* and *gap* are whole seconds, *origin* is when the history begins.
    """

    origin: dt.datetime
    length: int
    gap: int
    seed: int
    who: Personality
    audio: str | None
    bitrate: int | None

    def media(self, codec: str, seconds: int) -> ProgramStream:
        """Return the bytes of a file of *seconds*."""
        return ProgramStream(
            codec=codec,
            frames=seconds * FRAME_RATE,
            audio=self.audio,
            bitrate=self.bitrate,
            header=self.who.header,
        )


@functools.lru_cache(maxsize=4_096)
def _size(media: ProgramStream) -> int:
    return media.size


@attrs.frozen(kw_only=True)
class Track:
    """One track: the *n*-th file is a matter of arithmetic."""

    plan: Plan
    channel: ChannelSetup
    stream: int
    place: int
    tracks: int

    @property
    def id(self) -> int:
        """The track id."""
        return self.channel.number * 100 + self.stream

    @property
    def _shift(self) -> int:
        return self._mix(0) % max(self.plan.length // 2, 1)

    def _mix(self, number: int) -> int:
        """Return a number that depends on seed, track and file, and looks random."""
        value = self.plan.seed * 0x9E3779B1 + self.id * 0x85EBCA77 + number * 0xC2B2AE3D
        value &= 0xFFFFFFFF
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            value = (value ^ value >> shift) * factor & 0xFFFFFFFF
        return value ^ value >> 16

    def start(self, number: int) -> dt.datetime:
        """Return when file *number* begins."""
        period = self.plan.length + self.plan.gap
        return self.plan.origin + (self._shift + number * period) * _SECOND

    def seconds(self, number: int) -> int:
        """Return how long file *number* is when it is finished."""
        longest = min(3, self.plan.length // 4)
        overlaps = not self.plan.gap and longest and self._mix(number) % 4 == 0
        return self.plan.length + (1 + self._mix(number + 1) % longest if overlaps else 0)

    def end(self, number: int) -> dt.datetime:
        """Return when file *number* ends; a later file never ends earlier."""
        return self.start(number) + self.seconds(number) * _SECOND

    def count(self, now: dt.datetime) -> int:
        """Return how many files there are at *now*, the one being written included."""
        if not self.channel.records:
            return 0
        period = (self.plan.length + self.plan.gap) * _SECOND
        files = max((now - _SECOND - self.start(0)) // period + 1, 0)
        # Nothing is being written for a camera that does not answer.
        while files and not self.channel.online and self.end(files - 1) > now:
            files -= 1
        return files

    def nested(self, number: int, now: dt.datetime) -> bool:
        """Whether file *number*, finished at *now*, has a second file inside."""
        every = self.plan.who.nested_every
        if every is None or self.plan.length < 30 or self.end(number) > now:
            return False
        return number % every == every - 1

    def recording(self, number: int, now: dt.datetime) -> SimulatedRecording:
        """Return file *number* as it is at *now*."""
        start, end = self.start(number), self.end(number)
        writing = end > now
        seconds = (min(now, end) - start) // _SECOND
        ahead = self.plan.who.preallocated
        if writing:
            end = start + seconds * _SECOND if ahead is None else end + ahead
        return self._make(number, 0, start, end, seconds, writing=writing)

    def inner(self, number: int, now: dt.datetime) -> SimulatedRecording:
        """Return the file that is nested in file *number*."""
        start = self.start(number) + self.plan.length * 3 // 4 * _SECOND
        end = max(self.end(number) - 4 * _SECOND, start + _SECOND)
        return self._make(number, _NESTED, start, end, (end - start) // _SECOND, writing=False)

    def _make(
        self,
        number: int,
        part: int,
        start: dt.datetime,
        end: dt.datetime,
        seconds: int,
        *,
        writing: bool,
    ) -> SimulatedRecording:
        prefix = f"ch{self.channel.number:02d}_" if self.plan.who.is_camera else ""
        return SimulatedRecording(
            channel=self.channel.number,
            track=self.id,
            name=f"{prefix}{214 + number * self.tracks + self.place:011d}{part:06d}",
            start=start,
            end=end,
            size=_size(self.plan.media(self.channel.codec, seconds)),
            in_progress=writing,
            codec=self.channel.codec,
            kind="motion" if self._mix(number + 7) % 5 == 0 else "timing",
        )


class Files(Sequence[SimulatedRecording]):
    """The files of one track that overlap a window, oldest first, made when looked at."""

    def __init__(
        self, track: Track, now: dt.datetime, begin: dt.datetime, until: dt.datetime
    ) -> None:
        self._track = track
        self._now = now
        count = track.count(now)
        numbers = range(count)
        first = bisect.bisect_right(numbers, begin, key=self._announced_end)
        last = bisect.bisect_left(numbers, until, key=track.start)
        self._numbers = range(first, max(first, last))
        self._inner = [
            number
            for number in self._nested_numbers()
            if self._overlaps(track.inner(number, now), begin, until)
        ]

    def _announced_end(self, number: int) -> dt.datetime:
        end = self._track.end(number)
        return end if end <= self._now else self._track.recording(number, self._now).end

    def _nested_numbers(self) -> Iterator[int]:
        every = self._track.plan.who.nested_every
        if every is None:
            return
        first = self._numbers.start + (every - 1 - self._numbers.start) % every
        for number in range(first, self._numbers.stop, every):
            if self._track.nested(number, self._now):
                yield number

    @staticmethod
    def _overlaps(item: SimulatedRecording, begin: dt.datetime, until: dt.datetime) -> bool:
        return item.start < until and item.end > begin

    def __len__(self) -> int:
        return len(self._numbers) + len(self._inner)

    @overload
    def __getitem__(self, index: int) -> SimulatedRecording: ...
    @overload
    def __getitem__(self, index: slice) -> list[SimulatedRecording]: ...
    def __getitem__(self, index: int | slice) -> SimulatedRecording | list[SimulatedRecording]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        # Each nested file stands right behind the file that it lies in.
        before = bisect.bisect_left(range(len(self._inner)), index, key=self._place)
        if before < len(self._inner) and self._place(before) == index:
            return self._track.inner(self._inner[before], self._now)
        return self._track.recording(self._numbers[index - before], self._now)

    def _place(self, inner: int) -> int:
        return self._inner[inner] - self._numbers.start + 1 + inner


class Merged(Sequence[SimulatedRecording]):
    """The files of several tracks, oldest first, tracks interleaved."""

    def __init__(self, parts: Sequence[Files]) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    @overload
    def __getitem__(self, index: int) -> SimulatedRecording: ...
    @overload
    def __getitem__(self, index: slice) -> list[SimulatedRecording]: ...
    def __getitem__(self, index: int | slice) -> SimulatedRecording | list[SimulatedRecording]:
        if not isinstance(index, slice):
            return self[index : index + 1][0]
        return list(itertools.islice(self, *index.indices(len(self))))

    def __iter__(self) -> Iterator[SimulatedRecording]:
        return heapq.merge(*self._parts, key=lambda item: (item.start, item.track))


@attrs.frozen(kw_only=True)
class Timeline:
    """All tracks of a device."""

    plan: Plan
    tracks: tuple[Track, ...]

    @classmethod
    def of(cls, plan: Plan, channels: Sequence[ChannelSetup]) -> Timeline:
        """Build the tracks of *channels*."""
        streams = (1, 2) if plan.who.sub_stream else (1,)
        both = [(channel, stream) for channel in channels for stream in streams]
        return cls(
            plan=plan,
            tracks=tuple(
                Track(plan=plan, channel=channel, stream=stream, place=place, tracks=len(both))
                for place, (channel, stream) in enumerate(both)
            ),
        )

    def track(self, number: int) -> Track | None:
        """Return the track with that id, or None."""
        return next((track for track in self.tracks if track.id == number), None)

    def search(
        self, tracks: Sequence[int], now: dt.datetime, begin: dt.datetime, until: dt.datetime
    ) -> Sequence[SimulatedRecording]:
        """Return the files of *tracks* that overlap the window, oldest first."""
        found = [Files(track, now, begin, until) for track in self.tracks if track.id in tracks]
        return found[0] if len(found) == 1 else Merged(found)

    def everything(self, now: dt.datetime) -> Iterator[SimulatedRecording]:
        """Yield every file there is, track by track."""
        far = now + dt.timedelta(days=1)
        return itertools.chain.from_iterable(
            Files(track, now, self.plan.origin, far) for track in self.tracks
        )

    def named(self, track_id: int, name: str, now: dt.datetime) -> SimulatedRecording | None:
        """Return the file of a track that has this *name*, or None."""
        track, match = self.track(track_id), _NAME.fullmatch(name)
        if track is None or match is None:
            return None
        number, rest = divmod(int(match[2]) - 214 - track.place, track.tracks)
        if rest or not 0 <= number < track.count(now):
            return None
        inner = int(match[3]) == _NESTED and track.nested(number, now)
        found = (track.inner if inner else track.recording)(number, now)
        return found if found.name == name else None
