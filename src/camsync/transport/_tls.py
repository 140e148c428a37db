"""TLS policy: one explicit context per provider that no environment variable can weaken.

`Session.verify` alone is overridden by ``REQUESTS_CA_BUNDLE`` (psf/requests#3829), and the
default context reads ``SSL_CERT_FILE``; so the roots are loaded by name, here.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl

from pathlib import Path

import attrs

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ..errors import CertificateError, ConfigurationError


Verify = bool | str | os.PathLike[str]
_PIN = re.compile(r"sha256:((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.IGNORECASE | re.ASCII)


def fingerprint(certificate: bytes) -> str:
    """Return the ``sha256:`` fingerprint (64 hex digits) of a DER certificate."""
    return f"sha256:{hashlib.sha256(certificate).hexdigest()}"


@attrs.frozen
class TLSPolicy:
    """What makes a device's certificate trusted.

    Attributes:
        ca_file: The roots to trust, or None with a pin.
        pin: The ``sha256:`` fingerprint of the one trusted certificate, or None.
        chosen: Whether the caller asked for something else than the public roots.
    """

    ca_file: str | None
    pin: str | None = None
    chosen: bool = True

    @classmethod
    def of(cls, verify: Verify) -> TLSPolicy:
        """Read the *verify* option.

        Args:
            verify:
                True for the public roots (those that requests ships), the path of a CA file, or
                ``"sha256:<64 hex digits>"`` to trust exactly one certificate whatever its name
                and dates: the way for a recorder's self-signed one.

        Raises:
            ConfigurationError: *verify* is False, no fingerprint, or no readable file.
        """
        if verify is True:
            return cls(DEFAULT_CA_BUNDLE_PATH, chosen=False)
        if verify is False:
            msg = "verify=False would accept any certificate, an attacker's too"
            raise ConfigurationError(
                msg, next_step="pin the recorder's own: verify='sha256:…' (camsync doctor shows it)"
            )
        text = os.fspath(verify)
        if text.lower().startswith("sha256:"):
            return cls(None, _pin(text))
        if not Path(text).is_file():
            msg = f"verify: there is no CA file {text!r}"
            raise ConfigurationError(msg, next_step="give a PEM file, or 'sha256:…' to pin")
        return cls(text)

    def context(self) -> ssl.SSLContext:
        """Build the context: TLS 1.2 or newer, certificate required or pinned."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.ca_file is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # check() compares the fingerprint instead
        else:
            self._load(context, self.ca_file)
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
