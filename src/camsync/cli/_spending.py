"""What a watch costs at accounts that count calls: said while there is time to change it."""

from __future__ import annotations

import datetime as dt
import math

from collections.abc import Iterable, Iterator
from itertools import pairwise

from ..provider import Provider


_MONTH = dt.timedelta(days=30)
_RUNS = 2
_FREE = 30_000
"""Calls a month that are reported to be free: beyond them an account without a limit may pay."""


class Spending:
    """Measures the runs of a watch, and warns once of each account that they would use up.

    The first run does not count: it logs in, and fetches what has gathered. Of the last two the
    cheaper one does: once a day a run looks further back, and there are days with more footage.

    Args:
        interval: From the begin of a run to that of the next one.
    """

    def __init__(self, interval: dt.timedelta) -> None:
        self._interval = interval
        self._seen: dict[str, tuple[int, ...]] = {}
        self._said: set[str] = set()

    def after_run(self, providers: Iterable[tuple[str, Provider]]) -> Iterator[str]:
        """Note what the accounts have used by now, and yield what the user should know."""
        for name, provider in dict(providers).items():  # with other options it is the same account
            usage = getattr(provider, "usage", None)
            if usage is None:
                continue
            seen = self._seen[name] = (*self._seen.get(name, ())[-_RUNS:], usage.calls)
            between = [after - before for before, after in pairwise(seen)]
            # Negative in a new month.
            taken = min(between) if len(between) == _RUNS else 0
            limit = _FREE if usage.max_calls is None else usage.max_calls
            month = taken * (_MONTH / self._interval)
            if month > limit and name not in self._said:
                self._said.add(name)
                whose = "reported to be free" if usage.max_calls is None else "allowed"
                yield (
                    f"{name}: a run took {taken} calls, about {month:,.0f} a month, and {limit:,} "
                    f"are {whose}{self._advice(taken, limit)}"
                )

    def _advice(self, taken: int, limit: int) -> str:
        if not limit:
            return ""
        minutes = math.ceil(taken * _MONTH / limit / dt.timedelta(minutes=1))
        return f": --watch {minutes}m would keep within"
