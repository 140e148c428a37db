"""When a segment is shown, by its own time stamps: a server may cut one between two packets."""

from __future__ import annotations

import hashlib

from collections.abc import Iterator
from typing import Any

import attrs


CLOCK = 90_000
_PACKET = 188
_WINDOW = _PACKET * 1024
_WRAP = 1 << 33
_LONGEST = 3600 * CLOCK
_RESTART = 2 * CLOCK
"""Ticks. A step that is longer, or that leads back further than pictures are reordered: the clock
begins anew. (Two seconds: a camera may send only a few pictures each second.)"""

_STAMP = 14
"""Bytes of the head of a packet of video or sound with a time stamp."""

_VIDEO, _SOUND = "video", "sound"
_PRIVATE = 0xBD
"""The stream id of some kinds of sound."""


def apart(later: int, earlier: int) -> float:
    """Return the seconds between two 33-bit time stamps, negative if *later* is the earlier one."""
    return ((later - earlier + _WRAP // 2) % _WRAP - _WRAP // 2) / CLOCK


@attrs.frozen(kw_only=True)
class Run:
    """The pictures of a segment, or its sound.

    Attributes:
        first: The lowest time of presentation, in ticks. (The first one that comes may be higher:
            pictures come in the order in which they are decoded.)
        last: The highest one; where the clock begins anew in between, of the rest.
        step: Ticks that one picture lasts, on average; 0 when there is only one.
        seconds: From the first picture to the end of the last.
    """

    first: int
    last: int
    step: int
    seconds: float

    @property
    def end(self) -> int:
        """When the last picture ends."""
        return self.last + self.step


@attrs.frozen(kw_only=True)
class Measure:
    """What the time stamps of a segment say.

    Attributes:
        scrambled: Whether packets say that they are encrypted; their time stamps then are, too.
        digest: Tells the segment from others.
    """

    video: Run | None = None
    sound: Run | None = None
    scrambled: bool = False
    digest: bytes = b""

    @property
    def main(self) -> Run | None:
        """The pictures; without any, the sound."""
        return self.video or self.sound

    @property
    def seconds(self) -> float | None:
        """How long it lasts; None when it does not tell. Nothing to see and to hear is 0 s."""
        lengths = [run.seconds for run in (self.video, self.sound) if run is not None]
        return None if self.scrambled and not lengths else max(lengths, default=0.0)


def measure(file: Any) -> Measure:
    """Measure the segment in *file*."""
    clocks = {_VIDEO: _Clock(), _SOUND: _Clock()}
    digest = hashlib.blake2b(digest_size=16)
    scrambled = False
    file.seek(0)
    while data := file.read(_WINDOW):
        digest.update(data)
        scrambled = scrambled or max(data[3::_PACKET]) > 0x3F  # noqa: PLR2004 - control bits
        for kind, stamp in _stamps(data):
            clocks[kind].add(stamp)
    return Measure(
        video=clocks[_VIDEO].finish(),
        sound=clocks[_SOUND].finish(),
        scrambled=scrambled,
        digest=digest.digest(),
    )


class _Clock:
    """Follows 33-bit times of presentation over their wrap, and over new begins."""

    def __init__(self) -> None:
        self._count = self._runs = self._ticks = 0
        self._first = self._at = self._low = self._high = 0

    def add(self, stamp: int) -> None:
        """Take the next time; one picture may carry the same one several times."""
        step = (stamp - self._at + _WRAP // 2) % _WRAP - _WRAP // 2
        if not self._runs or not -_RESTART <= step <= _LONGEST:
            self._begin(stamp)
        elif step:
            self._count += 1
            self._at += step
            self._low, self._high = min(self._low, self._at), max(self._high, self._at)

    def _begin(self, stamp: int) -> None:
        self._close()
        self._runs += 1
        self._count += 1
        self._at = self._low = self._high = stamp

    def _close(self) -> None:
        if self._runs <= 1:
            self._first = self._low
        self._ticks += self._high - self._low

    def finish(self) -> Run | None:
        """Return what there was; once."""
        if not self._runs:
            return None
        self._close()
        steps = self._count - self._runs
        step = self._ticks / steps if steps else 0.0
        return Run(
            first=self._first,
            last=self._high,
            step=round(step),
            seconds=(self._ticks + self._runs * step) / CLOCK,
        )


def _stamps(data: bytes) -> Iterator[tuple[str, int]]:
    """Yield kind and presentation time of all pictures and pieces of sound."""
    for at, flags in zip(range(0, len(data), _PACKET), data[1::_PACKET], strict=True):
        if flags & 0x40:
            head = _payload(data[at : at + _PACKET])[:_STAMP]
            if head[:3] == b"\0\0\1" and len(head) == _STAMP:
                kind = _kind(head[3])
                if kind is not None and head[7] & 0x80:
                    yield kind, _time(head[9:14])


def _kind(stream: int) -> str | None:
    if stream >> 4 == 0xE:  # noqa: PLR2004 - the standard's numbers
        return _VIDEO
    return _SOUND if stream >> 5 == 0b110 or stream == _PRIVATE else None  # noqa: PLR2004


def _payload(packet: bytes) -> bytes:
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _time(field: bytes) -> int:
    high, middle, low = (
        field[0] >> 1 & 7,
        (field[1] << 8 | field[2]) >> 1,
        (field[3] << 8 | field[4]) >> 1,
    )
    return high << 30 | middle << 15 | low
