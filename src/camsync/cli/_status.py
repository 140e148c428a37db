"""``camsync status``: how far each channel is, from the catalogue alone."""

from __future__ import annotations

import datetime as dt

import click

from .._secret import Secret
from .._typed import parse_length
from ._options import common_options, pass_output
from ._output import Output
from ._sync_options import catalogue_option


_MOST_DAYS = 366

config_option = click.option(
    "--config", metavar="FILE", help="The file of recorders, which may name the catalogue."
)


def _length(_context: click.Context, _parameter: click.Parameter, text: str) -> dt.timedelta:
    return parse_length(text)


@click.command()
@click.argument("folders", metavar="[DIRECTORY]...", nargs=-1)
@click.option(
    "--days",
    type=click.IntRange(min=1, max=_MOST_DAYS),
    default=7,
    show_default=True,
    metavar="N",
    help="Look at so many days, today included.",
)
@click.option(
    "--stale",
    default="24h",
    show_default=True,
    metavar="LENGTH",
    callback=_length,
    help="Flag a channel without footage, or without a search, for longer than this.",
)
@click.option(
    "-c",
    "--channel",
    "channels",
    multiple=True,
    metavar="ID",
    help="Only this channel, as for 'camsync sync'; can be repeated.  [default: all]",
)
@config_option
@catalogue_option
@common_options
@pass_output
def status(
    output: Output,
    folders: tuple[str, ...],
    days: int,
    stale: dt.timedelta,
    channels: tuple[str, ...],
    config: str | None,
    catalogue: Secret | None,
) -> int:
    """Show how far each channel is: nothing is sent to any device.

    \b
    camsync status
    camsync status footage/ --days 30 --json
    camsync status --channel 1-4

    For each channel the watermark (everything that began before is done), the last search, and how
    much footage of these days is held, missing, lost (overwritten before it was fetched) and in
    progress. Below it a line for each day and a letter for each hour, of this computer's clock:
    # held, - missing, x lost, > in progress, o held until it was pruned, . nothing recorded,
    ? never searched. Days before anything was searched are left out.

    Channels that need somebody are flagged with ! and the reason: no footage for long (a camera may
    be dead), no search for long, recordings that fail (after 'camsync rearm' they are tried again at
    once), and what went wrong in the last run.
    """  # noqa: D301 - click reads \b as "do not wrap"
    from ._status_job import Wanted, show_status

    wanted = Wanted(tuple(folders), channels=channels, days=days, stale=stale)
    return show_status(output, wanted, config=config, catalogue=catalogue)
