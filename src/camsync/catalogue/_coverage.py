"""`Coverage`: which footage of a channel is held, missing or lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import attrs

from .._time import TimeSpan
from ..errors import ConfigurationError
from . import _spans
from ._codec import from_seconds, to_seconds
from ._spans import Span
from ._values import SLACK, State


Part = Literal["recorded", "held", "missing", "lost", "in_progress", "pruned"]
_PARTS = get_args(Part)


@attrs.frozen(kw_only=True)
class Coverage:
    """What became of a channel's footage within a span of time.

    `recorded` is the union of the other five, which do not overlap. Footage that exists twice
    (an event inside a continuous recording) counts as the best of what became of it.

    Attributes:
        recorded: Footage that the device has or had, as far as it was ever seen.
        held: Footage that is on disk.
        missing: Footage that is still to be fetched, or cannot be.
        lost: Footage that the device has overwritten before it was fetched.
        in_progress: Footage that the device was still writing when it was last seen.
        pruned: Footage that was held until `Holdings.prune` deleted it.
    """

    span: TimeSpan
    recorded: tuple[TimeSpan, ...] = ()
    held: tuple[TimeSpan, ...] = ()
    missing: tuple[TimeSpan, ...] = ()
    lost: tuple[TimeSpan, ...] = ()
    in_progress: tuple[TimeSpan, ...] = ()
    pruned: tuple[TimeSpan, ...] = ()

    def seconds(self, part: Part) -> float:
        """Return how many seconds are *part*, such as ``"held"``.

        Raises:
            ConfigurationError: There is no such part.
        """
        if part not in _PARTS:
            msg = f"{part!r} is no part of a coverage"
            raise ConfigurationError(msg, next_step=f"choose from {', '.join(_PARTS)}")
        spans: tuple[TimeSpan, ...] = getattr(self, part)
        return sum(span.duration.total_seconds() for span in spans)

    @property
    def fraction_held(self) -> float:
        """The share of the recorded footage that is on disk: 0.0 to 1.0 (also without any)."""
        recorded = self.seconds("recorded")
        return self.seconds("held") / recorded if recorded else 1.0

    @property
    def gaps(self) -> tuple[TimeSpan, ...]:
        """What is missing or lost, in order, as the fewest spans."""
        return _as_spans(_spans.union(map(_as_pair, (*self.missing, *self.lost))))


@attrs.frozen
class Stretch:
    """What coverage needs to know about one recording; times in seconds UTC."""

    start: int
    end: int
    state: State
    in_progress: bool
    pruned: bool

    @classmethod
    def of(cls, row: Any) -> Iterator[Stretch]:
        """Yield what the footage of a row is: held to the end of its file, or lost beyond it."""
        state, end = State(row.state), row.end
        growing, pruned = bool(row.in_progress), row.pruned_at is not None
        if row.file_end is not None and end - row.file_end > SLACK.total_seconds():
            yield cls(row.start, row.file_end, State.VERIFIED, in_progress=False, pruned=False)
        if row.lost_end is not None:
            yield cls(end, row.lost_end, State.GONE, in_progress=False, pruned=False)
        yield cls(row.start, end, state, growing, pruned)

    @property
    def part(self) -> Part:
        """What its footage counts as."""
        if self.state is State.VERIFIED:
            return "pruned" if self.pruned else "held"
        if self.state is State.GONE:
            return "lost"
        return "in_progress" if self.in_progress else "missing"


# Of footage that exists twice, the first of these counts.
_BEST_FIRST: tuple[Part, ...] = ("held", "pruned", "in_progress", "missing", "lost")


def cover(span: TimeSpan, stretches: Iterable[Stretch], now: int) -> Coverage:
    """Sort the footage of *span* by what became of it.

    What is being written has an end in the future: nothing is counted beyond *now* (seconds UTC).
    """
    bounds = _as_pair(span)
    found: dict[Part, list[Span]] = {part: [] for part in _BEST_FIRST}
    for each in stretches:
        end = min(each.end, now) if each.in_progress else each.end
        found[each.part].append((each.start, end))
    recorded: list[Span] = []
    parts: dict[str, tuple[TimeSpan, ...]] = {}
    for part in _BEST_FIRST:
        spans = _spans.within(found[part], bounds)
        parts[part] = _as_spans(_spans.without(spans, recorded))
        recorded = _spans.union([*recorded, *spans])
    return Coverage(span=span, recorded=_as_spans(recorded), **parts)


def _as_pair(span: TimeSpan) -> Span:
    return to_seconds(span.start), to_seconds(span.end)


def _as_spans(spans: Iterable[Span]) -> tuple[TimeSpan, ...]:
    return tuple(TimeSpan(from_seconds(start), from_seconds(end)) for start, end in spans)
