"""HTTPS with clouds and the media hosts that they name: many hosts, no login of our own.

`Transport` speaks with one device that the user chose. Here a server's answers say where to go
next, so every URL is checked first: HTTPS only, and never from the internet into the user's own
network. What a URL, a header or a body may hold (tokens, signatures) is a `Secret`.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import sys
import threading

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._cancel import BreakOff, CancelToken
from .._secret import Secret
from ..errors import (
    CamsyncError,
    CertificateError,
    ConfigurationError,
    DeviceTimeoutError,
    ProtocolError,
    UnreachableError,
)
from ._address import Address, public_addresses
from ._bulk import Bulk, BulkReply
from ._mapping import mapped_errors
from ._place import Place, is_loopback, joined, read_url
from ._redirect import MOST_HOPS, STATUSES
from ._session import HEADERS, Answer, CloudSession
from ._tls import TLSPolicy, Verify
from ._traces import clean
from ._wire import shut


__all__ = ["Place", "Web", "WebReply", "is_loopback", "read_url"]

Headers = Mapping[str, "str | Secret"]

_JSON = "application/json"
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_VALUE = re.compile(r"[!-~]([ -~]{0,8190}[!-~])?", re.ASCII)
_BETWEEN = (
    "somebody may be in between, for example a proxy that inspects TLS: use another network, "
    "or give that proxy's CA file as verify="
)
_STEPS: Mapping[type[CamsyncError], str] = {
    UnreachableError: "check this computer's connection to the internet; try again later",
    DeviceTimeoutError: "try again later, or raise the timeout",
    ProtocolError: "try again later; if it stays, report it",
}


class Web:
    """Requests to a cloud and to the hosts that it names. Thread-safe.

    Args:
        base_url: The cloud's root. ``http://`` is for loopback (a simulator) only.
        timeout: Seconds to connect, and seconds of silence before giving up.
        verify: True for public roots, or a CA file's path.
        allowed: Whether a media request may be redirected to a host; None for the same host only.

    Raises:
        ConfigurationError: The base URL or *verify* is unusable.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        verify: Verify = True,
        allowed: Callable[[str], bool] | None = None,
    ) -> None:
        self.home = read_url(base_url, "base_url").address
        if not self.home.secure and not is_loopback(self.home.host):
            msg = f"base_url: {self.home} is plain HTTP, which everybody on the way can read"
            raise ConfigurationError(msg, next_step="use https://; http:// is for loopback only")
        self._tls = TLSPolicy.of(verify)
        self._timeout = timeout
        self._allowed = allowed or _nowhere
        self._lock = threading.Lock()
        self._controls: dict[Address, _Calls] = {}
        self._lines: dict[Address, _Lines] = {}

    def post(
        self, url: str | Secret, body: bytes | Secret, headers: Headers | None = None
    ) -> Answer:
        """Send *body* and return the whole answer, whatever its status; no redirect is followed.

        Args:
            body: A `Secret` when it holds a token or a signature.
            headers: ``Content-Type`` is JSON unless it is given.

        Raises:
            ConfigurationError: The URL or a header is unusable. Nothing was sent.
            CamsyncError: The host cannot be reached, is silent, or shows a wrong certificate.
        """
        with _safe():
            place = self._place(url)
            fields = _checked({"Content-Type": _JSON, **(headers or {})})
            return self._calls(place.address).post(place.path, body, fields)

    def get(
        self,
        url: str | Secret,
        *,
        headers: Headers | None = None,
        byte_range: tuple[int, int | None] | None = None,
        cancel: CancelToken | None = None,
    ) -> WebReply:
        """GET a document or media; the answer, whatever its status, has its body still to be read.

        At most three redirects are followed, to HTTPS hosts that *allowed* accepts, and without
        *headers* when it is another host. The caller closes the reply.

        Args:
            byte_range: First and last byte (inclusive; None for the end), as a ``Range`` header.

        Raises:
            CancelledError: *cancel* was set before the host answered.
            ConfigurationError: The URL or a header is unusable. Nothing was sent.
            CamsyncError: The host cannot be reached, may not be asked, or redirects too often.
        """
        with _safe():
            place = self._place(url)
            fields = _checked(headers or {})
            for _ in range(MOST_HOPS + 1):
                reply = self._line(place.address).ask(
                    place.path, {**fields, **_range(byte_range)}, cancel
                )
                if reply.status not in STATUSES or reply.headers.get("Location") is None:
                    reply.url = Secret(place.address.url + place.path.reveal())
                    return reply
                with contextlib.closing(reply):
                    onward = self._onward(place, Secret(reply.headers["Location"]))
                fields = fields if onward.address == place.address else {}
                place = onward
            msg = f"{place.address} redirects without end"
            raise ProtocolError(msg, next_step="try again later")

    def _onward(self, place: Place, location: Secret) -> Place:
        """Return where a redirect leads, if it may be followed."""
        onward = self._place(Secret(joined(place, location)))
        if onward.address != place.address and not self._allowed(onward.address.host):
            msg = f"{place.address} redirects to {onward.address}, which is not the vendor's"
            raise ProtocolError(msg, next_step="try again; if it stays, report it")
        return onward

    def _place(self, url: str | Secret) -> Place:
        place = read_url(url)
        plain = self.home.secure or not is_loopback(place.address.host)
        if not place.address.secure and plain:
            msg = f"{place.address} is plain HTTP, which everybody on the way can read"
            raise ProtocolError(msg, next_step="nothing was sent; report it with the method used")
        return place

    def _calls(self, address: Address) -> _Calls:
        with self._lock:
            return self._controls.setdefault(address, _Calls(address, self._tls, self._timeout))

    def _line(self, address: Address) -> _Lines:
        with self._lock:
            if address not in self._lines:
                self._lines[address] = _Lines(address, self._tls, self._timeout, self._check_peer)
            return self._lines[address]

    def _check_peer(self, address: Address, peer: str) -> None:
        """Refuse a way from a cloud in the internet into the user's own network."""
        if address == self.home or public_addresses(peer) or not public_addresses(self.home.host):
            return
        msg = f"the cloud names {address} as a place of media, which is in a private network"
        raise ProtocolError(msg, next_step="nothing was sent; check the name server, and report it")

    def close(self) -> None:
        """Close all connections. The object can be used again; it then opens new ones."""
        with self._lock:
            controls, bulks = list(self._controls.values()), list(self._lines.values())
            self._controls, self._lines = {}, {}
        for control in controls:
            control.close()
        for lines in bulks:
            lines.close()

    def __repr__(self) -> str:
        return f"<Web {getattr(self, 'home', '?')}>"


def _nowhere(_host: str) -> bool:
    """Allow no other host."""
    return False


def _checked(headers: Headers) -> Headers:
    """Refuse what is no header; the libraries would quote its value."""
    for name in headers:
        fits = _NAME.fullmatch(name) and _VALUE.fullmatch(Secret.of(headers[name]).reveal())
        if not fits:
            msg = f"the value of the header {name[:64]!r} cannot be sent"
            raise ConfigurationError(msg)
    return headers


def _range(byte_range: tuple[int, int | None] | None) -> Headers:
    if byte_range is None:
        return {}
    first, last = byte_range
    return {"Range": f"bytes={first}-{'' if last is None else last}"}


def _plain(headers: Headers) -> dict[str, str]:
    """Reveal headers, for the moment in which they are sent."""
    return {name: Secret.of(value).reveal() for name, value in headers.items()}


class _Calls(CloudSession):
    """Small requests to one host."""

    def post(self, path: Secret, body: bytes | Secret, headers: Headers) -> Answer:
        sent = Secret(f"POST {path.reveal()}")  # what errors may quote
        with mapped_errors(self._address, self._tls, sent):
            return self._post(path, body, headers)

    def _post(self, path: Secret, body: bytes | Secret, headers: Headers) -> Answer:
        data = body.reveal().encode() if isinstance(body, Secret) else body
        request = self.prepare("POST", path.reveal(), data, _JSON)
        request.headers.update(_plain(headers))
        return self._exchange(request)

    def close(self) -> None:
        """Close all connections, now.

        A session only lets go of its pools, and urllib3 closes a pool when nobody holds it any
        more. The traceback in one of its own log records holds one for as long as that is kept.
        """
        adapter: Any = self._session.get_adapter(self._address.url)
        pools = adapter.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 - it cannot be iterated over
            pools[key].close()
        super().close()


class _Lines(Bulk):
    """Long answers of one host."""

    def __init__(
        self,
        address: Address,
        tls: TLSPolicy,
        timeout: tuple[float, float],
        check_peer: Callable[[Address, str], None],
    ) -> None:
        super().__init__(address, tls, timeout)
        self._check_peer = check_peer

    def ask(self, path: Secret, headers: Headers, cancel: CancelToken | None) -> WebReply:
        sent = Secret(f"GET {path.reveal()}")  # what errors may quote
        with self.errors(sent):
            connection = self._take() or self._connect_checked()
            try:
                return self._get(connection, path, headers, cancel)
            except BaseException:
                connection.close()
                raise

    def _get(
        self,
        connection: http.client.HTTPConnection,
        path: Secret,
        headers: Headers,
        cancel: CancelToken | None,
    ) -> WebReply:
        line = connection.sock
        line.settimeout(self._read_timeout)
        with BreakOff(cancel, lambda: shut(line)):
            connection.request("GET", path.reveal(), None, {**HEADERS, **_plain(headers)})
            return WebReply(self, connection, Secret(f"GET {path.reveal()}"))

    def _connect_checked(self) -> http.client.HTTPConnection:
        """Connect, and look where that led before anything is sent: names can be made to lie."""
        connection = self._connect()
        try:
            self._check_peer(self._address, connection.sock.getpeername()[0])
        except BaseException:
            connection.close()
            raise
        return connection


class WebReply(BulkReply):
    """An answer whose body is still on the wire; an early end of it is an error.

    Attributes:
        url: Where it came from, redirects followed: what relative addresses in it belong to.
        received: Bytes of the body so far.
    """

    url = Secret("")
    received = 0

    def readinto(self, view: memoryview) -> int:
        """Fill *view*; 0 means the end of the body.

        Raises:
            DeviceTimeoutError: Silence.
            UnreachableError: The connection broke, or ended before ``Content-Length`` bytes.
        """
        with _safe(), self._broken():
            got = super().readinto(view)
            self.received += got
            if not got and len(view):
                self._check_end()
            return got

    def read(self) -> bytes:
        """Read the whole body, at most 4 MiB.

        Raises:
            ProtocolError: It is longer.
            UnreachableError: The connection broke, or ended before ``Content-Length`` bytes.
        """
        with _safe(), self._broken():
            body = super().read()
            self.received += len(body)
            self._check_end()
            return body

    def _check_end(self) -> None:
        if self.declared is not None and self.received < self.declared:
            raise self._short()

    def _short(self) -> UnreachableError:
        promised = "more" if self.declared is None else self.declared
        msg = f"the connection ended after {self.received} of {promised} bytes"
        return UnreachableError(msg, next_step="try again")

    @contextlib.contextmanager
    def _broken(self) -> Iterator[None]:
        """Say of a body that ends inside a chunk that the connection broke, which it did."""
        try:
            yield
        except ProtocolError as error:
            cause = error.__cause__
            if not isinstance(cause, http.client.IncompleteRead):
                raise
            cause.partial, cause.args = b"", ()  # a playlist's URLs are secrets
            raise self._short() from error


@contextlib.contextmanager
def _safe() -> Iterator[None]:
    """Take what is secret out of whatever leaves, and speak of a cloud, not of a recorder."""
    before = sys.exc_info()[1]
    try:
        yield
    except BaseException as error:
        clean(error, before)
        if isinstance(error, CertificateError):
            error.message = error.message.replace(", as with every recorder's own", "")
            error.next_step = _BETWEEN
        elif isinstance(error, CamsyncError) and error.next_step == error.default_next_step:
            error.next_step = _STEPS.get(type(error), error.next_step)
        raise
