"""What HTTP libraries raise, and what camsync makes of it."""

from __future__ import annotations

import http.client
import importlib
import socket
import ssl

import pytest
import requests
import urllib3.exceptions

from camsync import (
    CertificateError,
    ConfigurationError,
    DeviceTimeoutError,
    DiskFullError,
    ProtocolError,
    TLSError,
    UnreachableError,
)
from camsync.transport import Address, TLSPolicy
from camsync.transport._mapping import mapped_errors
from camsync.transport._tls import changed_certificate


importlib.import_module("camsync.transport._session")  # teaches the mapping what requests raises

ADDRESS = Address.of("127.0.0.1")
PIN = "sha256:" + "ab" * 32
OPEN, PINNED = TLSPolicy(ca_file="x"), TLSPolicy(ca_file=None, pin=PIN)


def _mapped(error: Exception, tls: TLSPolicy = OPEN) -> Exception:
    with pytest.raises(Exception) as caught, mapped_errors(ADDRESS, tls):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.exceptions.ConnectTimeout(), UnreachableError),
        (requests.exceptions.ReadTimeout(), DeviceTimeoutError),
        (requests.exceptions.ConnectionError(OSError(111, "Connection refused")), UnreachableError),
        (requests.exceptions.ChunkedEncodingError("x"), UnreachableError),
        (requests.exceptions.InvalidURL("x"), ConfigurationError),
        (requests.exceptions.InvalidHeader("x"), ConfigurationError),
        (
            requests.exceptions.InvalidHeader(urllib3.exceptions.InvalidHeader("5, 6")),
            ProtocolError,
        ),
        (urllib3.exceptions.ProtocolError("broken", OSError("x")), UnreachableError),
        (urllib3.exceptions.ReadTimeoutError(None, "u", "x"), DeviceTimeoutError),  # type: ignore[arg-type]
        (TimeoutError(), DeviceTimeoutError),
        (socket.gaierror(-2, "Name or service not known"), UnreachableError),
        (ConnectionResetError(104, "Connection reset by peer"), UnreachableError),
        (http.client.RemoteDisconnected("x"), UnreachableError),
        (http.client.BadStatusLine("x"), UnreachableError),
        (http.client.LineTooLong("x"), ProtocolError),
        (http.client.InvalidURL("x"), ConfigurationError),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), TLSError),
        (ssl.SSLError(1, "CERTIFICATE_VERIFY_FAILED"), CertificateError),
        (OSError(), UnreachableError),
    ],
)
def test_each_becomes_one_of_ours(error: Exception, kind: type[Exception]):
    """One typed error each, with the original behind it and the address in its words."""
    mapped = _mapped(error)

    assert type(mapped) is kind
    assert mapped.__cause__ is error
    assert "127.0.0.1" in str(mapped)


def test_our_own_errors_pass():
    """A camsync error is not wrapped again, even where it is an OSError too."""
    error = DiskFullError("full")

    assert _mapped(error) is error


def test_other_errors_pass():
    """A mistake in the program is not dressed up as a network error."""
    error = ZeroDivisionError()

    assert _mapped(error) is error


def test_a_refused_certificate_keeps_its_fingerprints():
    """Our own check, wrapped by the libraries that it passed through, comes out as it was."""
    ours = changed_certificate(PIN, "sha256:" + "cd" * 32)
    wrapped = requests.exceptions.ConnectionError(
        urllib3.exceptions.ProtocolError("Connection aborted.", ours)
    )

    told = _mapped(wrapped, PINNED)

    assert isinstance(told, CertificateError)
    assert (told.expected, told.actual) == (PIN, ours.actual)
    assert told.__cause__ is wrapped


@pytest.mark.parametrize(
    "reason",
    [
        "UNSUPPORTED_PROTOCOL",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "WRONG_SSL_VERSION",
        "NO_CIPHERS_AVAILABLE",
        "DH_KEY_TOO_SMALL",
        "EE_KEY_TOO_SMALL",
        "CA_MD_TOO_WEAK",
        "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
        "CERTIFICATE_VERIFY_FAILED] certificate verify failed: EE certificate key too weak",
    ],
)
def test_old_tls_is_advised_where_it_helps(reason: str):
    """The advice names the option and its risk, unless the option is on already."""
    error = _mapped(ssl.SSLError(1, f"[SSL: {reason} (_ssl.c:1006)"))
    again = _mapped(
        ssl.SSLError(1, f"[SSL: {reason} (_ssl.c:1006)"), TLSPolicy(ca_file="x", old=True)
    )

    assert isinstance(error, TLSError)
    assert "old_tls=True" in str(error.next_step)
    assert "broken" in str(error.next_step)
    assert isinstance(again, TLSError)
    assert "broken" not in str(again.next_step)


def test_another_protocol_is_not_old_tls():
    """Plain HTTP behind the port is a wrong port, not an old recorder."""
    error = _mapped(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"))

    assert isinstance(error, TLSError)
    assert str(error.next_step).startswith("check that the port")


def test_reasons_are_words_without_addresses():
    """The innermost cause is shown, without object addresses, and never without any word."""
    refused = ConnectionRefusedError(111, "Connection refused")
    nested = requests.exceptions.ConnectionError(urllib3.exceptions.HTTPError("outer", refused))
    endless = OSError("round")
    endless.__cause__ = endless

    assert "Connection refused" in str(_mapped(nested))
    assert "0x" not in str(_mapped(OSError("<object at 0x7f>: broken")))
    assert "round" in str(_mapped(endless))
    assert "OSError" in str(_mapped(OSError()))


def test_the_request_does_not_travel_with_the_error():
    """It holds the Authorization header, and debuggers print what a traceback holds."""
    request = requests.Request(
        "GET", "http://127.0.0.1/", headers={"Authorization": "Basic c2VjcmV0"}
    )
    error = requests.exceptions.ConnectionError("broken", request=request.prepare())

    mapped = _mapped(error)

    assert mapped.__cause__ is error
    assert error.request is None
