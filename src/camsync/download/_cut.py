"""Stretches of MP4 files, cut at key frames and put together without re-encoding. Uses PyAV.

The clock of the result is the wall clock: its zero is the whole second in which the footage
begins, which is the file's ``creation_time`` (MP4 keeps no fractions), and a picture stands where
it was taken. So a hole of a moment between two recordings stays one, as a picture that is shown
for longer, and offset plus ``creation_time`` is the time of day throughout.
"""

from __future__ import annotations

import collections
import contextlib
import datetime as dt

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import attrs
import av

from .._cancel import CancelToken, check_cancelled
from .._time import UTC, to_utc
from ..errors import CorruptMediaError
from ._source import Sink
from .media import _BUFFER, _TAGS, _codec_name, _media_errors, write_mp4


_BASE = Fraction(1, 90_000)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_INTERLEAVED = 2
"""Seconds by which sound may stand behind its picture in a file."""

_UNREADABLE = "the film cannot be read"
_UNWRITABLE = "the clip cannot be put together"


@attrs.frozen(kw_only=True)
class Film:
    """An MP4 file of ours, as far as it matters for cutting.

    Attributes:
        picture: What has to be the same in two films that are joined: codec, size, parameters.
        sound: The same for the sound; None without any.
        looks: Codec and size, for people.
        first: Seconds of the file's own clock at the first picture.
        lead: Seconds between decoding and showing the first picture.
        length: From the first picture to the end of the last.
        size: Bytes of the file.
    """

    path: Path
    picture: tuple[Any, ...]
    sound: tuple[Any, ...] | None
    looks: str
    first: Fraction
    lead: Fraction
    length: dt.timedelta
    size: int

    def joins(self, other: Film) -> bool:
        """Whether one file can hold both: silence goes with every sound."""
        silent = self.sound is None or other.sound is None
        return self.picture == other.picture and (silent or self.sound == other.sound)


def look(path: Path) -> Film:
    """Open an MP4 file and say what is in it, without reading all of it.

    Raises:
        CorruptMediaError: It cannot be opened, or holds no video.
    """
    with _media_errors(_UNREADABLE), contextlib.ExitStack() as stack:
        reading = _open(stack, path)
        video, sound = _streams(reading)
        packet = next((each for each in reading.demux(video) if each.size), None)
        context = video.codec_context
        if packet is None or not context.width or not context.height:
            msg = f"{_UNREADABLE}: it holds no picture"
            raise CorruptMediaError(msg)
        return Film(
            path=path,
            picture=(context.name, context.width, context.height, context.extradata),
            sound=None if sound is None else _sound_of(sound),
            looks=f"{context.name} {context.width}x{context.height}",
            first=packet.pts * packet.time_base,
            lead=(packet.pts - packet.dts) * packet.time_base,
            length=_timedelta((video.duration or 0) * video.time_base),
            size=path.stat().st_size,
        )


def _open(stack: contextlib.ExitStack, path: Path) -> Any:
    file = stack.enter_context(path.open("rb"))
    return stack.enter_context(av.open(file, format="mov", buffer_size=_BUFFER))


def _streams(reading: Any) -> tuple[Any, Any | None]:
    """Return the first video stream and, if there is one, the first of sound."""
    if not reading.streams.video:
        msg = f"{_UNREADABLE}: it holds no video"
        raise CorruptMediaError(msg)
    return reading.streams.video[0], next(iter(reading.streams.audio), None)


def _sound_of(stream: Any) -> tuple[Any, ...]:
    context = stream.codec_context
    return (_codec_name(stream), context.sample_rate, context.layout.name, context.extradata)


def _seconds(moment: dt.datetime) -> Fraction:
    return Fraction((to_utc(moment) - _EPOCH) // _MICROSECOND, 10**6)


def _moment(seconds: Fraction) -> dt.datetime:
    return _EPOCH + _timedelta(seconds)


def _timedelta(seconds: Fraction) -> dt.timedelta:
    return round(seconds * 10**6) * _MICROSECOND


class Splice:
    """One MP4 file that is put together from stretches of films, oldest first.

    Use it in a ``with`` block: the file is complete when the block has ended without an error.

    Attributes:
        pictures: How many pictures there are.
        notes: What was left out.
    """

    def __init__(self, target: BinaryIO, comment: str) -> None:
        self.pictures = 0
        self.notes: list[str] = []
        self._sink = Sink(target)
        self._comment = comment
        self._film: Film | None = None
        self._begun = self._reached = Fraction(0)
        with _media_errors(_UNWRITABLE, self._sink):
            self._writing = write_mp4(self._sink)
        self._picture: _Track | None = None
        self._sound: _Track | None = None

    def __enter__(self) -> Splice:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with _media_errors(_UNWRITABLE, self._sink):
                self._writing.close()
        except CorruptMediaError:
            if error is None:  # else it has its reason, and the file is thrown away
                raise

    @property
    def film(self) -> Film | None:
        """The first film, which says what the others must be like."""
        return self._film

    @property
    def start(self) -> dt.datetime:
        """When the first picture was taken."""
        return _moment(self._begun)

    @property
    def end(self) -> dt.datetime:
        """When the last picture ends."""
        return _moment(self._reached)

    def add(
        self,
        film: Film,
        *,
        zero: dt.datetime,
        begin: dt.datetime,
        until: dt.datetime,
        cancel: CancelToken | None = None,
    ) -> Iterator[int]:
        """Append what *film* shows from the key frame at or before *begin* to *until*.

        Args:
            film: What is appended; it must join the ones before.
            zero: When its first picture was taken.
            begin: When the stretch begins; if that is before *zero*, then it begins there.
            until: When it ends.
            cancel: Is looked at between packets.

        Yields:
            The bytes of each packet.

        Raises:
            CorruptMediaError: *film* cannot be read.
            DiskFullError: No room.
            CancelledError: *cancel* was set.
        """
        with _media_errors(_UNWRITABLE, self._sink), contextlib.ExitStack() as stack:
            reading = _open(stack, film.path)
            stretch = _Stretch(reading, film, zero, _seconds(begin), _seconds(until))
            self._note_sound(film)
            for packet, wall in stretch.run():
                check_cancelled(cancel)
                if self._picture is None:
                    self._picture = self._begin(film, stretch, wall)
                yield packet.size
                if packet.stream is stretch.video:
                    self._show(packet, wall, self._picture)
                elif self._sound is not None:
                    self._sound.follow(packet, wall)

    def _note_sound(self, film: Film) -> None:
        silent = self._film is not None and self._film.sound is None
        note = "sound left out that begins in the middle"
        if silent and film.sound is not None and note not in self.notes:
            self.notes.append(note)

    def _begin(self, film: Film, stretch: _Stretch, wall: Fraction) -> _Track:
        """Write down what the file will hold: possible once the first picture is known."""
        self._film, self._begun = film, wall
        zero = Fraction(wall // 1)
        self._writing.metadata["creation_time"] = f"{_moment(zero):%Y-%m-%dT%H:%M:%S.000000Z}"
        self._writing.metadata["comment"] = self._comment
        out = self._writing.add_stream_from_template(stretch.video)
        tag = _TAGS.get(stretch.video.codec_context.name, out.codec_context.codec_tag)
        out.codec_context.codec_tag = tag
        picture = _Track(self._writing, out, _BASE, zero)
        if stretch.sound is not None:
            rate = stretch.sound.codec_context.sample_rate
            out = self._writing.add_stream_from_template(stretch.sound)
            self._sound = _Track(self._writing, out, Fraction(1, rate), zero)
        return picture

    def _show(self, packet: Any, wall: Fraction, picture: _Track) -> None:
        self.pictures += 1
        self._reached = max(self._reached, wall + (packet.duration or 0) * packet.time_base)
        picture.place(packet, wall)


class _Track:
    """A stream of the new file."""

    def __init__(self, writing: Any, out: Any, base: Fraction, zero: Fraction) -> None:
        self._writing = writing
        self._out = out
        self._base = out.time_base = base
        self._zero = zero
        self._last: int | None = None
        self._free = 0

    def _at(self, wall: Fraction) -> int:
        return round((wall - self._zero) / self._base)

    def place(self, packet: Any, wall: Fraction) -> None:
        """Put a picture where it was taken."""
        pts = self._at(wall)
        dts = self._at(wall - (packet.pts - packet.dts) * packet.time_base)
        if self._last is not None:
            dts = max(dts, self._last + 1)
        self._last = dts
        self._mux(packet, max(pts, dts), dts)

    def follow(self, packet: Any, wall: Fraction) -> None:
        """Put sound behind the sound before it; leave out what would be heard over it."""
        at = self._at(wall)
        length = round((packet.duration or 0) * packet.time_base / self._base)
        if at < self._free - length // 2:
            return
        if at <= self._free + length // 2:
            at = self._free or at
        self._free = at + length
        self._mux(packet, at, at)

    def _mux(self, packet: Any, pts: int, dts: int) -> None:
        duration = round((packet.duration or 0) * packet.time_base / self._base)
        packet.stream = self._out
        packet.time_base = self._base
        packet.pts, packet.dts, packet.duration = pts, dts, duration
        self._writing.mux(packet)


class _Stretch:
    """The packets of a film between two moments, each with the wall clock of its showing."""

    def __init__(
        self, reading: Any, film: Film, zero: dt.datetime, begin: Fraction, until: Fraction
    ) -> None:
        self.video, self.sound = _streams(reading)
        self._reading = reading
        self._film = film
        self._zero = _seconds(zero) - film.first
        """The wall clock when the file's own clock shows nought."""
        self._begin = begin
        self._until = until
        self._begun = False
        self._waiting: collections.deque[tuple[Any, Fraction]] = collections.deque()

    def run(self) -> Iterator[tuple[Any, Fraction]]:
        """Yield packets and their times: of the picture from a key frame on, sound with it.

        Raises:
            CorruptMediaError: There is no key frame.
        """
        origin = self._find()
        self._seek()
        for packet in self._packets(self.video, self.sound):
            is_last = self._is_over(packet)  # first: whoever gets the packet changes it
            wall = self._wall(packet.pts, packet)
            if packet.stream is self.video:
                yield from self._pictures(packet, wall, origin)
            elif origin <= wall < self._until:
                yield packet, wall
            if is_last:
                return

    def _packets(self, *streams: Any) -> Iterator[Any]:
        wanted = [stream for stream in streams if stream is not None]
        return (packet for packet in self._reading.demux(wanted) if packet.size)

    def _find(self) -> Fraction:
        """Return when the last key frame at or before the begin is shown; else the first one."""
        self._seek()
        found: Fraction | None = None
        for packet in self._packets(self.video):
            wall = self._wall(packet.pts, packet)
            if packet.is_keyframe and (found is None or wall <= self._begin):
                found = wall
            if found is not None and self._wall(packet.dts, packet) > self._begin:
                break
        if found is None:
            msg = f"{_UNREADABLE}: there is no key frame to begin with"
            raise CorruptMediaError(msg)
        return found

    def _seek(self) -> None:
        """Go to a key frame before the begin; not every FFmpeg goes to the last one."""
        base = Fraction(self.video.time_base)  # PyAV 19 has a rational of its own
        wanted = max(self._begin - self._zero, self._film.first) - self._film.lead
        self._reading.seek(int(wanted // base), stream=self.video, backward=True)

    def _wall(self, stamp: int, packet: Any) -> Fraction:
        return self._zero + stamp * Fraction(packet.time_base)

    def _pictures(
        self, packet: Any, wall: Fraction, origin: Fraction
    ) -> Iterator[tuple[Any, Fraction]]:
        """Pass a picture on; one from behind the end only if another before it needs it."""
        self._begun = self._begun or wall == origin
        if not self._begun or wall < origin:
            return  # it is nothing without the pictures before the key frame
        self._waiting.append((packet, wall))
        if wall < self._until:
            yield from self._waiting
            self._waiting.clear()

    def _is_over(self, packet: Any) -> bool:
        """Whether nothing more of the stretch can come."""
        decoded = self._wall(packet.dts, packet)
        if packet.stream is not self.video or decoded < self._until:
            return False
        return self.sound is None or decoded >= self._until + _INTERLEAVED
