"""The simulated device as its answers see it: who it is, what it has, what time it is."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Callable, Mapping

import attrs

from camsync._zone import DeviceZone

from ._channels import ChannelSetup
from ._digest import Door
from ._faults import Faults
from ._personality import Personality
from ._replies import Reply
from ._timeline import SimulatedRecording, Timeline
from ._wire import Wire


_GRACE = 0.5
"""Seconds that a request waits for a slot: a client that has its last byte may be faster with the
next request than the simulator with its bookkeeping."""


class Slots:
    """A number of places for work that happens at the same time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._active = 0

    @property
    def active(self) -> int:
        """How many places are taken."""
        return self._active

    def take(self) -> bool:
        """Take a place, waiting a moment for one; False when there is none."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._active < self._most, _GRACE):
                return False
            self._active += 1
            return True

    def give_back(self) -> None:
        """Give a place back."""
        with self._changed:
            self._active -= 1
            self._changed.notify()


@attrs.define(kw_only=True)
class Device:
    """Everything that an answer depends on."""

    who: Personality
    channels: tuple[ChannelSetup, ...]
    timeline: Timeline
    zone: DeviceZone
    z_means: str
    clock: Callable[[], dt.datetime]
    faults: Faults
    door: Door
    searches: Slots
    downloads: Slots
    started: dt.datetime
    static: Mapping[str, Reply] = attrs.field(factory=dict)
    stopped: threading.Event = attrs.field(factory=threading.Event)
    host: str = "127.0.0.1"
    port: int = 0
    tls: bool = False

    @property
    def serial(self) -> str:
        """The serial number; its last nine characters are the short one of the cloud services."""
        return f"{self.who.model}0120260101CCRRG{self.timeline.plan.seed % 10**8:08d}"

    def wire(self, *, std: bool = False) -> Wire:
        """Return how times are written; *std* when the query asked for it."""
        return Wire(zone=self.zone, z_means=self.z_means, std=std and self.who.std_time)

    def playback_uri(self, recording: SimulatedRecording, wire: Wire) -> str:
        """Return the URI under which the device offers a file."""
        host = f"{self.host}:{self.port}" if self.who.uri_port else self.host
        return (
            f"rtsp://{host}/Streaming/tracks/{recording.track}/"
            f"?starttime={wire.short(recording.start)}&endtime={wire.short(recording.end)}"
            f"&name={recording.name}&size={recording.size}"
        )
