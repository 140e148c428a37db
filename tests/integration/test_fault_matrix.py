"""Every operation meets every fault, and what comes of it stands in docs/reference/faults.md.

Between client and simulator stands a server that does to one kind of request what hostile devices
and networks do to it: once, or from then on always. Whatever happens, the operation gives the right
result or a typed error, asks a bounded number of times, and leaves no part file, thread or
connection behind. After a change that is meant, write the page anew::

    PYTHONPATH=src python tests/integration/test_fault_matrix.py
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import functools
import hashlib
import logging
import os
import re
import shutil
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import traceback

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

import camsync

from camsync import HikvisionISAPI, ImouClient, RetryPolicy, TimeSpan, clip, download, sync
from camsync.catalogue import Catalogue
from camsync.errors import AuthenticationError, CamsyncError, UnreachableError
from camsync.models import CheckStatus
from camsync.providers.hikvision import _download as hikvision_download
from camsync.providers.imou import _feed as imou_feed
from camsync.testing import ImouSimulator, RecorderSimulator
from camsync.testing.recorder._tls import Identity, self_signed


pytestmark = pytest.mark.skipif(os.name == "nt", reason="the faults are those of POSIX systems")

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
UTC = dt.timezone.utc
SECRET = "Pl4nted-in-the-matrix"
HOST = "127.0.0.1"
BOTH = ONCE, ALWAYS = "once", "always"
POLICY = RetryPolicy(attempts=2, initial=0.0, maximum=0.05, jitter=0.0)
PATIENCE = 20.0
IMPATIENCE = {ONCE: 0.6, ALWAYS: 0.25}
"""Seconds of silence that a client bears; the second are for faults that are silence."""

WORKERS, WAITERS = 4, 14
"""Operations that meet a fault at the same time; the second if they mostly wait."""

MIB = 1 << 20
OVERSIZED = 5 * MIB
"""More than any answer may have."""


# -- The server in between ------------------------------------------------------------------------


@attrs.define
class Answer:
    """An answer of the simulator, taken apart."""

    status: bytes
    headers: list[tuple[str, bytes]]
    body: bytes

    @classmethod
    def read(cls, head: bytes, body: bytes) -> Answer:
        status, *lines = head.removesuffix(b"\r\n").split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        return cls(status, [(name.decode(), value.strip()) for name, _, value in pairs], body)

    def without(self, *names: str) -> list[tuple[str, bytes]]:
        return [(name, value) for name, value in self.headers if name.lower() not in names]

    def set(self, name: str, value: bytes | None) -> None:
        self.headers = self.without(name.lower())
        if value is not None:
            self.headers.append((name, value))

    @property
    def head(self) -> bytes:
        lines = [self.status, *(f"{name}: ".encode() + value for name, value in self.headers)]
        return b"\r\n".join([*lines, b"", b""])

    def plain(self, status: str, body: bytes = b"", **headers: str) -> Answer:
        """Return an answer of our own, instead of this one."""
        pairs = [(name.replace("_", "-"), value.encode()) for name, value in headers.items()]
        pairs += [("Content-Length", str(len(body)).encode()), ("Connection", b"keep-alive")]
        return Answer(f"HTTP/1.1 {status}".encode(), pairs, body)


class Reset(Exception):  # noqa: N818 - nothing went wrong: it is what is played
    """Break the connection with RST."""


class Hostile:
    """A server on loopback that passes requests on, except those that meet the fault.

    Args:
        port: Of the simulator.
        fault: What strikes.
        aim: What it strikes: a pattern for ``METHOD path``.
        times: How often it strikes; None for ever.
        after: How many such requests pass before it strikes.
        on_hit: Is called when it strikes.

    Attributes:
        identity: Serve TLS with it.
    """

    def __init__(self, port, fault, aim, times, *, after=0, on_hit=lambda: None):
        self.fault, self.aim, self.left, self.after = fault, re.compile(aim), times, after
        self.requests = self.hits = self.behind = 0
        self.identity = self.other = None
        self.on_hit = on_hit
        self.upstream = port
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((HOST, 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="hostile")
        self._thread.start()

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._open)

    def refuse(self) -> None:
        """Stop listening, but keep the port, so that nobody else gets it."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # a connection that is closing may still hold it
            self._listener.bind((HOST, self.port))

    def stop(self) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self._thread.join()

    def _accept(self) -> None:
        listener = self._listener
        workers = []
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                break
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(connection)
            worker = threading.Thread(target=self._serve, args=(connection,), name="hostile")
            workers.append(worker)
            worker.start()
        for worker in workers:
            worker.join()

    def _serve(self, raw: socket.socket) -> None:
        connection, upstream = raw, []
        try:
            if self.identity is not None:
                context = self.identity.context
                connection = context.wrap_socket(raw, server_side=True)
                with self._lock:
                    self._open.discard(raw)
                    self._open.add(connection)
            while self._one(connection, upstream):
                pass
        except Reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except (OSError, ssl.SSLError):
            pass
        finally:
            for each in (connection, *upstream):
                each.close()
            with self._lock:
                self._open.discard(raw)
                self._open.discard(connection)

    def _one(self, connection, upstream) -> bool:
        """Answer a request; whether the connection goes on."""
        request = _request(connection)
        if request is None:
            return False
        first = request.partition(b" HTTP/")[0].decode()
        with self._lock:
            self.requests += 1
            meets = self.aim.search(first) is not None
            strikes = meets and self.left != 0 and self.after == 0
            if meets and self.after:
                self.after -= 1
            if strikes:
                self.hits += 1
                self.left = None if self.left is None else self.left - 1
            elif self.hits:
                self.behind += 1
        if strikes:
            self.on_hit()
        play = PLAYS[self.fault] if strikes and self.fault else _pass_on
        answer = self.ask(request, upstream)
        if answer.body[:4] != b"IMKH" and answer.body[:1] != b"G":
            scheme = "http" if self.identity is None else "https"
            old, new = (f"://{HOST}:{port}".encode() for port in (self.upstream, self.port))
            answer.body = answer.body.replace(b"http" + old, scheme.encode() + new)
            if any(name.lower() == "content-length" for name, _ in answer.headers):
                answer.set("Content-Length", str(len(answer.body)).encode())
        return play(self, connection, answer, first)

    def ask(self, request: bytes, upstream: list[socket.socket]) -> Answer:
        """Ask the simulator, over one connection as long as it is kept."""
        if not upstream:
            upstream.append(socket.create_connection((HOST, self.upstream), timeout=30))
        upstream[0].sendall(request)
        file = upstream[0].makefile("rb")
        head = b"".join(iter(file.readline, b"\r\n"))
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = file.read(int(length[1])) if length else file.read()
        file.close()
        if length is None:
            upstream.pop().close()
        return Answer.read(head, body)

    def silence(self, connection) -> bool:
        """Say nothing until the client goes."""
        connection.settimeout(0.02)
        while not self._over.is_set():
            try:
                if not connection.recv(1):
                    return False
            except TimeoutError:  # noqa: PERF203
                continue
        return False


def _request(connection) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(MIB)
        if not more:
            return None
        data += more
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", data)
    missing = data.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0) - len(data)
    while missing > 0:
        more = connection.recv(MIB)
        if not more:
            return None
        data += more
        missing -= len(more)
    return data


# -- What it does to an answer -------------------------------------------------------------------

MODES = {"refused": (ALWAYS,), "certificate-changed": (ALWAYS,)}
"""Faults that are there to stay."""

Play = Callable[[Hostile, Any, Answer, str], bool]
PLAYS: dict[str, Play] = {}
TEXTS: dict[str, str] = {}
SILENT: set[str] = set()
"""Faults that are noticed only by waiting."""


def fault(name: str, text: str, *, silent: bool = False) -> Callable[[Play], Play]:
    """Enter a fault into the matrix."""

    def enter(play: Play) -> Play:
        PLAYS[name], TEXTS[name] = play, text
        if silent:
            SILENT.add(name)
        return play

    return enter


def _send(connection, answer: Answer) -> bool:
    keep = any(name.lower() == "content-length" for name, _ in answer.headers)
    answer.set("Connection", b"keep-alive" if keep else b"close")
    connection.sendall(answer.head + answer.body)
    return keep


def _pass_on(server, connection, answer, first) -> bool:
    return _send(connection, answer)


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@fault("refused", "the connection breaks, and no other is accepted")
def _refused(server, connection, answer, first):
    server.refuse()
    raise Reset


@fault("reset-before-answer", "the connection is reset instead of an answer")
def _reset_before(server, connection, answer, first):
    raise Reset


@fault("reset-in-status", "half of the status line, then a reset")
def _reset_status(server, connection, answer, first):
    connection.sendall(_half(answer.status))
    raise Reset


@fault("reset-in-headers", "half of the headers, then a reset")
def _reset_headers(server, connection, answer, first):
    connection.sendall(_half(answer.head))
    raise Reset


@fault("reset-after-headers", "the headers, then a reset")
def _reset_after(server, connection, answer, first):
    connection.sendall(answer.head)
    raise Reset


@fault("reset-in-body", "half of the body, then a reset")
def _reset_body(server, connection, answer, first):
    connection.sendall(answer.head + _half(answer.body))
    raise Reset


@fault("closed-before-answer", "the connection is closed instead of an answer")
def _close_before(server, connection, answer, first):
    return False


@fault("closed-in-headers", "half of the headers, then a close")
def _close_headers(server, connection, answer, first):
    connection.sendall(_half(answer.head))
    return False


@fault("closed-in-body", "half of the body that Content-Length announces, then a close")
def _close_body(server, connection, answer, first):
    connection.sendall(answer.head + _half(answer.body))
    return False


@fault("stall-before-answer", "silence instead of an answer", silent=True)
def _stall_before(server, connection, answer, first):
    return server.silence(connection)


@fault("stall-in-headers", "half of the headers, then silence", silent=True)
def _stall_headers(server, connection, answer, first):
    connection.sendall(_half(answer.head))
    return server.silence(connection)


@fault("stall-in-body", "half of the body, then silence", silent=True)
def _stall_body(server, connection, answer, first):
    connection.sendall(answer.head + _half(answer.body))
    return server.silence(connection)


@fault("drip", "the answer in thirty pieces with pauses in between")
def _drip(server, connection, answer, first):
    answer.set("Connection", b"keep-alive")
    data = answer.head + answer.body
    step = len(data) // 30 + 1
    for start in range(0, len(data), step):
        connection.sendall(data[start : start + step])
        time.sleep(0.001)
    return any(name.lower() == "content-length" for name, _ in answer.headers)


@fault("truncated", "half of the body, with a Content-Length that agrees")
def _truncated(server, connection, answer, first):
    answer.body = _half(answer.body)
    answer.set("Content-Length", str(len(answer.body)).encode())
    return _send(connection, answer)


@fault("empty", "status 200 and an empty body")
def _empty(server, connection, answer, first):
    return _send(connection, answer.plain("200 OK", Content_Type="application/xml"))


@fault("oversized", "5 MiB behind the body, with a Content-Length that agrees")
def _oversized(server, connection, answer, first):
    answer.body += b" " * OVERSIZED
    answer.set("Content-Length", str(len(answer.body)).encode())
    return _send(connection, answer)


@fault("endless", "no Content-Length, and a body that does not end")
def _endless(server, connection, answer, first):
    answer.set("Content-Length", None)
    answer.set("Connection", b"close")
    connection.sendall(answer.head + answer.body)
    for _ in range(4096):
        connection.sendall(b" " * MIB)
    return False


@fault("garbage", "a body of as many meaningless bytes")
def _garbage(server, connection, answer, first):
    answer.body = (bytes(range(1, 256)) * (len(answer.body) // 255 + 1))[: len(answer.body)]
    return _send(connection, answer)


@fault("not-http", "bytes that are no HTTP")
def _not_http(server, connection, answer, first):
    connection.sendall(bytes(range(128, 256)) * 4 + b"\r\n\r\n")
    return False


@fault("web-page", "status 200 with a web page, as from a captive portal")
def _web_page(server, connection, answer, first):
    page = b"<html><head><title>Welcome</title></head><body>Please log in</body></html>"
    return _send(connection, answer.plain("200 OK", page, Content_Type="text/html"))


@fault("length-negative", "Content-Length: -1")
def _length_negative(server, connection, answer, first):
    answer.set("Content-Length", b"-1")
    connection.sendall(answer.head + answer.body)
    return False


@fault("length-no-number", "Content-Length: many")
def _length_word(server, connection, answer, first):
    answer.set("Content-Length", b"many")
    connection.sendall(answer.head + answer.body)
    return False


@fault("length-twice", "two Content-Length headers that contradict each other")
def _length_twice(server, connection, answer, first):
    answer.headers.append(("Content-Length", str(len(answer.body) // 2).encode()))
    connection.sendall(answer.head + answer.body)
    return False


@fault("length-astronomic", "a Content-Length of 10¹⁸, then the body and a close")
def _length_huge(server, connection, answer, first):
    answer.set("Content-Length", b"1000000000000000000")
    connection.sendall(answer.head + answer.body)
    return False


@fault("chunks-broken", "chunked, and a chunk length that is none")
def _chunks(server, connection, answer, first):
    answer.set("Content-Length", None)
    answer.set("Transfer-Encoding", b"chunked")
    connection.sendall(answer.head + b"10\r\n" + answer.body[:16] + b"\r\nzz\r\n" + answer.body)
    return False


@fault("headers-flood", "a thousand headers")
def _flood(server, connection, answer, first):
    answer.headers = [(f"X-{number}", b"x") for number in range(1000)] + answer.headers
    connection.sendall(answer.head + answer.body)
    return False


@fault("header-endless", "a header line of a megabyte")
def _long_header(server, connection, answer, first):
    answer.headers.insert(0, ("X-Long", b"x" * MIB))
    connection.sendall(answer.head + answer.body)
    return False


@fault("header-unreadable", "a header line without a colon")
def _unreadable(server, connection, answer, first):
    keep = any(name.lower() == "content-length" for name, _ in answer.headers)
    connection.sendall(answer.head[:-2] + b"no colon\r\n\r\n" + answer.body)
    return keep


@fault("redirect-loop", "302 to the same address")
def _loop(server, connection, answer, first):
    target = first.partition(" ")[2]
    return _send(connection, answer.plain("302 Found", Location=target))


@fault("redirect-elsewhere", "302 to another host")
def _elsewhere(server, connection, answer, first):
    return _send(connection, answer.plain("302 Found", Location="http://elsewhere.invalid/x"))


@fault("redirect-other-scheme", "302 to the same host with another scheme")
def _scheme(server, connection, answer, first):
    return _send(connection, answer.plain("302 Found", Location=f"https://{HOST}/x"))


@fault("401", "401 without a challenge, although the login was accepted before")
def _unauthorized(server, connection, answer, first):
    return _send(connection, answer.plain("401 Unauthorized"))


@fault("nonce-storm", "401: the nonce is stale, here is a new one")
def _storm(server, connection, answer, first):
    with socket.create_connection((HOST, server.upstream), timeout=30) as other:
        bare = b"\r\n".join([first.encode() + b" HTTP/1.1", b"Content-Length: 0", b"", b""])
        found = server.ask(bare, [other])
    offers = [pair for pair in found.headers if pair[0].lower() == "www-authenticate"]
    refusal = answer.plain("401 Unauthorized")
    refusal.headers += [(name, value + b', stale="true"') for name, value in offers]
    return _send(connection, refusal)


@fault("challenge-garbled", "401 with a challenge that holds control characters")
def _garbled(server, connection, answer, first):
    refusal = answer.plain("401 Unauthorized")
    refusal.headers.append(("WWW-Authenticate", b'Digest realm="\0", nonce="\v", qop="auth"'))
    return _send(connection, refusal)


@fault("403", "403 without a body")
def _forbidden(server, connection, answer, first):
    return _send(connection, answer.plain("403 Forbidden"))


@fault("404", "404 with a web page")
def _not_found(server, connection, answer, first):
    return _send(connection, answer.plain("404 Not Found", b"<html></html>"))


@fault("500", "500 without a body")
def _internal(server, connection, answer, first):
    return _send(connection, answer.plain("500 Internal Server Error"))


@fault("503", "503 without a body")
def _unavailable(server, connection, answer, first):
    return _send(connection, answer.plain("503 Service Unavailable"))


@fault("503-now", "503 with Retry-After: 0")
def _unavailable_now(server, connection, answer, first):
    return _send(connection, answer.plain("503 Service Unavailable", Retry_After="0"))


@fault("503-later", "503 with Retry-After: 3600, which is longer than the client waits")
def _unavailable_later(server, connection, answer, first):
    return _send(connection, answer.plain("503 Service Unavailable", Retry_After="3600"))


@fault("certificate-changed", "the connection breaks, and the next shows another certificate")
def _certificate(server, connection, answer, first):
    server.identity = server.other
    raise Reset


# -- What is done ---------------------------------------------------------------------------------


@attrs.define
class Scene:
    """A client in front of the hostile server, and what it works with."""

    client: Any
    channel: Any
    recording: Any
    dest: Path

    @property
    def span(self) -> TimeSpan:
        middle = self.recording.start + (self.recording.end - self.recording.start) / 2
        return TimeSpan(middle, middle + SECOND)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _devices(scene):
    return [(one.id, one.model) for one in scene.client.devices()]


def _channels(scene):
    found = [(one.id, one.name) for one in scene.client.channels()]
    if not found:
        raise Found("taken as absent")  # noqa: EM101, TRY003
    return found


def _storage(scene):
    return [(one.id, one.state) for one in scene.client.storage()]


def _clock(scene):
    clock = scene.client.clock()
    return clock.z_means, clock.declared


def _search(scene):
    return [one.key for one in scene.client.search(scene.channel, scene.span)]


def _locate(scene):
    return scene.client.locate(scene.recording.key).key


def _open(scene):
    received = bytearray()
    buffer = memoryview(bytearray(1 << 16))
    with scene.client.open(scene.recording) as stream:
        while count := stream.readinto(buffer):
            received += buffer[:count]
    return _digest(received)


def _fetch(container, scene):
    options = {"container": container, "retry": POLICY, "allow_in_progress": True}
    found = download(scene.client, scene.recording, scene.dest, **options)
    return _digest(found.path.read_bytes())


def _sync(scene):
    with Catalogue(":memory:") as catalogue:
        report = sync(
            scene.client,
            scene.dest,
            span=scene.span,
            channels=[str(scene.channel.id)],
            catalogue=catalogue,
            container="original",
            retry=POLICY,
            concurrency=1,
        )
    for trouble in (*report.failed, *report.problems):
        raise trouble.error
    if report.stopped_by is not None:
        raise report.stopped_by
    if report.gone:
        raise Found("gone")  # noqa: EM101 - no message
    return sorted(_digest(one.path.read_bytes()) for one in report.downloaded)


def _clip(scene):
    made = clip(scene.client, scene.channel, scene.span, scene.dest, retry=POLICY)
    return len(made.parts), round(made.parts[0].path.stat().st_size, -4)


class Found(Exception):  # noqa: N818 - a finding, not an error
    """What an operation says that does not raise: the failed step of a connection test."""


def _diagnose(scene):
    for check in scene.client.diagnose():
        if check.status is CheckStatus.FAILED:
            raise Found(f"says: {check.name}")  # noqa: EM102, TRY003
    return "fine"


def _dump(scene):
    return sorted(scene.client.dump()["endpoints"])


SECOND = dt.timedelta(seconds=1)
Act = Callable[[Scene], Any]


@attrs.frozen(kw_only=True)
class Operation:
    """Something that a client does.

    Attributes:
        aim: Which request the fault strikes, ``METHOD path``.
        most: Requests that it may cost from the fault on, whatever happens.
        modes: What is worth its time: downloads have one engine, whoever calls it.
    """

    name: str
    provider: str
    act: Act
    aim: str
    most: int
    modes: tuple[str, ...]


def _operations(provider: str, *rows: tuple[Any, ...]) -> dict[tuple[str, str], Operation]:
    return {
        (provider, name): Operation(
            name=name, provider=provider, act=act, aim=aim, most=most, modes=tuple(modes) or BOTH
        )
        for name, act, aim, most, *modes in rows
    }


_ANY = ""
_SEARCH = "POST /ISAPI/ContentMgmt/search"
_DOWNLOAD = "/ISAPI/ContentMgmt/download"
_SEGMENT = r"GET /hls/.*\.ts"
OPERATIONS = {
    **_operations(
        "hikvision",
        ("devices", _devices, "/ISAPI/System/deviceInfo", 9),
        ("channels", _channels, "/InputProxy/channels", 8),
        ("storage", _storage, "/ContentMgmt/Storage", 4),
        ("clock", _clock, "/System/time", 10),
        ("search", _search, _SEARCH, 9),
        ("locate", _locate, _SEARCH, 9),
        ("open", _open, _DOWNLOAD, 4),
        ("download, original", functools.partial(_fetch, "original"), _DOWNLOAD, 4),
        ("download, MP4", functools.partial(_fetch, "mp4"), _DOWNLOAD, 4, ONCE),
        ("sync: search", _sync, _SEARCH, 20, ALWAYS),
        ("sync: download", _sync, _DOWNLOAD, 4, ONCE),
        ("clip", _clip, _DOWNLOAD, 4, ONCE),
        ("diagnose", _diagnose, "/ISAPI/System/deviceInfo", 20, ALWAYS),
        ("dump", _dump, "/ISAPI/ContentMgmt/Storage", 9, ONCE),
    ),
    **_operations(
        "imou",
        ("login", _devices, "/openapi/accessToken", 5),
        ("devices", _devices, "/openapi/listDevice", 4),
        ("storage", _storage, "/openapi/deviceStorage", 4),
        ("search", _search, "/openapi/queryLocalRecords", 4),
        ("locate", _locate, "/openapi/queryLocalRecords", 4),
        ("open: URL", _open, "/openapi/createDeviceRecordHls", 7),
        ("open: playlist", _open, r"GET /hls/.*\.m3u8", 7),
        ("open: segment", _open, _SEGMENT, 7, ONCE),
        ("download, original", functools.partial(_fetch, "original"), _SEGMENT, 14),
        ("download, MP4", functools.partial(_fetch, "mp4"), _SEGMENT, 8, ONCE),
        ("sync: search", _sync, "/openapi/queryLocalRecords", 12, ALWAYS),
        ("sync: download", _sync, _SEGMENT, 14, ONCE),
        ("clip", _clip, _SEGMENT, 8, ONCE),
        ("diagnose", _diagnose, "/openapi/listDevice", 10, ALWAYS),
    ),
}


# -- A cell of the matrix -------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Cell:
    """What came of an operation that met a fault."""

    outcome: str
    requests: int
    wrong: tuple[str, ...] = ()


class Stage:
    """The simulators, and what the operations give when nothing goes wrong."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        moment = [dt.datetime.now(UTC)]
        options = {"hours": 0.05, "segment_seconds": 8, "clock": lambda: moment[0]}
        self.simulators: dict[str, Any] = {
            "hikvision": RecorderSimulator(
                channels=1, password=SECRET, failed_logins_allowed=1_000_000, **options
            ),
            "imou": ImouSimulator(devices=["camera"], app_secret=SECRET, **options),
        }
        self.secure: dict[str, Identity] = {}
        self.learnt: dict[str, Any] = {}
        self.known: dict[str, tuple[Any, Any]] = {}
        for name, simulator in self.simulators.items():
            stack.enter_context(simulator)
            self.known[name] = self._learn(name, simulator.port)

    @functools.cached_property
    def identities(self) -> tuple[Identity, Identity]:
        return self_signed(HOST), self_signed(HOST)

    @functools.cached_property
    def authority(self) -> str:
        file = self._stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".pem"))  # noqa: SIM115
        file.write(self.identities[0].certificate)
        file.flush()
        return file.name

    def _learn(self, name: str, port: int) -> tuple[Any, Any]:
        with self.client(name, port) as client:
            channel = client.channels()[0]
            span = TimeSpan.last(hours=1)
            found = [one for one in client.search(channel, span) if not one.in_progress]
            self.learnt[name] = client.learnt
            return channel, found[3]

    def client(self, provider: str, port: int, *, tls=False, timeout=PATIENCE) -> Any:
        if provider == "hikvision":
            return HikvisionISAPI(
                HOST,
                "admin",
                SECRET,
                port=port,
                https=tls,
                verify=self.identities[0].fingerprint if tls else True,
                timeout=timeout,
                retry=POLICY,
                settle=dt.timedelta(0),
                learnt=self.learnt.get(provider),
            )
        simulator = self.simulators["imou"]
        return ImouClient(
            simulator.app_id,
            SECRET,
            base_url=f"http{'s' if tls else ''}://{HOST}:{port}",
            timezone="+08:00",
            storage="sd",
            timeout=timeout,
            verify=self.authority if tls else True,
            retry=POLICY,
            learnt=self.learnt.get(provider),
        )

    @functools.cache  # noqa: B019 - as long as the module's tests
    def baseline(self, operation: Operation) -> Any:
        """Return what *operation* gives in peace."""
        with tempfile.TemporaryDirectory() as folder, self._server(operation, "", None) as server:
            scene = self.scene(operation, server, Path(folder))
            try:
                return operation.act(scene)
            finally:
                scene.client.close()

    def scene(self, operation, server, dest, **options) -> Scene:
        client = self.client(operation.provider, server.port, **options)
        return Scene(client, *self.known[operation.provider], dest)

    @contextlib.contextmanager
    def _server(self, operation, fault, times, on_hit=lambda: None) -> Iterator[Hostile]:
        simulator = self.simulators[operation.provider]
        server = Hostile(simulator.port, fault, operation.aim, times, on_hit=on_hit)
        if fault == "certificate-changed":
            server.identity, server.other = self.identities
        try:
            yield server
        finally:
            server.stop()

    def cell(self, operation: Operation, fault: str, mode: str, dest: Path) -> Cell:
        """Let *operation* meet *fault*."""
        expected = self.baseline(operation)
        patience = IMPATIENCE[mode] if fault in SILENT else PATIENCE
        with self._server(operation, fault, 1 if mode == ONCE else None) as server:
            tls = fault == "certificate-changed"
            scene = self.scene(operation, server, dest, tls=tls, timeout=patience)
            outcome, wrong = self.play(operation, scene, expected)
            scene.client.close()
            wrong += list(_left(server, operation.name, dest, outcome))
            spent = server.hits + server.behind
        if not server.hits:
            wrong.append("the fault never struck")
        if spent > operation.most:
            wrong.append(f"{spent} requests, more than {operation.most}")
        return Cell(outcome=outcome, requests=spent, wrong=tuple(wrong))

    def play(self, operation, scene, expected) -> tuple[str, list[str]]:
        try:
            found = operation.act(scene)
        except Found as finding:
            return str(finding), []
        except CamsyncError as error:
            return type(error).__name__, _told(error)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            text = "".join(traceback.format_exception(error))
            return type(error).__name__, [f"no error of ours: {text}"]
        if found == expected:
            return "recovered", []
        if operation.act is _open:
            return "unchecked", []
        return "wrong", [f"{found} != {expected}"]


def _told(error: CamsyncError) -> list[str]:
    """Return what is wrong with the words of an error."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = [str(error), repr(error), "".join(found.format())]
    wrong = [f"a secret is shown: {text}" for text in shown if SECRET in text]
    if not error.message:
        wrong.append("an error without a message")
    return wrong


_UNTIL_GONE = 5.0
"""Seconds in which the server notices, on a busy machine, that a connection was closed."""


def _still_open(server: Hostile) -> int:
    begun = time.monotonic()
    while server.connections and time.monotonic() - begun < _UNTIL_GONE:
        time.sleep(0.001)
    return server.connections


def _left(server: Hostile, name: str, dest: Path, outcome: str) -> Iterator[str]:
    """Yield what an operation has left behind."""
    if count := _still_open(server):
        yield f"{count} connections are open"
    for path in dest.rglob("*"):
        finished = path.suffix in {".mp4", ".mpg", ".ts"} and not path.name.startswith(".")
        if path.is_file() and not (finished and (outcome == "recovered" or "sync" in name)):
            yield f"a file is left: {path.relative_to(dest)}"


# -- The matrix -----------------------------------------------------------------------------------

Cells = dict[tuple[str, str, str], Cell]
"""By provider, name of the operation, and mode."""


@contextlib.contextmanager
def _hurried() -> Iterator[None]:
    """Shorten the pauses that are not the caller's to choose."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hikvision_download, "_GRACE", 0.05)
        patch.setattr(imou_feed, "pause", lambda *_: None)
        yield


def measure(stage: Stage, fault: str, folder: Path) -> Cells:
    """Let every operation meet *fault*, in each way that it can."""
    places = {}
    workers = WAITERS if fault in SILENT else WORKERS
    with ThreadPoolExecutor(workers, thread_name_prefix="matrix") as pool:
        for key, operation in OPERATIONS.items():
            for mode in BOTH:
                if mode in operation.modes and mode in MODES.get(fault, BOTH):
                    dest = folder / f"{len(places)}"
                    dest.mkdir()
                    places[(*key, mode)] = pool.submit(stage.cell, operation, fault, mode, dest)
    return {key: place.result() for key, place in places.items()}


# -- What may come of it --------------------------------------------------------------------------

LETTERS = {
    "recovered": "ok",
    "unchecked": "raw",
    "taken as absent": "none",
    "gone": "gone",
    "AuthenticationError": "A",
    "CertificateError": "X",
    "CorruptMediaError": "C",
    "DestinationError": "D",
    "DeviceBusyError": "B",
    "DeviceFaultError": "F",
    "DeviceTimeoutError": "T",
    "DiskFullError": "DF",
    "DownloadUnsupportedError": "DU",
    "PermissionDeniedError": "PD",
    "ProtocolError": "P",
    "RecordingNotFoundError": "NF",
    "RequestRejectedError": "R",
    "ShortReadError": "S",
    "UnreachableError": "U",
    "UnsupportedError": "US",
}
"""What stands in the table for an outcome."""

_REFUSED = "ok R"
ALLOWED = {
    "refused": "U",
    "closed-in-body": "ok U S",
    "stall-before-answer": "ok T",
    "stall-in-headers": "ok T",
    "stall-in-body": "ok T",
    "drip": "ok",
    "truncated": "ok P S",
    "empty": "ok P S",
    "oversized": "ok P C raw",
    "endless": "ok P",
    "garbage": "ok P C raw",
    "web-page": "ok P",
    "length-negative": "ok P",
    "length-no-number": "ok P",
    "length-twice": "ok P",
    "length-astronomic": "ok U P S",
    "chunks-broken": "ok U P",
    "headers-flood": "ok U P",
    "header-endless": "ok U P",
    "redirect-loop": "ok U P",
    "redirect-elsewhere": "ok U P",
    "redirect-other-scheme": "ok U P",
    "401": "ok A R PD",
    "nonce-storm": "ok A R PD",
    "challenge-garbled": "ok P R PD",
    "403": f"{_REFUSED} PD",
    "404": f"{_REFUSED} none US DU NF",
    "500": "ok F U",
    "503": "ok B",
    "503-now": "ok B",
    "503-later": "ok B",
    "certificate-changed": "X U",
}
"""Outcomes that make sense, whatever the page says; of the others, breaks of the connection."""


def letters(outcome: str) -> str:
    """Return what stands in the table for *outcome*."""
    return LETTERS.get(outcome) or outcome.removeprefix("says: ")


def judge(fault: str, cells: Cells) -> list[str]:
    """Return what is wrong with a row."""
    allowed = ALLOWED.get(fault, "ok U").split()
    wrong = [f"{'/'.join(key)}: {each}" for key, cell in cells.items() for each in cell.wrong]
    for key, cell in cells.items():
        if not cell.outcome.startswith("says: ") and letters(cell.outcome) not in allowed:
            wrong.append(f"{'/'.join(key)}: {cell.outcome} is no answer to {fault}")
    return wrong


# -- The disk and the clock -----------------------------------------------------------------------

WRITERS = tuple(
    (provider, name)
    for provider, name in OPERATIONS
    if name in {"download, original", "download, MP4", "sync: download", "clip"}
)


class Disk:
    """What the system says about a folder: full, read-only, or gone."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.trouble: int | None = None
        self._root = root
        self._mine: set[int] = set()
        self._inner = os.open, os.write, Path.mkdir
        patch.setattr(os, "open", self._open)
        patch.setattr(os, "write", self._write)
        patch.setattr(Path, "mkdir", self._making())

    def _below(self, path) -> bool:
        return isinstance(path, str | os.PathLike) and self._root in Path(path).parents

    def _fail(self) -> None:
        if self.trouble is not None:
            raise OSError(self.trouble, os.strerror(self.trouble))

    def _open(self, path, flags, *args, **options):
        below = self._below(path)
        if below and flags & os.O_CREAT and self.trouble == errno.EROFS:
            self._fail()
        descriptor = self._inner[0](path, flags, *args, **options)
        (self._mine.add if below else self._mine.discard)(descriptor)
        return descriptor

    def _write(self, descriptor, data):
        if descriptor in self._mine and self.trouble == errno.ENOSPC:
            self._fail()
        return self._inner[1](descriptor, data)

    def _making(self):
        def mkdir(path, *args, **options):
            if self._below(path) and self.trouble == errno.EROFS and not path.exists():
                self._fail()
            return self._inner[2](path, *args, **options)

        return mkdir


DISK = {
    "disk-full": ("the disk is full when the first byte comes", errno.ENOSPC, "DF"),
    "read-only": ("the folder cannot be written", errno.EROFS, "D"),
    "vanished": ("the folder is deleted while the first byte comes", None, "ok D"),
}
"""By name: what happens, what the system says, and what may come of it."""


def measure_disk(stage: Stage, fault: str, folder: Path) -> Cells:
    """Let everything that writes meet trouble with the disk."""
    found: Cells = {}
    for number, key in enumerate(WRITERS):
        operation, dest = OPERATIONS[key], folder / str(number) / "videos"
        dest.mkdir(parents=True)
        expected = stage.baseline(operation)
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(dest, patch)
            server = Hostile(
                stage.simulators[key[0]].port,
                "",
                operation.aim,
                1,
                on_hit=functools.partial(_strike, disk, fault, dest),
            )
            try:
                if fault == "read-only":
                    disk.trouble = errno.EROFS
                scene = stage.scene(operation, server, dest)
                outcome, wrong = stage.play(operation, scene, expected)
                disk.trouble = None
                scene.client.close()
                wrong += _left(server, operation.name, dest, outcome)
            finally:
                server.stop()
        found[(*key, ONCE)] = Cell(outcome=outcome, requests=server.requests, wrong=tuple(wrong))
    return found


def _strike(disk: Disk, fault: str, dest: Path) -> None:
    disk.trouble = DISK[fault][1]
    if fault == "vanished":
        shutil.rmtree(dest)


JUMPS = {
    "clock +1 h": dt.timedelta(hours=1),
    "clock -60 s": -dt.timedelta(seconds=60),
    "clock +400 d": dt.timedelta(days=400),
}


# -- The tests ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The simulators, and what the operations give in peace."""
    with contextlib.ExitStack() as stack, _hurried():
        yield Stage(stack)


@pytest.fixture(scope="module")
def page() -> dict[tuple[str, str, str], dict[str, str]]:
    """The rows of the page: by provider, mode and fault, what stands under each operation."""
    return read_page(PAGE.read_text(encoding="utf-8"))


@pytest.mark.slow  # a minute for all of them
@pytest.mark.parametrize("fault", PLAYS)
def test_every_operation_meets(stage, page, tmp_path, fault):
    """It recovers or says what is wrong, in so many requests, and the page says the same."""
    cells = measure(stage, fault, tmp_path)

    assert [] == judge(fault, cells)
    for (provider, name, mode), cell in cells.items():
        assert page[provider, mode, fault][name] == letters(cell.outcome), (provider, name, mode)
    running = {one.name for one in threading.enumerate()}
    assert not {name for name in running if name.startswith(("camsync", "matrix"))}


@pytest.mark.parametrize("fault", DISK)
def test_everything_that_writes_meets(stage, tmp_path, fault):
    """A disk that fails is an error of the disk, and no half of a file stays there."""
    cells = measure_disk(stage, fault, tmp_path)

    assert [] == [each for cell in cells.values() for each in cell.wrong]
    allowed = DISK[fault][2].split()
    assert {} == {key: cell for key, cell in cells.items() if letters(cell.outcome) not in allowed}


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_the_recorder_s_clock_jumps(tmp_path, jump):
    """Between listing and fetching, a clock is set: what was listed is fetched all the same."""
    offset = [dt.timedelta(0)]
    begun = dt.datetime.now(UTC)
    options = {"hours": 0.5, "segment_seconds": 120, "clock": lambda: begun + offset[0]}
    with RecorderSimulator(channels=1, **options) as simulator:
        client = HikvisionISAPI(HOST, "admin", simulator.password, port=simulator.port)
        with client:
            channel = client.channels()[0]
            found = [
                one for one in client.search(channel, TimeSpan.last(hours=1)) if not one.in_progress
            ][3]
            truth = next(one for one in simulator.recordings(1) if one.start == found.start)
            offset[0] = jump
            fetched = download(client, found, tmp_path, container="original", retry=POLICY)
            whole = b"".join(simulator.content(truth))

            assert whole == fetched.path.read_bytes()
            assert client.clock().skew is not None


def test_a_refusal_that_breaks_off_is_none(stage):
    """A login whose answer is cut may count as failed, so it is not repeated; nor is it remembered."""
    port = stage.simulators["hikvision"].port
    server = Hostile(port, "closed-in-headers", "/deviceInfo", 1, after=1)
    try:
        with camsync.connect(f"hikvision://admin@{HOST}:{server.port}", password="wrong") as client:
            with pytest.raises(UnreachableError, match="may have counted") as caught:
                client.devices()
            assert not caught.value.retryable
            assert 2 == server.requests
            with pytest.raises(AuthenticationError):  # now it is heard to the end
                client.devices()
        assert 0 == _still_open(server)
    finally:
        server.stop()


def test_the_page_has_every_fault(page):
    """No row is left over from a fault that is gone, and each has its text."""
    for provider in ("hikvision", "imou"):
        for mode in BOTH:
            rows = {fault for where, how, fault in page if (where, how) == (provider, mode)}
            assert rows == {fault for fault in PLAYS if mode in MODES.get(fault, BOTH)}
    text = PAGE.read_text(encoding="utf-8")
    assert [] == [name for name, words in TEXTS.items() if f"| `{name}` | {words} |" not in text]
    assert [] == [name for name, row in DISK.items() if f"| `{name}` | {row[0]} |" not in text]


# -- The page -------------------------------------------------------------------------------------

INTRO = """# Faults and outcomes

What each operation does when devices and networks misbehave. Every row was measured, against the
simulators and a hostile server in front of them, and is measured again by `nox -s crash`,
which fails when this page says anything else.

A fault strikes the request that matters to an operation: either **once**, after which all is well
again, or **always** from then on. Whatever happens: the outcome is the right result or a typed
{doc}`error <errors>`; no part file, thread or connection is left; no secret is in the error. The
tests give a client two tries without pauses; the usual policies have more, with pauses between.

All that is asked may be asked again. So an answer that breaks off, in its headers or its body, is
trouble with the connection, and is tried again as the retry policy says; at Imou each try is a call
that counts. Two requests are never repeated by themselves: a login that may have counted as a failed
one, and the renewal of a linked account's tokens, which may be used up.

## The faults

| Fault | What happens |
|---|---|
"""

LEGEND = """
## The outcomes

The first row of each table says how many requests an operation makes at most from the fault on,
the one that met it included, whatever the fault is.

| Cell | Outcome |
|---|---|
| ok | the right result: tried again, or not harmed |
| raw | `open` hands out what comes; `download`, `sync` and `clip` check it |
| none | no channels: a recorder that knows neither list of channels has none |
| login, devices | `diagnose` raises nothing: the first step that failed |
"""


def _words(fault: str, text: str) -> str:
    return f"| `{fault}` | {text} |\n"


def write_page(rows: dict[str, Cells]) -> str:
    """Return the page for measured *rows*."""
    parts = [INTRO, *(_words(name, TEXTS[name]) for name in PLAYS)]
    parts += [_words(name, row[0]) for name, row in DISK.items()]
    parts += [LEGEND]
    parts += [f"| {each} | `{name}` |\n" for name, each in LETTERS.items() if name[0].isupper()]
    for provider, title in (("hikvision", "Hikvision over ISAPI"), ("imou", "Imou")):
        for mode in BOTH:
            parts += [f"\n## {title}: {mode}\n\n", *_table(provider, mode, rows)]
    parts.append("\n## Disks and clocks\n\n")
    parts.append(DISKS)
    return "".join(parts)


DISKS = """With a full disk, everything that writes ends with `DiskFullError`; with a folder that cannot be
written, with `DestinationError`; when the folder is deleted meanwhile, it is made again, or the
error is `DestinationError`. A recorder's clock that is set between listing and fetching changes
nothing: what was listed is fetched, byte for byte.
"""  # noqa: E501


def _table(provider: str, mode: str, rows: dict[str, Cells]) -> Iterator[str]:
    names = [
        name for (where, name), one in OPERATIONS.items() if where == provider and mode in one.modes
    ]
    yield f"| Fault | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n"
    most = [str(OPERATIONS[provider, name].most) for name in names]
    yield f"| *requests at most* | {' | '.join(most)} |\n"
    for fault, cells in rows.items():
        if mode in MODES.get(fault, BOTH):
            texts = [letters(cells[provider, name, mode].outcome) for name in names]
            yield f"| `{fault}` | {' | '.join(texts)} |\n"


def read_page(text: str) -> dict[tuple[str, str, str], dict[str, str]]:
    """Return the tables of outcomes."""
    found = {}
    pattern = r"## (Hikvision|Imou)[^:\n]*: (once|always)\n\n((?:\|.*\n)+)"
    for title, mode, table in re.findall(pattern, text):
        head, _, *rows = (
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()
        )
        for fault, *cells in rows:
            if fault.startswith("*"):
                continue
            key = (title.lower(), mode, fault.strip("`"))
            found[key] = dict(zip(head[1:], cells, strict=True))
    return found


def main() -> None:
    """Measure everything and write the page."""
    rows = {}
    logging.disable(logging.CRITICAL)
    with contextlib.ExitStack() as stack, _hurried():
        stage = Stage(stack)
        for fault in PLAYS:
            with tempfile.TemporaryDirectory() as folder:
                rows[fault] = measure(stage, fault, Path(folder))
            for each in judge(fault, rows[fault]):
                sys.stderr.write(f"{fault}: {each[:1000]}\n")
    PAGE.write_text(write_page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
