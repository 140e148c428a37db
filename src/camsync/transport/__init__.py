"""HTTP with a device: timeouts, TLS policy, one shared login, errors with names.

Two byte paths to a device share address, login and connections (`_wire`): one for small answers
(`_calls`), one for footage (`_bulk`). Clouds are `Web`, which is loaded when it is asked for, as
only it needs requests.
"""

from __future__ import annotations

import contextlib
import socket
import sys

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .. import _lazy
from .._cancel import CancelToken
from .._secret import Secret
from ..errors import CamsyncError, CertificateError, ConfigurationError
from ._address import Address, public_addresses
from ._bulk import Bulk, BulkReply
from ._calls import Calls
from ._certificate import Certificate, fetch_certificate, fetch_der, read_certificate
from ._login import UNAUTHORIZED, Guard, Login
from ._mapping import mapped_errors
from ._place import is_loopback, read_url
from ._redirect import MOST_HOPS, STATUSES, Where, read_target, redirect_error
from ._tls import TLSPolicy, Verify, fingerprint
from ._traces import clean
from ._wire import Answer, Request


if TYPE_CHECKING:
    from ._web import Web, WebReply


__all__ = [
    "UNAUTHORIZED",
    "Address",
    "Answer",
    "BulkReply",
    "Certificate",
    "Guard",
    "TLSPolicy",
    "Transport",
    "Verify",
    "Web",
    "WebReply",
    "checked_timeout",
    "fetch_certificate",
    "fingerprint",
    "is_loopback",
    "public_addresses",
    "read_url",
    "redirect_error",
]

XML = 'application/xml; charset="UTF-8"'


# What speaks with clouds, and requests with it.
__getattr__ = _lazy.named(__name__, {"Web": "._web", "WebReply": "._web"})


class Transport:
    """Everything that goes to and comes from one device. Thread-safe.

    Args:
        timeout: Seconds to connect, and seconds of silence before giving up.
        allow_basic: Permit Basic login without TLS.
        guard: Remembers refused logins for other processes, too.

    Raises:
        ConfigurationError: A timeout is not positive, or the user name is unusable.
    """

    def __init__(
        self,
        address: Address,
        username: str,
        password: Secret,
        *,
        tls: TLSPolicy,
        timeout: float | tuple[float, float] = (10.0, 60.0),
        allow_basic: bool = False,
        guard: Guard | None = None,
    ) -> None:
        timeout = checked_timeout(timeout)
        if tls.chosen and not address.secure:
            msg = "verify= or old_tls= was given, but without https=True there is no TLS"
            raise ConfigurationError(msg, next_step="use https=True (hikvisions://…)")
        self.address = address
        basic = allow_basic or address.secure
        self.login = Login(username, password, basic_allowed=basic, guard=guard)
        self._tls = tls
        self._timeout = timeout
        self._bulk = Bulk(address, tls, timeout)
        self._calls = Calls(self._bulk)

    @property
    def verified(self) -> bool:
        """Whether a certificate must be the pinned one or vouched for; False only on request."""
        return self._tls.ca_file is not None or self._tls.pin is not None

    def request(
        self, method: str, path: str, body: bytes | None = None, *, anonymous: bool = False
    ) -> Answer:
        """Send a small request and return the whole answer, whatever its status.

        A GET follows redirects on the same scheme, host and port, at most three. All others are
        answers like any other: `redirect_error` makes an error of them.

        Args:
            path: The path and query, from ``/``.
            anonymous: Send no login and leave a 401 as it is.

        Raises:
            AuthenticationError: The login was refused earlier; nothing was sent.
            CamsyncError: The device cannot be reached, is silent, or has a wrong certificate.
        """
        with self._errors_made_safe():
            for _ in range(MOST_HOPS):
                answer = self._once(method, path, body, anonymous=anonymous)
                onward = self._onward(path, answer) if (method, body) == ("GET", None) else ""
                if not onward:
                    return answer
                path = onward
            return self._once(method, path, body, anonymous=anonymous)

    def _once(self, method: str, path: str, body: bytes | None, *, anonymous: bool) -> Answer:
        request = Request(method, path, body, XML)
        if anonymous:
            return self._calls.send(request, None)
        return self.login.run(
            method, request.path, lambda authorization: self._calls.send(request, authorization)
        )

    def _onward(self, path: str, answer: Answer) -> str:
        """Return where on this very device an answer redirects to; empty if it does not."""
        location = answer.headers.get("Location") if answer.status in STATUSES else None
        if location is None:
            return ""
        target = read_target(self.address, path, location)
        return target.path if target.where is Where.SAME else ""

    def stream(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        cancel: CancelToken | None = None,
    ) -> BulkReply:
        """Send a request and return its answer with the body still to be read.

        The caller closes the reply.

        Raises:
            CancelledError: *cancel* was set before the device answered.
            CamsyncError: As for `request`.
        """
        request = Request(method, path, body, XML)
        with self._errors_made_safe():
            return self.login.run(
                method,
                request.path,
                lambda authorization: self._bulk.send(request, authorization, cancel),
            )

    @contextlib.contextmanager
    def _errors_made_safe(self) -> Iterator[None]:
        """Take the login out of whatever leaves, and tell which certificate was not trusted."""
        before = sys.exc_info()[1]
        try:
            yield
        except BaseException as error:
            clean(error, before)
            if isinstance(error, CertificateError) and error.actual is None:
                self._name_the_certificate(error)
            raise

    def _name_the_certificate(self, error: CertificateError) -> None:
        """Say which one it is: that is what the user has to compare and pin."""
        with contextlib.suppress(CamsyncError):  # the device is gone: then it stays unknown
            error.actual = self.peer_fingerprint()
            error.message = f"{error.message}; it shows {error.actual}"

    def connect(self) -> None:
        """Open and close a TCP connection: the first step of a connection test.

        Raises:
            UnreachableError: It failed.
        """
        place = (self.address.host, self.address.port)
        with (
            mapped_errors(self.address, self._tls),
            contextlib.closing(socket.create_connection(place, self._timeout[0])),
        ):
            pass

    def peer_fingerprint(self) -> str:
        """Return the ``sha256:`` fingerprint of the certificate that the device shows now.

        It is fetched without trusting it, and nothing is sent over that connection.

        Raises:
            UnreachableError: No connection.
            TLSError: No handshake.
        """
        return fingerprint(fetch_der(self.address, self._timeout[0]))

    def peer_certificate(self) -> Certificate:
        """Return what the certificate says that the device shows now; nothing of it is trusted.

        Raises:
            UnreachableError: No connection.
            TLSError: No handshake.
        """
        return read_certificate(fetch_der(self.address, self._timeout[0]))

    def close(self) -> None:
        """Close all connections."""
        self._bulk.close()

    def __repr__(self) -> str:
        # Unfinished, it is still shown by tracebacks that print variables.
        login = getattr(self, "login", "unusable")
        return f"<Transport {getattr(self, 'address', '?')} {login!r}>"


def checked_timeout(timeout: object) -> tuple[float, float]:
    """Return (connect, read) in seconds from such a pair, or from one number for both."""
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    numbers = [one for one in pair if isinstance(one, int | float) and one > 0]
    if len(pair) != 2 or len(numbers) != 2:  # noqa: PLR2004 - connect and read
        msg = f"timeout must be a number of seconds, or two (connect, read), not {timeout!r}"
        raise ConfigurationError(msg, next_step="for example timeout=(10, 60)")
    return float(numbers[0]), float(numbers[1])
