"""What is known of one device and seldom changes: its serial number, its lists, its streams."""

from __future__ import annotations

import logging
import threading
import time

from ..._cancel import CancelToken
from ...errors import (
    CamsyncError,
    ConfigurationError,
    PermissionDeniedError,
    RequestRejectedError,
    UnsupportedError,
)
from ...models import DeviceId
from . import _xml
from ._client import IsapiClient
from ._inventory import Lists, read_device


_JUST_NOW = 60.0
_REFUSED = (UnsupportedError, PermissionDeniedError, RequestRejectedError)
_log = logging.getLogger("camsync.hikvision")


class Facts:
    """Asks each fact once and keeps it, until another device answers. Thread-safe.

    Attributes:
        serial: Of the device that answers, or None if it is to be asked (again).
        replaced: Of the device that was there before; None while it is the first.
        sub_stream: Whether the sub stream is recorded too; None until `ask_sub_stream`.
        lock: Held while a fact is asked; taken after the locks of clock and search, never before.
    """

    def __init__(self, client: IsapiClient) -> None:
        self._client = client
        self.lock = threading.RLock()
        self.serial: DeviceId | None = None
        self.replaced: DeviceId | None = None
        self._last: DeviceId | None = None
        self._identified = -_JUST_NOW  # when, for `just_identified`
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
            own = self.serial
            if own is None:
                own = read_device(self.identify(cancel)).id
                self.note_identified()
        if wanted not in {None, own}:
            msg = f"this connection leads to {own}, not to {wanted}"
            raise ConfigurationError(msg, next_step="use the provider of that device")
        return own

    def identify(self, cancel: CancelToken | None = None) -> _xml.Element:
        """Ask which device this is, and forget what was known of another one.

        Recorders are exchanged, and the new one gets the old one's address.
        """
        with self.lock:
            root = self._identify(cancel)
            self.serial, last = read_device(root).id, self._last
            self._last = self.serial
            if last is not None and last != self.serial:
                _log.warning("another device answers now: %s instead of %s", self.serial, last)
                self.replaced, self.sub_stream, self._lists = last, None, None
            return root

    def note_identified(self) -> None:
        """Note that somebody has just asked, so that the next one need not."""
        with self.lock:
            self._identified = time.monotonic()

    def just_identified(self) -> bool:
        """Whether nobody has made use yet of the last look, and it was a moment ago."""
        with self.lock:
            looked, self._identified = self._identified, -_JUST_NOW
            return time.monotonic() - looked < _JUST_NOW

    def _identify(self, cancel: CancelToken | None) -> _xml.Element:
        path = "System/deviceInfo"
        return self._client.get(path) if cancel is None else self._client.get_unless(path, cancel)

    def lists(self) -> Lists:
        """Return the lists of channels and streams, asked at most once."""
        with self.lock:
            return self._lists if self._lists is not None else self.fresh_lists()

    def fresh_lists(self) -> Lists:
        """Ask for the lists of channels and streams.

        Most devices refuse one of the two lists of channels, and that is normal. A list that they
        fail to give is none of that: half of the channels, or none, must not pass for all of them.

        Raises:
            CamsyncError: The device fails, or cannot be asked.
        """
        get = self._client.get_optional
        with self.lock:
            proxies, refused = self._channels("ContentMgmt/InputProxy/channels")
            inputs, refused_too = self._channels("System/Video/inputs/channels")
            has_proxies = proxies is not None and len(proxies) > 0
            self._lists = Lists(
                inputs=inputs,
                proxies=proxies,
                status=get("ContentMgmt/InputProxy/channels/status") if has_proxies else None,
                streams=get("Streaming/channels"),
                refusal=_refusal(refused, refused_too),
            )
            return self._lists

    def _channels(self, path: str) -> tuple[_xml.Element | None, CamsyncError | None]:
        """Return a list of channels, or why there is none."""
        try:
            return self._client.get(path), None
        except _REFUSED as error:
            _log.info("the device has no %s: %s", path, error.message)
            return None, error.with_traceback(None)

    def ask_sub_stream(self) -> bool:
        """Return whether the sub stream is recorded too, asked at most once."""
        with self.lock:
            if self.sub_stream is None:
                racm = self._client.get_optional("ContentMgmt/capabilities")
                self.sub_stream = bool(_xml.flag(racm, "isSupportMainAndSubRecord"))
            return self.sub_stream


def _refusal(*refused: CamsyncError | None) -> CamsyncError | None:
    """Return why no list was given at all; None for a device that simply has none."""
    errors = [error for error in refused if error is not None]
    if len(errors) < len(refused):
        return None
    return next((error for error in errors if not isinstance(error, UnsupportedError)), None)
