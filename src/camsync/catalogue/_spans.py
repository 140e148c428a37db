"""Arithmetic with sets of half-open spans of whole seconds: sorted, disjoint, never touching."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


Span = tuple[int, int]
Spans = Sequence[Span]


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the same seconds as the fewest spans; those that are empty or reversed are dropped."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((start, end))
    return result


def without(spans: Spans, others: Spans) -> list[Span]:
    """Return the seconds of *spans* that are not in *others*; both as `union` returns them."""
    result: list[Span] = []
    index = 0
    for begin, end in spans:
        start = begin
        while index < len(others) and others[index][1] <= start:
            index += 1
        at = index
        while at < len(others) and others[at][0] < end:
            if start < others[at][0]:
                result.append((start, others[at][0]))
            start = others[at][1]
            at += 1
        if start < end:
            result.append((start, end))
    return result


def within(spans: Iterable[Span], bounds: Span) -> list[Span]:
    """Return the seconds of *spans* that are inside *bounds*."""
    return union((max(start, bounds[0]), min(end, bounds[1])) for start, end in spans)


def length(spans: Iterable[Span]) -> int:
    """Return the number of seconds."""
    return sum(end - start for start, end in spans)
