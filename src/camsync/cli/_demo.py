"""``camsync demo``: the whole way, from a device to playable files, without a device."""

from __future__ import annotations

import contextlib
import tempfile

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs
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
from ._link import Link
from ._options import common_options, pass_output
from ._output import Output
from ._search import show_recordings
from ._simulate import imou_url


_CAMERAS = 4
_PER_CAMERA = 2
_HOURS = 2.0
_SEGMENT = 300.0
_BANDWIDTH: float | None = 5e6
"""Bytes per second: at full speed the progress display would be gone before anybody sees it."""
_REAL = ("camsync download hikvision://admin@192.168.1.64 --channel 1 --since 24h --dest footage/",)
_REAL_ACCOUNT = (
    "camsync login imou://APPID@sg --name home --max-calls 25000",
    "camsync download home --since 24h --dest footage/",
)
_KINDS = ("camera", "camera", "no-plan", "no-card")
_IMOU_HOURS = 0.5
_IMOU_SEGMENT = 60.0


@attrs.frozen(kw_only=True)
class _Show:
    """A simulator that runs, and what to say about it."""

    provider: Provider
    url: str
    hours: float
    intro: str
    real: Sequence[str]
    asks: str


@click.command()
@click.option(
    "--provider",
    "name",
    type=click.Choice(["hikvision", "imou"]),
    default="hikvision",
    show_default=True,
    help="Whose devices to play.",
)
@dest_option("camsync-demo", "Folder for the files.")
@common_options
@pass_output
def demo(output: Output, name: str, dest: Path) -> int:
    """Try everything without a recorder, or without an account.

    \b
    camsync demo
    camsync demo --provider imou

    Starts a simulator on this computer, shows its cameras, searches the last hours, downloads two
    recordings of each camera as MP4, and says what to type for a real recorder, or a real account:
    that one has cameras with a plan in the cloud, with a memory card, and with both. Nothing leaves
    this computer.
    """  # noqa: D301 - click reads \b as "do not wrap"
    require_media("the demo")
    with _recorder() if name == "hikvision" else _cloud() as show:
        output.line(show.intro)
        return _tour(output, show, dest)


@contextlib.contextmanager
def _recorder() -> Iterator[_Show]:
    from ..testing import RecorderSimulator

    with RecorderSimulator(
        channels=_CAMERAS,
        hours=_HOURS,
        segment_seconds=_SEGMENT,
        codec="mixed",
        bandwidth=_BANDWIDTH,
    ) as simulator:
        url = simulator.connect_url
        provider = registry.connect(url, password=simulator.password)
        with contextlib.closing(provider):
            yield _Show(
                provider=provider,
                url=url,
                hours=_HOURS,
                intro=f"a recorder SIMULATOR runs at {url}: its cameras and recordings are made up",
                real=_REAL,
                asks="for a real recorder, type (it asks for the password):",
            )


@contextlib.contextmanager
def _cloud() -> Iterator[_Show]:
    from ..testing import ImouSimulator

    with (
        tempfile.TemporaryDirectory() as folder,
        ImouSimulator(
            devices=_KINDS,
            hours=_IMOU_HOURS,
            segment_seconds=_IMOU_SEGMENT,
            codec="mixed",
            bandwidth=_BANDWIDTH,
        ) as simulator,
    ):
        url = imou_url(simulator)
        # Calls that cost nobody anything do not belong among those of this computer.
        counts = str(Path(folder) / "usage.json")
        provider = registry.connect(url, password=simulator.app_secret, usage=counts)
        with contextlib.closing(provider):
            yield _Show(
                provider=provider,
                url=url,
                hours=_IMOU_HOURS,
                intro=f"an Imou SIMULATOR runs at {url}: its cameras and recordings are made up",
                real=_REAL_ACCOUNT,
                asks="for a real account, type (it asks for the app secret):",
            )


def _tour(output: Output, show: _Show, dest: Path) -> int:
    provider = show.provider
    devices = provider.devices()
    channels = provider.channels()
    show_devices(output, devices)
    show_channels(output, channels)
    span = TimeSpan.last(hours=show.hours)
    found = {channel: list(provider.search(channel, span)) for channel in channels}
    _show_found(output, found, show.hours)
    wanted = _choose(found)
    output.line("of these, the last that are complete, up to two from each camera:")
    show_recordings(output, wanted, span)
    outcome = Outcome()
    place = registry.resolve(show.url)
    link = Link(provider=provider, place=place, username=str(place.url.username))
    fetch(output, link, wanted, dest, outcome)
    document = {
        "simulator": show.url,
        "devices": [device_json(device) for device in devices],
        "channels": [channel_json(channel) for channel in channels],
        "span": span_json(span),
        "found": {_place(channel, channels): len(each) for channel, each in found.items()},
        "recordings": recordings_json(wanted),
        "dest": str(dest),
    }
    report(output, outcome, {**document, "next_command": show.real[-1]})
    if outcome.code == OK:
        output.line(show.asks)
        for command in show.real:
            output.line(f"  {command}", "bold")
    return outcome.code


def _place(channel: Channel, channels: Sequence[Channel]) -> str:
    """Return a channel's id, and its device's where there are several."""
    several = len({each.device for each in channels}) > 1
    return f"{channel.device}/{channel.id}" if several else str(channel.id)


def _show_found(output: Output, found: Mapping[Channel, Sequence[Recording]], hours: float) -> None:
    rows = [
        (channel.name, str(len(recordings)), size_text(sum(_sizes(recordings)) or None))
        for channel, recordings in found.items()
    ]
    output.table(
        f"recordings of the last {hours:g} hours", ("camera~", "recordings>", "size>"), rows
    )


def _sizes(recordings: Sequence[Recording]) -> Iterator[int]:
    return (recording.size or 0 for recording in recordings)


def _choose(found: Mapping[Channel, Sequence[Recording]]) -> list[Recording]:
    """Return the newest complete ones of each camera: from each place, if it has several."""
    return [recording for each in found.values() for recording in _newest(each)]


def _newest(recordings: Sequence[Recording]) -> list[Recording]:
    complete = [recording for recording in recordings if not recording.in_progress]
    streams = sorted({recording.key.stream for recording in complete})
    share = max(_PER_CAMERA // max(len(streams), 1), 1)
    return [
        recording
        for stream in streams
        for recording in [one for one in complete if one.key.stream == stream][-share:]
    ]
