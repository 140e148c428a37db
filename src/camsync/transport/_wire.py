"""Connections to one device through http.client, kept for the next request.

Both byte paths use them: small calls (`_calls`) and footage (`_bulk`). The standard library's
client costs a fourth of the time of a requests session for a small call, a third of the processor
time for footage, and nothing to import beyond what TLS needs anyway. It knows no proxies, no
``.netrc`` and no cookies: nothing around the program decides where a login goes.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import socket
import threading
import urllib.parse
import weakref

from collections.abc import Mapping, Sequence

import attrs

from .._secret import Secret
from ..errors import UnreachableError
from ._address import Address
from ._heads import WholeHead
from ._mapping import mapped_errors, no_connection, unreachable, unusable
from ._tls import TLSPolicy


MAX_ANSWER = 4 * 1024 * 1024
"""Bytes; the largest known answer is 145 KB (record/tracks of a 16-channel recorder)."""

HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "camsync"}

_IDLE_CONNECTIONS = 8
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_PLAIN_PATH = re.compile(rf"[0-9A-Za-z._\-{re.escape(_SAFE)}]+", re.ASCII)


@attrs.frozen(kw_only=True)
class Answer:
    """A whole answer in memory.

    Attributes:
        challenges: The values of all ``WWW-Authenticate`` headers of a 401.
        missing: Bytes that were announced and did not come.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)
    challenges: Sequence[str] = attrs.field(repr=False, default=())
    missing: int = 0

    def discard(self) -> None:
        """Do nothing: the answer has been read to its end."""


def _target(path: str) -> str:
    """Escape what may not stand in a request line, and what would end a quoted ``uri``."""
    return path if _PLAIN_PATH.fullmatch(path) else urllib.parse.quote(path, safe=_SAFE)


@attrs.frozen
class Request:
    """What is asked.

    Attributes:
        path: Path and query as they go over the wire, which is what a login binds.
    """

    method: str
    path: str = attrs.field(converter=_target)
    body: bytes | None
    content_type: str

    def headers(self, authorization: Secret | None) -> dict[str, str]:
        """Return the header fields, the login among them, for the moment in which they are sent."""
        fields = HEADERS if self.body is None else {**HEADERS, "Content-Type": self.content_type}
        if authorization is None:
            return fields
        return {**fields, "Authorization": authorization.reveal()}


class Wire:
    """Connections to one device. Thread-safe; each serves one request at a time."""

    def __init__(self, address: Address, tls: TLSPolicy, timeout: tuple[float, float]) -> None:
        self._address = address
        self._tls = tls
        self._context = tls.context(address.host) if address.secure else None
        self._connect_timeout, self._read_timeout = timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._process = os.getpid()
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._idle)  # who forgets close() gets no ResourceWarning

    def errors(self, sent: Secret | None = None) -> contextlib.AbstractContextManager[None]:
        """Return the block in which the library's errors become camsync's, without *sent*."""
        return mapped_errors(self._address, self._tls, sent)

    def broken_off(self) -> UnreachableError:
        """Build the error for an answer that ends too early."""
        return unreachable(self._address, "the connection broke in the middle of the answer")

    def ready(self) -> http.client.HTTPConnection:
        """Return a connection to send on: a kept one that still lives, or a new one."""
        connection = self._take() or self._connect()
        line: socket.socket | None = connection.sock
        if line is not None:  # a replayed one has none
            line.settimeout(self._read_timeout)
        return connection

    def _connect(self) -> http.client.HTTPConnection:
        address, timeout = self._address, self._connect_timeout
        connection: http.client.HTTPConnection
        if address.secure:
            connection = http.client.HTTPSConnection(
                address.host, address.port, timeout=timeout, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout)
        connection.response_class = WholeHead
        connection.set_debuglevel(0)  # it would print the login, if a program has set it globally
        try:
            connection.connect()
        except BaseException as error:
            stands = connection.sock is not None  # then it is TLS that failed
            connection.close()
            if isinstance(error, TimeoutError) and not stands:
                raise no_connection(error, address, self._tls) from error
            if isinstance(error, UnicodeError):  # no name that can be looked up
                raise unusable(error, address, self._tls) from error
            raise
        return connection

    def _take(self) -> http.client.HTTPConnection | None:
        """Return a kept connection that the device has not closed meanwhile, if there is one.

        Nothing is ever sent a second time here: a request whose connection broke may have been
        carried out, and a login may have been counted. Who may ask again is decided further up.
        """
        while True:
            with self._lock:
                if self._process != os.getpid():  # forked: these are the parent's conversations
                    self._process = os.getpid()
                    _close(self._idle)
                if not self._idle:
                    return None
                kept = self._idle.pop()
            # Nothing is expected on it: what can be read is the device's good-bye.
            if not _readable(kept.sock):
                return kept
            kept.close()

    def release(self, connection: http.client.HTTPConnection, *, clean: bool) -> None:
        """Keep a *clean* connection for the next answer, or close it."""
        with self._lock:
            mine = self._process == os.getpid()
            if clean and mine and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            _close(self._idle)


def _close(idle: list[http.client.HTTPConnection]) -> None:
    """Close and forget them. Nothing is sent: a forked process may not speak for its parent."""
    while idle:
        idle.pop().close()


def shut(line: socket.socket | None) -> None:
    """Break a connection, so that whoever waits on it wakes up."""
    if line is not None:
        with contextlib.suppress(OSError):  # it may have ended by itself meanwhile
            line.shutdown(socket.SHUT_RDWR)


def _readable(line: socket.socket) -> bool:
    """Whether something waits to be read; select() cannot look at descriptors from 1024 on."""
    if not hasattr(select, "poll"):  # Windows, whose select() can
        return bool(select.select([line], [], [], 0)[0])
    poll = select.poll()
    poll.register(line, select.POLLIN)
    return bool(poll.poll(0))
