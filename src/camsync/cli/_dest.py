"""The option ``--dest``: always a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import ConfigurationError, DestinationError


Function = TypeVar("Function", bound=Callable[..., Any])


def dest_option(default: str, text: str) -> Callable[[Function], Function]:
    """Add ``-d``/``--dest`` to a command, with *text* as its help; the value is a `Path`."""
    return click.option(
        "-d",
        "--dest",
        metavar="DIRECTORY",
        default=default,
        show_default=True,
        help=text,
        callback=_folder,
    )


def _folder(_context: click.Context, _parameter: click.Parameter, value: str) -> Path:
    advice = "name a folder: each camera gets its own in it"
    if not value.strip():
        msg = "--dest is empty"
        raise ConfigurationError(msg, next_step=f"{advice}; '.' is the current one")
    if Path(value).is_file():
        msg = f"--dest is a folder, but {value} is a file"
        raise ConfigurationError(msg, next_step=advice)
    return Path(value)


def prepare(dest: Path) -> None:
    """Make *dest* when the library would take its name, ``day.mp4``, for that of a file.

    Raises:
        DestinationError: It cannot be made.
    """
    if not dest.suffix:
        return
    try:
        dest.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{dest} cannot be created: {error.strerror}"
        raise DestinationError(msg) from error
