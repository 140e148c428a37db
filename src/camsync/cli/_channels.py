"""``camsync channels``: the device and its cameras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from ..models import Channel, Device
from ._connection import Target, connected, connection_options
from ._exit import OK
from ._format import fps_text
from ._json import channel_json, device_json
from ._options import common_options, pass_output
from ._output import Output


_COLUMNS = (
    "device",
    "id>",
    "name~",
    "online",
    "source?",
    "model~",
    "codec",
    "resolution",
    "fps>",
    "tracks",
    "cloud plan",
)
_UNKNOWN = "unknown"
_ONLINE = {True: "yes", False: "no", None: "?"}


@click.command()
@connection_options
@common_options
@pass_output
def channels(output: Output, target: Target) -> int:
    """Show the device, or all devices of an account, and the channels.

    \b
    camsync channels hikvision://admin@192.168.1.64
    camsync channels hikvisions://admin@192.168.1.64 --verify sha256:HEX --json
    camsync channels imou://APPID@sg

    An offline channel still has its recordings. The ids are what --channel and --device take.
    """  # noqa: D301 - click reads \b as "do not wrap"
    with connected(output, target) as link:
        devices = link.provider.devices()
        show_devices(output, devices)
        found = link.channels()
    show_channels(output, found)
    output.document(
        {
            "devices": [device_json(device) for device in devices],
            "channels": [channel_json(channel) for channel in found],
        }
    )
    return OK


def show_devices(output: Output, devices: Sequence[Device]) -> None:
    """Print one line per device."""
    for device in devices:
        firmware = f", firmware {device.firmware}" if device.firmware else ""
        output.line(f"{device.name}: {device.model}{firmware}, serial {device.id}", "bold")


def show_channels(output: Output, found: Sequence[Channel]) -> None:
    """Print the table of channels, with their devices if there are several."""
    first = 0 if len({channel.device for channel in found}) > 1 else 1
    last = len(_COLUMNS) if any(map(_plan, found)) else -1
    output.table("", _COLUMNS[first:last], (row[first:last] for row in _rows(found)))


def _rows(found: Sequence[Channel]) -> Iterator[Sequence[str]]:
    for channel in found:
        yield (
            channel.device,
            channel.id,
            channel.name,
            _ONLINE[channel.online],
            channel.source.value,
            channel.model,
            channel.codec.value,
            channel.resolution,
            fps_text(channel.fps),
            ", ".join(channel.tracks),
            _plan(channel),
        )


def _plan(channel: Channel) -> str:
    """Return the state of the cloud plan, where the list of devices has said it."""
    listed = str(channel.raw.get("plan", _UNKNOWN))
    return "" if listed == _UNKNOWN else listed
