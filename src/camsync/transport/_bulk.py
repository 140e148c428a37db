"""The bulk path: footage through http.client, into the caller's buffer.

The standard library's client costs a third of the CPU of ``iter_content`` loops and, unlike
requests, lets us decide what a wrong ``Content-Length`` means. Login and TLS policy are the
control path's.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading

from collections.abc import Mapping, Sequence

import attrs

from .._cancel import BreakOff, CancelToken
from .._secret import Secret
from ..errors import ProtocolError
from ._address import Address
from ._control import HEADERS, MAX_ANSWER
from ._mapping import mapped_errors
from ._tls import TLSPolicy


_LONGEST_DISCARD = 64 * 1024
_IDLE_CONNECTIONS = 8
_LONGEST_NUMBER = 18


@attrs.frozen
class BulkRequest:
    """A request whose answer is long."""

    method: str
    path: str
    body: bytes | None
    content_type: str


class BulkReply:
    """An answer whose body is still on the wire.

    Attributes:
        status: The HTTP status.
        declared: ``Content-Length`` as sent, or None. Recorders lie: see facts in `IsapiStream`.
    """

    def __init__(
        self, bulk: Bulk, connection: http.client.HTTPConnection, sent: Secret | None = None
    ) -> None:
        self._bulk = bulk
        self._sent = sent
        self._connection = connection
        # getresponse() forgets the socket when the answer ends with the connection
        self._socket: socket.socket | None = connection.sock
        self._response = connection.getresponse()
        self._open_ended = False
        self._closed = False
        self.status = self._response.status
        self.declared = _length(self._response.headers.get("Content-Length"))

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields; look-up ignores case."""
        return self._response.headers  # type: ignore[return-value]  # a Message is near enough

    @property
    def challenges(self) -> Sequence[str]:
        """The values of all ``WWW-Authenticate`` headers."""
        return self._response.headers.get_all("WWW-Authenticate") or []

    def ignore_length(self) -> None:
        """Read to the end of the connection, whatever ``Content-Length`` says."""
        self._open_ended = True
        if not self._response.chunked:
            self._response.length = None
            self._response.will_close = True

    def wait(self, seconds: float) -> None:
        """Set the longest silence from now on."""
        if self._socket is not None:  # a replayed answer has none
            self._socket.settimeout(seconds)

    def readinto(self, view: memoryview) -> int:
        """Fill *view*; 0 means the end of the body or of the connection.

        Raises:
            DeviceTimeoutError: Silence; what had come in this call is lost, unless the length is
                ignored, when bytes are handed out as they come.
            UnreachableError: The connection broke.
        """
        with self._bulk.errors(self._sent):
            if not self._open_ended:
                return self._response.readinto(view)
            data = self._response.read1(len(view))
            view[: len(data)] = data
            return len(data)

    def read(self) -> bytes:
        """Read the whole body: for error documents.

        Raises:
            ProtocolError: It is longer than a document can be.
        """
        with self._bulk.errors(self._sent):
            return self._whole()

    def _whole(self) -> bytes:
        body = self._response.read(MAX_ANSWER + 1)
        if len(body) > MAX_ANSWER:
            msg = f"the device's answer is longer than {MAX_ANSWER} bytes"
            raise ProtocolError(msg, http_status=self.status)
        return body

    def discard(self) -> None:
        """Read a short rest away so that the connection can be used again, or close it."""
        short = self.declared is not None and self.declared <= _LONGEST_DISCARD
        if short and not self._response.isclosed():
            with self._bulk.errors(self._sent):
                self._response.read()
        self.close()

    def abort(self) -> None:
        """Break the connection from any thread, so that a blocked read ends at once."""
        self._open_ended = True
        _shut(self._socket)

    def close(self) -> None:
        """Give the connection back if the answer was read to its end, else close it. Once."""
        if self._closed:  # by now the connection may serve another answer
            return
        self._closed = True
        clean = self._response.isclosed() and not self._response.will_close
        self._response.close()
        self._bulk.release(self._connection, clean=clean and not self._open_ended)


class Bulk:
    """Connections to one device for long answers. Thread-safe; one connection per open answer."""

    def __init__(self, address: Address, tls: TLSPolicy, timeout: tuple[float, float]) -> None:
        self._address = address
        self._tls = tls
        self._context = tls.context(address.host) if address.secure else None
        self._connect_timeout, self._read_timeout = timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def errors(self, sent: Secret | None = None) -> contextlib.AbstractContextManager[None]:
        """Return the block in which the library's errors become camsync's, without *sent*."""
        return mapped_errors(self._address, self._tls, sent)

    def send(
        self, request: BulkRequest, authorization: Secret | None, cancel: CancelToken | None
    ) -> BulkReply:
        """Send a request, once, and return as soon as the headers are in.

        Raises:
            CancelledError: *cancel* was set before the device answered.
            CamsyncError: The device cannot be reached, is silent, or shows a wrong certificate.
        """
        with self.errors(authorization):
            connection = self._take() or self._connect()
            return self._exchange(connection, request, authorization, cancel)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        request: BulkRequest,
        authorization: Secret | None,
        cancel: CancelToken | None,
    ) -> BulkReply:
        line: socket.socket | None = connection.sock
        headers = {**HEADERS, "Content-Type": request.content_type}
        if authorization is not None:
            headers["Authorization"] = authorization.reveal()
        try:
            if line is not None:
                line.settimeout(self._read_timeout)
            with BreakOff(cancel, lambda: _shut(line)):
                connection.request(request.method, request.path, request.body, headers)
                return BulkReply(self, connection, authorization)
        except BaseException:
            connection.close()
            raise

    def _connect(self) -> http.client.HTTPConnection:
        address, timeout = self._address, self._connect_timeout
        connection: http.client.HTTPConnection
        if address.secure:
            connection = http.client.HTTPSConnection(
                address.host, address.port, timeout=timeout, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout)
        connection.set_debuglevel(0)  # it would print the login, if a program has set it globally
        connection.connect()
        return connection

    def _take(self) -> http.client.HTTPConnection | None:
        """Return a kept connection that the device has not closed meanwhile, if there is one."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                kept = self._idle.pop()
            # Nothing is expected on it: what can be read is the device's good-bye.
            if not select.select([kept.sock], [], [], 0)[0]:
                return kept
            kept.close()

    def release(self, connection: http.client.HTTPConnection, *, clean: bool) -> None:
        """Keep a *clean* connection for the next answer, or close it."""
        with self._lock:
            if clean and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _shut(line: socket.socket | None) -> None:
    """Break a connection, so that whoever waits on it wakes up."""
    if line is not None:
        with contextlib.suppress(OSError):  # it may have ended by itself meanwhile
            line.shutdown(socket.SHUT_RDWR)


def _length(text: str | None) -> int | None:
    plain = text is not None and text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if text is not None and plain else None
