"""``camsync demo``: the whole way, from a recorder to playable files, without a recorder."""

from __future__ import annotations

import contextlib

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from .. import registry
from .._time import TimeSpan
from ..models import Channel, Recording
from ..provider import Provider
from ._channels import show_channels, show_devices
from ._dest import dest_option
from ._download import Outcome, fetch, report, require_media
from ._exit import OK
from ._format import size_text
from ._json import channel_json, device_json, recordings_json, span_json
from ._options import common_options, pass_output
from ._output import Output
from ._search import show_recordings


_CAMERAS = 4
_PER_CAMERA = 2
_HOURS = 2.0
_SEGMENT = 300.0
_BANDWIDTH: float | None = 5e6
"""Bytes per second: at full speed the progress display would be gone before anybody sees it."""
_REAL = "camsync download hikvision://admin@192.168.1.64 --channel 1 --since 24h --dest footage/"


@click.command()
@dest_option("camsync-demo", "Folder for the files.")
@common_options
@pass_output
def demo(output: Output, dest: Path) -> int:
    """Try everything without a recorder.

    Starts a recorder simulator on this computer, shows its cameras, searches the last hours,
    downloads two recordings of each camera as MP4, and says what to type for a real recorder.
    Nothing leaves this computer.
    """
    require_media("the demo")
    from ..testing import RecorderSimulator

    with RecorderSimulator(
        channels=_CAMERAS,
        hours=_HOURS,
        segment_seconds=_SEGMENT,
        codec="mixed",
        bandwidth=_BANDWIDTH,
    ) as simulator:
        url = simulator.connect_url
        output.line(f"a recorder SIMULATOR runs at {url}: its cameras and recordings are made up")
        provider = registry.connect(url, password=simulator.password)
        with contextlib.closing(provider):
            return _tour(output, provider, dest, url)


def _tour(output: Output, provider: Provider, dest: Path, url: str) -> int:
    devices = provider.devices()
    channels = provider.channels()
    show_devices(output, devices)
    show_channels(output, channels)
    span = TimeSpan.last(hours=_HOURS)
    found = {channel: list(provider.search(channel, span)) for channel in channels}
    _show_found(output, found)
    wanted = _choose(found)
    output.line(f"of these, the last {_PER_CAMERA} that are complete from each camera:")
    show_recordings(output, wanted, span)
    outcome = Outcome()
    fetch(output, provider, wanted, dest, outcome)
    document = {
        "simulator": url,
        "devices": [device_json(device) for device in devices],
        "channels": [channel_json(channel) for channel in channels],
        "span": span_json(span),
        "found": {channel.id: len(recordings) for channel, recordings in found.items()},
        "recordings": recordings_json(wanted),
        "dest": str(dest),
    }
    report(output, outcome, {**document, "next_command": _REAL})
    if outcome.code == OK:
        output.line("for a real recorder, type (it asks for the password):")
        output.line(f"  {_REAL}", "bold")
    return outcome.code


def _show_found(output: Output, found: Mapping[Channel, Sequence[Recording]]) -> None:
    rows = [
        (channel.name, str(len(recordings)), size_text(sum(item.size or 0 for item in recordings)))
        for channel, recordings in found.items()
    ]
    output.table(
        f"recordings of the last {_HOURS:g} hours", ("camera~", "recordings>", "size>"), rows
    )


def _choose(found: Mapping[Channel, Sequence[Recording]]) -> list[Recording]:
    complete = (
        [recording for recording in recordings if not recording.in_progress]
        for recordings in found.values()
    )
    return [recording for recordings in complete for recording in recordings[-_PER_CAMERA:]]
