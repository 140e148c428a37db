"""Time stamps that a player can follow, from time stamps as recorders write them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any


_LONGEST_STEP = 10
"""Seconds; time stamps further apart have jumped."""

_REORDERED = Fraction(1, 2)
"""Seconds; decoding times that step back by less have been written carelessly."""

_IMPOSSIBLE_STEP = 12 * 3600
"""A jump back looks like one of 26.5 hours forward to FFmpeg, which reckons with the wrap."""


class Joints:
    """Where the clock of a source begins anew, as the picture sees it.

    Each stream meets the new clock at a packet of its own, and its parts are of another length.
    The picture decides where the new times go; the sound follows, so that both stay together.

    Attributes:
        shift: Seconds that the picture adds to the source's times now.
    """

    shift = Fraction(0)


class Timeline:
    """Gives the packets of one stream increasing times that begin at zero.

    Args:
        joints: What the streams of a transport stream share. Its clock begins anew as often as it
            likes, so that a small step back is a new begin, too.
        leads: Whether this is the picture, which is the measure for the joints.
    """

    def __init__(
        self, stream: Any, *, close_gaps: bool, joints: Joints | None = None, leads: bool = False
    ) -> None:
        rate = getattr(stream, "average_rate", None) or 25
        self.base: Fraction = stream.time_base
        self._step = max(int(1 / (Fraction(rate) * self.base)), 1)
        jump = _LONGEST_STEP if close_gaps else _IMPOSSIBLE_STEP
        self._forward = int(jump / self.base)
        self._joints = joints
        self._leads = leads
        self._back = int((_LONGEST_STEP if joints is None else _REORDERED) / self.base)
        self._shift = self._lead = 0
        self._last: int | None = None

    def begin(self, origin: Fraction) -> None:
        """Make *origin*, in seconds of the source's clock, the zero."""
        self._shift = -round(origin / self.base)
        if self._joints is not None:
            self._joints.shift = -origin

    def place(self, packet: Any) -> bool:
        """Set the packet's times; return False if it has none, and is to be left out.

        That is so with sound that would be heard over earlier sound, where a clock begins anew.

        One without any follows its predecessor: FFmpeg finds none when the first byte of a frame
        is the last one of a packet of the program stream.
        """
        last = self._last
        if last is None:
            self._shift = self._agreed
        raw = packet.dts if packet.dts is not None else packet.pts
        if raw is None:
            raw = 0 if last is None else last + self._step - self._shift
        dts = raw + self._shift
        if last is not None:
            if not self._follows(dts):
                self._shift = self._joined(raw)
            dts = raw + self._shift
            if self._joints is not None and not self._leads and dts < last + self._step // 2:
                return False
            dts = max(dts, last + 1)
        if packet.pts is not None:
            self._lead = max(packet.pts + self._shift - dts, 0)
        packet.dts, packet.pts = dts, dts + self._lead
        self._step = packet.duration or self._step
        self._last = dts
        return True

    def waits(self, packet: Any) -> bool:
        """Whether *packet* is on a new clock of which the picture knows nothing yet."""
        raw = packet.dts if packet.dts is not None else packet.pts
        if self._joints is None or self._last is None or raw is None:
            return False
        return not self._follows(raw + self._shift) and not self._follows(raw + self._agreed)

    @property
    def _agreed(self) -> int:
        """The picture's shift, in units of this stream."""
        return round(self._joints.shift / self.base) if self._joints is not None else self._shift

    def _follows(self, dts: int) -> bool:
        """Whether a time goes on where the last one was."""
        last = self._last
        return last is None or last - self._back <= dts <= last + self._forward

    def _joined(self, raw: int) -> int:
        """Return the shift that puts *raw*, on a new clock, behind what is there."""
        agreed = self._agreed
        if not self._leads and agreed != self._shift and self._follows(raw + agreed):
            return agreed
        shift = (self._last or 0) + self._step - raw
        if self._joints is not None and self._leads:
            self._joints.shift = shift * self.base
        return shift
