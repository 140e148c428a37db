"""A self-signed certificate, made at start: recorders come with one that nobody can verify."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import ssl
import tempfile

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from camsync._time import utcnow
from camsync.errors import MissingExtraError

from ._faults import Faults


if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName


@attrs.frozen(kw_only=True)
class Identity:
    """A certificate (PEM text), its ``sha256:`` fingerprint, and server contexts that use it."""

    certificate: str
    fingerprint: str
    context: ssl.SSLContext = attrs.field(repr=False)
    old_context: ssl.SSLContext = attrs.field(repr=False)

    def serving(self, faults: Faults) -> ssl.SSLContext:
        """Return the context for the next connection."""
        return self.old_context if faults.take("old-tls") else self.context


def self_signed(host: str) -> Identity:
    """Make a key and a certificate for *host*, an IP address or a name.

    Raises:
        MissingExtraError: The package ``cryptography`` is not installed.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        msg = "a simulator with TLS needs the package 'cryptography'"
        raise MissingExtraError(msg, next_step="run: python -m pip install cryptography") from error
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, host)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    return Identity(
        certificate=pem.decode(),
        fingerprint=f"sha256:{digest}",
        context=_context(pem + secret),
        old_context=_old(_context(pem + secret)),
    )


def _certificate(key: EllipticCurvePrivateKey, host: str) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "camsync simulator")])
    now = utcnow()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([_subject(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _subject(host: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _context(pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The ssl module reads a key from a file only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "identity.pem"
        path.touch(mode=0o600)
        path.write_bytes(pem)
        context.load_cert_chain(path)
    return context


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    """Let *context* speak TLS 1.0 and nothing else."""
    # Not TLSVersion.TLSv1, whose mention is a DeprecationWarning; nobody builds with SSL 3.0.
    context.minimum_version = context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context
