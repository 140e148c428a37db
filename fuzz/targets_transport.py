"""HTTP and TLS: what comes before any document does."""

from __future__ import annotations

import datetime as dt
import re

from camsync._secret import Secret
from camsync.transport._certificate import read_certificate
from camsync.transport._digest import Nonce, choose, parse_challenges
from fuzz.bombs import text_bombs
from fuzz.registry import answers, target


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@target(
    "digest",
    lambda: [
        *answers("challenges"),
        b'Digest realm="a, b", nonce="x", algorithm=SHA-256-sess, qop="auth,auth-int", Basic realm="y"',
        b"Negotiate abcd==, Digest nonce=1",
        *text_bombs('Digest realm="a", nonce="b", qop="auth", opaque=""'),
        b"Digest " + b'a="' * 4000,
        b"Digest " + b"a = " * 4000,
        b"Digest " + b"\\" * 8000 + b'"',
        b'Digest nonce="' + b'\\"' * 4000 + b'"',
        b"a " * 4000 + b"!",
        (b"a" + b" " * 80) * 100,
    ],
    [
        b"Digest ",
        b"Basic ",
        b"Bearer ",
        b"realm=",
        b"nonce=",
        b"qop=",
        b"opaque=",
        b"algorithm=",
        b"stale=true",
        b'"',
        b"\\",
        b",",
        b"=",
        b"MD5",
        b"MD5-sess",
        b"SHA-256",
        b"auth",
        b"auth-int",
        b"\xdf",
        b"\xb5",
        b"\r\n ",
        b"\t",
    ],
    longest=16 * 1024,
)
def digest(data: bytes) -> None:
    """``WWW-Authenticate``, and the header that answers it: it must be one line."""
    # The HTTP library keeps the line breaks of a header that is folded.
    found = parse_challenges([data.decode("latin-1")])
    chosen = choose(found)
    for challenge in found:
        _ = challenge.usable, challenge.stale, challenge.qop, challenge.session
    if chosen is not None:
        nonce = Nonce(chosen)
        header = nonce.header("admin", Secret("pass"), "GET", "/ISAPI/System/time").reveal()
        header.encode("latin-1")


def _certificates() -> list[bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    # A key of no use to anybody, the same in every run, so that the seeds are the same.
    key = ec.derive_private_key(1, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camsync.invalid")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc))
        .not_valid_after(dt.datetime(2034, 1, 1, tzinfo=dt.timezone.utc))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("camsync.invalid")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    der = made.public_bytes(serialization.Encoding.DER)
    return [der, der[:-1], b"\x30\x84\xff\xff\xff\xff", b"\x30\x80" * 10_000, b"\x30" * 100, b""]


@target(
    "certificate",
    _certificates,
    [
        b"\x30",
        b"\x30\x80",
        b"\x02\x01\x00",
        b"\x0c\x04\x1b[2J",
        b"\x17\x0d000000000000Z",
        b"\x18\x0f99991231235959Z",
        b"\x06\x03\x55\x1d\x11",
        b"\x06\x03\x55\x04\x03",
        b"\xff\xff\xff\xff",
        b"\x82\x10i*.evil",
        b"\x87\x04\x7f\0\0\1",
    ],
    longest=8192,
)
def certificate(data: bytes) -> None:
    """The certificate that a device shows."""
    text = str(read_certificate(data))
    if _CONTROL.search(text.replace("\n", "")):
        msg = "control characters in what people are shown of a certificate"
        raise AssertionError(msg)
