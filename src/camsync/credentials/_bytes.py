"""`SecretBytes`: bytes that do not want to be seen, and keys and passphrases on their way in."""

from __future__ import annotations

import base64
import os
import re

from collections.abc import Callable
from typing import NoReturn, TypeAlias

from .._secret import Secret
from ..errors import ConfigurationError


KeySource: TypeAlias = "str | Secret | Callable[[], str | Secret]"
KEY_BYTES = 32
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=", re.ASCII)


class SecretBytes:
    """Holds a derived key or decrypted text and shows it only to `reveal`. It cannot be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the plain value. Call it as late as possible and keep the result nowhere."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return "SecretBytes('***')"

    def __reduce__(self) -> NoReturn:
        msg = "SecretBytes cannot be pickled"
        raise TypeError(msg)


class _Unusable:
    """Stands for an argument of the wrong type, which may be a secret in a wrong form."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def hidden(given: object) -> Secret | Callable[[], object] | _Unusable:
    """Wrap *given* so that no frame shows it. Never raises; `checked` does, afterwards."""
    if isinstance(given, str):
        return Secret(given)
    if isinstance(given, Secret) or callable(given):
        return given
    return _Unusable(type(given).__name__)


def checked(given: object, what: str) -> Secret | Callable[[], object]:
    """Return what `hidden` gave.

    Raises:
        ConfigurationError: It is neither text nor a callable.
    """
    if isinstance(given, Secret):
        return given
    if isinstance(given, _Unusable) or not callable(given):
        kind = given.kind if isinstance(given, _Unusable) else "callable"
        msg = f"{what} must be text, a Secret or a callable, not {kind}"
        raise ConfigurationError(msg)
    return given


def secret_from(source: Secret | Callable[[], object], what: str) -> Secret:
    """Ask *source* for its secret.

    Raises:
        ConfigurationError: A callable gave something that is no text.
        CredentialError: What the callable raises.
    """
    if isinstance(source, Secret):
        return source
    given = hidden(source())
    if isinstance(given, Secret):
        return given
    msg = f"what was to give {what} gave no text"
    raise ConfigurationError(msg)


def new_key() -> Secret:
    """Make a key for `camsync.EncryptedFileStore`: 32 random bytes as 44 characters of text."""
    return Secret(base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode("ascii"))


def key_text(key: Secret) -> Secret:
    """Return *key* without the blanks and line ends around it.

    Raises:
        ConfigurationError: It is no key.
    """
    if _KEY.fullmatch(key.reveal().strip()) is None:
        msg = f"the key is not {KEY_BYTES} bytes in URL-safe base64 (44 characters)"
        raise ConfigurationError(msg, next_step="make one with camsync.credentials.keys.new_key()")
    return Secret(key.reveal().strip())


def key_bytes(key: Secret) -> SecretBytes:
    """Return the 32 bytes behind the text of a key.

    Raises:
        ConfigurationError: It is no key.
    """
    key = key_text(key)
    return SecretBytes(base64.urlsafe_b64decode(key.reveal()))
