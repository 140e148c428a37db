"""TLS policy: one explicit context per provider that no environment variable can weaken.

`Session.verify` alone is overridden by ``REQUESTS_CA_BUNDLE`` (psf/requests#3829), and the
default context reads ``SSL_CERT_FILE``; so the roots are loaded by name, here.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import re
import ssl
import warnings

from typing import Any

import attrs

from ..errors import CertificateError, ConfigurationError, InsecureConnectionWarning


Verify = bool | str | os.PathLike[str]
_log = logging.getLogger("camsync.tls")
PUBLIC = "certifi"
"""Stands for the public roots, in the place of a CA file, whose path is absolute."""

_PIN = re.compile(r"sha256:((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE | re.ASCII)
_LEGACY_SERVER_CONNECT = getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)  # named from Python 3.12
_OLD_CIPHERS = "ALL:!aNULL:!eNULL:@SECLEVEL=0"
_UNVERIFIED = (
    "verify=False: any certificate is accepted, so whoever is in between can read and change "
    "everything, the login included; pin the recorder's own with verify='sha256:…' (camsync trust)"
)


def fingerprint(certificate: bytes) -> str:
    """Return the ``sha256:`` fingerprint (64 hex digits) of a DER certificate."""
    return f"sha256:{hashlib.sha256(certificate).hexdigest()}"


@attrs.frozen
class TLSPolicy:
    """What makes a device's certificate trusted, and how old its TLS may be.

    Attributes:
        ca_file: The roots to trust (`PUBLIC` for everybody's), or None with a pin, or when
            nothing is verified.
        pin: The ``sha256:`` fingerprint of the one trusted certificate, or None.
        chosen: Whether the caller asked for something else than the defaults.
        old: Whether TLS 1.0, weak ciphers, short keys and SHA-1 are permitted.
    """

    ca_file: str | None
    pin: str | None = None
    chosen: bool = True
    old: bool = False

    @classmethod
    def of(cls, verify: Verify, *, old: bool = False) -> TLSPolicy:
        """Read the *verify* option.

        Args:
            verify:
                True for the public roots (those that certifi ships), the path of a CA file,
                ``"sha256:<64 hex digits>"`` to trust exactly one certificate whatever its name
                and dates (the way for a recorder's self-signed one), or False to accept any
                certificate, with a warning.
            old: Permit TLS 1.0 and 1.1, weak ciphers, short keys and SHA-1 signatures.

        Raises:
            ConfigurationError: *verify* is no fingerprint and no readable file, or this Python
                cannot speak old TLS.
        """
        if old:
            _check_old()
        if verify is True:
            return cls(PUBLIC, chosen=old, old=old)
        if verify is False:
            warnings.warn(_UNVERIFIED, InsecureConnectionWarning, stacklevel=_outside())
            return cls(None, old=old)
        text = _path(verify)
        if text.lower().startswith("sha256:"):
            return cls(None, _pin(text), old=old)
        if not os.path.isfile(text):  # noqa: PTH113 - Path.is_file() raises for names too long
            msg = f"verify: there is no CA file {text[:200]!r}"
            raise ConfigurationError(msg, next_step="give a PEM file, or 'sha256:…' to pin")
        return cls(os.path.abspath(text), old=old)  # noqa: PTH100 - for names too long, too

    def context(self, host: str | None = None) -> ssl.SSLContext:
        """Build a context: TLS 1.2 or newer, certificate required or pinned, unless chosen else.

        A pin is compared within the handshake's call, before anything can be sent.

        Args:
            host: Who has to be in the certificate, where a library does not say.
        """
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.policy, context.host = self, host
        if self.old:
            permit_old(context)
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        roots = trusted_roots(self)
        if roots is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            self._load(context, roots)
        return context

    @staticmethod
    def _load(context: ssl.SSLContext, ca_file: str) -> None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            msg = f"verify: {ca_file!r} holds no readable certificate"
            raise ConfigurationError(msg, next_step="give a file in PEM format") from error

    def check(self, certificate: bytes | None) -> None:
        """Compare a connection's DER certificate with the pin, if there is one.

        Raises:
            CertificateError: It is another one; both fingerprints are in the error.
        """
        if self.pin is None:
            return
        actual = fingerprint(certificate) if certificate else None
        if actual != self.pin:
            raise changed_certificate(self.pin, actual)


def trusted_roots(policy: TLSPolicy) -> str | None:
    """Return the file with the roots to trust, or None with a pin, or when nothing is verified.

    The public ones are looked for only when there is TLS to check: that takes its time.
    """
    if policy.ca_file != PUBLIC:
        return policy.ca_file
    import certifi

    return certifi.where()


class _Context(ssl.SSLContext):
    """Checks the pin on each connection, whichever library makes it."""

    policy: TLSPolicy
    host: str | None

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Shake hands, and hand out the connection only if its certificate is the pinned one."""
        # urllib3 before 2 leaves addresses out, but they are in certificates too.
        kwargs["server_hostname"] = kwargs.get("server_hostname") or self.host
        line = super().wrap_socket(*args, **kwargs)
        try:
            self.policy.check(line.getpeercert(binary_form=True))
        except BaseException:
            line.close()
            raise
        return line


def permit_old(context: ssl.SSLContext) -> None:
    """Let *context* speak TLS 1.0 with what ciphers, keys and hashes there were then."""
    # Not TLSVersion.TLSv1, whose mention is a DeprecationWarning; OP_NO_SSLv3 is set by default.
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers(_OLD_CIPHERS)
    context.options |= _LEGACY_SERVER_CONNECT


def looking_context() -> ssl.SSLContext:
    """Build a context that trusts everything: to look at a certificate, never to send anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ssl.HAS_TLSv1:
        permit_old(context)
    return context


def _check_old() -> None:
    if not ssl.HAS_TLSv1:
        msg = f"old_tls=True: this Python's {ssl.OPENSSL_VERSION} was built without TLS 1.0"
        step = (
            "update the recorder's firmware, use another Python, or plain HTTP on a LAN of its own"
        )
        raise ConfigurationError(msg, next_step=step)
    _log.info("old_tls=True: TLS 1.0 and weak ciphers are permitted")


def _path(verify: object) -> str:
    """Return *verify* as text, if it is a path or a fingerprint."""
    text = os.fspath(verify) if isinstance(verify, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text:
        msg = f"verify must be True, False, a CA file or 'sha256:…', not {verify!r}"
        raise ConfigurationError(msg, next_step="leave it out to trust the public authorities")
    return text


def _outside() -> int:
    """Return the stack level, for a warning of the caller, of the first frame outside camsync."""
    level, frame = 0, inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] != __name__.partition(".")[0]:
            return level
        level, frame = level + 1, frame.f_back
    return 1  # the command line, or no frames in this Python: then at ourselves


def changed_certificate(expected: str, actual: str | None) -> CertificateError:
    """Build the error for a certificate that is not the pinned one."""
    return CertificateError(
        f"the device shows another certificate than the pinned one: expected {expected}, "
        f"got {actual or 'none'}",
        expected=expected,
        actual=actual,
        next_step="if the recorder was reset or renewed its certificate, pin the new one; "
        "otherwise somebody may be in between",
    )


def _pin(text: str) -> str:
    match = _PIN.fullmatch(text)
    if match is None:
        msg = f"verify: {text[:80]!r} is no SHA-256 fingerprint"
        raise ConfigurationError(msg, next_step="write 'sha256:' and 64 hex digits")
    return f"sha256:{match.group(1).replace(':', '').lower()}"
