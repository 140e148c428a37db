"""Which channels a simulated device has: numbers, names, what feeds them."""

from __future__ import annotations

import attrs

from camsync.errors import ConfigurationError

from ._personality import Personality


_NAMES = (
    "Front door",
    "Back yard",
    "Garage",
    "Cửa sau / kho",
    "Driveway",
    "Lobby",
    "Loading bay",
    "Stairs <2>",
)


@attrs.frozen(kw_only=True)
class ChannelSetup:
    """One channel.

    Attributes:
        number: The channel number; track ids are ``number * 100 + stream``.
        name: As the device shows it.
        codec: ``h264`` or ``h265``.
        analog: Whether it is a built-in input (or a camera's own lens).
        online: False for an IP channel whose camera does not answer.
        records: False for an input without a signal.
    """

    number: int
    name: str
    codec: str = "h264"
    analog: bool = False
    online: bool = True
    records: bool = True

    @property
    def address(self) -> str:
        """The address of the channel's IP camera."""
        return f"192.168.254.{self.number + 1}"


def layout(who: Personality, count: int, codec: str) -> tuple[ChannelSetup, ...]:
    """Return *count* channels, inputs first; cameras have as many as they have.

    A network recorder with four channels or more has one that is offline.

    Raises:
        ConfigurationError: The device has no room for so many.
    """
    if count < 1:
        msg = "a simulated recorder needs at least one channel"
        raise ConfigurationError(msg)
    if who.is_camera:
        return tuple(_channel(who, n, n, codec, analog=True) for n in range(1, who.inputs + 1))
    numbers = [_number(who, place) for place in range(1, count + 1)]
    if numbers[-1] > who.slots:
        msg = f"a {who.model} has room for {who.slots} channels, not for number {numbers[-1]}"
        raise ConfigurationError(msg)
    return tuple(
        attrs.evolve(
            _channel(who, place, number, codec, analog=number <= who.inputs),
            online=not (who.kind == "nvr" and place == count >= 4),
        )
        for place, number in enumerate(numbers, start=1)
    )


def _number(who: Personality, place: int) -> int:
    return place + (place - 1) // 2 if who.sparse else place


def _channel(
    who: Personality, place: int, number: int, codec: str, *, analog: bool
) -> ChannelSetup:
    name = _NAMES[place - 1] if place <= len(_NAMES) else f"Camera {number:02d}"
    return ChannelSetup(
        number=number,
        name=name,
        codec=("h264", "h265")[place % 2 == 0] if codec == "mixed" else codec,
        analog=analog,
        records=number not in who.silent_inputs,
    )
