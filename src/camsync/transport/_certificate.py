"""Looks at a device's certificate without trusting it: for people, before they pin it.

What recorders make is often malformed. What cannot be read stays empty; the fingerprint is always
there, because it needs nothing but the bytes.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import warnings

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .._secret import Secret
from .._time import ensure_aware, utcnow
from ..errors import ConfigurationError, TLSError
from ._address import Address
from ._mapping import mapped_errors
from ._tls import TLSPolicy, fingerprint, looking_context


if TYPE_CHECKING:
    from cryptography import x509


T = TypeVar("T")
_LONGEST_NAME = 256
_MOST_NAMES = 64
_ANY = TLSPolicy(ca_file=None, old=True)


@attrs.frozen(kw_only=True)
class Certificate:
    """What a certificate says. Nothing of it is verified.

    Attributes:
        fingerprint: ``sha256:`` and 64 hex digits: the only thing that cannot be imitated.
        subject: Whose it is, in the form of RFC 4514; empty if unreadable.
        issuer: Who signed it.
        names: The host names and addresses that it is for.
        not_before: When it begins to be valid (UTC), or None if unreadable.
        not_after: When it ends.
        self_signed: Whether it is signed with its own key; None if that cannot be told.
        key: Kind and size of the key: ``RSA 2048``, ``EC secp256r1``.
        signature: The hash that was signed (``sha256``), else the number of the algorithm.
    """

    fingerprint: str
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    self_signed: bool | None = None
    key: str = ""
    signature: str = ""

    def expired(self, now: dt.datetime | None = None) -> bool:
        """Whether it has ended by *now* (aware; None for the present)."""
        return self.not_after is not None and self.not_after < _moment(now)

    def not_yet_valid(self, now: dt.datetime | None = None) -> bool:
        """Whether it begins after *now* (aware; None for the present)."""
        return self.not_before is not None and self.not_before > _moment(now)

    def __str__(self) -> str:
        lines = {
            "subject": self.subject,
            "issuer": self._issuer(),
            "names": ", ".join(self.names),
            "valid": self._validity(),
            "key": self.key,
            "signature": self.signature,
            "fingerprint": self.fingerprint,
        }
        return "\n".join(f"{name:<12} {value or '(unreadable)'}" for name, value in lines.items())

    def _issuer(self) -> str:
        return f"{self.issuer} (self-signed)" if self.self_signed else self.issuer

    def _validity(self) -> str:
        start, end = (
            f"{moment:%Y-%m-%d}" if moment else "?" for moment in (self.not_before, self.not_after)
        )
        note = " (expired)" if self.expired() else ""
        return f"{start} to {end}{' (not yet valid)' if self.not_yet_valid() else note}"


def _moment(now: dt.datetime | None) -> dt.datetime:
    return utcnow() if now is None else ensure_aware(now, "now")


def fetch_certificate(host: str, port: int = 443, *, timeout: float = 10.0) -> Certificate:
    """Look at the certificate that a device shows now.

    Nothing is trusted, and nothing is sent over the connection.

    Args:
        timeout: Seconds to connect, and of silence.

    Raises:
        ConfigurationError: An argument is unusable.
        UnreachableError: No connection.
        DeviceTimeoutError: The device does not answer.
        TLSError: The port does not speak TLS.
    """
    if not _is_positive(timeout):
        msg = f"timeout must be a number of seconds, not {timeout!r}"
        raise ConfigurationError(msg, next_step="for example timeout=10")
    given, host = Secret.of(host), ""  # tracebacks can show arguments
    return read_certificate(fetch_der(Address.of(given, port, secure=True), timeout))


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def fetch_der(address: Address, timeout: float) -> bytes:
    """Return the certificate as it came; the handshake may be as old as it likes.

    Raises:
        UnreachableError: No connection.
        TLSError: No handshake, or no certificate.
    """
    with (
        mapped_errors(address, _ANY),
        contextlib.closing(
            socket.create_connection((address.host, address.port), timeout)
        ) as plain,
        looking_context().wrap_socket(plain, server_hostname=address.host) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    if not shown:
        msg = f"{address} shows no certificate"
        raise TLSError(msg, next_step="check that the port is the HTTPS port")
    return shown


def read_certificate(der: bytes) -> Certificate:
    """Read what can be read of a DER certificate; never an error."""
    from cryptography import x509

    known = Certificate(fingerprint=fingerprint(der))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography deprecates what recorders do
        found = _try(lambda: x509.load_der_x509_certificate(der), None)
        if found is None:
            return known
        return attrs.evolve(
            known,
            subject=_try(lambda: _shown(found.subject.rfc4514_string()), ""),
            issuer=_try(lambda: _shown(found.issuer.rfc4514_string()), ""),
            names=_try(lambda: _names(found), ()),
            not_before=_try(lambda: _utc(found, "not_valid_before"), None),
            not_after=_try(lambda: _utc(found, "not_valid_after"), None),
            self_signed=_try(lambda: _self_signed(found), None),
            key=_try(lambda: _key(found.public_key()), ""),
            signature=_try(lambda: _signature(found), ""),
        )


def _try(read: Callable[[], T], otherwise: T) -> T:
    """Return what *read* reads, or *otherwise* where the certificate is malformed there."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return read()
    except (
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        OverflowError,
        NotImplementedError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        return otherwise


def _shown(text: str) -> str:
    """Return text of a stranger so that it cannot play tricks on a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text[:_LONGEST_NAME])


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = (*found.get_values_for_type(x509.DNSName), *found.get_values_for_type(x509.IPAddress))
    return tuple(_shown(str(name)) for name in names[:_MOST_NAMES])


def _utc(certificate: Any, name: str) -> dt.datetime:
    """Return a date of the certificate; cryptography before 42 has them without a zone only."""
    aware = getattr(certificate, f"{name}_utc", None)
    found: dt.datetime = aware or getattr(certificate, name).replace(tzinfo=dt.timezone.utc)
    return found


def _self_signed(certificate: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    if certificate.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        return False
    return True


def _key(key: Any) -> str:
    curve = getattr(key, "curve", None)
    kind = type(key).__name__.lstrip("_").removesuffix("PublicKey")
    if curve is not None:
        return f"EC {curve.name}"
    return f"{kind} {key.key_size}" if hasattr(key, "key_size") else kind


def _signature(certificate: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        used = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        used = None
    return used.name if used is not None else certificate.signature_algorithm_oid.dotted_string
