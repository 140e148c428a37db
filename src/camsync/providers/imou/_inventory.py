"""From what the cloud lists to the models: devices, channels, cards. No I/O."""

from __future__ import annotations

from typing import Final

from ...errors import ConfigurationError
from ...models import (
    Channel,
    ChannelId,
    ChannelSource,
    Device,
    DeviceId,
    DeviceKind,
    Volume,
    VolumeState,
)
from ...models._given import as_device
from ._wire import PROVIDER, CardStatus, RawDevice, RawStorage


_ONLINE: Final = {"online": True, "upgrading": True, "offline": False, "asleep": False}
_STATES: Final[dict[CardStatus, VolumeState]] = {
    "normal": VolumeState.OK,
    "empty": VolumeState.MISSING,
    "abnormal": VolumeState.ERROR,
    "recovering": VolumeState.FORMATTING,
    "unformatted": VolumeState.UNFORMATTED,
    "unknown": VolumeState.UNKNOWN,
}


def device_of(raw: RawDevice) -> Device:
    """Make a device."""
    return Device(
        provider=PROVIDER,
        id=DeviceId(raw.id),
        name=raw.name,
        model=raw.model,
        firmware=raw.version,
        kind=_kind(raw),
        raw={**raw.raw, "status": raw.status},
    )


def _kind(raw: RawDevice) -> DeviceKind:
    if len(raw.channels) > 1 or raw.kind.upper() == "NVR":
        return DeviceKind.NVR
    return DeviceKind.CAMERA if raw.channels else DeviceKind.UNKNOWN


def channels_of(raw: RawDevice) -> list[Channel]:
    """Make the channels of a device; a channel that does not say its state has its device's."""
    return [
        Channel(
            device=DeviceId(raw.id),
            id=ChannelId(each.id),
            name=each.name,
            online=_ONLINE.get(raw.status if each.status == "unknown" else each.status),
            source=ChannelSource.BUILT_IN
            if _kind(raw) is DeviceKind.CAMERA
            else ChannelSource.NETWORK,
            model=raw.model,
            raw={**each.raw, "plan": each.plan, "encrypted": each.encrypted},
        )
        for each in raw.channels
    ]


def volume_of(device: str, card: RawStorage) -> Volume:
    """Make a volume of a card; an empty place is one too."""
    return card_in_state(device, _STATES[card.status], card.total, card.total - card.used)


def card_in_state(
    device: str, state: VolumeState, capacity: int = 0, free: int = 0, *, problem: str = ""
) -> Volume:
    """Make a volume of which only the state is known, and perhaps what the cloud said."""
    return Volume(
        device=DeviceId(device),
        id="sd",
        name="memory card",
        kind="SD",
        state=state,
        capacity=capacity,
        free=free,
        writable=state is VolumeState.OK,
        raw={"problem": problem} if problem else {},
    )


def chosen(devices: list[RawDevice], device: Device | None) -> list[RawDevice]:
    """Return all devices, or the one that is meant.

    Raises:
        ConfigurationError: It is none, or does not belong to this account.
    """
    if device is None:
        return devices
    device = as_device(device)
    found = [one for one in devices if one.id == device.id and device.provider == PROVIDER]
    if not found:
        msg = f"the device {device.id} does not belong to this account"
        raise ConfigurationError(msg, next_step="take one from devices()")
    return found
