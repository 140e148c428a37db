"""The program: the group of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import io
import os
import sys

from collections.abc import Sequence
from importlib import metadata

import click

from ..errors import CamsyncError, CancelledError, ConfigurationError
from ._channels import channels
from ._clip import clip
from ._demo import demo
from ._doctor import doctor
from ._download import download
from ._dump import dump
from ._exit import CLOSED_PIPE, FAILED, OK, code_for
from ._json import JSON_FLAG
from ._login import login
from ._options import common_options, pass_output
from ._output import Output, logging_to
from ._plan import plan
from ._profiles import logout, profiles
from ._prune import prune
from ._search import search
from ._simulate import simulate
from ._status import status
from ._store import store
from ._sync import sync
from ._trust import trust
from ._upkeep import forget, pin, rearm, reconcile
from ._usage import usage
from ._warnings import warnings_to


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, help="Show the version and stop.")
@common_options
@pass_output
@click.pass_context
def cli(context: click.Context, output: Output, version: bool) -> int:
    """List, search and download recordings from Hikvision recorders and Imou cloud accounts.

    \b
    camsync demo                                             try it without a recorder
    camsync login    hikvision://admin@192.168.1.64          test it and store the password
    camsync doctor   hikvision://admin@192.168.1.64          test the connection
    camsync channels hikvision://admin@192.168.1.64          show the cameras
    camsync search   hikvision://admin@192.168.1.64          list the last 24 hours
    camsync download hikvision://admin@192.168.1.64 --channel 1 --since 24h --dest footage/
    camsync download imou://APPID@sg --since 24h --dest footage/

    A URL is hikvision://USER@HOST[:PORT], or hikvisions:// for HTTPS, or imou://APPID@sg (or fk, or,
    cn: the app's data centre); the name that 'camsync login' gave to a recorder or an account will do
    instead. The password, or app secret, comes from --password-file, the variable
    CAMSYNC_PASSWORD (if the URL names the user), the store that 'camsync login' writes, or a
    prompt: never from the command line, where every program on this computer could read it.

    \b
    Exit codes: 0 ok, 1 some recordings failed, 2 usage, 3 setup, 4 network, 5 TLS,
    6 login, 7 permission, 8 busy, 9 device, 10 unsupported, 11 protocol, 12 not found,
    13 still recording, 14 media, 15 disk, 16 credentials, 17 offline, 18 quota,
    130 Ctrl-C, 141 closed pipe, 143 SIGTERM.
    """  # noqa: D301 - click reads \b as "do not wrap"
    if version:
        number = metadata.version("camsync")
        output.line(f"camsync {number}")
        output.document({"version": number})
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return OK


_STANDARD = (0, 1, 2)
_ACCESS = (login, profiles, logout, trust, store)
_SYNC = (sync, plan, status, clip, reconcile, prune, rearm, pin, forget)

for _command in (demo, *_ACCESS, channels, search, download, doctor, usage, dump, simulate, *_SYNC):
    cli.add_command(_command)


def run(arguments: Sequence[str]) -> int:
    """Run the program with *arguments* and return its exit code."""
    _fill_gaps()
    _tolerate_narrow_encodings()
    output = Output.standard(json=JSON_FLAG in arguments)
    with logging_to(output), warnings_to(output):
        try:
            code = _run(output, list(arguments))
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            # `camsync search … | head`: nobody reads on. What is buffered must not fail at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return CLOSED_PIPE
        return code


def _fill_gaps() -> None:
    """Give the numbers of closed standard streams away: a file with number 2 would get messages."""
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:  # noqa: PERF203 - after `camsync … 2>&-` what is opened next gets number 2
            os.open(os.devnull, os.O_RDWR)


def _tolerate_narrow_encodings() -> None:
    """A camera called "Cửa" must not end a run whose output goes to a Latin-1 pipe."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(output: Output, arguments: list[str]) -> int:
    try:
        # Not cli.main(): it takes every EOFError, ShortReadError among them, for a Ctrl-D.
        with cli.make_context("camsync", arguments, obj=output) as context:
            code = cli.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _failed(output, CancelledError("stopped by the user"))
    except click.UsageError as error:
        return _misused(output, error)
    except CamsyncError as error:
        return _failed(output, error)
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for users
        return _unexpected(output, error)
    return int(code)


def _misused(output: Output, error: click.UsageError) -> int:
    """Say what is wrong with the arguments; without a traceback, which would repeat it."""
    where = error.ctx.command_path if error.ctx is not None else "camsync"
    text = error.format_message()
    if "extra argument" in text:  # click quotes it, and it may be a password
        text = "there are more arguments than the command takes"
    misuse = ConfigurationError(text, next_step=f"see: {where} --help")
    output.error(misuse)
    return code_for(misuse)


def _failed(output: Output, error: CamsyncError) -> int:
    if output.tracebacks:
        output.trace(*sys.exc_info())
    output.error(error)
    return code_for(error)


def _unexpected(output: Output, error: Exception) -> int:
    if output.tracebacks:
        output.trace(*sys.exc_info())
    name = type(error).__name__
    defect = CamsyncError(
        f"unexpected {name}: {error}",
        next_step="this is a defect of camsync: please report it, with what -vv prints",
    )
    output.error(defect, category="unexpected")
    return FAILED
