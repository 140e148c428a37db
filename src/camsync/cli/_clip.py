"""``camsync clip``: the footage between two moments as one file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .._secret import Secret
from ..errors import ConfigurationError
from ._options import common_options, pass_output, secret_text
from ._output import Output
from ._sync_options import ACCOUNT_OPTIONS, WAY_OPTIONS, Way, catalogue_option, decorate


def _way(function: Callable[..., Any]) -> Callable[..., Any]:
    return decorate(function, (*ACCOUNT_OPTIONS, *WAY_OPTIONS))


@click.command()
@click.argument("url", metavar="URL|NAME", callback=secret_text)
@click.argument("channel", metavar="CHANNEL")
@click.argument("start", metavar="START")
@click.argument("end", metavar="END")
@click.argument("dest", metavar="[DEST]", required=False)
@click.option("-d", "--dest", "--to", "folder_or_file", metavar="DEST", help="The same as DEST.")
@click.option(
    "--gaps",
    type=click.Choice(["error", "split"]),
    default="error",
    show_default=True,
    help="Where footage is missing: stop, or write one file for each piece.",
)
@click.option(
    "--held", "folder", metavar="DIRECTORY", help="Use what 'camsync sync' has brought there."
)
@click.option("--timezone", metavar="ZONE", help="The zone of the times in names.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless it fails.")
@_way
@catalogue_option
@common_options
@pass_output
def clip(
    output: Output,
    /,
    url: Secret,
    channel: str,
    start: str,
    end: str,
    dest: str | None,
    folder_or_file: str | None,
    gaps: str,
    folder: str | None,
    timezone: str | None,
    quiet: bool,
    catalogue: Secret | None,
    password_file: str | None,
    store: str | None,
    timeout: float | None,
    **account: Any,
) -> int:
    """Bring the footage between two moments to disk as one MP4 file.

    \b
    camsync clip front-shop 1 2026-09-26T08:00 2026-09-26T08:05
    camsync clip front-shop 1 2h 1h45m evidence.mp4 --held footage/

    It begins at the last key frame before START; nothing is encoded anew. A time without offset is
    local time of THIS computer; 2h means two hours ago. DEST is a folder, or a file (.mp4); without
    it the current folder.
    """  # noqa: D301 - click reads \b as "do not wrap"
    from ._clip_job import Wanted, make_clip

    wanted = Wanted(
        url=url,
        channel=channel,
        start=start,
        end=end,
        dest=_one(dest, folder_or_file),
        gaps=gaps,
        folder=folder,
        timezone=timezone,
        account=account,
    )
    output.quiet = quiet
    way = Way(password_file=password_file, store=store, timeout=timeout)
    return make_clip(output, wanted, way, catalogue)


def _one(argument: str | None, option: str | None) -> str:
    if argument is not None and option is not None:
        msg = "the destination was given twice"
        raise ConfigurationError(msg, next_step="leave out --dest, or the last argument")
    return argument or option or "."
