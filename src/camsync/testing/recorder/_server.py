"""The socket side: HTTP/1.1 with kept connections, one thread each, and a stop that stops."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import struct
import sys
import threading

from collections import deque
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from ._download import limited, pieces
from ._replies import Delivery, Reply, Request
from ._throttle import Throttle


log = logging.getLogger("camsync.testing.recorder")

_LONGEST_BODY: Final = 2**20
_LOG: Final = 10_000
_DRIP, _DRIP_PAUSE = 512, 0.02


class Answered(NamedTuple):
    """A line of the request log."""

    method: str
    path: str
    status: int


class Traffic:
    """What has gone over the wire. Counters only rise, until `reset`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.bytes_sent = 0
        self.lines: deque[Answered] = deque(maxlen=_LOG)

    def answered(self, line: Answered) -> None:
        """Count a request and keep its line."""
        with self._lock:
            self.requests += 1
            self.lines.append(line)

    def sent(self, size: int) -> None:
        """Count bytes of recordings."""
        with self._lock:
            self.bytes_sent += size

    def reset(self) -> None:
        """Start again from zero."""
        with self._lock:
            self.requests = self.bytes_sent = 0
            self.lines.clear()


class Server(ThreadingHTTPServer):
    """The listening socket and all its connections."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        *,
        answer: Callable[[Request], Reply],
        date: Callable[[], str],
        stopped: threading.Event,
        traffic: Traffic,
        name: str | None = None,
        context: Callable[[], ssl.SSLContext] | None = None,
        bandwidth: float | None = None,
        total_bandwidth: float | None = None,
    ) -> None:
        self.answer = answer
        self.date = date
        self.stopped = stopped
        self.traffic = traffic
        self.software = name
        self.bandwidth = bandwidth
        self.total = Throttle(total_bandwidth) if total_bandwidth is not None else None
        self._context = context
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, name="recorder-simulator"
        )

    def server_bind(self) -> None:
        """Bind without asking the DNS for a name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def start(self) -> None:
        """Begin to serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, break all connections, and wait for their threads."""
        self.stopped.set()
        # Wakes the thread that waits for connections, which else looks up fifty times a second.
        _break(self.socket)
        self.shutdown()
        self._thread.join()
        with self._guard:
            for connection in self._open:
                _break(connection)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; the TLS handshake is left to its own thread."""
        connection, address = super().get_request()
        if self._context is not None:
            connection = self._context().wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection and hand it to a thread."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over connections that the client broke; let every other error be seen."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError)):
            raise  # noqa: PLE0704 - called from within the except clause of socketserver
        log.debug("a client went away: %r", error)


def _break(connection: socket.socket) -> None:
    try:
        # Not the method of SSLSocket: it would switch TLS off under the thread that uses it.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError as error:
        log.debug("a connection was gone already: %r", error)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        """Finish the TLS handshake, if there is one."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
        """Write what the standard library would print to the log."""
        log.debug(format, *args)

    def _serve(self) -> None:
        body = self._read_body()
        if body is None:
            return
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            target=self.path,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        reply = self.server.answer(request)
        self.server.traffic.answered(Answered(self.command, parts.path, reply.status))
        self._reply(reply)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names are given

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif int(length) > _LONGEST_BODY:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                return body
            log.debug("a client left in the middle of its request")
        self.close_connection = True
        return None

    def _reply(self, reply: Reply) -> None:
        if reply.reset:
            self._reset()
            return
        delivery = reply.delivery
        if delivery is None:
            body = b"" if self.command == "HEAD" else reply.body
            self.connection.sendall(self._head(reply, len(reply.body)) + body)
            return
        with contextlib.ExitStack() as over:
            if delivery.finished is not None:
                over.callback(delivery.finished)
            if delivery.ending != "keep":
                self.close_connection = True
            self.connection.sendall(self._head(reply, delivery.announced))
            self._deliver(delivery, over)

    def _head(self, reply: Reply, length: int | None) -> bytes:
        lines = [
            f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Unknown')}",
            "X-Frame-Options: SAMEORIGIN",
            f"Content-Type: {reply.content_type}",
            "X-Content-Type-Options: nosniff",
            f"Date: {self.server.date()}",
            *(f"{name}: {value}" for name, value in reply.headers),
            f"Connection: {'close' if self.close_connection else 'Keep-Alive'}",
            # On every answer, and yet no download can be resumed.
            "Accept-Ranges: bytes",
        ]
        if self.server.software is not None:
            lines.append(f"Server: {self.server.software}")
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _deliver(self, delivery: Delivery, over: contextlib.ExitStack) -> None:
        throttles = self._throttles()
        step = min((throttle.piece for throttle in throttles), default=None)
        chunks = limited(delivery.chunks, delivery.limit)
        waiting: memoryview | None = None
        for piece in pieces(chunks, _DRIP if delivery.drip else step):
            if waiting is not None and not self._pass_on(waiting, throttles):
                return
            if delivery.drip:
                self.server.stopped.wait(_DRIP_PAUSE)
            waiting = piece
        if delivery.ending != "hang":
            # Over before the last piece is out: a client that has it all may look, or come back.
            over.close()
        going = waiting is None or self._pass_on(waiting, throttles)
        if going and delivery.ending == "hang":
            self._hang()

    def _pass_on(self, piece: memoryview, throttles: Iterable[Throttle]) -> bool:
        """Send a piece when it may go; False when the simulator stops."""
        stopped = self.server.stopped
        if not all(throttle.wait(len(piece), stopped) for throttle in throttles):
            self.close_connection = True
            return False
        self.server.traffic.sent(len(piece))
        self.connection.sendall(piece)
        return True

    def _throttles(self) -> list[Throttle]:
        bandwidth = self.server.bandwidth
        own = [Throttle(bandwidth)] if bandwidth is not None else []
        return own + ([self.server.total] if self.server.total is not None else [])

    def _hang(self) -> None:
        """Say nothing until the client goes or the simulator stops."""
        while not self.server.stopped.wait(0.01):
            if select.select([self.connection], [], [], 0.02)[0]:
                return

    def _reset(self) -> None:
        """Break the connection the hard way: with RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()
