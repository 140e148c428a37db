"""What a certificate says, also when a recorder made it badly."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import threading

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from camsync import ConfigurationError, DeviceTimeoutError, Secret, TLSError, UnreachableError
from camsync.testing import RecorderSimulator
from camsync.transport import Address, TLSPolicy, Transport, _certificate, fetch_certificate
from camsync.transport import fingerprint as fingerprint_of


BORN, DIES = (dt.datetime(year, 1, 2, tzinfo=dt.timezone.utc) for year in (2015, 2025))
KEY = ec.generate_private_key(ec.SECP256R1())


def _name(*texts: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text) for text in texts])


def _der(
    key: Any = KEY,
    *,
    subject: str = "DS-7616NI",
    issuer: str | None = None,
    names: list[x509.GeneralName] | None = None,
    signer: Any = None,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer or subject))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(BORN)
        .not_valid_after(DIES)
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signer = signer or key
    hash_ = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, hash_).public_bytes(serialization.Encoding.DER)


def test_everything_is_read():
    """Names, dates, key and signature of a usual self-signed certificate."""
    names = [x509.DNSName("nvr.lan"), x509.IPAddress(ipaddress.ip_address("192.168.1.64"))]
    der = _der(names=names)

    found = _certificate.read_certificate(der)

    assert found == _certificate.Certificate(
        fingerprint=fingerprint_of(der),
        subject="CN=DS-7616NI",
        issuer="CN=DS-7616NI",
        names=("nvr.lan", "192.168.1.64"),
        not_before=BORN,
        not_after=DIES,
        self_signed=True,
        key="EC secp256r1",
        signature="sha256",
    )


def test_keys_and_signatures_by_name():
    """RSA has a size, Ed25519 has none, and an algorithm without a hash is a number."""
    short = _certificate.read_certificate(_der(rsa.generate_private_key(65537, 1024)))
    modern = _certificate.read_certificate(_der(ed25519.Ed25519PrivateKey.generate()))

    assert (short.key, short.signature) == ("RSA 1024", "sha256")
    assert (modern.key, modern.signature) == ("Ed25519", "1.3.101.112")
    assert modern.self_signed


def test_who_signed_it():
    """Another issuer, or another key behind the same name, is not self-signed."""
    other = ec.generate_private_key(ec.SECP256R1())

    assert _certificate.read_certificate(_der(issuer="CA", signer=other)).self_signed is False
    assert _certificate.read_certificate(_der(signer=other)).self_signed is False
    assert _certificate.read_certificate(_der()).names == ()


def test_what_cannot_be_read_is_empty():
    """Bytes that are no certificate have a fingerprint and nothing else."""
    found = _certificate.read_certificate(b"\x30\x03nonsense")

    assert found == _certificate.Certificate(fingerprint=fingerprint_of(b"\x30\x03nonsense"))
    assert "(unreadable)" in str(found)
    assert not found.expired()
    assert not found.not_yet_valid()


SAMPLE = _der(names=[x509.DNSName("nvr.lan")])


@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255), st.integers(1, 4))
def test_malformed_certificates_break_nothing(place: int, value: int, count: int):
    """Whatever bytes are changed, the fingerprint is there and the text is printable."""
    broken = SAMPLE[:place] + bytes([value]) * count + SAMPLE[place + count :]

    found = _certificate.read_certificate(broken)

    assert found.fingerprint == fingerprint_of(broken)
    assert all(line.isprintable() for line in str(found).splitlines())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x00"),  # version 1 with extensions
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"),  # no such version
        (b"\x02\x01\x07", b"\x02\x01\xf9"),  # a negative serial number
        (b"DS-7616NI", b"\xff\xfe\xfdxxxxxx"),  # no UTF-8
        (b"150102", b"159902"),  # the 99th month
        (b"nvr.lan", b"\xff\xff\xffxxxx"),
        (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", b"\x2a\x86\x48\xce\x3d\x04\x03\x7f"),
    ],
)
def test_habits_of_recorders(old: bytes, new: bytes):
    """Wrong versions, negative numbers, bad letters and dates leave the rest as it is."""
    assert old in SAMPLE
    broken = SAMPLE.replace(old, new)

    found = _certificate.read_certificate(broken)

    assert found.fingerprint == fingerprint_of(broken)
    assert found.self_signed is not True


def test_old_cryptography_has_dates_without_a_zone():
    """Before cryptography 42 the dates are naive UTC."""
    naive = SimpleNamespace(not_valid_after=dt.datetime(2025, 1, 2))

    assert _certificate._utc(naive, "not_valid_after") == DIES


def test_an_unknown_algorithm_is_a_number():
    """A hash that cryptography does not know is shown by the algorithm's number."""
    from cryptography.exceptions import UnsupportedAlgorithm

    class Odd:
        signature_algorithm_oid = x509.ObjectIdentifier("1.2.3")

        @property
        def signature_hash_algorithm(self) -> None:
            msg = "md2"
            raise UnsupportedAlgorithm(msg)

    assert _certificate._signature(Odd()) == "1.2.3"  # type: ignore[arg-type]
    assert _certificate._key(type("_OddPublicKey", (), {})()) == "Odd"


def test_names_play_no_tricks():
    """Control characters of a stranger never reach the terminal, and names have a longest length."""
    found = _certificate.read_certificate(_der(subject="a\x1b[2Jb\n\u202ec" + "x" * 40))
    long = [x509.DNSName("x" * 900) for _ in range(200)]
    many = _certificate.read_certificate(_der(names=long))

    assert found.subject.startswith("CN=a?[2Jb?")
    assert "\x1b" not in str(found)
    assert len(many.names) == 64
    assert len(many.names[0]) == 256


def test_dates_are_judged():
    """Before, within and after; the present by default; naive times are refused."""
    found = _certificate.read_certificate(SAMPLE)
    day = dt.timedelta(days=1)

    assert [found.not_yet_valid(BORN - day), found.expired(BORN - day)] == [True, False]
    assert [found.not_yet_valid(BORN + day), found.expired(BORN + day)] == [False, False]
    assert [found.not_yet_valid(DIES + day), found.expired(DIES + day)] == [False, True]
    assert found.expired()
    with pytest.raises(ConfigurationError):
        found.expired(dt.datetime(2020, 1, 1))


def test_the_text_is_for_people():
    """One line for each fact, with what is odd about it."""
    text = str(_certificate.read_certificate(SAMPLE))
    early = _certificate.Certificate(
        fingerprint="sha256:00", not_before=dt.datetime(9000, 1, 1, tzinfo=dt.timezone.utc)
    )

    assert "issuer       CN=DS-7616NI (self-signed)" in text
    assert "valid        2015-01-02 to 2025-01-02 (expired)" in text
    assert "9000-01-01 to ? (not yet valid)" in str(early)


# -- Over the network ----------------------------------------------------------------------------


def test_a_device_shows_its_certificate():
    """It is fetched without trust and without a request."""
    with RecorderSimulator(channels=1, tls=True) as simulator:
        found = fetch_certificate(simulator.host, simulator.port)
        transport = Transport(
            Address.of(simulator.host, simulator.port, secure=True),
            "admin",
            Secret("x"),
            tls=TLSPolicy.of(True),
        )
        same = transport.peer_certificate()
        transport.close()

        assert simulator.requests == 0
    assert found == same
    assert found.fingerprint == simulator.fingerprint
    assert found.subject == "CN=camsync simulator"
    assert found.names == ("127.0.0.1",)
    assert not found.expired()


@contextlib.contextmanager
def _listening(answer: bytes | None) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            line, _ = server.accept()
            with line, contextlib.suppress(OSError):
                line.recv(4096)
                if answer is None:
                    line.recv(1)  # until the client goes
                else:
                    line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_plain_http_shows_none():
    """A port without TLS is named as such."""
    with (
        _listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port,
        pytest.raises(TLSError, match="check that the port is the HTTPS port"),
    ):
        fetch_certificate("127.0.0.1", port)


def test_silence_and_closed_ports():
    """No answer and no connection are what they always are."""
    with _listening(None) as port, pytest.raises(DeviceTimeoutError):
        fetch_certificate("127.0.0.1", port, timeout=0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnreachableError):
        fetch_certificate("127.0.0.1", port)


def test_no_certificate_at_all(monkeypatch):
    """A handshake without a certificate is an error."""
    monkeypatch.setattr("ssl.SSLSocket.getpeercert", lambda *_, **__: None)
    with (
        RecorderSimulator(channels=1, tls=True) as simulator,
        pytest.raises(TLSError, match="shows no certificate"),
    ):
        fetch_certificate(simulator.host, simulator.port)


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"timeout": True}, {"timeout": "5"}, {"port": 0}]
)
def test_unusable_arguments(options: dict[str, Any]):
    """They are refused before any connection."""
    with pytest.raises(ConfigurationError):
        fetch_certificate("127.0.0.1", **options)
    with pytest.raises(ConfigurationError):
        fetch_certificate("https://127.0.0.1")
