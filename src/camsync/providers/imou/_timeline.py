"""Whether segments follow one another without a hole, by their own time stamps.

A playlist is a server's word. One from which segments are left out, or that has them in a wrong
order, can be complete by all that it says; the time stamps in the segments cannot lie like that.

What is let pass, because it is found in footage that is whole:

- lengths that the playlist rounds or exaggerates, as long as the next segment goes on where the
  last one ends;
- a segment without pictures, as long as there is sound;
- steps of up to two seconds, or half a segment, between two clips that a service has joined;
- a clock that begins anew where the playlist says so (``EXT-X-DISCONTINUITY``), and its wrap;
- a last segment, or one before such a new begin, that is shorter than the playlist says, if the
  whole is as long as announced.
"""

from __future__ import annotations

import attrs

from ...errors import ShortReadError
from ._playlist import Segment
from ._stamps import Measure, Run, apart


_SLACK, _SLACK_SHARE = 0.5, 0.1
"""Seconds, and share, by which a segment may be shorter than the playlist says. Lengths are
rounded, to whole seconds by old services: that is half a second."""

_SMALLEST_STEP, _LONGEST_STEP = 0.5, 2.0
"""Seconds of footage that may be missing between two segments. Pictures may be reordered, and sound
is not cut where pictures are: that explains half a second. A segment that is left out must be
noticed: so it is never more than half of a usual one."""

_END_SLACK, _END_SHARE = 2.0, 0.05
"""Seconds, and share, by which all may be shorter than announced: the download engine's own."""


def is_short(segment: Segment, measure: Measure) -> bool:
    """Whether there is clearly less in a segment than the playlist says."""
    seconds = measure.seconds
    slack = max(_SLACK, _SLACK_SHARE * segment.seconds)
    return seconds is not None and seconds < segment.seconds - slack


@attrs.frozen(kw_only=True)
class Timeline:
    """The segments so far.

    Attributes:
        seconds: Their length, with the steps in between that are let pass.
        whole: Whether they are all from the begin on.
        exaggerated: Whether the playlist is proven to say too much.
    """

    seconds: float = 0.0
    whole: bool = True
    exaggerated: bool = False
    _unexplained: bool = False
    _last: Measure | None = None
    _short: bool = False
    _lacking: float = 0.0

    def behind(self, segment: Segment, measure: Measure, usual: float) -> Timeline:
        """Return the timeline with one more segment.

        Args:
            usual: Seconds that a segment has in this playlist.

        Raises:
            ShortReadError: It does not belong here: something is missing before it.
        """
        run, short = measure.main, is_short(segment, measure)
        if run is None and not measure.scrambled:
            # Nothing at all: what comes next has to go on where the one before has ended.
            return attrs.evolve(self, unexplained=self._unexplained or short)
        joins = not segment.restarts and self._last is not None and run is not None
        step = self._step(measure, usual) if joins else 0.0
        return Timeline(
            seconds=self.seconds + step + (run.seconds if run else segment.seconds),
            whole=self.whole,
            exaggerated=self.exaggerated or (joins and self._short),
            unexplained=self._unexplained or (not joins and self._short),
            last=measure if run else None,
            short=short,
            lacking=max(segment.seconds - (measure.seconds or segment.seconds), 0.0),
        )

    def _step(self, measure: Measure, usual: float) -> float:
        """Return the seconds between the last segment and this one that count as footage."""
        pairs = _pairs(self._last, measure)
        ahead = [apart(after.first, before.end) for before, after in pairs]
        back = max(apart(after.first, before.last) for before, after in pairs)
        limit = min(max(usual / 2, _SMALLEST_STEP), _LONGEST_STEP)
        if back < -limit:
            msg = "the segments of the recording are out of order, or come twice"
            raise ShortReadError(msg, received=self.seconds)
        if self._short:
            # Is the playlist wrong, or was the segment cut? Then this one begins too late.
            limit = min(limit, self._lacking / 2)
        if min(ahead) > limit:
            what = "the end of a segment is" if self._short else "segments are"
            msg = f"{what} missing: the footage jumps by {min(ahead):.1f} s"
            raise ShortReadError(msg, received=self.seconds)
        # What the last segment lacks is no pause of the camera's: it does not count.
        return max(ahead[0] - self._lacking, 0.0) if ahead[0] > 0 else ahead[0]

    def check_end(self, announced: float) -> None:
        """Compare the whole with what was announced.

        Raises:
            ShortReadError: It is shorter.
        """
        if self.whole and not self.is_enough(announced):
            msg = f"{self.seconds:.1f} of {announced:.1f} announced seconds of footage are there"
            raise ShortReadError(msg, expected=announced, received=self.seconds)

    def is_enough(self, announced: float) -> bool:
        """Whether it is as long as announced, as far as that is ever exact.

        With a segment that is too short and that no next one explains, the share of 5 % is no
        excuse any more: only the two seconds by which the service rounds begin and end.
        """
        doubtful = self._unexplained or self._short
        share = 0.0 if doubtful else _END_SHARE
        return self.seconds >= announced - max(_END_SLACK, share * announced)


def _pairs(before: Measure | None, after: Measure) -> list[tuple[Run, Run]]:
    """Return what can be compared, pictures first.

    Either is enough: a camera may pause its pictures, or its sound, but a missing segment lacks
    both.
    """
    assert before is not None  # noqa: S101 - else nothing joins
    both = [(before.video, after.video), (before.sound, after.sound), (before.main, after.main)]
    pairs = [(one, other) for one, other in both if one is not None and other is not None]
    return pairs[:-1] or pairs
