"""Time on the device's wire: what ``Z`` means, ``localTime``, the ``Date`` header."""

from __future__ import annotations

import datetime as dt

from email.utils import format_datetime

import attrs

from camsync._time import UTC, WireTime
from camsync._zone import DeviceZone

from ._personality import Personality


@attrs.frozen(kw_only=True)
class Wire:
    """How one device writes and reads times.

    Attributes:
        zone: The device's time zone.
        z_means: ``local`` or ``utc``.
        std: Whether ``?timeType=STD`` was given to a device that knows it: times are read as UTC,
            but written an hour late in summer (DS-7616NXI-K2 V4.84.101).
    """

    zone: DeviceZone
    z_means: str
    std: bool = False

    def write(self, moment: dt.datetime) -> dt.datetime:
        """Return the naive digits for *moment*."""
        local = moment.astimezone(self.zone)
        if self.std:
            return (moment.astimezone(UTC) + self.zone.dst(local)).replace(tzinfo=None)
        return (local if self.z_means == "local" else moment.astimezone(UTC)).replace(tzinfo=None)

    def long(self, moment: dt.datetime) -> str:
        """Return ``2026-09-26T00:13:39Z``."""
        return f"{self.write(moment):%Y-%m-%dT%H:%M:%S}Z"

    def short(self, moment: dt.datetime) -> str:
        """Return ``20260926T001339Z``, as in a playback URI."""
        return f"{self.write(moment):%Y%m%dT%H%M%S}Z"

    def read(self, text: str) -> dt.datetime:
        """Return what a client's *text* means, in UTC; a real offset counts as such.

        Raises:
            ProtocolError: *text* is no time.
        """
        stamp = WireTime.parse(text)
        zone: dt.tzinfo = self.zone if self.z_means == "local" and not self.std else UTC
        if stamp.offset is not None:
            zone = dt.timezone(stamp.offset)
        return stamp.wall.replace(tzinfo=zone).astimezone(UTC)


def local_time(who: Personality, zone: DeviceZone, now: dt.datetime) -> str:
    """Return ``localTime``; some firmware shows the standard offset all year."""
    local = now.astimezone(zone).replace(microsecond=0)
    if who.standard_suffix:
        local = local.replace(tzinfo=dt.timezone(zone.standard))
    return local.isoformat()


def http_date(zone: DeviceZone, now: dt.datetime) -> str:
    """Return the ``Date`` header: the device's wall clock, labelled GMT."""
    wall = now.astimezone(zone).replace(tzinfo=UTC)
    return format_datetime(wall, usegmt=True)
