"""What people type for moments."""

from __future__ import annotations

import datetime as dt

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync.cli._times import parse_moment
from camsync.errors import ConfigurationError


UTC = dt.timezone.utc
NOW = dt.datetime(2026, 9, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("24h", dt.timedelta(hours=24)),
        ("2h30m", dt.timedelta(hours=2, minutes=30)),
        ("7d", dt.timedelta(days=7)),
        ("1w", dt.timedelta(weeks=1)),
        ("90S", dt.timedelta(seconds=90)),
        ("15min", dt.timedelta(minutes=15)),
        (" 1d12h ", dt.timedelta(days=1, hours=12)),
        ("now", dt.timedelta(0)),
    ],
)
def test_a_length_counts_back_from_now(text, length):
    """A length means that long ago."""
    assert NOW - length == parse_moment(text, NOW)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-26T08:00:00Z", dt.datetime(2026, 9, 26, 8, tzinfo=UTC)),
        ("2026-09-26T08:00+08:00", dt.datetime(2026, 9, 26, 0, tzinfo=UTC)),
        ("2026-09-26 08:00:00.500+00:00", dt.datetime(2026, 9, 26, 8, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_an_iso_time_with_an_offset_is_exact(text, moment):
    """An offset, or Z, is obeyed, on Python 3.10 too."""
    assert moment == parse_moment(text, NOW)


@pytest.mark.parametrize("text", ["2026-09-26", "2026-09-26T08:00"])
def test_a_time_without_offset_is_this_computers_local_time(text):
    """A naive time is taken on the wall clock of the computer that runs the command."""
    moment = parse_moment(text, NOW)

    assert dt.datetime.fromisoformat(text).astimezone() == moment
    assert moment.tzinfo is not None


@pytest.mark.parametrize(
    "text", ["", " ", "yesterday", "24", "h", "2026-13-01", "-5h", "9999999999999w", "1000000d"]
)
def test_nonsense_is_refused_with_what_to_write(text):
    """Neither a length nor a time: the error shows the forms."""
    with pytest.raises(ConfigurationError, match="is no time") as caught:
        parse_moment(text, NOW)

    assert "2h30m" in str(caught.value.next_step)


@given(days=st.integers(0, 400), hours=st.integers(0, 99), minutes=st.integers(0, 9999))
def test_every_length_is_read_as_written(days, hours, minutes):
    """Units add up, whatever their numbers."""
    expected = NOW - dt.timedelta(days=days, hours=hours, minutes=minutes)

    assert expected == parse_moment(f"{days}d{hours}h{minutes}m", NOW)
