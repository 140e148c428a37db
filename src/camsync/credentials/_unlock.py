"""From a passphrase or a key to the derived key of one file, remembered in memory only."""

from __future__ import annotations

import unicodedata

from collections.abc import Callable
from typing import NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt as ScryptFunction

from .._secret import Secret
from ..errors import ConfigurationError, StoreUnavailableError, WrongKeyError
from ._bytes import KEY_BYTES, SecretBytes, key_bytes, secret_from
from ._format import Derivation, Key, Passphrase, Scrypt, fresh_salt
from ._guard import Guard


_KEY_LABEL = b"camsync credentials 1: key"


class Unlocker:
    """Derives keys from one passphrase or key, which it asks for once. Shows nothing.

    Args:
        source: The passphrase or key, or who gives it.
        costs: For new files with a passphrase; None when *source* gives a key.
    """

    __slots__ = ("_derived", "_guard", "_secret", "costs", "source")

    def __init__(self, source: Secret | Callable[[], object], costs: Scrypt | None) -> None:
        self.source = source
        self.costs = costs
        self._guard = Guard()
        self._secret: Secret | None = None
        self._derived: dict[Derivation, SecretBytes] = {}

    @property
    def what(self) -> str:
        """Which of the two it is, in a word."""
        return "key" if self.costs is None else "passphrase"

    @property
    def ready(self) -> bool:
        """Whether it has derived a key, and need not ask."""
        return bool(self._derived)

    @property
    def makes(self) -> bool:
        """Whether its source can make a key: only under the lock, or two processes make one each."""
        return callable(getattr(self.source, "make", None))

    def new_derivation(self) -> Derivation:
        """Say how to derive the key of a new file."""
        return Key(fresh_salt()) if self.costs is None else Passphrase(self.costs, fresh_salt())

    def ask(self, *, new: bool = False) -> Secret:
        """Return the secret, which is asked for once.

        Args:
            new: Whether it is for a new file: then it may be made, and must be a good one.

        Raises:
            ConfigurationError: It is no key, or an empty passphrase for a new file.
            CredentialError: What the source raises: MissingKeyError, ExposedStoreError.
        """
        with self._guard.lock:
            secret = self._secret or self._asked(new=new)
            self._secret = secret
        if new and not secret:
            msg = "an empty passphrase protects nothing"
            raise ConfigurationError(msg, next_step="choose a long one")
        return secret

    def _asked(self, *, new: bool) -> Secret:
        source = getattr(self.source, "make") if new and self.makes else self.source  # noqa: B009
        secret = secret_from(source, f"the {self.what}")
        if self.costs is None:
            key_bytes(secret)  # says so if it is none
        return secret

    def derive(self, derivation: Derivation, where: str) -> SecretBytes:
        """Return the derived key.

        Raises:
            WrongKeyError: The file was made with a key, and this is a passphrase, or vice versa.
            StoreUnavailableError: There is not enough memory for it.
            CredentialError: See `ask`.
        """
        if isinstance(derivation, Key) != (self.costs is None):
            other = "passphrase" if isinstance(derivation, Passphrase) else "key"
            msg = f"{where} was made with a {other}, and is opened with a {self.what}"
            raise WrongKeyError(msg, next_step=f"give its {other} as {other}=")
        known = self._derived.get(derivation)
        if known is not None:
            return known
        secret = self.ask()
        with self._guard.lock:
            self._derived = {derivation: _derive(derivation, secret, where)}
            return self._derived[derivation]

    def forget(self) -> None:
        """Ask again next time: what was given was wrong."""
        with self._guard.lock:
            self._secret = None
            self._derived = {}

    def __repr__(self) -> str:
        return f"{self.what}=***"

    def __reduce__(self) -> NoReturn:
        msg = "what unlocks a store cannot be pickled"
        raise TypeError(msg)


def _derive(derivation: Derivation, secret: Secret, where: str) -> SecretBytes:
    if isinstance(derivation, Key):
        key = key_bytes(secret)
        function = HKDF(hashes.SHA256(), KEY_BYTES, derivation.salt, _KEY_LABEL)
        return SecretBytes(function.derive(key.reveal()))
    derived = _from_passphrase(derivation, secret)
    if derived is None:
        need = 128 * derivation.costs.n * derivation.costs.r >> 20
        msg = f"{where} cannot be opened: deriving its key needs {need} MiB of memory"
        step = "free some memory or raise the limit; or use a key instead of a passphrase"
        raise StoreUnavailableError(msg, next_step=step, retryable=True)
    return derived


def _from_passphrase(derivation: Passphrase, secret: Secret) -> SecretBytes | None:
    """Return the derived key; None without enough memory, so that no error holds these frames."""
    costs = derivation.costs
    try:
        scrypt = ScryptFunction(
            salt=derivation.salt, length=KEY_BYTES, n=costs.n, r=costs.r, p=costs.p
        )
        # Keyboards and systems compose accents differently: one form, or it is another passphrase.
        return SecretBytes(
            scrypt.derive(
                unicodedata.normalize("NFC", secret.reveal()).encode("utf-8", "surrogatepass")
            )
        )
    except MemoryError:
        return None
