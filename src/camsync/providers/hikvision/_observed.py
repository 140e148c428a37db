"""What camsync itself made of a device: said in a dump, so that the simulator can play it."""

from __future__ import annotations

import uuid

from typing import Any, Protocol

import attrs

from ..._time import DeviceClock, TimeSpan
from ...errors import AuthenticationError, CamsyncError
from ._dialect import DIALECTS, remember_dialect
from ._inventory import track
from ._search import Searcher, wire_bounds


_HOURS = 24
_FIRST = "1"


class _Timed(Protocol):
    def clock(self) -> DeviceClock: ...


@attrs.frozen(kw_only=True)
class Observed:
    """What was seen.

    Attributes:
        facts: JSON values: what ``Z`` means and why, the zone, the dialect; or what went wrong.
        search: The body of one search in the dialect that the device understands, if it is known.
    """

    facts: dict[str, Any]
    search: bytes | None = None


def observe(provider: _Timed, searcher: Searcher) -> Observed:
    """Read the device's clock, which searches, and say what came of it.

    Raises:
        AuthenticationError: The login is refused.
    """
    try:
        clock = provider.clock()
    except AuthenticationError:
        raise
    except CamsyncError as error:
        # The device's own words may name things; the kind of trouble does not.
        return Observed(facts={"clock_error": type(error).__name__, **_dialect(searcher)})
    dialect = searcher.dialect or DIALECTS[0]
    start, end = wire_bounds(TimeSpan.last(hours=_HOURS), clock)
    facts = {
        "z_means": clock.z_means.value,
        "z_reason": clock.reason,
        "zone": str(clock.declared or clock.zone),
        "clock_skew_seconds": round(clock.skew.total_seconds(), 1),
        **_dialect(searcher),
    }
    search = dialect.body(uuid.uuid4(), track(_FIRST), start, end, 0)
    return Observed(facts=facts, search=search)


def _dialect(searcher: Searcher) -> dict[str, Any]:
    return remember_dialect(searcher.dialect)
