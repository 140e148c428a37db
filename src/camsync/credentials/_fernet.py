"""VPACK's encryption: JSON in a Fernet token in base64. Reading it, writing it, hiding secrets."""

from __future__ import annotations

import base64
import json
import re

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from .._secret import Secret
from ..errors import ConfigurationError, DamagedStoreError, WrongKeyError
from ._bytes import SecretBytes, key_text, secret_from


_SECRET_NAMES = re.compile(
    r"passw|pwd|secret|token|key|cookie|authorization|credential|code", re.IGNORECASE
)
_NOT_SECRET = {"token_uri", "token_type", "token_expiry", "encryption_version"}
_SHORTEST_TOKEN = 73  # version, time, IV, one block, HMAC
_BLOCK = 16
_VERSION = 0x80


class Payload:
    """What is encrypted, as a mapping. Shows nothing."""

    __slots__ = ("members",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        self.members = members

    def __repr__(self) -> str:
        return "Payload(***)"


class Box:
    """Encrypts with the first key, and decrypts with any of them. Asks for them once."""

    __slots__ = ("_fernet", "_sources")

    def __init__(self, sources: Sequence[Secret | Callable[[], object]]) -> None:
        self._sources = tuple(sources)
        self._fernet: MultiFernet | None = None

    def _keys(self) -> MultiFernet:
        if self._fernet is None:
            keys = [key_text(secret_from(source, "the key")) for source in self._sources]
            self._fernet = MultiFernet([Fernet(key.reveal()) for key in keys])
        return self._fernet

    def seal(self, payload: Payload) -> str:
        """Encrypt *payload*, whose secrets may be wrapped.

        Raises:
            ConfigurationError: There is something in it that JSON cannot express.
            CredentialError: There is no key.
        """
        fernet = self._keys()
        plain = _dumped(payload.members)
        if plain is None:
            msg = "the document holds something that JSON cannot express"
            raise ConfigurationError(msg)
        return base64.b64encode(fernet.encrypt(plain.reveal())).decode("ascii")

    def open(self, sealed: str, where: str) -> Payload:
        """Decrypt a payload. Passwords, tokens and the like in it are `Secret`.

        Raises:
            WrongKeyError: No key fits, or somebody changed the token: Fernet does not tell.
            DamagedStoreError: It is not a token, or there is something else than JSON in it.
            CredentialError: There is no key.
        """
        token = _token(sealed)
        if token is None:
            msg = f"{where} is damaged: what it holds is not a token of Fernet"
            raise DamagedStoreError(msg)
        plain = _decrypted(self._keys(), token)
        if plain is None:
            msg = f"{where} was written with another key, or it was changed"
            raise WrongKeyError(msg)
        payload = _loaded(plain)
        if payload is None:
            msg = f"{where} was decrypted, but does not hold a document"
            raise DamagedStoreError(msg)
        return Payload(payload)

    def __reduce__(self) -> tuple[type[Box], tuple[object]]:
        return Box, (self._sources,)  # the keys stay here

    def __repr__(self) -> str:
        return f"Box({len(self._sources)} keys)"


def _token(sealed: str) -> bytes | None:
    try:
        token = base64.b64decode(sealed.translate({45: "+", 95: "/"}), validate=True)
        raw = base64.urlsafe_b64decode(token)
    except ValueError:
        return None
    whole = len(raw) >= _SHORTEST_TOKEN and (len(raw) - _SHORTEST_TOKEN) % _BLOCK == 0
    return token if whole and raw[0] == _VERSION else None


# These catch and say None instead of raising: frames of cryptography and json hold secrets.


def _decrypted(fernet: MultiFernet, token: bytes) -> SecretBytes | None:
    try:
        return SecretBytes(fernet.decrypt(token))
    except InvalidToken:
        return None


def _dumped(payload: Mapping[str, Any]) -> SecretBytes | None:
    try:
        return SecretBytes(json.dumps(payload, default=_plain).encode("utf-8"))
    except (TypeError, ValueError, RecursionError):
        return None


def _plain(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return dict(value)
    msg = "not JSON"
    raise TypeError(msg)


def _loaded(plain: SecretBytes) -> Mapping[str, Any] | None:
    try:
        payload = json.loads(plain.reveal())
    except (ValueError, RecursionError):
        return None
    return _wrapped(payload) if isinstance(payload, dict) else None


def _wrapped(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType({name: _hide(name, value) for name, value in payload.items()})


def _hide(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _wrapped(value)
    if isinstance(value, list):
        return [_hide(name, each) for each in value]
    secret = _SECRET_NAMES.search(name) is not None and name not in _NOT_SECRET
    return Secret(value) if secret and isinstance(value, str) else value
