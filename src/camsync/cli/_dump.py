"""``camsync dump``: an anonymised copy of what a recorder answers, to post and to play."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import click

from .._scrub import Scrubber
from .._time import utcnow
from ..errors import ConfigurationError, DestinationError, UnsupportedError
from ._connection import Target, connected, connection_options
from ._exit import OK
from ._link import Link
from ._options import common_options, pass_output
from ._output import Output


_STDOUT = "-"
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_PLURALS = {
    "MAC address": "MAC addresses",
    "address": "addresses",
    "identifier": "identifiers",
    "name": "names",
    "position": "positions",
    "secret": "secrets",
    "serial number": "serial numbers",
    "user name": "user names",
}
KEPT = "times, time zone, model, firmware, sizes, numbers of channels"
READ_IT = (
    "read it before you post it: text in fields that camsync does not know is as it was, and so are "
    "unusual spellings"
)


@runtime_checkable
class Dumping(Protocol):
    """A provider that can dump its device."""

    def dump(self, *, scrubber: Scrubber | None = None) -> dict[str, Any]:
        """Return the anonymised dump."""
        ...


@click.command()
@connection_options
@click.option(
    "--out",
    metavar="FILE",
    help="Where to write; '-' is stdout.  [default: camsync-dump-MODEL-DATE.json]",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@common_options
@pass_output
def dump(output: Output, target: Target, out: str | None, force: bool) -> int:
    """Write an anonymised copy of what the recorder answers.

    \b
    camsync dump hikvision://admin@192.168.1.64
    camsync dump hikvision://admin@192.168.1.64 --out nvr.json

    It shows others what your recorder answers: `camsync simulate recorder --dump FILE` plays it.
    Serial numbers, addresses, names, accounts and places are replaced where camsync knows them,
    passwords are not in it. Read it before you post it.
    The recorder is only read; a wrong password costs one failed login.
    """  # noqa: D301 - click reads \b as "do not wrap"
    if out not in {None, _STDOUT}:
        refuse_existing(Path(str(out)), force=force)
    if out == _STDOUT and output.json:
        msg = "'--out -' and --json both want stdout"
        raise ConfigurationError(msg, next_step="leave one of them out")
    scrubber = Scrubber()
    with connected(output, target) as link:
        document = make_dump(link, scrubber)
    content = json.dumps(document, indent=1) + "\n"
    if out == _STDOUT:
        output.out.file.write(content)
        output.out.file.flush()
        _say(output.note, None, scrubber.counts)
        return OK
    path = _default_name(document) if out is None else Path(out)
    refuse_existing(path, force=force)
    write_whole(path, content.encode())
    _say(output.line, path, scrubber.counts)
    output.document(
        {
            "path": str(path),
            "model": document["model"],
            "firmware": document["firmware"],
            "endpoints": len(document["endpoints"]),
            "replaced": dict(scrubber.counts),
        }
    )
    return OK


def make_dump(link: Link, scrubber: Scrubber) -> dict[str, Any]:
    """Have the provider dump its device.

    Raises:
        UnsupportedError: It cannot.
        CamsyncError: The device cannot be asked.
    """
    provider = link.provider
    if not isinstance(provider, Dumping):
        msg = f"the provider {provider.name!r} cannot dump a device: that is for recorders"
        step = f"for a bug report, use camsync doctor {link.shown} --bundle report.zip"
        raise UnsupportedError(msg, next_step=step)
    return provider.dump(scrubber=scrubber)


def replaced_text(counts: Mapping[str, int]) -> str:
    """Return ``12 names, 1 serial number``."""
    words = [f"{count} {kind if count == 1 else _PLURALS[kind]}" for kind, count in counts.items()]
    return ", ".join(words) or "nothing"


def refuse_existing(path: Path, *, force: bool = False, forcible: bool = True) -> None:
    """Refuse a file that is there already, unless it may be replaced.

    Args:
        forcible: Whether the command has an option for that.

    Raises:
        ConfigurationError: It is there, or is a folder.
    """
    if path.is_dir():
        msg = f"{path} is a folder"
        raise ConfigurationError(msg, next_step="name a file")
    if path.exists() and not force:
        msg = f"{path} is there already"
        other = ", or replace it with --force" if forcible else ", or move it away"
        raise ConfigurationError(msg, next_step=f"choose another name{other}")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file to be shown to others: whole, or not at all.

    Raises:
        DestinationError: It cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with fresh.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise DestinationError(msg) from error


def _default_name(document: Mapping[str, Any]) -> Path:
    model = _UNFIT.sub("-", str(document["model"])).strip("-.")[:60] or "recorder"
    return Path(f"camsync-dump-{model}-{utcnow():%Y-%m-%d}.json")


def _say(say: Any, path: Path | None, counts: Mapping[str, int]) -> None:
    if path is not None:
        say(f"written: {path}")
    say(f"replaced: {replaced_text(counts)}")
    say(f"kept: {KEPT}")
    say(READ_IT)
