"""``camsync doctor``: what works between here and the recorder, and what to do about the rest."""

from __future__ import annotations

import contextlib

from pathlib import Path

import click

from ..models import CheckStatus
from ._bundle import recorded_log, write_bundle
from ._checks import check_code, show_check, steps_of
from ._connection import Target, connected, connection_options
from ._dump import READ_IT, refuse_existing
from ._exit import OK
from ._json import check_json
from ._options import common_options, pass_output
from ._output import Output


@click.command()
@connection_options
@click.option(
    "--bundle",
    metavar="FILE.zip",
    help="Also write a zip for a bug report: this test, a dump, the log, versions; anonymised.",
)
@common_options
@pass_output
def doctor(output: Output, target: Target, bundle: str | None) -> int:
    """Test the connection step by step and say what to do.

    \b
    camsync doctor hikvision://admin@192.168.1.64
    camsync doctor hikvisions://admin@192.168.1.64 --verify sha256:HEX --json
    camsync doctor hikvision://admin@192.168.1.64 --bundle report.zip
    camsync doctor imou://APPID@sg

    The steps are TCP, TLS, lock state, login, clock (and what 'Z' means), channels, search, and the
    first bytes of a download; for a cloud account host, clock, login, devices, plan, card, search,
    download and quota, which costs some calls. A wrong password costs one failed login, never more.
    The exit code is that of the first step that failed.
    """  # noqa: D301 - click reads \b as "do not wrap"
    path = None if bundle is None else Path(bundle)
    with contextlib.ExitStack() as stack:
        log: list[str] = []
        if path is not None:
            refuse_existing(path, forcible=False)
            log = stack.enter_context(recorded_log())
        link = stack.enter_context(connected(output, target))
        checks = []
        for check in steps_of(link.provider):
            checks.append(check)
            show_check(output, check)
        if path is not None:
            said = write_bundle(path, link, checks, log)
            for line in (f"written: {path}", said, READ_IT):
                output.line(line)
    failed = [check for check in checks if check.status is CheckStatus.FAILED]
    document = {"ok": not failed, "checks": [check_json(check) for check in checks]}
    output.document(document if path is None else {**document, "bundle": str(path)})
    return check_code(failed[0]) if failed else OK
