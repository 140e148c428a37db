"""A limit on bytes a second for everything that shares it, with a timetable if wanted."""

from __future__ import annotations

import bisect
import datetime as dt
import math
import re
import threading
import time

from collections.abc import Callable

import attrs

from .._cancel import CancelToken, check_cancelled
from .._time import utcnow
from .._typed import parse_size
from ..errors import ConfigurationError


_RATES = "use a number such as 500k or 2M, or 'off'"
_ENTRY = re.compile(r"(\d{1,2}):(\d{2}),(\S+)", re.ASCII)
_LONGEST = 60
"""Characters of a wrong word that an error repeats."""

_BURST = 0.1
"""Seconds' worth of bytes that may come at once after a rest."""

_LOOK = 0.25
"""Seconds between two looks at the clock and at *cancel* while bytes must wait."""


def parse_rate(text: str) -> float | None:
    """Return the bytes a second that *text* means: ``"500k"``, ``"2M"``, ``"1.5G"``, ``"off"``.

    A number without a letter counts bytes; ``k``, ``M`` and ``G`` are powers of 1024. ``"off"``
    is no limit: None.

    Raises:
        ConfigurationError: It means none.
    """
    word = text.strip()
    if word.lower() == "off":
        return None
    try:
        return _checked(parse_size(word), text)
    except ConfigurationError as error:
        msg = f"{text[:_LONGEST]!r} is no limit in bytes a second"
        raise ConfigurationError(msg, next_step=_RATES) from error


def _checked(rate: float, given: object) -> float:
    if not (math.isfinite(rate) and rate > 0):
        msg = f"{repr(given)[:_LONGEST]} is no limit in bytes a second"
        raise ConfigurationError(msg, next_step=_RATES)
    return rate


@attrs.frozen
class Timetable:
    """Rates by the time of day. Make one with `parse`.

    Attributes:
        entries: The times and the rates that hold from then on, in order; the last one of a day
            holds until the first one of the next.
    """

    entries: tuple[tuple[dt.time, float | None], ...]

    @classmethod
    def parse(cls, text: str) -> Timetable:
        """Read ``"08:00,2M 18:00,20M 23:00,off"``, or one rate for the whole day.

        Raises:
            ConfigurationError: It cannot be read, is empty, or names a time twice.
        """
        entries: dict[dt.time, float | None] = {}
        words = text.split()
        if len(words) == 1 and "," not in words[0]:
            return cls(((dt.time(0), parse_rate(words[0])),))
        for word in words:
            moment, rate = _entry(word)
            if moment in entries:
                msg = f"the timetable names {moment:%H:%M} twice"
                raise ConfigurationError(msg)
            entries[moment] = rate
        if not entries:
            msg = "the timetable is empty"
            raise ConfigurationError(msg, next_step=_EXAMPLE)
        return cls(tuple(sorted(entries.items(), key=lambda entry: entry[0])))

    def rate_at(self, moment: dt.time) -> float | None:
        """Return the bytes a second at a time of day; None is no limit."""
        times = [entry[0] for entry in self.entries]
        return self.entries[bisect.bisect_right(times, moment) - 1][1]


_EXAMPLE = "for example '08:00,2M 18:00,20M 23:00,off'"


def _entry(word: str) -> tuple[dt.time, float | None]:
    match = _ENTRY.fullmatch(word)
    try:
        if match is not None:
            return dt.time(int(match[1]), int(match[2])), parse_rate(match[3])
    except ValueError as error:
        msg = f"{word[:_LONGEST]!r} is no line of a timetable: {error}"
        raise ConfigurationError(msg, next_step=_EXAMPLE) from error
    msg = f"{word[:_LONGEST]!r} is no line of a timetable"
    raise ConfigurationError(msg, next_step=_EXAMPLE)


class Limiter:
    """Lets through so many bytes a second, for all threads and streams that share it.

    Args:
        rate: Bytes a second, as a number or as text (``"2M"``); None for no limit.
        timetable: Rates by the time of day: ``"08:00,2M 18:00,20M 23:00,off"``. Where both are
            given, the lower one counts.
        timezone: The zone of the timetable; this computer's by default.
        clock: Seconds that never go back, for tests.
        now: The time of day, for tests.

    Raises:
        ConfigurationError: A limit cannot be read, or is not positive.
    """

    def __init__(
        self,
        rate: float | str | None = None,
        timetable: str | None = None,
        *,
        timezone: dt.tzinfo | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], dt.datetime] = utcnow,
    ) -> None:
        self._most = _as_rate(rate)
        self._timetable = None if timetable is None else Timetable.parse(timetable)
        self._timezone = timezone
        self._clock = clock
        self._now = now
        self._changed = threading.Condition()
        # Bytes that were asked for, and that might have gone: whoever asks waits until the second
        # has caught up with the first as it is then. So all are served in the order they came.
        self._asked = 0.0
        self._allowed = 0.0
        self._seen = clock()

    @property
    def rate(self) -> float | None:
        """The bytes a second that are allowed now; None is no limit."""
        if self._timetable is None:
            return self._most
        planned = self._timetable.rate_at(self._now().astimezone(self._timezone).time())
        return min((one for one in (self._most, planned) if one is not None), default=None)

    def take(self, count: int, cancel: CancelToken | None = None) -> bool:
        """Wait until *count* more bytes may have gone; say whether that needed any waiting.

        Raises:
            CancelledError: *cancel* was set.
        """
        with self._changed:
            self._advance()
            self._asked += count
            mine, waited = self._asked, False
            while (wait := self._wait(mine)) > 0:
                check_cancelled(cancel)
                waited = True
                self._changed.wait(min(wait, _LOOK))
            return waited

    def _wait(self, mine: float) -> float:
        rate = self._advance()
        return 0.0 if rate is None else (mine - self._allowed) / rate

    def _advance(self) -> float | None:
        """Let the time since the last look count; return the rate that holds now."""
        now, rate = self._clock(), self.rate
        passed, self._seen = now - self._seen, now
        if rate is None:
            self._allowed = self._asked
        else:
            self._allowed = min(self._allowed + passed * rate, self._asked + rate * _BURST)
        return rate


def _as_rate(rate: float | str | None) -> float | None:
    if rate is None or isinstance(rate, str):
        return None if rate is None else parse_rate(rate)
    return _checked(rate, rate)
