"""camsync: list, search and download recordings from Hikvision recorders.

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
from .errors import (
    AccountLockedError,
    AuthenticationError,
    CamsyncError,
    CancelledError,
    Category,
    CertificateError,
    ConfigurationError,
    CorruptMediaError,
    DestinationError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceTimeoutError,
    DiskFullError,
    DownloadError,
    DownloadUnsupportedError,
    InsecureAuthenticationError,
    MissingExtraError,
    PermissionDeniedError,
    ProtocolError,
    RecordingInProgressError,
    RecordingNotFoundError,
    RequestRejectedError,
    ShortReadError,
    TLSError,
    UnreachableError,
    UnsupportedError,
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
    from .download import download, download_many
    from .providers.hikvision import HikvisionISAPI
    from .registry import connect

    __version__: str


__all__ = [
    "AccountLockedError",
    "AuthenticationError",
    "ByteStream",
    "CamsyncError",
    "CancelToken",
    "CancelledError",
    "Capability",
    "Category",
    "CertificateError",
    "Channel",
    "ChannelId",
    "ChannelSource",
    "Check",
    "CheckStatus",
    "Codec",
    "ConfigurationError",
    "CorruptMediaError",
    "DestinationError",
    "Device",
    "DeviceBusyError",
    "DeviceClock",
    "DeviceFaultError",
    "DeviceId",
    "DeviceKind",
    "DeviceTimeoutError",
    "DeviceZone",
    "DiskFullError",
    "DownloadError",
    "DownloadUnsupportedError",
    "Downloaded",
    "Failed",
    "HikvisionISAPI",
    "InsecureAuthenticationError",
    "MissingExtraError",
    "PermissionDeniedError",
    "Progress",
    "ProtocolError",
    "Provider",
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
    "TLSError",
    "TimeSpan",
    "UnreachableError",
    "UnsupportedError",
    "Volume",
    "VolumeState",
    "ZMeaning",
    "__version__",
    "connect",
    "download",
    "download_many",
]

_LAZY = {
    "HikvisionISAPI": "camsync.providers.hikvision",
    "connect": "camsync.registry",
    "download_many": "camsync.download",
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
