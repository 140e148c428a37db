"""Turns what the HTTP libraries raise into camsync's errors, once."""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl

from collections.abc import Callable, Iterator

import requests
import urllib3.exceptions

from ..errors import (
    CamsyncError,
    CertificateError,
    ConfigurationError,
    DeviceTimeoutError,
    ProtocolError,
    TLSError,
    UnreachableError,
)
from ._address import Address
from ._tls import TLSPolicy, changed_certificate


_DEEPEST = 8
_NO_ANSWER = "it closed the connection without an answer"
_FINGERPRINTS = re.compile(r"got \"?([0-9a-f]{64})")


@contextlib.contextmanager
def mapped_errors(address: Address, tls: TLSPolicy) -> Iterator[None]:
    """Translate everything that may leave requests, urllib3 and http.client inside the block."""
    try:
        yield
    except CamsyncError:
        raise
    except _FOREIGN as error:
        if isinstance(error, requests.exceptions.RequestException):
            # The request holds the Authorization header, and a traceback would hold the request.
            error.request = error.response = None
        raise _translated(error, address, tls) from error


_FOREIGN = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # http.client's reading of a chunk size
)


def _translated(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    for kinds, build in _RULES:
        if isinstance(error, kinds):
            return build(error, address, tls)
    return unreachable(address, _reason(error))


def _no_connection(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    del error, tls
    return unreachable(address, "no answer to the connection attempt")


def _silence(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    del error, tls
    return DeviceTimeoutError(f"{address} did not answer in time")


def _unusable(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    del error, tls
    msg = f"no request can be made for {address}"
    return ConfigurationError(msg, next_step="check host, port and user name")


def _closed(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    del error, tls
    return unreachable(address, _NO_ANSWER)


def _not_http(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    del tls
    msg = f"{address} does not speak proper HTTP ({type(error).__name__})"
    return ProtocolError(msg)


def unreachable(address: Address, reason: str) -> UnreachableError:
    """Build the error for a connection that failed or broke."""
    hint = "emote end closed" in reason or reason == _NO_ANSWER
    step = "perhaps this is the HTTPS port: use https=True" if hint and not address.secure else None
    return UnreachableError(f"{address} cannot be reached: {reason}", next_step=step)


def _tls_error(error: Exception, address: Address, tls: TLSPolicy) -> TLSError:
    text = str(error)
    if tls.pin is not None and "ingerprint" in text:
        found = _FINGERPRINTS.search(text.replace(":", ""))
        return changed_certificate(tls.pin, f"sha256:{found.group(1)}" if found else None)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return CertificateError(
            f"the certificate of {address} is not trusted, as with every recorder's own",
            next_step="see its fingerprint with 'camsync doctor', compare it with the recorder's, "
            "and pin it: verify='sha256:…'",
        )
    return TLSError(
        f"no TLS connection with {address}: {_reason(error)}",
        next_step="check that the port is the HTTPS port; firmware before 2016 may be too old",
    )


_Build = Callable[[Exception, Address, TLSPolicy], CamsyncError]
_RULES: tuple[tuple[tuple[type[Exception], ...], _Build], ...] = (  # the most specific first
    ((requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError), _tls_error),
    (
        (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError),
        _no_connection,
    ),
    (
        (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError),
        _silence,
    ),
    ((requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader), _unusable),
    ((http.client.BadStatusLine,), _closed),
    ((http.client.HTTPException, ValueError), _not_http),
)


def _reason(error: BaseException) -> str:
    """Return the innermost cause in a few words: the outer ones hold object addresses."""
    inner, cause = error, _inner(error)
    for _ in range(_DEEPEST):
        if cause is None:
            break
        inner, cause = cause, _inner(cause)
    text = getattr(inner, "strerror", None) or getattr(inner, "reason", None) or inner
    words = re.sub(r"<[^>]*>:?\s*", "", str(text))[:200] or type(inner).__name__
    return "".join(char if char.isprintable() else " " for char in words)


def _inner(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    nested = [part for part in error.args if isinstance(part, BaseException)]
    return nested[0] if nested else error.__cause__ or error.__context__
