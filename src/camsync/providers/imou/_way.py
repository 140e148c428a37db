"""The first steps of the connection test: host, clock, login."""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator
from typing import Final

from ...errors import (
    CamsyncError,
    Category,
    ClockSkewError,
)
from ...models import Check, CheckStatus
from ...transport import Web
from ._call import Caller


_ON_THE_WAY: Final = frozenset({Category.NETWORK, Category.TLS})
_SKEW_TO_MENTION: Final = dt.timedelta(seconds=60)


def check_way(caller: Caller, web: Web) -> Iterator[Check]:
    """Log in, and yield what that shows of host, clock and login; one call, or two."""
    error: CamsyncError | None = None
    try:
        caller.tokens.current()
    except CamsyncError as failure:
        error = failure
    if error is not None and error.category in _ON_THE_WAY:
        yield failed("host", error)
        return
    host = caller.root.partition("://")[2]
    secure = "TLS" if web.home.secure else "plain HTTP on this computer"
    yield Check(name="host", status=CheckStatus.OK, seen=f"{host} answers over {secure}")
    yield _clock(caller.skew)
    yield _login(caller) if error is None else failed("login", error)


def _clock(skew: dt.timedelta | None) -> Check:
    if skew is None:
        seen = "the cloud does not say what time it is"
        return Check(name="clock", status=CheckStatus.SKIPPED, seen=seen)
    seconds = int(skew.total_seconds())
    word = "ahead of" if seconds > 0 else "behind"
    seen = f"this computer's clock is {abs(seconds)} s {word} the cloud's"
    if abs(skew) > _SKEW_TO_MENTION:
        advice = ClockSkewError.default_next_step or ""
        return Check(name="clock", status=CheckStatus.WARNING, seen=seen, advice=advice)
    return Check(name="clock", status=CheckStatus.OK, seen=seen)


def _login(caller: Caller) -> Check:
    signer, token = caller.signer, caller.tokens.known
    signed = "" if signer is None else f", signed with {signer.name}"
    life = "" if token is None else f"; the session has {token.life / 3600:.1f} hours left"
    seen = f"logged in as {caller.app_id}{signed}{life}"
    return Check(name="login", status=CheckStatus.OK, seen=seen)


def failed(name: str, error: CamsyncError) -> Check:
    """Make a failed step of an error."""
    return Check(
        name=name,
        status=CheckStatus.FAILED,
        seen=error.message,
        advice=error.next_step or "",
        category=error.category,
    )
