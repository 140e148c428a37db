"""The bulk path: footage through http.client, into the caller's buffer.

Unlike requests, the standard library's client lets us decide what a wrong ``Content-Length`` means.
Connections, login and TLS policy are the control path's.
"""

from __future__ import annotations

import http.client
import socket

from collections.abc import Mapping, Sequence

from .._cancel import BreakOff, CancelToken
from .._secret import Secret
from ..errors import ProtocolError
from ._wire import MAX_ANSWER, Request, Wire, shut


_LONGEST_DISCARD = 64 * 1024
_LONGEST_NUMBER = 18


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
        shut(self._socket)

    def close(self) -> None:
        """Give the connection back if the answer was read to its end, else close it. Once."""
        if self._closed:  # by now the connection may serve another answer
            return
        self._closed = True
        self._socket = None  # a late abort() must not break the next answer
        clean = self._response.isclosed() and not self._response.will_close
        self._response.close()
        self._bulk.release(self._connection, clean=clean and not self._open_ended)


class Bulk(Wire):
    """Connections to one device for long answers. Thread-safe; one connection per open answer."""

    def send(
        self, request: Request, authorization: Secret | None, cancel: CancelToken | None
    ) -> BulkReply:
        """Send a request, once, and return as soon as the headers are in.

        Raises:
            CancelledError: *cancel* was set before the device answered.
            CamsyncError: The device cannot be reached, is silent, or shows a wrong certificate.
        """
        with self.errors(authorization):
            return self._exchange(self.ready(), request, authorization, cancel)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        request: Request,
        authorization: Secret | None,
        cancel: CancelToken | None,
    ) -> BulkReply:
        line: socket.socket | None = connection.sock
        try:
            with BreakOff(cancel, lambda: shut(line)):
                connection.request(
                    request.method, request.path, request.body, request.headers(authorization)
                )
                return BulkReply(self, connection, authorization)
        except BaseException:
            connection.close()
            raise


def _length(text: str | None) -> int | None:
    plain = text is not None and text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if text is not None and plain else None
