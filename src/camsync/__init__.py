"""camsync: list, search, download and sync recordings of Hikvision recorders and Imou cameras.

The names below are the public API, together with the modules `camsync.errors`, `camsync.models`,
`camsync.provider`, `camsync.catalogue`, `camsync.sync`, `camsync.credentials` and
`camsync.testing`. Importing camsync is cheap: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import sys
import types

from typing import TYPE_CHECKING, Any

from . import _lazy


if TYPE_CHECKING:
    from ._cancel import CancelToken
    from ._retry import RetryPolicy
    from ._secret import Secret
    from ._time import DeviceClock, TimeSpan, ZMeaning
    from ._zone import DeviceZone
    from .catalogue import (
        Catalogue,
        ChannelMark,
        Coverage,
        Entry,
        Holdings,
        State,
        SyncLedger,
        VpackLedger,
    )
    from .credentials import Credential, CredentialName, CredentialStore, first_of
    from .credentials.env import EnvStore
    from .credentials.file import EncryptedFileStore
    from .credentials.keyring import KeyringStore
    from .credentials.keys import KeyFromEnv, KeyFromFile, KeyFromKeyring
    from .credentials.memory import MemoryStore
    from .credentials.vpack import VpackTokenStore
    from .download import Limiter, download, download_many
    from .errors import (
        AccountLockedError,
        AuthenticationError,
        BudgetExceededError,
        CamsyncError,
        CancelledError,
        CatalogueError,
        CatalogueServerError,
        CatalogueUnavailableError,
        Category,
        CertificateError,
        ClockSkewError,
        ConfigurationError,
        CorruptMediaError,
        CredentialError,
        CredentialNotFoundError,
        DamagedCatalogueError,
        DamagedStoreError,
        DestinationBusyError,
        DestinationError,
        DeviceAsleepError,
        DeviceBusyError,
        DeviceClockError,
        DeviceFaultError,
        DeviceOfflineError,
        DeviceReplacedError,
        DeviceTimeoutError,
        DiskFullError,
        DownloadError,
        DownloadUnsupportedError,
        ExposedStoreError,
        FootageGapError,
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
    from .profiles import Profile, Profiles
    from .provider import ByteStream, Provider
    from .providers.hikvision import HikvisionISAPI
    from .providers.imou import ImouClient
    from .registry import connect, open_store
    from .sync import (
        Clip,
        EventKind,
        Plan,
        PlanItem,
        Problem,
        Source,
        SyncEvent,
        SyncReport,
        Totals,
        Verdict,
        clip,
        make_plan,
        sync,
    )
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
    "Catalogue",
    "CatalogueError",
    "CatalogueServerError",
    "CatalogueUnavailableError",
    "Category",
    "Certificate",
    "CertificateError",
    "Channel",
    "ChannelId",
    "ChannelMark",
    "ChannelSource",
    "Check",
    "CheckStatus",
    "Clip",
    "ClockSkewError",
    "Codec",
    "ConfigurationError",
    "CorruptMediaError",
    "Coverage",
    "Credential",
    "CredentialError",
    "CredentialName",
    "CredentialNotFoundError",
    "CredentialStore",
    "DamagedCatalogueError",
    "DamagedStoreError",
    "DestinationBusyError",
    "DestinationError",
    "Device",
    "DeviceAsleepError",
    "DeviceBusyError",
    "DeviceClock",
    "DeviceClockError",
    "DeviceFaultError",
    "DeviceId",
    "DeviceKind",
    "DeviceOfflineError",
    "DeviceReplacedError",
    "DeviceTimeoutError",
    "DeviceZone",
    "DiskFullError",
    "DownloadError",
    "DownloadUnsupportedError",
    "Downloaded",
    "EncryptedFileStore",
    "Entry",
    "EnvStore",
    "EventKind",
    "ExposedStoreError",
    "Failed",
    "FootageGapError",
    "HikvisionISAPI",
    "Holdings",
    "ImouClient",
    "InsecureAuthenticationError",
    "InsecureConnectionWarning",
    "KeyFromEnv",
    "KeyFromFile",
    "KeyFromKeyring",
    "KeyringStore",
    "LicenceError",
    "Limiter",
    "MemoryStore",
    "MissingExtraError",
    "MissingKeyError",
    "NoCloudPlanError",
    "NoLocalStorageError",
    "PermissionDeniedError",
    "Plan",
    "PlanItem",
    "Problem",
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
    "Source",
    "Stage",
    "State",
    "StoreUnavailableError",
    "SyncEvent",
    "SyncLedger",
    "SyncReport",
    "TLSError",
    "TimeSpan",
    "Totals",
    "UnreachableError",
    "UnsupportedError",
    "Verdict",
    "Volume",
    "VolumeState",
    "VpackLedger",
    "VpackTokenStore",
    "WrongKeyError",
    "ZMeaning",
    "__version__",
    "clip",
    "connect",
    "download",
    "download_many",
    "fetch_certificate",
    "first_of",
    "make_plan",
    "open_store",
    "sync",
]

_HOMES = {
    "_cancel": ("CancelToken",),
    "_retry": ("RetryPolicy",),
    "_secret": ("Secret",),
    "_time": ("DeviceClock", "TimeSpan", "ZMeaning"),
    "_zone": ("DeviceZone",),
    "catalogue": (
        "Catalogue",
        "ChannelMark",
        "Coverage",
        "Entry",
        "Holdings",
        "State",
        "SyncLedger",
        "VpackLedger",
    ),
    "credentials": ("Credential", "CredentialName", "CredentialStore", "first_of"),
    "credentials.env": ("EnvStore",),
    "credentials.file": ("EncryptedFileStore",),
    "credentials.keyring": ("KeyringStore",),
    "credentials.keys": ("KeyFromEnv", "KeyFromFile", "KeyFromKeyring"),
    "credentials.memory": ("MemoryStore",),
    "credentials.vpack": ("VpackTokenStore",),
    "download": ("Limiter", "download_many"),
    "models": (
        "Capability",
        "Channel",
        "ChannelId",
        "ChannelSource",
        "Check",
        "CheckStatus",
        "Codec",
        "Device",
        "DeviceId",
        "DeviceKind",
        "Downloaded",
        "Failed",
        "Progress",
        "Recording",
        "RecordingKey",
        "RecordingKind",
        "Stage",
        "Volume",
        "VolumeState",
    ),
    "profiles": ("Profile", "Profiles"),
    "provider": ("ByteStream", "Provider"),
    "providers.hikvision": ("HikvisionISAPI",),
    "providers.imou": ("ImouClient",),
    "registry": ("connect", "open_store"),
    "sync": (
        "Clip",
        "EventKind",
        "Plan",
        "PlanItem",
        "Problem",
        "Source",
        "SyncEvent",
        "SyncReport",
        "Totals",
        "Verdict",
        "clip",
        "make_plan",
    ),
    "transport": ("Certificate", "fetch_certificate"),
}
_MODULES = frozenset({"catalogue", "credentials", "errors", "models", "provider", "testing"})
_named = _lazy.named(
    __name__,
    {
        **dict.fromkeys(__all__, ".errors"),  # what has no other home is an error
        **{name: f".{home}" for home, names in _HOMES.items() for name in names},
    },
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = importlib.import_module("importlib.metadata").version("camsync")
    elif name in _MODULES:
        value = importlib.import_module(f".{name}", __name__)
    else:
        return _named(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Facade(types.ModuleType):
    """Keeps `download` and `sync` the functions.

    They share their names with subpackages, which the import system would otherwise bind here as
    soon as anything imports them: `camsync.sync` would be one or the other, by chance.
    """

    @property
    def download(self) -> Any:
        return importlib.import_module("camsync.download").download

    @download.setter
    def download(self, subpackage: types.ModuleType) -> None:
        """Ignore the import system's binding; the subpackage stays in ``sys.modules``."""

    @property
    def sync(self) -> Any:
        return importlib.import_module("camsync.sync").sync

    @sync.setter
    def sync(self, subpackage: types.ModuleType) -> None:
        """Ignore the import system's binding; the subpackage stays in ``sys.modules``."""


sys.modules[__name__].__class__ = _Facade
