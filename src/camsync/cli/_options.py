"""The options that every command has, and the way to the run's `Output`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ._output import Output, verbose


Function = TypeVar("Function", bound=Callable[..., Any])
JSON_FLAG = "--json"

pass_output = click.make_pass_decorator(Output)


def _verbose(context: click.Context, _parameter: click.Parameter, count: int) -> None:
    output = context.find_object(Output)
    if output is not None:
        verbose(output, count)


def common_options(function: Function) -> Function:
    """Add ``--json`` and ``-v`` to a command.

    ``--json`` is read where the run begins: an error in the other options must obey it too.
    """
    json_option = click.option(
        JSON_FLAG, is_flag=True, expose_value=False, help="Print one JSON document to stdout."
    )
    verbose_option = click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_verbose,
        help="Log to stderr; twice (-vv) for everything, with tracebacks.",
    )
    return json_option(verbose_option(function))
