"""``camsync plan``: what ``camsync sync`` would do now."""

from __future__ import annotations

import click

from .._secret import Secret
from ._options import common_options, pass_output
from ._output import Output
from ._sync_options import Request, plan_options


@click.command()
@plan_options
@click.option("--all", "everything", is_flag=True, help="Show what is here already, too.")
@common_options
@pass_output
def plan(output: Output, request: Request, catalogue: Secret | None, everything: bool) -> int:
    """Say what 'camsync sync' would do now; nothing is changed.

    \b
    camsync plan front-shop --to footage/
    camsync plan --json

    It takes the arguments of 'camsync sync', so that the word is all there is to change. The
    devices are searched; limits and bandwidth play no part.
    """  # noqa: D301 - click reads \b as "do not wrap"
    from ._plan_job import show_plan

    return show_plan(output, request, catalogue, everything=everything)
