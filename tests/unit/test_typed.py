"""Lengths, moments and sizes as people type them."""

from __future__ import annotations

import datetime as dt

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync._typed import (
    names_meant,
    near_name,
    parse_length,
    parse_moment,
    parse_since,
    parse_size,
)
from camsync.errors import ConfigurationError


NOW = dt.datetime(2026, 9, 26, 12, 0, tzinfo=dt.timezone.utc)


@given(
    weeks=st.integers(0, 99),
    days=st.integers(0, 99),
    hours=st.integers(0, 99),
    s=st.integers(0, 99),
)
def test_a_length_is_the_sum_of_its_parts(weeks, days, hours, s):
    """Each letter counts, in this order."""
    wanted = dt.timedelta(weeks=weeks, days=days, hours=hours, seconds=s)

    assert wanted == parse_length(f" {weeks}w{days}d{hours}H{s}s ")


@pytest.mark.parametrize("text", ["", "24", "x", "1h2d", "-1h", "9" * 5000 + "w", "9" * 30 + "d"])
def test_what_is_no_length_is_refused(text):
    """Nothing is guessed, and a huge number is an error like any other."""
    with pytest.raises(ConfigurationError, match="is no length of time") as caught:
        parse_length(text)

    assert len(str(caught.value)) < 200


@given(st.text(max_size=20))
def test_any_text_is_a_length_or_a_configuration_error(text):
    """No other error, whatever is typed."""
    for parse in (parse_length, parse_size):
        try:
            found = parse(text)
        except ConfigurationError:
            continue
        assert found >= type(found)(0)


def test_since_keeps_a_length_a_length():
    """A length counts back from each run's own now; everything else is a moment."""
    assert dt.timedelta(hours=24) == parse_since("24h", NOW)
    assert NOW == parse_since("now", NOW)
    assert NOW == parse_since("2026-09-26T12:00Z", NOW)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        ("1k", 1024),
        ("1.5M", 1_572_864),
        (" 50G ", 50 * 1024**3),
        ("2 TiB", 2 * 1024**4),
        ("3mb", 3 * 1024**2),
    ],
)
def test_a_size_is_in_powers_of_1024(text, size):
    """With or without the letters for bytes."""
    assert size == parse_size(text)


@pytest.mark.parametrize("text", ["", "G", "-1", "1,5G", "off", "1P"])
def test_what_is_no_size_is_refused(text):
    """It says what would be one."""
    with pytest.raises(ConfigurationError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["1M", " 12M ", "2h30M", "1d1M"])
def test_a_capital_m_is_no_minute(text):
    """Whoever wants a month to be kept must not be left with a minute."""
    parses = (parse_length, lambda one: parse_since(one, NOW), lambda one: parse_moment(one, NOW))
    for parse in parses:
        with pytest.raises(ConfigurationError, match="m is minutes") as caught:
            parse(text)
        assert "d for months, or " in caught.value.next_step


def test_what_is_no_month():
    """The word for a minute, and sizes, have a rule of their own; a time is no length."""
    assert dt.timedelta(minutes=3) == parse_length("3MIN") == parse_length("3m")
    assert 1024**2 == parse_size("1M")
    with pytest.raises(ConfigurationError, match="is no time"):
        parse_moment("5M5M", NOW)


@pytest.mark.parametrize(
    ("text", "found", "strangers"),
    [
        ("1", ["1"], []),
        ("01", ["1"], []),
        ("1,3", ["1", "3"], []),
        ("2-9", ["2", "3"], []),
        ("Gate, left", ["Gate, left"], []),
        ("1, 03,Gate", ["1", "3", "Gate"], []),
        ("101", ["1"], []),
        ("302", ["3"], []),
        ("104", [], ["104"]),
        ("900-999999", [], ["900-999999"]),
        ("DS1/01", ["DS1/1"], []),
        ("DS2/01", [], ["DS2/01"]),
        ("1,x,9", ["1"], ["x", "9"]),
        ("1,", [], ["1,"]),
        ("201-202", ["201-202"], []),
    ],
)
def test_channels_as_people_type_them(text, found, strangers):
    """Lists, ranges, leading zeros and numbers of tracks; a name is always that name."""
    known = {"1", "2", "3", "DS1/1", "Gate", "Gate, left", "201-202"}

    assert (found, strangers) == names_meant(text, known)


def test_a_number_is_no_track_where_it_is_a_channel():
    """Large recorders have a channel 101; channels of accounts begin at 0, and 1 is not 0."""
    assert (["101"], []) == names_meant("101", {"1", "101"})
    assert ([], ["1"]) == names_meant("1", {"0"})


def test_a_name_that_is_nearly_right():
    """Whatever its case."""
    assert "did you mean 'Front door'? " == near_name("front dor", ["Back", "Front door"])
    assert "" == near_name("7", ["Back", "Front door"])
