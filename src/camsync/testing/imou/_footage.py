"""What a playback shows: seconds of footage, cut into segments that begin with a key frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from ..recorder._media import FRAME_RATE
from . import _ts


@attrs.frozen(kw_only=True)
class Piece:
    """One segment.

    Attributes:
        codec: ``h264`` or ``h265``.
        first: The second of the loop with which its stream begins.
        begin: Seconds of that stream before the segment.
        seconds: Its length.
        restarts: Whether time stamps and counters begin anew with it.
    """

    codec: str
    first: int
    begin: int
    seconds: int
    restarts: bool = False

    @property
    def size(self) -> int:
        """Bytes of the plain segment."""
        return _ts.size(self.codec, self.first + self.begin, self.seconds)

    def data(self) -> bytes:
        """Return the plain segment."""
        return _ts.segment(self.codec, self.first, self.begin, self.seconds)


@attrs.frozen(kw_only=True)
class Footage:
    """Spans of time, each of *(second of the epoch, seconds)*, filmed in one codec."""

    codec: str
    spans: tuple[tuple[int, int], ...]

    @property
    def seconds(self) -> int:
        """How long it is altogether."""
        return sum(length for _, length in self.spans)

    @property
    def frames(self) -> int:
        """How many pictures it has."""
        return self.seconds * FRAME_RATE

    def cut(self, longest: int, *, restart_in_the_middle: bool = False) -> tuple[Piece, ...]:
        """Return the segments, none longer than *longest* seconds.

        Each span begins a stream of its own. *restart_in_the_middle* begins one more, as a
        recorder does that was restarted.
        """
        pieces: list[Piece] = []
        for number, (start, length) in enumerate(self.spans):
            pieces += self._pieces(start, length, longest, restarts=number > 0)
        middle = len(pieces) // 2
        if restart_in_the_middle and middle and not pieces[middle].restarts:
            pieces[middle:] = _restarted(pieces[middle:])
        return tuple(pieces)

    def _pieces(self, start: int, length: int, longest: int, *, restarts: bool) -> Iterator[Piece]:
        for begin in range(0, length, longest):
            yield Piece(
                codec=self.codec,
                first=start % _ts.LOOP,
                begin=begin,
                seconds=min(longest, length - begin),
                restarts=restarts and begin == 0,
            )


def _restarted(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Yield *pieces* with their clock beginning anew, up to the next one that does so anyway."""
    shift, first = pieces[0].begin, pieces[0].first + pieces[0].begin
    shifting = True
    for number, piece in enumerate(pieces):
        shifting = shifting and not piece.restarts
        if not shifting:
            yield piece
        else:
            yield attrs.evolve(piece, first=first, begin=piece.begin - shift, restarts=number == 0)
