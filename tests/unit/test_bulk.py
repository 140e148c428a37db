"""The bulk path against a server that says exactly what a test wants."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from camsync import CamsyncError, ConfigurationError, ProtocolError, Secret, UnreachableError
from camsync.transport import Address, BulkReply, TLSPolicy, Transport


@contextlib.contextmanager
def _server(*answers: bytes, lasting: bool = False) -> Iterator[Transport]:
    """Answer with these bytes, and close the connection behind each, unless it is *lasting*."""
    left = list(answers)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10.0)

        def serve() -> None:
            while left:
                line, _ = listening.accept()
                with line:
                    while left and line.recv(65536):
                        line.sendall(left.pop(0))
                        if not lasting:
                            break

        thread = threading.Thread(target=serve)
        thread.start()
        transport = Transport(
            Address.of("127.0.0.1", listening.getsockname()[1]),
            "admin",
            Secret("pw"),
            tls=TLSPolicy.of(True),
            timeout=(5.0, 5.0),
        )
        try:
            yield transport
        finally:
            thread.join()
            transport.close()


def _all(transport: Transport, *, to_the_end: bool) -> bytes:
    reply = transport.stream("GET", "/")
    if to_the_end:
        reply.ignore_length()
    reply.wait(5.0)
    content = bytearray()
    buffer = memoryview(bytearray(64))
    while count := reply.readinto(buffer):
        content += buffer[:count]
    reply.close()
    return bytes(content)


def test_chunked_answers_are_put_together():
    """A chunked body is read as such, whether or not its length is to be ignored."""
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    with _server(answer, answer, lasting=True) as transport:
        assert _all(transport, to_the_end=False) == b"abcde"
        assert _all(transport, to_the_end=True) == b"abcde"


def test_a_length_that_is_no_number_is_no_length():
    """Nonsense in Content-Length means that the connection's end is the end."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabcde"
    with _server(answer) as transport:
        assert _all(transport, to_the_end=True) == b"abcde"


def test_documents_have_a_longest_length(monkeypatch):
    """An error document without end is cut off by an error."""
    monkeypatch.setattr("camsync.transport._bulk.MAX_ANSWER", 3)
    with _server(b"HTTP/1.1 500 No\r\n\r\nabcde") as transport:
        reply = transport.stream("GET", "/")
        with pytest.raises(ProtocolError, match="longer"):
            reply.read()
        reply.close()


def test_long_rests_are_not_read_away():
    """What is long or of unknown length is dropped with its connection."""
    with _server(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\nabc") as transport:
        reply = transport.stream("GET", "/")
        reply.discard()

        assert reply.status == 200


def test_what_is_no_http_is_named():
    """Another protocol behind the port is said to be one, on both paths."""
    ssh = b"SSH-2.0-OpenSSH_9.6\r\n"
    with _server(ssh, ssh) as transport:
        for ask in (transport.stream, transport.request):
            with pytest.raises(UnreachableError, match=r"127.*is not HTTP") as caught:
                ask("GET", "/")
            assert "https=True" in str(caught.value.next_step)


def test_timeouts_are_mandatory():
    """Both must be positive numbers."""
    for timeout in ((0.0, 1.0), (1.0, -1.0), (1.0, None), (1.0,), 0, None, "10"):
        with pytest.raises(ConfigurationError, match="timeout"):
            Transport(
                Address.of("127.0.0.1"),
                "a",
                Secret("b"),
                tls=TLSPolicy.of(True),
                timeout=timeout,  # type: ignore[arg-type]
            )
    one = Transport(Address.of("127.0.0.1"), "a", Secret("b"), tls=TLSPolicy.of(True), timeout=3)
    assert one._timeout == (3.0, 3.0)


def test_repr_names_address_and_login():
    """The repr tells where and as whom."""
    with _server() as transport:
        assert "127.0.0.1" in repr(transport)
        assert "'admin' unproven" in repr(transport)
        assert "pw" not in repr(transport)


class _Tape:
    """A connection without a socket, as a replayed one is."""

    sock = None

    def getresponse(self) -> SimpleNamespace:
        return SimpleNamespace(status=200, headers={}, chunked=False)


def test_a_replayed_answer_has_no_socket():
    """What would act on a socket does nothing then."""
    reply = BulkReply(None, _Tape())  # type: ignore[arg-type]

    reply.wait(1.0)
    reply.abort()

    assert reply.status == 200
    assert reply.declared is None


def test_a_pin_needs_tls():
    """A pin over plain HTTP protects nothing, so it is refused instead of forgotten."""
    pin = TLSPolicy.of("sha256:" + "0" * 64)

    with pytest.raises(ConfigurationError, match="verify="):
        Transport(Address.of("127.0.0.1"), "a", Secret("b"), tls=pin)


def test_absurd_numbers_are_no_numbers():
    """Thousands of digits and negative chunks are one typed error, or no length at all."""
    digits = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nabc"
    chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc"
    with _server(digits) as transport:
        reply = transport.stream("GET", "/")
        assert reply.declared is None
        reply.close()
    with _server(chunk) as transport:
        reply = transport.stream("GET", "/")
        with pytest.raises(CamsyncError):
            reply.read()
        reply.close()


def test_a_redirect_is_not_even_read():
    """Neither a long body nor a hostile target of a redirect gets anywhere."""
    hostile = b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 2\r\n\r\nab"
    with _server(hostile) as transport:
        answer = transport.request("GET", "/")

    assert answer.status == 302
    assert answer.body == b"ab"


def test_a_kept_connection_that_died_is_not_used():
    """Its death is seen before anything is sent, so no login is sent twice."""
    full = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
    with _server(full, full) as transport:
        for _ in range(2):
            reply = transport.stream("GET", "/")
            assert reply.read() == b"abc"
            reply.close()
            kept = transport._bulk._idle[-1].sock
            assert select.select([kept], [], [], 10)[0], "the server has closed it by now"


def test_closing_twice_is_closing_once():
    """The connection may serve another answer by then: two of them would share it."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with _server(answer, answer, lasting=True) as transport:
        reply = transport.stream("GET", "/")
        assert b"ok" == reply.read()
        reply.close()
        reply.close()

        assert 1 == len(transport._bulk._idle)
        again = transport.stream("GET", "/")
        assert b"ok" == again.read()
        again.close()
