"""Time stamps that a player can follow, from time stamps as recorders write them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any


_LONGEST_STEP = 10
"""Seconds; time stamps further apart have jumped."""

_IMPOSSIBLE_STEP = 12 * 3600
"""A jump back looks like one of 26.5 hours forward to FFmpeg, which reckons with the wrap."""


class Timeline:
    """Gives the packets of one stream increasing times that begin at zero."""

    def __init__(self, stream: Any, *, close_gaps: bool) -> None:
        rate = getattr(stream, "average_rate", None) or 25
        self.base: Fraction = stream.time_base
        self._step = max(int(1 / (Fraction(rate) * self.base)), 1)
        jump = _LONGEST_STEP if close_gaps else _IMPOSSIBLE_STEP
        self._forward = int(jump / self.base)
        self._back = int(_LONGEST_STEP / self.base)
        self._shift = self._lead = 0
        self._last: int | None = None

    def begin(self, origin: Fraction) -> None:
        """Make *origin*, in seconds of the source's clock, the zero."""
        self._shift = -round(origin / self.base)

    def place(self, packet: Any) -> None:
        """Set the packet's times.

        One without any follows its predecessor: FFmpeg finds none when the first byte of a frame
        is the last one of a packet of the program stream.
        """
        last = self._last
        raw = packet.dts if packet.dts is not None else packet.pts
        if raw is None:
            raw = 0 if last is None else last + self._step - self._shift
        dts = raw + self._shift
        if last is not None:
            if not last - self._back <= dts <= last + self._forward:
                self._shift += last + self._step - dts
            dts = max(raw + self._shift, last + 1)
        if packet.pts is not None:
            self._lead = max(packet.pts + self._shift - dts, 0)
        packet.dts, packet.pts = dts, dts + self._lead
        self._step = packet.duration or self._step
        self._last = dts
