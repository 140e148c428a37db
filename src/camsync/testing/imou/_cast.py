"""The cameras of the account: kinds, settings, and what a dump says about them."""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from camsync._zone import DeviceZone, parse_timezone
from camsync.errors import ConfigurationError

from ..recorder._media import CODECS


Zone = dt.tzinfo | str

ABILITY: Final = (
    "WLAN,MT,HSEncrypt,CloudStorage,LocalStorage,PlaybackByFilename,RD,LocalRecord,XUpgrade,Auth,"
    "LocalStorageEnable,RTSV1,PBSV1,TimeFormat,Reboot,DaySummerTime,WeekSummerTime,TLSEnable,TCM,"
    "LRRF,AUTODSTV2,AlarmMD,WIFI"
)
"""A selection of what the captured IPC-C22C says about itself."""

_CARD: Final = 31_254_904_832


@attrs.frozen(kw_only=True)
class SimulatedChannel:
    """One channel: *id* is the number as text, from "0"."""

    id: str
    name: str


@attrs.frozen(kw_only=True)
class SimulatedDevice:
    """One device of the account.

    Attributes:
        id: Serial number.
        name: What the user calls it.
        model: Model name.
        version: Firmware version.
        catalog: ``IPC`` or ``NVR``.
        channels: Its channels.
        ability: Comma-separated abilities.
        plan: Cloud storage: ``using``, ``expired`` or ``notExist``.
        card: ``normal``, ``none``, ``unformatted`` or ``abnormal``.
        encrypted: Whether the user has set a key of their own (``encryptMode`` 1).
        shared: Whether it belongs to somebody else.
        bound: Whether it was added with the interface instead of the app: see deviceOpenList.
        battery: Whether it falls asleep.
        status: The state at the start: ``online``, ``offline``, ``sleep`` or ``upgrading``.
        zone: Time zone.
        codec: ``h264`` or ``h265``.
        page: Further members, and other values, of its item in listDeviceDetailsByPage.
        detail: The same for deviceBaseDetailList and deviceOpenDetailList.
    """

    id: str
    name: str
    model: str = "IPC-C22C"
    version: str = "2.680.0000000.25.R.220527"
    catalog: str = "IPC"
    channels: tuple[SimulatedChannel, ...]
    ability: str = ABILITY
    plan: str = attrs.field(
        default="using", validator=attrs.validators.in_(("using", "expired", "notExist"))
    )
    card: str = attrs.field(
        default="normal",
        validator=attrs.validators.in_(("normal", "none", "unformatted", "abnormal")),
    )
    encrypted: bool = False
    shared: bool = False
    bound: bool = False
    battery: bool = False
    status: str = attrs.field(
        default="online",
        validator=attrs.validators.in_(("online", "offline", "sleep", "upgrading")),
    )
    zone: dt.tzinfo
    codec: str = attrs.field(default="h264", validator=attrs.validators.in_(CODECS))
    page: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    detail: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    @property
    def total_bytes(self) -> int:
        """The size of the card; 0 when it is not formatted."""
        return 0 if self.card == "unformatted" else _CARD

    def channel(self, number: str) -> SimulatedChannel | None:
        """Return the channel with that id, or None."""
        return next((channel for channel in self.channels if channel.id == number), None)


KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "camera": "an ordinary camera with a plan and a card",
        "no-plan": "a camera without a cloud plan (ST1004)",
        "plan-expired": "a camera whose cloud plan is over (ST1005)",
        "no-card": "a camera without a card (DV1049)",
        "unformatted": "a camera with a card that is not formatted (totalBytes 0)",
        "offline": "a camera that is offline (DV1007)",
        "asleep": "a battery camera that sleeps (DV1030) until wakeUpDevice",
        "nvr": "a recorder with four channels",
        "encrypted": "a camera with a key of the user's own (encryptMode 1): no HLS (LV1004)",
        "shared": "somebody else's camera: listed, its recordings are refused (DV1012)",
        "bound": "a camera that was added with the interface: in deviceOpenList",
        "dst": "a camera in a zone with daylight saving time (Europe/Berlin)",
    }
)
"""The kinds of devices that ``devices=[...]`` takes."""

_CHANGES: Final[Mapping[str, Mapping[str, Any]]] = {
    "camera": {},
    "no-plan": {"plan": "notExist"},
    "plan-expired": {"plan": "expired"},
    "no-card": {"card": "none"},
    "unformatted": {"card": "unformatted"},
    "offline": {"status": "offline"},
    "asleep": {
        "status": "sleep",
        "battery": True,
        "model": "IPC-B46LN",
        "ability": f"{ABILITY},Dormant,Electric",
    },
    "nvr": {"model": "NVR1104HS-W-S2", "catalog": "NVR"},
    "encrypted": {"encrypted": True},
    "shared": {"shared": True},
    "bound": {"bound": True},
    "dst": {},
}
_NVR_CHANNELS: Final = 4


@attrs.frozen(kw_only=True)
class Defaults:
    """What devices have in common unless they say otherwise."""

    seed: int
    codec: str
    zone: Zone | Mapping[str, Zone]

    def zone_of(self, device: str) -> dt.tzinfo:
        """Return the zone of a device.

        Raises:
            ConfigurationError: There is none for it, or it is no zone.
        """
        value = self.zone.get(device) if isinstance(self.zone, Mapping) else self.zone
        zone = parse_timezone(value)
        if zone is None:
            msg = f"the simulated device {device} has no time zone"
            raise ConfigurationError(msg, next_step="name each device in timezone={...}")
        if isinstance(zone, DeviceZone) and not zone.saving:
            return dt.timezone(zone.standard)  # the same, and faster
        return zone

    def codec_of(self, place: int) -> str:
        """Return the codec of the device at *place*."""
        return CODECS[place % 2] if self.codec == "mixed" else self.codec


def cast(
    devices: int | Iterable[str | SimulatedDevice], defaults: Defaults
) -> tuple[SimulatedDevice, ...]:
    """Return the devices: that many cameras, or one of each kind that is named.

    Raises:
        ConfigurationError: No such kind, a negative number, or two devices with the same id.
    """
    if isinstance(devices, int):
        if devices < 0:
            msg = f"an account cannot have {devices} devices"
            raise ConfigurationError(msg)
        devices = ["camera"] * devices
    made = tuple(
        each if isinstance(each, SimulatedDevice) else _made(each, place, defaults)
        for place, each in enumerate(devices)
    )
    if len({device.id for device in made}) < len(made):
        msg = "two of the simulated devices have the same id"
        raise ConfigurationError(msg)
    return made


def device_id(seed: int, place: int) -> str:
    """Return the serial number of the device at *place*, from 0."""
    return f"SIM{seed % 10_000:04d}PAZ{place + 1:05d}"


def _made(kind: str, place: int, defaults: Defaults) -> SimulatedDevice:
    if kind not in KINDS:
        msg = f"the simulator has no kind of device {kind!r}"
        raise ConfigurationError(msg, next_step=f"use one of: {', '.join(KINDS)}")
    number = device_id(defaults.seed, place)
    channels = _NVR_CHANNELS if kind == "nvr" else 1
    zone = parse_timezone("Europe/Berlin") if kind == "dst" else None
    return SimulatedDevice(
        id=number,
        name=f"{kind.replace('-', ' ').capitalize()} {place + 1}",
        channels=tuple(
            SimulatedChannel(id=str(n), name=f"{number}-{n + 1}") for n in range(channels)
        ),
        zone=zone or defaults.zone_of(number),
        codec=defaults.codec_of(place),
        **_CHANGES[kind],
    )
