"""The list of an account's devices, kept for a minute."""

from __future__ import annotations

import threading
import time

from typing import Final

from ...models import Channel, RecordingKey
from ._inventory import channels_of
from ._wire import RawDevice, Wire


_LIFE: Final = 60.0


class Listing:
    """Lists the devices over *wire*. Thread-safe."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._found: list[RawDevice] = []
        self._listed = float("-inf")

    def fresh(self) -> list[RawDevice]:
        """Ask the cloud."""
        found = self._wire.devices()
        with self._lock:
            self._found, self._listed = found, time.monotonic()
        return found

    def recent(self) -> list[RawDevice]:
        """Return the list of the last minute; ask if there is none."""
        with self._lock:
            if time.monotonic() - self._listed <= _LIFE:
                return self._found
        return self.fresh()

    def channel_of(self, key: RecordingKey) -> Channel:
        """Return the channel of a recording's key; one without a name if it is not listed any more."""
        for device in self.recent():
            for channel in channels_of(device):
                if (channel.device, channel.id) == (key.device, key.channel):
                    return channel
        return Channel(device=key.device, id=key.channel, name="")
