"""What goes wrong with stores of credentials, and with profiles."""

from __future__ import annotations

from .._category import Category
from ._base import CamsyncError


class CredentialError(CamsyncError):
    """A credential store could not do what was asked. What it holds is as it was."""

    category = Category.CREDENTIALS


class CredentialNotFoundError(CredentialError, LookupError):
    """Nothing is stored under that name; the message says where it was looked for."""

    default_next_step = "store it first: camsync login URL --name NAME, or the store's set()"


class ProfileNotFoundError(CredentialError, LookupError):
    """There is no profile of that name."""

    default_next_step = "see 'camsync profiles', or make one with 'camsync login'"


class MissingKeyError(CredentialError):
    """Credentials are stored, or are to be, but there is no key or passphrase."""

    default_next_step = "give the key or the passphrase that the store was made with"


class WrongKeyError(CredentialError):
    """The key or passphrase is not the one that the store was written with."""

    default_next_step = "use the key or passphrase that it was last written with"


class DamagedStoreError(CredentialError):
    """The file is not what camsync wrote: cut short, changed, or something else."""

    default_next_step = "restore the file from a backup, or delete it and log in again"


class ExposedStoreError(CredentialError, PermissionError):
    """Other users of this computer can read or change the file."""

    default_next_step = "take their rights away (chmod 600), and change what was stored in it"


class ReadOnlyStoreError(CredentialError):
    """This store can be read only, such as the environment; the message says what to do."""


class StoreUnavailableError(CredentialError, OSError):
    """The store cannot be reached, read, written or locked."""
