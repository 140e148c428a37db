"""Sizes, lengths and times as people read them."""

from __future__ import annotations

import datetime as dt

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync.cli._format import (
    clean,
    fps_text,
    length_text,
    local_text,
    rate_text,
    size_text,
    utc_text,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1024.0 KiB"),
        (1024**2, "1.0 MiB"),
        (1024**3, "1.0 GiB"),
        (1.5 * 1024**4, "1.5 TiB"),
        (1024**5, "1024.0 TiB"),
    ],
)
def test_sizes_in_binary_units(size, text):
    """The unit grows with the size, up to TiB."""
    assert text == size_text(size)


def test_an_unknown_rate_says_nothing():
    """A rate of zero is not shown."""
    assert ("", "2.0 KiB/s") == (rate_text(0.0), rate_text(2048.0))


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3723, "1:02:03")]
)
def test_lengths(seconds, text):
    """Minutes and seconds, with hours only when there are some."""
    assert text == length_text(seconds)


def test_moments_name_their_offset():
    """UTC ends in Z; a wall clock shows its offset."""
    zone = dt.timezone(dt.timedelta(hours=8))
    moment = dt.datetime(2026, 9, 26, 8, 13, 39, 4, tzinfo=zone)

    assert "2026-09-26 00:13:39Z" == utc_text(moment)
    assert "2026-09-26 08:13:39+08:00" == local_text(moment)


def test_frame_rates():
    """Whole rates have no decimals."""
    assert ["", "25", "12.5"] == [fps_text(fps) for fps in (None, 25.0, 12.5)]


def test_escape_sequences_do_not_survive():
    """A camera's name cannot drive the terminal; other scripts stay as they are."""
    assert "\ufffd[31mCửa\ufffd next" == clean("\x1b[31mCửa\u202e\nnext")


@given(st.text())
def test_cleaned_text_is_always_printable(text):
    """No control character passes."""
    assert clean(text).isprintable()
