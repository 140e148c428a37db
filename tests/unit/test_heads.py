"""Heads of answers: whole, or an error; never fewer headers than were sent."""

from __future__ import annotations

import http.client
import io

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync.transport._heads import WholeHead


HEAD = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest nonce=x\r\nContent-Length: 2\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\nX-Wait: no\r\n\r\n"


class _Line:
    """A socket with these bytes on it, and then its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._data))  # type: ignore[arg-type]


def _begun(data: bytes) -> WholeHead:
    answer = WholeHead(_Line(data))  # type: ignore[arg-type]
    answer.begin()
    return answer


@pytest.mark.parametrize("before", [b"", CONTINUE])
def test_a_whole_head_is_read_as_ever(before: bytes):
    """Status, headers and body are those that were sent, and reading it twice changes nothing."""
    answer = _begun(before + HEAD + b"ok")
    answer.begin()

    assert (401, "Digest nonce=x") == (answer.status, answer.headers["WWW-Authenticate"])
    assert b"ok" == answer.read()
    assert answer.isclosed()


@given(cut=st.integers(1, len(CONTINUE + HEAD) - 1))
def test_a_head_that_breaks_off_is_an_error(cut: int):
    """Wherever it is cut, even between two lines: what is left of a refusal refuses nothing."""
    with pytest.raises(ConnectionAbortedError, match="in the middle"):
        _begun((CONTINUE + HEAD)[:cut])


def test_no_answer_at_all_keeps_its_own_error():
    """A device that hangs up before its answer has not broken off one."""
    with pytest.raises(http.client.RemoteDisconnected):
        _begun(b"")


def test_a_line_without_end_is_too_long():
    """It is not read to the end of the connection, wherever that is."""
    with pytest.raises(http.client.LineTooLong):
        _begun(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000)


def test_an_answer_without_a_body_is_over_with_its_head():
    """Nothing is read behind it."""
    answer = _begun(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    assert b"" == answer.read()
    answer.close()
    assert answer.isclosed()


def test_what_is_no_http_keeps_its_own_error():
    """And it is over at once."""
    answer = WholeHead(_Line(b"SSH-2.0-dropbear\r\n"))  # type: ignore[arg-type]

    with pytest.raises(http.client.BadStatusLine):
        answer.begin()
    assert answer.isclosed()
