"""What is known of one device and seldom changes: its serial number, its lists, its streams."""

from __future__ import annotations

import threading

from ..._cancel import CancelToken
from ...errors import ConfigurationError
from ...models import DeviceId
from . import _xml
from ._client import IsapiClient
from ._inventory import Lists, read_device


class Facts:
    """Asks each fact once and keeps it. Thread-safe.

    Attributes:
        sub_stream: Whether the sub stream is recorded too; None until `ask_sub_stream`.
        lock: Held while a fact is asked; taken after the locks of clock and search, never before.
    """

    def __init__(self, client: IsapiClient) -> None:
        self._client = client
        self.lock = threading.RLock()
        self.serial: DeviceId | None = None
        self.sub_stream: bool | None = None
        self._lists: Lists | None = None

    def own(self, wanted: DeviceId | None = None, cancel: CancelToken | None = None) -> DeviceId:
        """Return this device's serial number, asked at most once, after checking *wanted*.

        File names are alike on all recorders: the wrong one would hand out the wrong footage.

        Raises:
            ConfigurationError: *wanted* is another device.
            CamsyncError: The device cannot be asked.
        """
        with self.lock:
            if self.serial is None:
                self.serial = read_device(self._identify(cancel)).id
            own = self.serial
        if wanted not in {None, own}:
            msg = f"this connection leads to {own}, not to {wanted}"
            raise ConfigurationError(msg, next_step="use the provider of that device")
        return own

    def _identify(self, cancel: CancelToken | None) -> _xml.Element:
        path = "System/deviceInfo"
        return self._client.get(path) if cancel is None else self._client.get_unless(path, cancel)

    def lists(self) -> Lists:
        """Return the lists of channels and streams, asked at most once."""
        with self.lock:
            return self._lists if self._lists is not None else self.fresh_lists()

    def fresh_lists(self) -> Lists:
        """Ask for the lists of channels and streams."""
        get = self._client.get_optional
        with self.lock:
            proxies = get("ContentMgmt/InputProxy/channels")
            has_proxies = proxies is not None and len(proxies) > 0
            self._lists = Lists(
                inputs=get("System/Video/inputs/channels"),
                proxies=proxies,
                status=get("ContentMgmt/InputProxy/channels/status") if has_proxies else None,
                streams=get("Streaming/channels"),
            )
            return self._lists

    def ask_sub_stream(self) -> bool:
        """Return whether the sub stream is recorded too, asked at most once."""
        with self.lock:
            if self.sub_stream is None:
                racm = self._client.get_optional("ContentMgmt/capabilities")
                self.sub_stream = bool(_xml.flag(racm, "isSupportMainAndSubRecord"))
            return self.sub_stream
