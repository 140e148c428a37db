"""``camsync sync``: everything new from any number of recorders, once or again and again."""

from __future__ import annotations

import datetime as dt

import click

from .._secret import Secret
from .._typed import parse_length
from ..errors import CamsyncError, ConfigurationError
from ._json_lines import gave_up
from ._options import line_options, pass_output
from ._output import Output
from ._sync_options import Request, sync_options


_LEAST = dt.timedelta(seconds=1)


def _interval(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> dt.timedelta | None:
    if text is None:
        return None
    interval = parse_length(text)
    if interval < _LEAST:
        msg = f"--watch must be at least a second, not {text}"
        raise ConfigurationError(msg, next_step="write --watch 10m")
    return interval


@click.command()
@sync_options
@click.option(
    "--watch",
    metavar="LENGTH",
    callback=_interval,
    help="Run again every so often (10m), the first time at once, until a signal comes.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing: the same as 'camsync plan'.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless something failed.")
@click.option("--metrics", metavar="FILE", help="Write figures for monitoring (OpenMetrics).")
@click.option("--log", metavar="FILE", help="Append the log to this file.")
@line_options
@pass_output
def sync(
    output: Output,
    request: Request,
    catalogue: Secret | None,
    watch: dt.timedelta | None,
    dry_run: bool,
    quiet: bool,
    metrics: str | None,
    log: str | None,
) -> int:
    """Fetch what is new from one recorder or many, once.

    \b
    camsync sync front-shop --to footage/
    camsync sync                                   what camsync.toml says
    camsync sync --config shops.toml --watch 10m
    camsync sync --quiet                           for cron

    What is here is written down in a catalogue, so that a second run fetches nothing and asks for
    next to nothing. One recorder, channel or recording that fails does not stop the others. The
    exit code is 0 when everything is here, 1 when something failed, waits or was left by a limit, and
    that of the error when it has stopped everything. With --json each event is one line.
    """  # noqa: D301 - click reads \b as "do not wrap"
    if dry_run:
        return _plan(output, request, catalogue, watch)
    given = {name: value for name, value in (("metrics", metrics), ("log", log)) if value}
    try:
        from ._sync_job import Job

        job = Job(output, request, catalogue, given=given, quiet=quiet)
        return job.watched(watch) if watch is not None else job.once()
    except CamsyncError as error:
        if not output.json:
            raise
        return gave_up(output, error)


def _plan(
    output: Output, request: Request, catalogue: Secret | None, watch: dt.timedelta | None
) -> int:
    if watch is not None:
        msg = "--dry-run looks once, and --watch goes on"
        raise ConfigurationError(msg, next_step="leave one of them out")
    from ._plan_job import show_plan

    return show_plan(output, request, catalogue, everything=False)
