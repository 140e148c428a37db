"""Which recordings show a span: pure, so that any history can be tried."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from camsync import ChannelId, DeviceId, Recording, RecordingKey, TimeSpan
from camsync.sync._clip_select import cover, gaps, select


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, tzinfo=UTC)
NOTHING = dt.timedelta(0)


def at(seconds):
    """Return a moment, in seconds."""
    return START + dt.timedelta(seconds=seconds)


def recording(begin, end, stream="01"):
    """Return a recording between two seconds."""
    key = RecordingKey(
        provider="hikvision",
        device=DeviceId("DS-1"),
        channel=ChannelId("1"),
        stream=stream,
        start=at(begin),
        item=f"{begin}-{end}",
    )
    return Recording(key=key, channel_name="", start=at(begin), end=at(end))


def shown(recordings, span):
    """Return the seconds of a span that recordings show."""
    first = int((span.start - START).total_seconds())
    last = int((span.end - START).total_seconds())
    return {
        second
        for second in range(first, last)
        if any(each.start <= at(second) < each.end for each in recordings)
    }


histories = st.lists(
    st.builds(
        lambda begin, length, stream: recording(begin, begin + length, stream),
        st.integers(0, 60),
        st.integers(1, 30),
        st.sampled_from(["01", "02"]),
    ),
    max_size=12,
)
spans = st.builds(
    lambda begin, length: TimeSpan(at(begin), at(begin + length)),
    st.integers(0, 70),
    st.integers(1, 50),
)


@given(histories, spans)
def test_nothing_that_is_there_is_missing(history, span):
    """The chosen recordings show what all of them together show of the span."""
    picks = list(cover(history, span))

    assert shown(history, span) == shown(picks, span)


@given(histories, spans)
def test_every_choice_is_needed(history, span):
    """Without any one of the chosen recordings, something would be missing."""
    picks = list(cover(history, span))

    for pick in picks:
        rest = [each for each in picks if each is not pick]
        assert shown(rest, span) < shown(picks, span)


@given(histories, spans)
def test_choices_come_in_order(history, span):
    """Begins and ends both go forward: what is shown once is never gone back to."""
    picks = list(cover(history, span))

    assert sorted(each.start for each in picks) == [each.start for each in picks]
    assert sorted(each.end for each in picks) == [each.end for each in picks]
    assert all(each.span.overlaps(span) for each in picks)


@given(histories, spans)
def test_gaps_and_footage_make_up_the_span(history, span):
    """Each second is either shown or in a gap."""
    picks = list(cover(history, span))
    found = list(gaps(picks, span))

    missing = {second for gap in found for second in shown([recording(0, 200)], gap)}
    assert shown([recording(0, 200)], span) - shown(picks, span) == missing


@given(histories, spans, st.integers(0, 20))
def test_gaps_within_the_tolerance_are_none(history, span, seconds):
    """Exactly the gaps that are longer are told."""
    chosen = select(history, span, dt.timedelta(seconds=seconds))

    every = list(gaps(chosen.picks, span))
    long = [gap for gap in every if gap.duration.total_seconds() > seconds]
    assert long == list(chosen.gaps)
    assert (
        sum(gap.duration.total_seconds() for gap in long),
        sum(gap.duration.total_seconds() for gap in every),
    ) == chosen.missing


@given(histories, spans)
def test_no_place_has_more_of_the_span(history, span):
    """The choice misses no more than any place alone, and no more than all together."""
    chosen = select(history, span, NOTHING)

    assert len(shown(history, span)) == len(shown(chosen.picks, span))


def test_one_place_is_better_than_a_mixture():
    """The main stream shows all of it: the longer pieces of the sub stream do not matter."""
    main = [recording(0, 10), recording(10, 20)]
    sub = [recording(0, 20, "02")]

    assert tuple(main) == select(main + sub, TimeSpan(at(0), at(20)), NOTHING).picks


def test_another_place_helps_out():
    """The cloud has pauses; the card shows what is missing."""
    cloud = [recording(0, 5, "cloud"), recording(10, 20, "cloud")]
    card = [recording(4, 11, "sd")]

    chosen = select(cloud + card, TimeSpan(at(0), at(20)), NOTHING)

    assert ("cloud", "sd", "cloud") == tuple(each.key.stream for each in chosen.picks)
    assert (0, 0) == chosen.missing


def test_tiny_gaps_decide_between_places():
    """Both would do; the one that has all of it is better."""
    cloud = [recording(0, 9, "cloud"), recording(10, 20, "cloud")]
    card = [recording(0, 20, "sd")]

    chosen = select(cloud + card, TimeSpan(at(0), at(20)), dt.timedelta(seconds=2))

    assert tuple(card) == chosen.picks
