"""camsync: list, search and download recordings of Hikvision recorders and Imou cameras.

The names below are the public API, together with the modules `camsync.errors`, `camsync.models`,
`camsync.provider`, `camsync.credentials` and `camsync.testing`. Importing camsync is cheap: what
talks to a network or writes video is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import sys
import types

from typing import TYPE_CHECKING, Any

from ._cancel import CancelToken
from ._retry import RetryPolicy
from ._secret import Secret
from ._time import DeviceClock, TimeSpan, ZMeaning
from ._zone import DeviceZone
from .credentials import Credential, CredentialName, CredentialStore, first_of
from .errors import (
    AccountLockedError,
    AuthenticationError,
    BudgetExceededError,
    CamsyncError,
    CancelledError,
    Category,
    CertificateError,
    ClockSkewError,
    ConfigurationError,
    CorruptMediaError,
    CredentialError,
    CredentialNotFoundError,
    DamagedStoreError,
    DestinationError,
    DeviceAsleepError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceOfflineError,
    DeviceTimeoutError,
    DiskFullError,
    DownloadError,
    DownloadUnsupportedError,
    ExposedStoreError,
    InsecureAuthenticationError,
    InsecureConnectionWarning,
    LicenceError,
    MissingExtraError,
    MissingKeyError,
    NoCloudPlanError,
    NoLocalStorageError,
    PermissionDeniedError,
    ProfileNotFoundError,
    ProtocolError,
    QuotaError,
    ReadOnlyStoreError,
    RecordingInProgressError,
    RecordingNotFoundError,
    RequestRejectedError,
    ShortReadError,
    StoreUnavailableError,
    TLSError,
    UnreachableError,
    UnsupportedError,
    WrongKeyError,
)
from .models import (
    Capability,
    Channel,
    ChannelId,
    ChannelSource,
    Check,
    CheckStatus,
    Codec,
    Device,
    DeviceId,
    DeviceKind,
    Downloaded,
    Failed,
    Progress,
    Recording,
    RecordingKey,
    RecordingKind,
    Stage,
    Volume,
    VolumeState,
)
from .provider import ByteStream, Provider


if TYPE_CHECKING:
    from .credentials.env import EnvStore
    from .credentials.file import EncryptedFileStore
    from .credentials.keyring import KeyringStore
    from .credentials.keys import KeyFromEnv, KeyFromFile, KeyFromKeyring
    from .credentials.memory import MemoryStore
    from .credentials.vpack import VpackTokenStore
    from .download import download, download_many
    from .profiles import Profile, Profiles
    from .providers.hikvision import HikvisionISAPI
    from .providers.imou import ImouClient
    from .registry import connect, open_store
    from .transport import Certificate, fetch_certificate

    __version__: str


__all__ = [
    "AccountLockedError",
    "AuthenticationError",
    "BudgetExceededError",
    "ByteStream",
    "CamsyncError",
    "CancelToken",
    "CancelledError",
    "Capability",
    "Category",
    "Certificate",
    "CertificateError",
    "Channel",
    "ChannelId",
    "ChannelSource",
    "Check",
    "CheckStatus",
    "ClockSkewError",
    "Codec",
    "ConfigurationError",
    "CorruptMediaError",
    "Credential",
    "CredentialError",
    "CredentialName",
    "CredentialNotFoundError",
    "CredentialStore",
    "DamagedStoreError",
    "DestinationError",
    "Device",
    "DeviceAsleepError",
    "DeviceBusyError",
    "DeviceClock",
    "DeviceFaultError",
    "DeviceId",
    "DeviceKind",
    "DeviceOfflineError",
    "DeviceTimeoutError",
    "DeviceZone",
    "DiskFullError",
    "DownloadError",
    "DownloadUnsupportedError",
    "Downloaded",
    "EncryptedFileStore",
    "EnvStore",
    "ExposedStoreError",
    "Failed",
    "HikvisionISAPI",
    "ImouClient",
    "InsecureAuthenticationError",
    "InsecureConnectionWarning",
    "KeyFromEnv",
    "KeyFromFile",
    "KeyFromKeyring",
    "KeyringStore",
    "LicenceError",
    "MemoryStore",
    "MissingExtraError",
    "MissingKeyError",
    "NoCloudPlanError",
    "NoLocalStorageError",
    "PermissionDeniedError",
    "Profile",
    "ProfileNotFoundError",
    "Profiles",
    "Progress",
    "ProtocolError",
    "Provider",
    "QuotaError",
    "ReadOnlyStoreError",
    "Recording",
    "RecordingInProgressError",
    "RecordingKey",
    "RecordingKind",
    "RecordingNotFoundError",
    "RequestRejectedError",
    "RetryPolicy",
    "Secret",
    "ShortReadError",
    "Stage",
    "StoreUnavailableError",
    "TLSError",
    "TimeSpan",
    "UnreachableError",
    "UnsupportedError",
    "Volume",
    "VolumeState",
    "VpackTokenStore",
    "WrongKeyError",
    "ZMeaning",
    "__version__",
    "connect",
    "download",
    "download_many",
    "fetch_certificate",
    "first_of",
    "open_store",
]

_LAZY = {
    "Certificate": "camsync.transport",
    "EncryptedFileStore": "camsync.credentials.file",
    "EnvStore": "camsync.credentials.env",
    "HikvisionISAPI": "camsync.providers.hikvision",
    "ImouClient": "camsync.providers.imou",
    "KeyFromEnv": "camsync.credentials.keys",
    "KeyFromFile": "camsync.credentials.keys",
    "KeyFromKeyring": "camsync.credentials.keys",
    "KeyringStore": "camsync.credentials.keyring",
    "MemoryStore": "camsync.credentials.memory",
    "Profile": "camsync.profiles",
    "Profiles": "camsync.profiles",
    "VpackTokenStore": "camsync.credentials.vpack",
    "connect": "camsync.registry",
    "download_many": "camsync.download",
    "fetch_certificate": "camsync.transport",
    "open_store": "camsync.registry",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = importlib.import_module("importlib.metadata").version("camsync")
    elif name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
    else:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Facade(types.ModuleType):
    """Keeps `download` the function.

    The function shares its name with the subpackage, which the import system would otherwise bind
    here as soon as anything imports it: `camsync.download` would be one or the other, by chance.
    """

    @property
    def download(self) -> Any:
        return importlib.import_module("camsync.download").download

    @download.setter
    def download(self, subpackage: types.ModuleType) -> None:
        """Ignore the import system's binding; the subpackage stays in ``sys.modules``."""


sys.modules[__name__].__class__ = _Facade
