"""Connections to a device, and the small calls over them."""

from __future__ import annotations

import contextlib
import http.client
import re
import select
import socket
import sys
import threading

from collections.abc import Iterator
from types import SimpleNamespace

import certifi
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

import camsync.transport

from camsync import (
    CamsyncError,
    ConfigurationError,
    DeviceTimeoutError,
    ProtocolError,
    Secret,
    UnreachableError,
)
from camsync.transport import Address, TLSPolicy, Transport, _wire
from camsync.transport._tls import trusted_roots
from camsync.transport._wire import Request, Wire


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


def _request(line: socket.socket) -> bytes:
    """Return a whole request, which may come in pieces, or what there is of it."""
    found = b""
    while piece := line.recv(65536):
        found += piece
        head, end, body = found.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            break
    return found


class _Device:
    """Answers with what *answers* hold, one list for each connection, and then closes it."""

    def __init__(self, *answers: list[bytes]) -> None:
        self.requests: list[list[bytes]] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.answers = list(answers)
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        for answers in self.answers:
            line, _ = self.listening.accept()
            seen: list[bytes] = []
            self.requests.append(seen)
            with line, contextlib.suppress(OSError):
                for answer in answers:
                    seen.append(_request(line))
                    line.sendall(answer)

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])


@contextlib.contextmanager
def _device(*answers: list[bytes]) -> Iterator[tuple[_Device, Transport]]:
    device = _Device(*answers)
    device.thread.start()
    transport = _transport(device.port)
    try:
        yield device, transport
    finally:
        transport.close()
        device.thread.join()
        device.listening.close()


def _transport(port: int, *, secure: bool = False, timeout: float = 5.0) -> Transport:
    return Transport(
        Address.of("127.0.0.1", port, secure=secure),
        "admin",
        Secret("pw"),
        tls=TLSPolicy.of(True),
        timeout=timeout,
    )


def _wire_of(transport: Transport) -> Wire:
    return transport._bulk


# -- Connections


def test_both_paths_share_a_connection():
    """Small calls and footage take turns on one connection: recorders have few to give."""
    with _device([OK] * 4) as (device, transport):
        for _ in range(2):
            assert b"ok" == transport.request("GET", "/").body
            reply = transport.stream("GET", "/")
            assert b"ok" == reply.read()
            reply.close()

    assert [4] == [len(seen) for seen in device.requests]


@pytest.mark.parametrize("poll", [True, False])
def test_a_connection_that_died_is_replaced_before_anything_is_sent(poll, monkeypatch):
    """The device's good-bye is seen on any system, and the request is sent once, elsewhere."""
    if not poll:
        monkeypatch.delattr(select, "poll", raising=False)
    with _device([OK], [OK]) as (device, transport):
        transport.request("GET", "/1")
        kept = _wire_of(transport)._idle[-1].sock
        assert select.select([kept], [], [], 10)[0], "the device has closed it by now"
        transport.request("GET", "/2")

    assert [[b"/1"], [b"/2"]] == [
        [request.split()[1] for request in seen] for seen in device.requests
    ]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_sent_twice(method):
    """Of a request without an answer nobody knows whether it, or its login, was taken."""
    with _device([OK, b""], [OK]) as (device, transport):
        transport.request("GET", "/")
        with pytest.raises(UnreachableError):
            transport.request(method, "/", b"<x/>" if method == "POST" else None)
        assert [] == _wire_of(transport)._idle
        transport.request("GET", "/")

    assert [2, 1] == [len(seen) for seen in device.requests]


def test_an_answer_that_ends_the_connection_ends_it():
    """Connection: close, HTTP/1.0 and an unknown length are not kept."""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    old = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"
    open_ended = b"HTTP/1.1 200 OK\r\n\r\nok"
    with _device([closing], [old], [open_ended]) as (device, transport):
        bodies = [transport.request("GET", "/").body for _ in range(3)]

        assert [b"ok"] * 3 == bodies
        assert [] == _wire_of(transport)._idle

    assert 3 == len(device.requests)


def test_a_forked_process_leaves_its_parents_connections_alone(monkeypatch):
    """Two processes on one connection would read each other's answers."""
    with _device([OK, b""], [OK]) as (device, transport):
        transport.request("GET", "/parent")
        monkeypatch.setattr(_wire, "os", SimpleNamespace(getpid=lambda: -1))
        transport.request("GET", "/child")

        assert 1 == len(_wire_of(transport)._idle), "the child keeps its own"

    (parent, nothing), (child,) = device.requests
    assert (b"/parent", b"", b"/child") == (parent.split()[1], nothing, child.split()[1])


def test_an_answer_that_was_asked_for_before_the_fork_is_not_kept_after_it(monkeypatch):
    """The parent goes on with that connection."""
    with _device([OK]) as (_, transport):
        reply = transport.stream("GET", "/")
        reply.read()
        monkeypatch.setattr(_wire, "os", SimpleNamespace(getpid=lambda: -1))
        reply.close()

        assert [] == _wire_of(transport)._idle


def test_at_most_eight_connections_wait():
    """A burst of threads does not hold the device's connections for ever."""
    wire = Wire(Address.of("127.0.0.1"), TLSPolicy.of(True), (1.0, 1.0))
    many = [http.client.HTTPConnection("127.0.0.1") for _ in range(10)]
    for connection in many:
        wire.release(connection, clean=True)

    assert many[:8] == wire._idle
    wire.close()
    assert [] == wire._idle


def test_forgotten_connections_are_closed():
    """Who drops a provider without close() gets no warning about open sockets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        wire = Wire(Address.of("127.0.0.1", port), TLSPolicy.of(True), (5.0, 5.0))
        connection = wire.ready()
        line = connection.sock
        wire.release(connection, clean=True)
        del wire

        assert -1 == line.fileno()


@pytest.mark.skipif(sys.platform == "win32", reason="select() has no such limit there")
def test_high_descriptors_are_looked_at():
    """A program with more than a thousand files open keeps its connections, too."""
    resource = pytest.importorskip("resource")
    fcntl = pytest.importorskip("fcntl")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this system gives no such descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    mine, theirs = socket.socketpair()
    high = socket.socket(fileno=fcntl.fcntl(mine.fileno(), fcntl.F_DUPFD, 1100))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with mine, theirs, high:
        assert not _wire._readable(high)
        theirs.sendall(b"x")
        assert _wire._readable(high)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError("timed out"), UnreachableError, "connection attempt"),
        (UnicodeError("label empty or too long"), ConfigurationError, "no request can be made"),
        (ConnectionRefusedError(111, "refused"), UnreachableError, "refused"),
    ],
)
def test_no_connection(error, kind, words, monkeypatch):
    """Who does not take the connection is not there; a name may be none; others say why."""

    def refuse(*_place: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(socket, "create_connection", refuse)
    transport = _transport(1)

    for ask in (transport.request, transport.stream):
        with pytest.raises(kind, match=words):
            ask("GET", "/")


def test_a_silent_handshake_is_a_silent_device():
    """The connection stands, and TLS does not come about in time."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        transport = _transport(listening.getsockname()[1], secure=True, timeout=0.05)
        with pytest.raises(DeviceTimeoutError):
            transport.request("GET", "/")


# -- Requests


@given(st.text())
def test_what_is_asked_for_is_one_word(path: str):
    """Nothing in a path ends the request line, or the quotes around it in a login."""
    asked = Request("GET", path, None, "").path

    assert re.fullmatch(r"[!#-;=?-\[\]_a-z~]*", asked, re.ASCII)
    assert asked == Request("GET", asked, None, "").path


def test_usual_paths_stay_as_they_are():
    """The login binds what is sent."""
    path = "/ISAPI/ContentMgmt/record/tracks?a=1&b=%20c;d"

    assert path == Request("GET", path, None, "").path
    assert "/a%20%22b%22" == Request("GET", '/a "b"', None, "").path


def test_headers_are_few():
    """Whoever gets a request learns what it needs; a type comes with a body only."""
    with _device([OK, OK]) as (device, transport):
        transport.request("GET", "/")
        transport.request("PUT", "/", b"<x/>")

    get, put = (
        [line.split(":")[0] for line in request.decode().split("\r\n\r\n")[0].split("\r\n")[1:]]
        for request in device.requests[0]
    )
    assert ["Host", "Accept", "Accept-Encoding", "User-Agent"] == get
    assert sorted([*get, "Content-Length", "Content-Type"]) == sorted(put)


# -- Answers


def test_half_a_head_is_no_answer():
    """A connection that ends within the headers is an error on both paths."""
    half = b"HTTP/1.1 401 No\r\nWWW-Auth"
    with _device([half], [half]) as (_, transport):
        for ask in (transport.request, transport.stream):
            with pytest.raises(UnreachableError, match="headers"):
                ask("GET", "/")


def test_what_is_missing_is_counted():
    """A body that breaks off is handed out with the number of bytes that did not come."""
    with _device([CUT + b"half"]) as (_, transport):
        answer = transport.request("GET", "/")

        assert (b"half", 5) == (answer.body, answer.missing)
        assert [] == _wire_of(transport)._idle


@pytest.mark.parametrize(
    "answer",
    [CUT, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"],
    ids=["nothing", "half a chunk"],
)
def test_an_answer_that_breaks_off(answer):
    """Nothing of what was announced, or not even a whole chunk, is no answer."""
    with (
        _device([answer]) as (_, transport),
        pytest.raises(UnreachableError, match="in the middle of the answer"),
    ):
        transport.request("GET", "/")


@pytest.mark.parametrize(
    "lengths", [b"Content-Length: 2\r\nContent-Length: 3", b"Content-Length: 2, 3"]
)
def test_two_lengths_are_none(lengths):
    """Where such an answer ends is anybody's guess, and so is whose the rest is."""
    with _device([b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\n\r\nok?"]) as (_, transport):
        with pytest.raises(ProtocolError, match="contradict") as caught:
            transport.request("GET", "/")

        assert 200 == caught.value.http_status
        assert [] == _wire_of(transport)._idle


def test_the_same_length_twice_is_one():
    """Some say it twice."""
    twice = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"
    with _device([twice]) as (_, transport):
        assert b"ok" == transport.request("GET", "/").body


def test_an_answer_without_end_is_cut_off(monkeypatch):
    """The rest is not read, and the connection is not used again."""
    monkeypatch.setattr("camsync.transport._calls.MAX_ANSWER", 1)
    with _device([OK]) as (_, transport):
        with pytest.raises(ProtocolError, match="longer than 1 bytes"):
            transport.request("GET", "/")

        assert [] == _wire_of(transport)._idle


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(OK)))
def test_any_bytes_are_an_answer_or_one_of_our_errors(noise: bytes, place: int):
    """Whatever a device says between the lines, nothing else leaves the transport."""
    with (
        _device([OK[:place] + noise + OK[place:]]) as (_, transport),
        contextlib.suppress(CamsyncError),
    ):
        assert transport.request("GET", "/", anonymous=True).status in range(100, 1000)


# -- What is loaded


def test_public_roots_are_certifi_s():
    """They are looked for when there is TLS to check, and not before."""
    policy = TLSPolicy.of(True)

    assert certifi.where() == trusted_roots(policy)
    assert "mine.pem" == trusted_roots(TLSPolicy(ca_file="mine.pem"))
    assert trusted_roots(TLSPolicy(ca_file=None)) is None
    assert policy.context().cert_store_stats()["x509_ca"] > 10


def test_clouds_are_loaded_on_demand():
    """The names are there, and no others."""
    assert camsync.transport.Web.__module__ == "camsync.transport._web"
    assert camsync.transport.WebReply.__module__ == "camsync.transport._web"
    with pytest.raises(AttributeError, match="no attribute 'Wbe'"):
        _ = camsync.transport.Wbe
