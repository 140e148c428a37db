"""How requests are signed: two ways are in use, and the vendor does not say where which.

Both sign the same line, ``time:{time},nonce:{nonce},appSecret:{secret}``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from typing import Protocol

from ..._secret import Secret
from ...errors import ConfigurationError


class Signer(Protocol):
    """A way to sign; bring your own if the vendor invents a third."""

    @property
    def name(self) -> str:
        """A word to remember it by."""
        ...

    def sign(self, secret: Secret, time: int, nonce: str) -> Secret:
        """Return the signature of *time* (Unix seconds) and *nonce*."""
        ...


class Md5Signer:
    """32 lower-case hex digits: what the vendor's own Python client sends."""

    name = "md5"

    def sign(self, secret: Secret, time: int, nonce: str) -> Secret:
        """Return the signature."""
        return Secret(hashlib.md5(_line(secret, time, nonce)).hexdigest())  # noqa: S324 - theirs


class HmacSigner:
    """Base64 of an HMAC-SHA256 whose key is the secret's SHA-256 in hex: what the vendor documents."""

    name = "hmac"

    def sign(self, secret: Secret, time: int, nonce: str) -> Secret:
        """Return the signature."""
        return Secret(
            base64.b64encode(
                hmac.digest(_key(secret), _line(secret, time, nonce), hashlib.sha256)
            ).decode()
        )


def _line(secret: Secret, time: int, nonce: str) -> bytes:
    return f"time:{time},nonce:{nonce},appSecret:{secret.reveal()}".encode("utf-8", "replace")


def _key(secret: Secret) -> bytes:
    return hashlib.sha256(secret.reveal().encode("utf-8", "replace")).hexdigest().encode()


_BOTH: tuple[Signer, ...] = (Md5Signer(), HmacSigner())


def signers(choice: str | Signer, learnt: object = None) -> tuple[Signer, ...]:
    """Return the ways to try, in this order.

    Args:
        choice: ``"md5"``, ``"hmac"``, ``"auto"`` for both, or a signer.
        learnt: The name of the way that worked before: it is tried first.

    Raises:
        ConfigurationError: *choice* is none of these.
    """
    if choice == "auto":
        return tuple(sorted(_BOTH, key=lambda signer: signer.name != learnt))
    named = [signer for signer in _BOTH if signer.name == choice]
    if named:
        return tuple(named)
    if isinstance(choice, str) or not callable(getattr(choice, "sign", None)):
        msg = f"sign must be 'auto', 'md5', 'hmac' or a signer, not {choice!r}"
        raise ConfigurationError(msg)
    return (choice,)
