"""The options that every command has, and the way to the run's `Output`."""

from __future__ import annotations

import math

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .._secret import Secret
from ._json import JSON_FLAG
from ._output import Output, verbose


Function = TypeVar("Function", bound=Callable[..., Any])

pass_output = click.make_pass_decorator(Output)


store_option = click.option(
    "--store",
    metavar="env|keyring|file[:PATH]",
    help="Where passwords are kept.  [default: $CAMSYNC_STORE, or the first that works]",
)


def secret_text(_context: click.Context, _parameter: click.Parameter, text: str) -> Secret:
    """Wrap an argument that may hold a password: people type them into URLs."""
    return Secret(text)


LIMITS = (
    click.option(
        "--max-calls",
        type=click.IntRange(min=0),
        metavar="N",
        help="Cloud accounts: send nothing more after so many calls this month.",
    ),
    click.option(
        "--max-bytes",
        type=click.IntRange(min=0),
        metavar="N",
        help="Cloud accounts: fetch nothing more after so many bytes this month.",
    ),
)


class Finite(click.FloatRange):
    """A range of numbers without ``nan``, which every comparison would let pass."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


def _verbose(context: click.Context, _parameter: click.Parameter, count: int) -> None:
    output = context.find_object(Output)
    if output is not None:
        verbose(output, count)


def common_options(function: Function) -> Function:
    """Add ``--json`` and ``-v`` to a command.

    ``--json`` is read where the run begins: an error in the other options must obey it too.
    """
    return _common(function, "Print one JSON document to stdout.")


def line_options(function: Function) -> Function:
    """Add the same to a command that prints JSON lines."""
    return _common(function, "Print JSON to stdout: one document on a line for each event.")


def _common(function: Function, json_help: str) -> Function:
    json_option = click.option(JSON_FLAG, is_flag=True, expose_value=False, help=json_help)
    verbose_option = click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_verbose,
        help="Log to stderr; twice (-vv) for everything, with tracebacks.",
    )
    return json_option(verbose_option(function))
