"""Turns what the HTTP libraries raise into camsync's errors, once."""

from __future__ import annotations

import contextlib
import copy
import http.client
import re
import ssl
import sys

from collections.abc import Callable, Iterator, Sequence

from .._secret import Secret
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
from ._tls import TLSPolicy
from ._traces import chain, clean


_DEEPEST = 8
_NO_ANSWER = "it closed the connection without an answer"
_NO_HTTP = "what it answers is not HTTP"
_TOO_OLD = re.compile(
    "UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW|WRONG_SSL_VERSION"
    "|NO_PROTOCOLS_AVAILABLE|NO_CIPHERS|NO_SHARED_CIPHER|HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY"
    "|KEY_TOO_SMALL|MD_TOO_WEAK|WRONG_SIGNATURE_TYPE|SIGALG|UNSAFE_LEGACY_RENEGOTIATION"
    "|key too weak|algorithm too weak"
)
_USE_OLD_TLS = (
    "if the recorder is old: update its firmware, or pass old_tls=True (--old-tls), best with a pin; "
    "TLS 1.0 and weak ciphers can be broken or downgraded by somebody in between"
)


@contextlib.contextmanager
def mapped_errors(address: Address, tls: TLSPolicy, sent: Secret | None = None) -> Iterator[None]:
    """Translate everything that may leave the HTTP libraries inside the block.

    Whatever leaves it, a mistake in the program too, has lost the variables of its frames: the
    libraries keep the ``Authorization`` header there, and on their errors.

    Args:
        sent: The ``Authorization`` value in use, which a device may echo.
    """
    before = sys.exc_info()[1]
    try:
        yield
    except BaseException as error:
        clean(error, before, sent)
        if isinstance(error, CamsyncError) or not isinstance(error, Exception):
            raise
        if not isinstance(error, tuple(_FOREIGN)):
            raise
        # Our own check of the certificate, wrapped by the libraries that it passed through
        ours = [one for one in chain(error, before) if isinstance(one, CertificateError)]
        raise copy.copy(ours[0]) if ours else _translated(error, address, tls) from error


_FOREIGN: list[type[Exception]] = [
    http.client.HTTPException,
    OSError,
    ValueError,  # http.client's reading of a chunk size
]


def _translated(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    for kinds, build in _RULES:
        if isinstance(error, kinds):
            return build(error, address, tls)
    return unreachable(address, _reason(error))


def no_connection(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    """Build the error for a device that does not even take the connection."""
    del error, tls
    return unreachable(address, "no answer to the connection attempt")


def silence(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    """Build the error for a device that takes the connection and says nothing."""
    del error, tls
    return DeviceTimeoutError(f"{address} did not answer in time")


def unusable(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    """Build the error for what cannot be sent, or looked up."""
    del error, tls
    msg = f"no request can be made for {address}"
    return ConfigurationError(msg, next_step="check host, port and user name")


def _closed(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    del error, tls
    return unreachable(address, _NO_ANSWER)


def _another(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    del error, tls
    return unreachable(address, _NO_HTTP)


def not_http(error: Exception, address: Address, tls: TLSPolicy) -> CamsyncError:
    """Build the error for an answer that breaks the rules of HTTP."""
    del tls
    msg = f"{address} does not speak proper HTTP ({type(error).__name__})"
    return ProtocolError(msg)


def unreachable(address: Address, reason: str) -> UnreachableError:
    """Build the error for a connection that failed or broke."""
    hint = "emote end closed" in reason or reason in {_NO_ANSWER, _NO_HTTP}
    step = "perhaps this is the HTTPS port: use https=True" if hint and not address.secure else None
    return UnreachableError(f"{address} cannot be reached: {reason}", next_step=step)


def tls_error(error: Exception, address: Address, tls: TLSPolicy) -> TLSError:
    """Build the error for a handshake that failed, or a certificate that is not trusted."""
    text = str(error)
    old = _TOO_OLD.search(text) is not None and not tls.old
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return CertificateError(
            f"the certificate of {address} is not trusted"
            + (
                ": its key or its signature is too weak"
                if old
                else ", as with every recorder's own"
            ),
            next_step=_USE_OLD_TLS if old else _PIN_IT,
        )
    return TLSError(
        f"no TLS connection with {address}: {_reason(error)}",
        next_step=_USE_OLD_TLS if old else _LOOK_AT_THE_PORT,
    )


_PIN_IT = (
    "see it with 'camsync trust', compare its fingerprint with the recorder's own, "
    "and pin it: verify='sha256:…'"
)
_LOOK_AT_THE_PORT = (
    "check that the port is the HTTPS port; firmware before 2016 may be too old, see old_tls=True"
)
_Build = Callable[[Exception, Address, TLSPolicy], CamsyncError]
_Rule = tuple[tuple[type[Exception], ...], _Build]
_RULES: list[_Rule] = [  # the most specific first
    ((ssl.SSLError,), tls_error),
    ((TimeoutError,), silence),
    ((http.client.InvalidURL,), unusable),
    ((http.client.RemoteDisconnected,), _closed),
    ((http.client.BadStatusLine,), _another),
    ((http.client.HTTPException, ValueError), not_http),
]


def teach(foreign: Sequence[type[Exception]], rules: Sequence[_Rule]) -> None:
    """Know the errors of one more library: it does so itself, when and if it is loaded.

    Args:
        foreign: What is not camsync's own; without a rule it means a connection that broke.
        rules: They go before those that are known.
    """
    _FOREIGN.extend(foreign)
    _RULES[:0] = rules


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
