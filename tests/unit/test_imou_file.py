"""A whole file behind a URL: what is refused, and how many bytes may come."""

from __future__ import annotations

import pytest

from camsync import BudgetExceededError, ProtocolError
from camsync._secret import Secret
from camsync.providers.imou._file import open_file
from camsync.providers.imou._wire import PlaySource


class _Reply:
    """An answer of a media server."""

    def __init__(self, status=200, headers=None, body=b"", declared=None):
        self.status, self.headers, self.body = status, headers or {}, body
        self.declared, self.received, self.sizes = declared, 0, []
        self.closed = False

    def readinto(self, view):
        self.sizes.append(len(view))
        got = min(len(view), len(self.body))
        view[:got], self.body = self.body[:got], self.body[got:]
        self.received += got
        return got

    def close(self):
        self.closed = True


class _Web:
    """Gives one answer, and counts."""

    def __init__(self, reply):
        self.reply, self.asked = reply, 0

    def get(self, url, **_):
        self.asked += 1
        return self.reply


def _source() -> PlaySource:
    return PlaySource(url=Secret("https://media.invalid/f"), kind="file")


@pytest.mark.parametrize("place", ["0-3/9", "5-8/9", "0-8/9"])
def test_a_part_that_nobody_asked_for(place):
    """Status 206 without a range in the request is not taken for the whole file."""
    reply = _Reply(206, {"Content-Range": f"bytes {place}"}, b"abcd", 4)
    with pytest.raises(ProtocolError, match="a part of the file"), open_file(_source, _Web(reply)):
        pytest.fail("there is no stream")
    assert reply.closed


@pytest.mark.parametrize("declared", [6, None])
def test_read_to_its_end(declared):
    """Only a stream that has said so was read to its end."""
    with open_file(_source, _Web(_Reply(200, {}, b"abcdef", declared))) as stream:
        seen = []
        for size in (4, 0, 4, 4):
            stream.readinto(memoryview(bytearray(size)))
            seen.append(stream.finished)

    assert [False, False, False, True] == seen


def test_no_more_is_read_than_may_come():
    """Each read is as long as there is room; the end is free."""
    reply = _Reply(200, {}, b"abcdef", 6)
    rooms = iter([9, 4, None])
    with open_file(_source, _Web(reply), check=lambda: next(rooms)) as stream:
        for _ in range(3):
            stream.readinto(memoryview(bytearray(8)))

    assert ([4, 8, 8], True) == (reply.sizes, stream.finished)


def test_a_limit_stops_before_the_request():
    """When nothing more may come, nothing is asked for."""

    def check():
        msg = "enough"
        raise BudgetExceededError(msg)

    web = _Web(_Reply())
    with pytest.raises(BudgetExceededError), open_file(_source, web, check=check):
        pytest.fail("there is no stream")
    assert 0 == web.asked
