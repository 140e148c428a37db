"""Which recordings show a span of time, and what of it none of them shows. Pure."""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterable, Sequence
from typing import Protocol

import attrs

from .._time import TimeSpan
from ..models import Recording


@attrs.frozen(kw_only=True)
class Selection:
    """The recordings that show a span, as few as will do.

    Attributes:
        picks: Oldest first; each shows something that those before it do not.
        gaps: What none of them shows, as far as it is longer than the tolerance.
        missing: Seconds in these gaps, and seconds in all of them, tiny ones included.
    """

    picks: tuple[Recording, ...]
    gaps: tuple[TimeSpan, ...]
    missing: tuple[float, float]


def select(recordings: Iterable[Recording], span: TimeSpan, tolerance: dt.timedelta) -> Selection:
    """Choose what to fetch.

    What stands in two places (in the cloud and on the card, or as main and sub stream) is taken
    from the place that has most of the span; another one helps out only if that closes gaps.
    """
    found = list(recordings)
    places = sorted({recording.key.stream for recording in found})
    choices = [[each for each in found if each.key.stream == place] for place in places]
    selections = [_selection(choice, span, tolerance) for choice in [*choices, found]]
    return min(selections, key=lambda selection: selection.missing)


def _selection(
    recordings: Sequence[Recording], span: TimeSpan, tolerance: dt.timedelta
) -> Selection:
    picks = tuple(cover(recordings, span))
    every = tuple(gaps(picks, span))
    long = tuple(gap for gap in every if gap.duration > tolerance)
    return Selection(picks=picks, gaps=long, missing=(_seconds(long), _seconds(every)))


def _seconds(spans: Iterable[TimeSpan]) -> float:
    return sum(span.duration.total_seconds() for span in spans)


def cover(recordings: Iterable[Recording], span: TimeSpan) -> Iterable[Recording]:
    """Yield the fewest recordings that show all of *span* that is there, oldest first.

    Of all that have begun by then, the one that lasts longest goes on. A recording inside
    another one, as recorders make them for alarms, is therefore left out.
    """
    waiting = sorted(
        (each for each in recordings if each.end > span.start and each.start < span.end),
        key=lambda each: (each.start, each.end, each.key),
        reverse=True,
    )
    position = span.start
    longest: Recording | None = None
    while position < span.end:
        while waiting and waiting[-1].start <= position:
            begun = waiting.pop()
            if longest is None or begun.end >= longest.end:
                longest = begun
        if longest is not None and longest.end > position:
            yield longest
            position = longest.end
        elif waiting:
            position = waiting[-1].start
        else:
            return


class Footage(Protocol):
    """What shows the time from its start to its end."""

    @property
    def start(self) -> dt.datetime:
        """When it begins."""
        ...

    @property
    def end(self) -> dt.datetime:
        """When it ends."""
        ...


def gaps(footage: Iterable[Footage], span: TimeSpan) -> Iterable[TimeSpan]:
    """Yield what *footage*, oldest first, does not show of *span*."""
    position = span.start
    for each in footage:
        if each.start > position:
            yield TimeSpan(position, each.start)
        position = each.end
    if span.end > position:
        yield TimeSpan(position, span.end)
