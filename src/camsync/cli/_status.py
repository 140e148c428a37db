"""``camsync status``: how far each channel is, from the catalogue alone."""

from __future__ import annotations

import click

from .._secret import Secret
from ._options import common_options, pass_output
from ._output import Output
from ._sync_options import catalogue_option


_MOST_DAYS = 366

config_option = click.option(
    "--config", metavar="FILE", help="The file of recorders, which may name the catalogue."
)


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
@config_option
@catalogue_option
@common_options
@pass_output
def status(
    output: Output,
    folders: tuple[str, ...],
    days: int,
    config: str | None,
    catalogue: Secret | None,
) -> int:
    """Show how far each channel is: nothing is sent to any device.

    \b
    camsync status
    camsync status footage/ --days 30 --json

    For each channel the watermark (everything that began before is done), the last search, and how
    much footage of these days is held, missing, lost (overwritten before it was fetched) and in
    progress. Below it a line for each day and a letter for each hour, of this computer's clock:
    # held, - missing, x lost, > in progress, o held until it was pruned, . nothing recorded.
    """  # noqa: D301 - click reads \b as "do not wrap"
    from ._status_job import show_status

    return show_status(output, folders, days=days, config=config, catalogue=catalogue)
