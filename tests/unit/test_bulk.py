"""The bulk path against a server that says exactly what a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from camsync import ConfigurationError, ProtocolError, Secret
from camsync.transport import Address, BulkReply, TLSPolicy, Transport


@contextlib.contextmanager
def _server(*answers: bytes) -> Iterator[Transport]:
    """Answer one connection after the other with these bytes, and close each."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                line, _ = listening.accept()
                with line:
                    line.recv(65536)
                    line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        transport = Transport(
            Address.of("127.0.0.1", listening.getsockname()[1]),
            "admin",
            Secret("pw"),
            tls=TLSPolicy(ca_file=None, pin="sha256:" + "0" * 64),
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
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    with _server(answer, answer) as transport:
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
    """Another protocol behind the port is a protocol error or a closed line, never a crash."""
    with _server(b"SSH-2.0-OpenSSH_9.6\r\n") as transport, pytest.raises(Exception, match=r"127"):
        transport.stream("GET", "/")


def test_timeouts_are_mandatory():
    """Both must be positive numbers."""
    for timeout in ((0.0, 1.0), (1.0, -1.0)):
        with pytest.raises(ConfigurationError, match="timeout"):
            Transport(
                Address.of("127.0.0.1"),
                "a",
                Secret("b"),
                tls=TLSPolicy(ca_file=None, pin="sha256:" + "0" * 64),
                timeout=timeout,
            )


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
