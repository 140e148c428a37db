"""A clock that somebody sets by hand: which offset its times had, and since when.

A recorder that knows no daylight saving is put forward in spring and back in autumn. It writes
wall times without a zone, and those of before stay what they are. So the offset that is measured
today must not be applied to them: their start in UTC is part of their key, and with another one
they would be fetched again, under a wrong time. Only who has looked before can know.
"""

from __future__ import annotations

import datetime as dt
import logging

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from ..._time import UTC
from ..._zone import parse_timezone
from ...errors import CamsyncError


_log = logging.getLogger("camsync.hikvision")
_ZERO = dt.timedelta(0)
_MOST = 16
_DECLARED = ""
_EVER = dt.datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class SteppedZone(dt.tzinfo):
    """Zones that follow each other.

    Attributes:
        steps: Since when (UTC) and which; the first one's moment does not count.
    """

    steps: tuple[tuple[dt.datetime, dt.tzinfo], ...]

    def utcoffset(self, when: dt.datetime | None) -> dt.timedelta | None:
        """Return the offset of a wall time; one that exists twice is the first, unless it folds."""
        if when is None:
            return None
        wall = when.replace(tzinfo=None)
        (_, zone), *following = self.steps
        for since, after in following:
            change = since.replace(tzinfo=None)
            ends, begins = change + _offset(zone, since), change + _offset(after, since)
            if wall < ends and not (when.fold and wall >= begins):
                break
            zone = after
        return zone.utcoffset(when)

    def dst(self, when: dt.datetime | None) -> dt.timedelta | None:
        """Return zero: what was saved is not known, only what the clock said."""
        return None if when is None else _ZERO

    def tzname(self, when: dt.datetime | None) -> str | None:
        """Return a name such as ``UTC+08:00``."""
        offset = self.utcoffset(when)
        return None if offset is None else dt.timezone(offset).tzname(None)

    def fromutc(self, when: dt.datetime) -> dt.datetime:
        """Convert a datetime that holds UTC in its fields, setting ``fold``."""
        moment = when.replace(tzinfo=UTC)
        (_, zone), *following = self.steps
        fold = False
        for since, after in following:
            if moment < since:
                break
            fold = moment + _offset(after, moment) < since + _offset(zone, since)
            zone = after
        wall = moment.astimezone(zone)
        return wall.replace(tzinfo=self, fold=int(fold or wall.fold))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.steps,)


def _offset(zone: dt.tzinfo, moment: dt.datetime) -> dt.timedelta:
    return moment.astimezone(zone).utcoffset() or _ZERO


@attrs.frozen(kw_only=True)
class Eras:
    """What is known of a clock's past.

    Attributes:
        declared: The raw ``timeZone`` text: another one is another matter.
        steps: Since when, and the offset as ``+02:00``, or empty for the declared zone.
        seen: When it was looked at for the last time.
    """

    declared: str
    steps: Sequence[tuple[dt.datetime, str]]
    seen: dt.datetime

    @classmethod
    def recall(cls, learnt: object) -> Eras | None:
        """Read what `as_json` has made; anything else is as good as nothing."""
        if not isinstance(learnt, Mapping):
            return None
        try:
            found = cls(
                declared=str(learnt["declared"]),
                steps=[(_moment(since), str(text)) for since, text in learnt["steps"]],
                seen=_moment(learnt["seen"]),
            )
            found.zone(UTC)
        except (LookupError, TypeError, ValueError, OverflowError, CamsyncError):
            return None
        return found if found.steps else None

    def as_json(self) -> dict[str, Any]:
        """Return JSON values; the last look to the hour, so that they seldom change."""
        steps = [[since.isoformat(), text] for since, text in self.steps]
        seen = self.seen.replace(minute=0, second=0, microsecond=0)
        return {"declared": self.declared, "steps": steps, "seen": seen.isoformat()}

    def zone(self, declared: dt.tzinfo) -> dt.tzinfo:
        """Return the zone for all times, given what the declared text means."""
        zones = [(since, parse_timezone(text) or declared) for since, text in self._texts()]
        return zones[0][1] if len(zones) == 1 else SteppedZone(tuple(zones))

    def _texts(self) -> list[tuple[dt.datetime, str | None]]:
        return [(since, text or None) for since, text in self.steps]

    def look(self, declared: dt.tzinfo, present: dt.tzinfo, now: dt.datetime) -> Eras:
        """Return what is known after a look has found *present* to be the clock's zone.

        Put forward, no time exists twice, and any moment after it separates old from new: now.
        Put back, an hour exists twice; what was there at the last look keeps its time.
        """
        text = _DECLARED if present == declared else _text(_offset(present, now))
        if text == self.steps[-1][1]:
            return attrs.evolve(self, seen=now)
        before = _offset(self.zone(declared), now)
        by = _offset(present, now) - before
        since = now if by > _ZERO else max(min(self.seen, now), self.steps[-1][0])
        _log.warning(
            "the device's clock was set by %+.1f hours since %s, and its declared zone was not: "
            "older recordings keep their times",
            by.total_seconds() / 3600,
            f"{self.seen:%Y-%m-%d %H:%M} UTC",
        )
        return attrs.evolve(self, steps=[*self.steps, (since, text)][-_MOST:], seen=now)


def first_look(raw: str, declared: dt.tzinfo, present: dt.tzinfo, now: dt.datetime) -> Eras:
    """Return what is known after the first look: nothing of what was before."""
    text = _DECLARED if present == declared else _text(_offset(present, now))
    return Eras(declared=raw, steps=[(_EVER, text)], seen=now)


def _text(offset: dt.timedelta) -> str:
    minutes = round(offset / dt.timedelta(minutes=1))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)
