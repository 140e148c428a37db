"""``camsync simulate``: a device without the device."""

from __future__ import annotations

import time

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigurationError
from ._exit import INTERRUPTED, OK
from ._options import Finite, common_options, pass_output
from ._output import Output
from ._signals import Stop


if TYPE_CHECKING:
    from ..testing import ImouSimulator, RecorderSimulator

_POLL = 0.1
_MOST_HOURS = 87_600.0
"""Ten years."""
_LONGEST_SEGMENT = 86_400.0
_DUMP_ADVICE = "a dump is a JSON file with camsync_dump: 1 and endpoints; see the reference"

_port = click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]"
)
_hours = click.option(
    "--hours",
    type=Finite(min=0, min_open=True, max=_MOST_HOURS),
    default=6.0,
    show_default=True,
    help="How much footage there is, up to now.",
)
_segment = click.option(
    "--segment",
    "segment_seconds",
    type=Finite(min=1, max=_LONGEST_SEGMENT),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Length of one recording.",
)
_fault = click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME",
    help="Misbehave; can be repeated. See --list-faults.",
)
_list_faults = click.option("--list-faults", is_flag=True, help="Show the faults and stop.")


@click.group(invoke_without_command=True)
@click.pass_context
def simulate(context: click.Context) -> int:
    """Run a simulator, to try camsync or to test a program of your own.

    \b
    camsync simulate recorder
    camsync simulate recorder --list-faults
    camsync simulate imou
    """  # noqa: D301 - click reads \b as "do not wrap"
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return OK


@simulate.command()
@_port
@click.option("--model", default="DS-7616NI-K2", show_default=True, help="See --list-models.")
@click.option(
    "--channels", type=click.IntRange(1, 64), default=4, show_default=True, help="Cameras."
)
@_hours
@_segment
@click.option(
    "--dump",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Answer as this device dump says.",
)
@_fault
@click.option("--tls", is_flag=True, help="HTTPS, with a certificate of its own.")
@_list_faults
@click.option("--list-models", is_flag=True, help="Show the models and stop.")
@common_options
@pass_output
def recorder(output: Output, /, list_faults: bool, list_models: bool, **options: Any) -> int:
    """Run a recorder on 127.0.0.1 until SIGTERM or Ctrl-C.

    \b
    camsync simulate recorder --port 8080 --channels 8 --hours 24
    camsync simulate recorder --fault busy-503 --fault drop-in-middle

    It prints one line: the address, the user, the password, and the URL for camsync's own commands.
    It serves real video. Search, channels and login follow captures of real devices as far as there
    are any; the downloads and the faults are modelled on reports, without a capture.
    """  # noqa: D301 - click reads \b as "do not wrap"
    from ..testing import FAULTS, PERSONALITIES

    if list_faults:
        return _listing(output, "faults", dict(FAULTS))
    if list_models:
        models = {
            name: f"{personality.device_type}, firmware {personality.firmware}"
            for name, personality in PERSONALITIES.items()
        }
        return _listing(output, "models", models)
    with Stop(output) as stop, _simulator(options) as simulator:
        _announce(output, simulator)
        return _wait(stop)


def _wait(stop: Stop) -> int:
    while not stop.is_set():
        time.sleep(_POLL)
    # SIGTERM is the way to end it: that is no failure.
    return INTERRUPTED if stop.code == INTERRUPTED else OK


def _simulator(options: dict[str, Any]) -> RecorderSimulator:
    from ..testing import RecorderSimulator

    try:
        return RecorderSimulator(**options)
    except ConfigurationError as error:
        if options["dump"] is None or error.next_step:
            raise
        raise ConfigurationError(error.message, next_step=_DUMP_ADVICE) from error


def _announce(output: Output, simulator: RecorderSimulator) -> None:
    facts = {
        "url": simulator.url,
        "username": simulator.username,
        "password": simulator.password,
        "camsync_url": simulator.connect_url,
    }
    if simulator.fingerprint is not None:
        facts["fingerprint"] = simulator.fingerprint
    _say(output, simulator, facts)


def _say(
    output: Output, simulator: RecorderSimulator | ImouSimulator, facts: dict[str, str]
) -> None:
    output.line(" ".join(f"{name}={value}" for name, value in facts.items()))
    output.out.file.flush()
    more = {"host": simulator.host, "port": simulator.port, "faults": sorted(simulator.faults)}
    output.document({**facts, **more}, indent=None)


def _listing(output: Output, name: str, entries: dict[str, str]) -> int:
    output.table("", ("name", "what it does"), entries.items())
    output.document({name: entries})
    return OK


@simulate.command()
@_port
@click.option(
    "--devices", type=click.IntRange(1, 500), default=3, show_default=True, help="Cameras."
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Instead of --devices: a device of this kind; can be repeated. See --list-kinds.",
)
@_hours
@_segment
@click.option(
    "--sign",
    type=click.Choice(["md5", "hmac", "both"]),
    default="both",
    show_default=True,
    help="Which signature is accepted.",
)
@click.option(
    "--codec",
    type=click.Choice(["h264", "h265", "mixed"]),
    default="h264",
    show_default=True,
    help="Of the video.",
)
@_fault
@_list_faults
@click.option("--list-kinds", is_flag=True, help="Show the kinds of devices and stop.")
@common_options
@pass_output
def imou(
    output: Output,
    /,
    list_faults: bool,
    list_kinds: bool,
    devices: int,
    kinds: tuple[str, ...],
    **options: Any,
) -> int:
    """Run the Imou cloud on 127.0.0.1 until SIGTERM or Ctrl-C.

    \b
    camsync simulate imou --port 8080 --devices 8 --codec mixed
    camsync simulate imou --kind camera --kind nvr --kind offline --fault hls-denied

    It prints one line: the address, the app id, the app secret, and the URL for camsync's own
    commands. It serves real video. Login and lists follow captures of the real cloud; recordings,
    playlists and faults are modelled on documents and reports.
    """  # noqa: D301 - click reads \b as "do not wrap"
    from ..testing.imou import FAULTS, KINDS, ImouSimulator

    if list_faults:
        return _listing(output, "faults", dict(FAULTS))
    if list_kinds:
        return _listing(output, "kinds", dict(KINDS))
    with Stop(output) as stop, ImouSimulator(devices=kinds or devices, **options) as simulator:
        facts = {
            "url": simulator.base_url,
            "app_id": simulator.app_id,
            "app_secret": simulator.app_secret,
            "camsync_url": imou_url(simulator),
        }
        _say(output, simulator, facts)
        return _wait(stop)


def imou_url(simulator: ImouSimulator) -> str:
    """Return the URL for camsync's own commands."""
    return f"imou://{simulator.app_id}@{simulator.host}:{simulator.port}"
