"""HTTP with a device: timeouts, TLS policy, one shared login, errors with names.

The only importer of requests. Two byte paths share address, login and TLS context: requests for
the small control answers, `http.client` for footage (`_bulk` says why).
"""

from __future__ import annotations

import contextlib
import socket
import ssl

from collections.abc import Iterator

from .._cancel import CancelToken
from .._secret import Secret
from ..errors import CertificateError, ConfigurationError
from ._address import Address
from ._bulk import Bulk, BulkReply, BulkRequest
from ._control import Answer, Control
from ._login import UNAUTHORIZED, Login
from ._mapping import mapped_errors
from ._tls import TLSPolicy, Verify, fingerprint


__all__ = [
    "UNAUTHORIZED",
    "Address",
    "Answer",
    "BulkReply",
    "TLSPolicy",
    "Transport",
    "Verify",
    "fingerprint",
]

XML = 'application/xml; charset="UTF-8"'


class Transport:
    """Everything that goes to and comes from one device. Thread-safe.

    Args:
        timeout: Seconds to connect, and seconds of silence before giving up.
        allow_basic: Permit Basic login without TLS.

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
    ) -> None:
        timeout = _checked_timeout(timeout)
        if tls.chosen and not address.secure:
            msg = "verify= was given, but without https=True there is no certificate to check"
            raise ConfigurationError(msg, next_step="use https=True (hikvisions://…)")
        self.address = address
        self.login = Login(username, password, basic_allowed=allow_basic or address.secure)
        self._tls = tls
        self._timeout = timeout
        self._context = tls.context()
        self._control = Control(address, tls, self._context, timeout)
        self._bulk = Bulk(address, tls, self._context, timeout)

    def request(
        self, method: str, path: str, body: bytes | None = None, *, anonymous: bool = False
    ) -> Answer:
        """Send a small request and return the whole answer, whatever its status.

        Args:
            path: The path and query, from ``/``.
            anonymous: Send no login and leave a 401 as it is.

        Raises:
            AuthenticationError: The login was refused earlier; nothing was sent.
            CamsyncError: The device cannot be reached, is silent, or has a wrong certificate.
        """
        prepared = self._control.prepare(method, path, body, XML)
        with self._naming_the_certificate():
            if anonymous:
                return self._control.send(prepared, None)
            return self.login.run(
                method,
                prepared.path_url,
                lambda authorization: self._control.send(prepared, authorization),
            )

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
        request = BulkRequest(method, path, body, XML)
        with self._naming_the_certificate():
            return self.login.run(
                method, path, lambda authorization: self._bulk.send(request, authorization, cancel)
            )

    @contextlib.contextmanager
    def _naming_the_certificate(self) -> Iterator[None]:
        """Tell which certificate was not trusted: that is what the user has to compare and pin."""
        try:
            yield
        except CertificateError as error:
            if error.actual is None:
                error.actual = self.peer_fingerprint()
                error.message = f"{error.message}; it shows {error.actual}"
            raise

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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        place = (self.address.host, self.address.port)
        with (
            mapped_errors(self.address, self._tls),
            socket.create_connection(place, self._timeout[0]) as plain,
            context.wrap_socket(plain, server_hostname=self.address.host) as secure,
        ):
            return fingerprint(secure.getpeercert(binary_form=True) or b"")

    def close(self) -> None:
        """Close all connections."""
        self._control.close()
        self._bulk.close()

    def __repr__(self) -> str:
        return f"<Transport {self.address} {self.login!r}>"


def _checked_timeout(timeout: object) -> tuple[float, float]:
    """Return (connect, read) in seconds from such a pair, or from one number for both."""
    pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    numbers = [one for one in pair if isinstance(one, int | float) and one > 0]
    if len(pair) != 2 or len(numbers) != 2:  # noqa: PLR2004 - connect and read
        msg = f"timeout must be a number of seconds, or two (connect, read), not {timeout!r}"
        raise ConfigurationError(msg, next_step="for example timeout=(10, 60)")
    return float(numbers[0]), float(numbers[1])
