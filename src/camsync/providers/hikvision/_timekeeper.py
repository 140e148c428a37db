"""Keeps what is known about a device's clock, and which device it is, as long as it holds."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time

from collections.abc import Mapping
from typing import Any

import attrs

from ..._time import UTC, DeviceClock, ZMeaning
from . import _xml
from ._client import IsapiClient
from ._clock import Look, Reading, given_meaning, look_with, measure_meaning, read_time, zone_of
from ._eras import Eras, first_look
from ._facts import Facts
from ._inventory import read_channels
from ._search import Searcher


_log = logging.getLogger("camsync.hikvision")
_LOOKS = 3
_CLOCK_LIFE = 3600.0
_RIGHT = dt.timedelta(minutes=5)
_FARTHEST = dt.timedelta(hours=14)
_KEY = "clock"
_DEVICE = "device"


class Timekeeper:
    """The clock of a device. Thread-safe.

    Args:
        zone: The device's zone, if the caller gave one.
        mode: ``"auto"``, or what ``Z`` means.
        learnt: What `learnt` gave earlier.
    """

    def __init__(
        self,
        client: IsapiClient,
        facts: Facts,
        searcher: Searcher,
        *,
        zone: dt.tzinfo | None,
        mode: str,
        learnt: Mapping[str, Any],
    ) -> None:
        self._client = client
        self._facts = facts
        self._searcher = searcher
        self._zone = zone
        self._mode = mode
        # Locks are taken in this order, never the other way round: clock, search, facts.
        self._lock = threading.RLock()
        self._clock: DeviceClock | None = None
        self._read_at = 0.0
        known = learnt.get(_KEY)
        self._eras = Eras.recall(known)
        self._eras_of = known.get(_DEVICE) if isinstance(known, Mapping) else None

    @property
    def learnt(self) -> Mapping[str, Any]:
        """What the clock was seen to do, as JSON values."""
        eras, device = self._eras, self._facts.serial or self._eras_of
        return {} if eras is None else {_KEY: {**eras.as_json(), _DEVICE: device}}

    def identify(self) -> _xml.Element:
        """Ask which device this is: what was learnt about another one does not hold for it."""
        with self._lock:
            before = self._facts.replaced
            root = self._facts.identify()
            if self._facts.replaced != before:
                self._clock = self._eras = None
                self._searcher.forget()
            return root

    def fresh(self) -> DeviceClock:
        """Read the clock, and find out what it means by ``Z``."""
        with self._lock:
            clock = self._read()
            if self._mode != "auto":
                clock = given_meaning(clock, ZMeaning(self._mode))
            else:
                clock = measure_meaning(clock, self._facts.lists().kind, self._looks())
            if not clock.certain:
                _log.warning("the times of recordings may be off: %s", clock.reason)
            return self._keep(clock)

    def known(self) -> DeviceClock:
        """Return the clock; read again when it is old, since a measured offset ends with summer."""
        with self._lock:
            known = self._clock
            if known is not None and time.monotonic() - self._read_at <= _CLOCK_LIFE:
                return known
            if known is None or not known.certain:
                return self.fresh()
            self.identify()  # by now another device may have this address
            if self._clock is None:
                return self.fresh()
            return self._keep(
                attrs.evolve(self._read(), z_means=known.z_means, reason=known.reason)
            )

    def _keep(self, clock: DeviceClock) -> DeviceClock:
        self._clock, self._read_at = clock, time.monotonic()
        return clock

    def _read(self) -> DeviceClock:
        reading = read_time(self._client.get("System/time"))
        clock = zone_of(reading, self._zone)
        if self._zone is not None or reading.zone is None:
            return clock
        return self._with_past(clock, reading, reading.zone)

    def _with_past(self, clock: DeviceClock, reading: Reading, declared: dt.tzinfo) -> DeviceClock:
        """Have recordings of before keep their times, if the clock was set by hand meanwhile."""
        now, eras = reading.taken.astimezone(UTC), self._eras
        difference = reading.wall - now.replace(tzinfo=None)
        if eras is not None and (eras.declared != reading.declared or self._is_of_another()):
            eras = None
        if abs(clock.skew) <= _RIGHT and abs(difference) <= _FARTHEST:
            if eras is None:
                eras = first_look(reading.declared, declared, clock.zone, now)
            else:
                eras = eras.look(declared, clock.zone, now)
        self._eras = eras
        if eras is None:
            return clock
        zone = eras.zone(declared)
        offset = now.astimezone(zone).utcoffset() or dt.timedelta(0)
        return attrs.evolve(clock, zone=zone, skew=difference - offset)

    def _is_of_another(self) -> bool:
        """Whether what was learnt earlier was learnt about another device."""
        if self._eras_of is None:
            return False
        of, self._eras_of = self._eras_of, None
        return bool(of != self._facts.own())

    def _looks(self) -> list[Look]:
        """Return searches for `measure_meaning`: online channels first."""
        listed = read_channels(self._facts.lists(), self._facts.own())
        likely = sorted(listed, key=lambda channel: channel.online is False)[:_LOOKS]
        return [look_with(self._searcher.matches, channel.tracks[0]) for channel in likely]
