"""What program streams and transport streams have in common: time stamps, findings, the verdict."""

from __future__ import annotations

import attrs

from ..errors import CorruptMediaError
from ..models import Codec


CLOCK = 90_000
"""Ticks of the time stamps in a second."""

_WRAP = 1 << 33
LONGEST_STEP = 10 * CLOCK
"""Time stamps further apart than this have jumped: recorders write at least a frame a second."""

_GARBAGE_FLOOR = 64 * 1024
_GARBAGE_SHARE = 100


@attrs.frozen(kw_only=True)
class StreamSummary:
    """What a walk through a whole stream has found.

    Attributes:
        codec: The video codec by the map of the program, else by what stands in front of it.
        mapped: Whether there is such a map.
        video: Packets of video.
        audio: Packets of sound.
        frames: Time stamps of video, which is pictures in all streams seen.
        seconds: Length of the video by its time stamps, jumps left out.
        gaps: Seconds by which the time stamps jump forward in all.
        garbage: Bytes between packets that belong to none.
        truncated: Whether the last packet is cut short.
        scrambled: Packets of video that say that they are encrypted.
    """

    codec: Codec
    mapped: bool
    video: int
    audio: int
    frames: int
    seconds: float
    gaps: float
    garbage: int
    truncated: bool
    scrambled: int

    def check(self, size: int, *, kind: str, encrypted: str) -> None:
        """Refuse what is no recording.

        Args:
            size: Bytes of the file.
            kind: Of the stream, ``program`` or ``transport``.
            encrypted: What to do about encrypted video.

        Raises:
            CorruptMediaError: There is no video, it is encrypted, or much of the file is no stream.
        """
        if self.garbage > max(_GARBAGE_FLOOR, size // _GARBAGE_SHARE):
            msg = f"{self.garbage} of {size} bytes are no MPEG {kind} stream"
            raise CorruptMediaError(msg)
        if not self.video:
            msg = "the recording holds no video"
            raise CorruptMediaError(msg)
        if self.scrambled * 2 > self.video:
            msg = "the video is encrypted"
            raise CorruptMediaError(msg, next_step=encrypted)


class Ticks:
    """Follows 33-bit time stamps over their wrap after 26.5 hours and over jumps."""

    def __init__(self) -> None:
        self.count = self.gaps = 0
        self._last: int | None = None
        self._position = self._lowest = self._highest = 0

    def add(self, stamp: int) -> None:
        """Take the next time stamp; one frame may carry the same one several times."""
        last = stamp if self._last is None else self._last
        step = (stamp - last + _WRAP // 2) % _WRAP - _WRAP // 2
        if step == 0 and self.count:
            return
        self.count += 1
        self._last = stamp
        self._position += self._length(step)
        self._lowest = min(self._lowest, self._position)
        self._highest = max(self._highest, self._position)

    def _length(self, step: int) -> int:
        """Return by how much a step makes the video longer: jumps do not."""
        if abs(step) <= LONGEST_STEP:
            return step
        self.gaps += max(step, 0)
        return 0

    @property
    def seconds(self) -> float:
        """Length from the first frame to the end of the last, which lasts as long as the rest."""
        span = (self._highest - self._lowest) / CLOCK
        return span * self.count / (self.count - 1) if self.count > 1 else 0.0


def time_stamp(field: bytes) -> int:
    """Read the 33 bits of a time stamp, which are spread over five bytes."""
    high, middle, low = (
        field[0] >> 1 & 7,
        field[1] << 7 | field[2] >> 1,
        field[3] << 7 | field[4] >> 1,
    )
    return high << 30 | middle << 15 | low
