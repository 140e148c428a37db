"""Questions to the person at the terminal. A script gets an error instead, never a question."""

from __future__ import annotations

import sys

import click

from .._secret import Secret
from ..errors import CamsyncError, ConfigurationError
from ._format import clean
from ._signals import terminable


_TRIES = 3


def on_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def _need_terminal(otherwise: CamsyncError) -> None:
    if not on_terminal():
        raise otherwise


def ask_line(question: str, *, otherwise: CamsyncError, default: str | None = None) -> str:
    """Ask for a line of text.

    Raises:
        CamsyncError: *otherwise*, when there is no terminal.
    """
    _need_terminal(otherwise)
    answer: str = click.prompt(clean(question), default=default, err=True)
    return answer.strip()


def ask_secret(question: str, *, otherwise: CamsyncError) -> Secret:
    """Ask for a secret, which is not shown while it is typed.

    Raises:
        CamsyncError: *otherwise*, when there is no terminal.
    """
    _need_terminal(otherwise)
    with terminable():
        return Secret(click.prompt(clean(question), hide_input=True, err=True))


def ask_new_secret(question: str, *, otherwise: CamsyncError) -> Secret:
    """Ask twice for a secret that nothing can be compared with yet.

    Raises:
        ConfigurationError: It was typed differently, three times over.
        CamsyncError: *otherwise*, when there is no terminal.
    """
    # Not click's own confirmation: it would hold the first answer in a frame that Ctrl-C unwinds.
    for _ in range(_TRIES):
        first = ask_secret(question, otherwise=otherwise)
        if first == ask_secret("The same once more", otherwise=otherwise):
            return first
        click.echo("these were not the same; once again", err=True)
    msg = f"it was typed differently {_TRIES} times"
    raise ConfigurationError(
        msg, next_step="take a shorter one, or make a key: camsync store new-key"
    )


def confirmed(question: str, *, otherwise: CamsyncError) -> bool:
    """Ask a question of yes or no; Enter alone is a no.

    Raises:
        CamsyncError: *otherwise*, when there is no terminal.
    """
    _need_terminal(otherwise)
    return click.confirm(clean(question), default=False, err=True)
