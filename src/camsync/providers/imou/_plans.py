"""The states of cloud recording plans: asked for many devices at once, and kept for a while."""

from __future__ import annotations

import threading
import time

from collections.abc import Mapping, Sequence
from typing import Final

from ...errors import RequestRejectedError
from ._call import Caller
from ._lists import NOT_OFFERED, PAGE, REFUSED
from ._parse import items, read_plan, text
from ._wire import Plan, RawDevice


LIFE: Final = 600.0
"""Seconds for which an answer counts."""
_NEVER: Final = float("-inf")


class Plans:
    """Knows the plans of one account's channels. Thread-safe."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._lock = threading.Lock()
        self._listed: dict[str, list[str]] = {}
        self._known: dict[tuple[str, str], tuple[Plan, float]] = {}
        self._asked: dict[str, float] = {}

    def note(self, devices: Sequence[RawDevice]) -> None:
        """Note the channels whose plans the list of devices does not tell."""
        with self._lock:
            self._listed = {
                device.id: silent
                for device in devices
                if (silent := [one.id for one in device.channels if one.plan == "unknown"])
            }

    def of(self, device: str, channel: str) -> Plan:
        """Say a channel's plan.

        It costs nothing when it is known; else one call, which asks for up to 50 devices together,
        and one more for a channel of which that answer says nothing.
        """
        place = (device, channel)
        with self._lock:
            if not _fresh(self._known.get(place, ("unknown", _NEVER))[1]):
                self._known.pop(place, None)
                if not _fresh(self._asked.get(device, _NEVER)):
                    self._ask(device, channel)
                if place not in self._known:
                    self._known[place] = self._strategy(device, channel), time.monotonic()
            return self._known[place][0]

    def forget(self) -> None:
        """Ask anew."""
        with self._lock:
            self._known.clear()
            self._asked.clear()

    def _ask(self, device: str, channel: str) -> None:
        """Ask for this device, and on the way for others that have not been asked for lately."""
        wanted = {device: self._listed.get(device, [channel])}
        for one, channels in self._listed.items():
            if len(wanted) < PAGE and not _fresh(self._asked.get(one, _NEVER)):
                wanted[one] = channels
        told = self._details(wanted)
        now = time.monotonic()
        self._asked.update(dict.fromkeys(wanted, now))
        self._known.update({place: (plan, now) for place, plan in told.items()})

    def _details(self, wanted: Mapping[str, list[str]]) -> dict[tuple[str, str], Plan]:
        """Ask for details. One device that is refused lets the whole call fail: so halve it then."""
        asked = [
            {"deviceId": device, "channelList": ",".join(channels)}
            for device, channels in wanted.items()
        ]
        try:
            data = self._caller.call("deviceBaseDetailList", {"deviceList": asked})
        except (*REFUSED, RequestRejectedError) as error:
            half = len(wanted) // 2
            if error.vendor_code in NOT_OFFERED or not half:
                return {}
            some = list(wanted.items())
            return {**self._details(dict(some[:half])), **self._details(dict(some[half:]))}
        found = {
            (text(one, "deviceId"), text(each, "channelId")): read_plan(
                text(each, "storageStrategyStatus")
            )
            for one in items(data, "deviceList")
            for each in items(one, "channels")
        }
        return {place: plan for place, plan in found.items() if plan != "unknown"}

    def _strategy(self, device: str, channel: str) -> Plan:
        params = {"deviceId": device, "channelId": channel}
        try:
            return read_plan(
                text(self._caller.call("getStorageStrategy", params), "strategyStatus")
            )
        except REFUSED:  # NoCloudPlanError is one
            return "unknown"


def _fresh(told: float) -> bool:
    return time.monotonic() - told <= LIFE
