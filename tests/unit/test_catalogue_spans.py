"""Arithmetic with spans of time, and what coverage makes of it: against sets of seconds."""

from __future__ import annotations

import datetime as dt

from itertools import pairwise

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import TimeSpan
from camsync.catalogue import Coverage, State, _codec, _spans
from camsync.catalogue._coverage import Stretch, cover


pairs = st.tuples(st.integers(-5, 40), st.integers(-5, 40))
lists = st.lists(pairs, max_size=8)
PARTS = ("held", "pruned", "in_progress", "missing", "lost")


def _seconds(spans):
    return {second for start, end in spans for second in range(start, end)}


def _is_tidy(spans):
    return all(start < end for start, end in spans) and all(
        before[1] < after[0] for before, after in pairwise(spans)
    )


@given(lists)
def test_union(spans):
    """The same seconds, sorted, without overlaps, and none beside another."""
    found = _spans.union(spans)

    assert _seconds(spans) == _seconds(found)
    assert _is_tidy(found)
    assert len(_seconds(found)) == _spans.length(found)


@given(lists, lists)
def test_without(spans, others):
    """A difference of sets."""
    spans, others = _spans.union(spans), _spans.union(others)
    found = _spans.without(spans, others)

    assert _seconds(spans) - _seconds(others) == _seconds(found)
    assert _is_tidy(found)


@given(lists, pairs)
def test_within(spans, bounds):
    """Only what is inside."""
    found = _spans.within(spans, bounds)

    assert _seconds(spans) & _seconds([bounds]) == _seconds(found)
    assert _is_tidy(found)


stretches = st.builds(
    Stretch,
    start=st.integers(0, 40),
    end=st.integers(0, 40),
    state=st.sampled_from(State),
    in_progress=st.booleans(),
    pruned=st.booleans(),
)


def _as_set(spans):
    return _seconds((_codec.to_seconds(one.start), _codec.to_seconds(one.end)) for one in spans)


@given(st.lists(stretches, max_size=8), st.integers(0, 40))
def test_coverage_adds_up(found, now):
    """Every second is one thing at most, the best that became of it; together they are recorded."""
    span = TimeSpan(_codec.from_seconds(5), _codec.from_seconds(35))
    coverage = cover(span, found, now)
    parts = {part: _as_set(getattr(coverage, part)) for part in PARTS}

    assert sum(map(len, parts.values())) == len(set().union(*parts.values()))
    assert set().union(*parts.values()) == _as_set(coverage.recorded)
    assert _as_set(coverage.recorded) <= set(range(5, 35))
    assert parts["missing"] | parts["lost"] == _as_set(coverage.gaps)
    for each in found:
        end = min(each.end, now) if each.in_progress else each.end
        own = set(range(each.start, end)) & set(range(5, 35))
        better = PARTS[: PARTS.index(each.part) + 1]
        assert own <= set().union(*(parts[part] for part in better))
    assert 0.0 <= coverage.fraction_held <= 1.0


def test_the_share_of_nothing():
    """Where nothing was recorded nothing is missing."""
    span = TimeSpan(_codec.from_seconds(0), _codec.from_seconds(1))

    assert 1.0 == Coverage(span=span).fraction_held


@given(st.text(st.characters()))
def test_text_survives(text):
    """Every text comes back, and what is stored is fit for any database."""
    stored = _codec.exact(text)

    assert text == _codec.plain(stored)
    assert "\0" not in stored
    assert stored == stored.encode().decode()
    assert len(text) >= len(_codec.shown(text).encode().decode())


@given(st.datetimes(timezones=st.timezones() | st.none()))
def test_times_survive(moment):
    """Whole seconds, whatever the zone and the century."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.timezone.utc)
    again = _codec.from_seconds(_codec.to_seconds(moment))

    assert dt.timedelta(0) <= moment - again < dt.timedelta(seconds=1)


@pytest.mark.parametrize("text", ["Cam01/Cửa.mp4", "a b,c"])
def test_usual_text_stays_readable(text):
    """Who looks into the database sees what is meant."""
    assert text == _codec.exact(text)
