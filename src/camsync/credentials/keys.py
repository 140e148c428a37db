"""Where the key of an encrypted file comes from: the environment, a file, the system's keyring.

They are given to `camsync.EncryptedFileStore` as ``key=`` (the first two as ``passphrase=``, too)
and are asked when the key is needed first. They hold no secret: a store with one of them can be
handed to another process.
"""

from __future__ import annotations

import os

from pathlib import Path

import attrs

from .._places import absolute
from .._private import create_private
from .._secret import Secret
from ..errors import ConfigurationError, MissingKeyError
from ._bytes import new_key
from ._given import read_secret


__all__ = ["KeyFromEnv", "KeyFromFile", "KeyFromKeyring", "new_key", "write_key_file"]


@attrs.frozen
class KeyFromEnv:
    """Takes the key (or the passphrase) from an environment variable.

    Raises:
        MissingKeyError: (when called) The variable is not set, or blank.
    """

    variable: str = "CAMSYNC_KEY"

    def __call__(self) -> Secret:
        """Return the key."""
        if not os.environ.get(self.variable, "").strip():
            msg = f"the variable {self.variable} holds no key"
            raise MissingKeyError(
                msg, next_step=f"set {self.variable} to what the store was made with"
            )
        return Secret(os.environ[self.variable])


def _expanded(given: str | os.PathLike[str]) -> Path:
    return absolute(Path(given).expanduser())


@attrs.frozen
class KeyFromFile:
    """Takes the key (or the passphrase) from a file that holds nothing else.

    It must not be in the folder of the store: whoever copies that folder would have both. A relative
    path is seen from the working folder of now.

    Raises:
        MissingKeyError: (when called) There is no such file, or it is empty.
        ExposedStoreError: (when called) Others can read it, or it belongs to another user; allowed
            below ``/run/secrets`` and ``$CREDENTIALS_DIRECTORY``, where Docker and systemd decide.
        StoreUnavailableError: (when called) It cannot be read.
    """

    path: Path = attrs.field(converter=_expanded)

    def __call__(self) -> Secret:
        """Return the key."""
        key = read_secret(self.path, "the key")
        if key is None or not key.reveal().strip():
            what = "there is no key file" if key is None else "there is no key in"
            msg = f"{what} {self.path}"
            raise MissingKeyError(msg, next_step="bring back the file that the store was made with")
        return key


@attrs.frozen
class KeyFromKeyring:
    """Takes the key from the keyring of the operating system (extra ``keyring``).

    Args:
        name: Which key; several files may have one each.
        create: Whether to make a key and keep it there when there is none. Only done for a file
            that does not exist yet: a new key never opens an old file.

    Raises:
        MissingKeyError: (when called) The keyring holds no such key.
        StoreUnavailableError: (when called) There is no usable keyring, or it is locked.
        MissingExtraError: (when called) The package ``keyring`` is not installed.
    """

    name: str = "default"
    create: bool = False

    def __call__(self) -> Secret:
        """Return the key."""
        from .keyring import stored_key

        key = stored_key(self.name)
        if key is None:
            msg = f"the keyring holds no key {self.name!r}"
            step = "use the user account and the computer that the store was made with"
            raise MissingKeyError(msg, next_step=step)
        return key

    def make(self) -> Secret:
        """Return the key; make one if there is none and *create* is set.

        Raises:
            MissingKeyError: There is none, and *create* is not set.
        """
        if self.create:
            from .keyring import stored_or_new_key

            return stored_or_new_key(self.name)
        return self()


def write_key_file(path: str | os.PathLike[str]) -> KeyFromFile:
    """Write a new key into a new file with mode 0600, and return what reads it.

    Raises:
        ConfigurationError: There is a file already: it is never overwritten.
        StoreUnavailableError: It cannot be written.
    """
    source = KeyFromFile(path)
    if not create_private(source.path, new_key()):
        msg = f"there is a file {source.path} already, which may be the key of a store"
        raise ConfigurationError(msg, next_step="choose another name, or move that file away")
    return source
