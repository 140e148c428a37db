"""Recordings across midnight: how they are cut, and how their parts become one stream."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest

from camsync.providers.imou._overnight import days, open_joined
from camsync.providers.imou._wire import RawRecord


def _record(begin: dt.datetime, end: dt.datetime) -> RawRecord:
    return RawRecord(id="x", device="D", channel="0", begin=begin, end=end, storage="sd")


def _at(day: int, *clock: int) -> dt.datetime:
    return dt.datetime(2026, 7, day, *clock)


@pytest.mark.parametrize(
    ("begin", "end", "seconds", "expected"),
    [
        (_at(1, 9), _at(1, 10), 3600, [(_at(1, 9), _at(1, 10), 3600)]),
        (_at(2, 0), _at(2, 1), 3600, [(_at(2, 0), _at(2, 1), 3600)]),
        (_at(1, 23), _at(2, 0), 3600, [(_at(1, 23), _at(1, 23, 59, 59), 3600)]),
        (
            _at(1, 23, 50),
            _at(2, 0, 5),
            900,
            [(_at(1, 23, 50), _at(1, 23, 59, 59), 600), (_at(2, 0), _at(2, 0, 5), 300)],
        ),
        (  # the clocks go forward at midnight
            _at(1, 23, 30),
            _at(2, 1, 10),
            2400,
            [(_at(1, 23, 30), _at(1, 23, 59, 59), 1800), (_at(2, 0), _at(2, 1, 10), 600)],
        ),
        (  # and back
            _at(1, 23, 30),
            _at(2, 0, 10),
            6000,
            [(_at(1, 23, 30), _at(1, 23, 59, 59), 1800), (_at(2, 0), _at(2, 0, 10), 600)],
        ),
    ],
)
def test_a_part_for_each_day(begin, end, seconds, expected):
    """No part is announced to be longer than it can be."""
    found = [(part.begin, part.end, length) for part, length in days(_record(begin, end), seconds)]

    assert expected == found


class _Part:
    """The stream of one day."""

    finished = False

    def __init__(self, data: bytes, log: list[str]) -> None:
        self.data, self.log = data, log

    def readinto(self, view: memoryview) -> int:
        got = min(len(view), len(self.data))
        view[:got], self.data = self.data[:got], self.data[got:]
        return got

    def abort(self) -> None:
        self.log.append("abort")


def _openers(log: list[str], *datas: bytes):
    def opener(data: bytes):
        @contextlib.contextmanager
        def opened(cancel):
            log.append(f"open {data!r}")
            yield _Part(data, log)
            log.append(f"close {data!r}")

        return opened

    return [opener(data) for data in datas]


def test_one_after_the_other():
    """The next one is opened when the one before is closed, and not earlier."""
    log, seen = [], bytearray()
    with open_joined(_openers(log, b"abc", b"de"), None) as stream:
        assert ["open b'abc'"] == log
        buffer = bytearray(2)
        while got := stream.readinto(memoryview(buffer)):
            assert not stream.finished
            seen += buffer[:got]
        assert stream.finished

    assert b"abcde" == bytes(seen)
    assert ["open b'abc'", "close b'abc'", "open b'de'", "close b'de'"] == log


def test_to_break_off_reaches_the_part_that_is_open():
    """And the token that the next ones would be given."""
    log = []
    with open_joined(_openers(log, b"abc", b"de"), None) as stream:
        stream.abort()
        assert stream._stop.is_set()

    assert "abort" in log
