"""Searching: windows, dialects, pages. Serial per device: most bear one search at a time."""

from __future__ import annotations

import calendar
import datetime as dt
import logging
import threading
import uuid

from collections.abc import Callable, Iterator, Sequence

import attrs

from ..._time import DeviceClock, TimeSpan, ZMeaning
from ...errors import (
    CamsyncError,
    DeviceBusyError,
    DeviceFaultError,
    ProtocolError,
    RecordingNotFoundError,
    RequestRejectedError,
    UnsupportedError,
)
from ...models import DeviceKind, Recording, RecordingKey
from . import _xml
from ._client import IsapiClient
from ._dialect import DIALECTS, LIST_TAGS, Dialect, daily_body
from ._matches import Match, Page, read_page


_log = logging.getLogger("camsync.hikvision")
_PATH = "ContentMgmt/search"
WINDOW = dt.timedelta(days=1)
_REMEMBERED = dt.timedelta(days=1)
_NARROWEST = dt.timedelta(minutes=15)
_MOST_PAGES = 2000
_MOST_MATCHES = 4000
"""V4.61.030 delivers no more than these, and does not say that there are others."""

_FORBIDDEN = 403
_FIRST_TRACK = "101"
_REPEATED = dt.timedelta(hours=2)


class WrongTrackError(ProtocolError):
    """The device answered for another track than the one asked for."""


# After these, another way to write the request may be understood.
_MISUNDERSTOOD = (RequestRejectedError, UnsupportedError, WrongTrackError)


class Searcher:
    """Runs searches on one device and remembers the dialect that it understands.

    Args:
        kind: What the device is; cameras say "nothing found" in their own way.
        hint: The dialect that the device understood earlier. It is tried first and checked.
    """

    def __init__(
        self, client: IsapiClient, kind: Callable[[], DeviceKind], hint: Dialect | None = None
    ) -> None:
        self._client = client
        self._kind = kind
        self._hint = hint
        self._lock = threading.Lock()
        self._dialect: Dialect | None = None
        self._proven = False

    @property
    def dialect(self) -> Dialect | None:
        """The dialect that is understood, or None before the first answer."""
        return self._dialect

    def forget(self) -> None:
        """Find out the dialect anew: another device answers."""
        with self._lock:
            self._hint, self._dialect, self._proven = None, None, False

    def windows(
        self, track: str, span: TimeSpan, clock: DeviceClock
    ) -> Iterator[tuple[TimeSpan, list[Match]]]:
        """Yield day windows of *span*, oldest first, with the matches that overlap each.

        A window that the device fails on (V4.61.030 answers HTTP 500 to wide ones), or whose
        matches it stops counting at 4000 (the same firmware), is asked in pieces. What fails and
        has no recordings according to the device's calendar is skipped.
        """
        for window in span.split(WINDOW):
            yield from self._window(track, window, clock)

    def _window(
        self, track: str, window: TimeSpan, clock: DeviceClock
    ) -> Iterator[tuple[TimeSpan, list[Match]]]:
        narrow = window.duration <= _NARROWEST
        try:
            matches = self.matches(track, *wire_bounds(window, clock))
        except DeviceFaultError:
            if narrow:
                raise
            if self._surely_empty(track, window, clock):
                return
        else:
            if narrow or len(matches) < _MOST_MATCHES:
                yield window, matches
                return
        _log.info("the device does not bear %s to %s: in pieces", window.start, window.end)
        for part in window.split(window.duration / 4):
            yield from self._window(track, part, clock)

    def _surely_empty(self, track: str, window: TimeSpan, clock: DeviceClock) -> bool:
        """Whether the device's calendar has no recording on any local day of *window*."""
        first, last = (clock.local(moment).date() for moment in (window.start, window.end))
        months = {(day.year, day.month) for day in (first, last)}
        try:
            days = {day for year, month in months for day in self.days(track, year, month)}
        except CamsyncError as error:
            _log.info("the device's calendar does not help: %s", error.message)
            return False
        return not any(first <= day <= last for day in days)

    def days(self, track: str, year: int, month: int) -> list[dt.date]:
        """Return the device-local days of a month on which *track* has recordings.

        Raises:
            CamsyncError: The device cannot tell; not every camera can.
        """
        path = f"ContentMgmt/record/tracks/{track}/dailyDistribution"
        root = self._client.call("POST", path, daily_body(year, month))
        days = _xml.find(root, "dayList")
        if days is None:
            msg = "the device's calendar has no list of days"
            raise ProtocolError(msg)
        longest = calendar.monthrange(year, month)[1]
        numbers = (
            _xml.number(item, "dayOfMonth")
            for item in _xml.children(days, "day")
            if _xml.flag(item, "record")
        )
        return [dt.date(year, month, day) for day in numbers if day and 0 < day <= longest]

    def matches(self, track: str, start: str, end: str) -> list[Match]:
        """Return all matches between two wire times, in the device's order, without duplicates.

        Raises:
            CamsyncError: The search failed in every dialect.
        """
        with self._lock:
            found = self._known_or_learnt(track, start, end)
            if found or self._proven or self._dialect is None:
                return found
            return self._confirm_nothing(self._dialect, track, start, end)

    def _known_or_learnt(self, track: str, start: str, end: str) -> list[Match]:
        if self._dialect is not None:
            try:
                return self._pages(self._dialect, track, start, end)
            except _MISUNDERSTOOD:  # a firmware update, perhaps: learn anew
                self._dialect, self._proven = None, False
        return self._learn(track, start, end)

    def _learn(self, track: str, start: str, end: str) -> list[Match]:
        errors: list[CamsyncError] = []
        for dialect in self._order():
            try:
                matches = self._pages(dialect, track, start, end)
            except _MISUNDERSTOOD as error:
                errors.append(error)
                continue
            self._dialect = dialect
            # A device that ignores the list of tracks answers for the first one.
            self._proven = bool(matches) and track != _FIRST_TRACK
            return matches
        # The first answer to the most common form says most; a wrong track says what is odd.
        odd = [error for error in errors if isinstance(error, WrongTrackError)]
        raise (odd or errors)[0]

    def _order(self) -> Iterator[Dialect]:
        if self._hint is not None:
            yield self._hint
        yield from (dialect for dialect in DIALECTS if dialect != self._hint)

    def _confirm_nothing(self, dialect: Dialect, track: str, start: str, end: str) -> list[Match]:
        """Ask with the other list tag: an empty answer may mean that the tag was not understood."""
        other = attrs.evolve(dialect, list_tag=LIST_TAGS[dialect.list_tag])
        try:
            found = self._pages(other, track, start, end)
        except _MISUNDERSTOOD:
            return []
        if found:
            self._dialect, self._proven = other, track != _FIRST_TRACK
        return found

    def _pages(self, dialect: Dialect, track: str, start: str, end: str) -> list[Match]:
        """Fetch all pages with one constant search id: a new id would give page one for ever."""
        search_id = uuid.uuid4()
        found: dict[tuple[str, str, str], Match] = {}
        position = 0
        for _ in range(_MOST_PAGES):
            page = self._page(dialect.verb, dialect.body(search_id, track, start, end, position))
            _check_track(track, page.matches)
            # Some firmware lists a file twice; counting it twice would skip the next one.
            listed = {match.identity: match for match in page.matches}
            position += len(listed)
            fresh = {name: match for name, match in listed.items() if name not in found}
            found.update(fresh)
            if not (page.more and fresh):
                return list(found.values())
        msg = f"the search does not end after {_MOST_PAGES} pages"
        raise ProtocolError(msg)

    def _page(self, verb: str, body: bytes) -> Page:
        try:
            return read_page(self._client.call(verb, _PATH, body, final=self._says_nothing))
        except RecordingNotFoundError:
            return _NOTHING
        except DeviceBusyError as error:
            if self._says_nothing(error):
                return _NOTHING
            raise

    def _says_nothing(self, error: CamsyncError) -> bool:
        """Whether *error* is a camera's way to say that nothing was found.

        IPC V5.7.20 and V5.7.23 answer 403 "Invalid Operation"; on a recorder the same words mean
        too many connections.
        """
        refused = isinstance(error, DeviceBusyError) and error.http_status == _FORBIDDEN
        return refused and self._kind() is DeviceKind.CAMERA


class Once:
    """Lets each recording of a search through once, and remembers those of a day, not all.

    What overlaps two windows is listed in both. Devices list what lies a few hours beside a
    window, too: where clocks go back, or where their zone is not what they say. What ended a day
    before the end of a window was listed by then, so later windows have nothing new to say of it.
    """

    def __init__(self, span: TimeSpan) -> None:
        self._span = span
        self._passed = span.start
        self._seen: dict[RecordingKey, dt.datetime] = {}

    def fresh(self, recording: Recording) -> bool:
        """Whether *recording* overlaps the span and has not come before."""
        if recording.end <= self._passed or recording.start >= self._span.end:
            return False
        key = recording.key
        if key in self._seen:
            return False
        # The end of what is being written moves: it could reach any later window.
        self._seen[key] = self._span.end if recording.in_progress else recording.end
        return True

    def leave(self, window: TimeSpan) -> None:
        """Forget what no later window can bring again."""
        self._passed = max(self._passed, window.end - _REMEMBERED)
        self._seen = {key: end for key, end in self._seen.items() if end > self._passed}


_NOTHING = Page(matches=(), more=False, total=0)


def _check_track(track: str, matches: Sequence[Match]) -> None:
    """Refuse an answer for another track: HiWatch DS-N308 searches 101 whatever is asked."""
    strangers = {match.track for match in matches} - {track}
    if strangers:
        msg = f"the device was asked for track {track} and answers for {min(strangers)!r}"
        raise WrongTrackError(msg)


def wire_bounds(window: TimeSpan, clock: DeviceClock) -> tuple[str, str]:
    """Write a window the way the device reads it.

    Where clocks go back, wall times inside lie before that of the window's start and behind that
    of its end, and only the order of all segments of the repeated hour tells its two halves
    apart. So the widest reading is sent; what is too much is filtered out later.
    """
    if clock.z_means is ZMeaning.UTC:
        return clock.to_wire(window.start), clock.to_wire(window.end)
    offsets = [
        clock.local(moment).utcoffset() or dt.timedelta(0)
        for moment in (window.start - _REPEATED, window.start, window.end)
    ]
    back = max(offsets[0] - offsets[2], offsets[1] - offsets[2], dt.timedelta(0))
    if not back:
        return clock.to_wire(window.start), clock.to_wire(window.end)
    starts = (window.start, window.start - back, window.start - 2 * back)
    return (
        min(clock.to_wire(moment) for moment in starts),
        max(clock.to_wire(window.end), clock.to_wire(window.end + back)),
    )
