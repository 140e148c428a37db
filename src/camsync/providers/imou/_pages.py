"""Pages of recordings: how to get all of a list that comes in parts, and not more calls than that.

Nothing that comes may go missing unnoticed. A list can move between two calls, because a card
overwrites its oldest files; a server may give less at once than it was asked for; and a wall clock
that is put back makes times ambiguous for an hour.
"""

from __future__ import annotations

import datetime as dt
import logging

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from ...errors import ProtocolError
from ._parse import check_page, malformed
from ._wire import RawRecord, Repeated


_log = logging.getLogger("camsync.imou")
_USUAL: Final = frozenset({*range(10, 100, 10), 15, 16, 24, 25, 32, 48, 64, 75, 96})
"""Lengths at which servers cut their pages off."""
_SHORTEST: Final = dt.timedelta(minutes=1)
_MOST_STEPS_BACK: Final = 3


@attrs.frozen(kw_only=True)
class Page:
    """One answer with recordings.

    Attributes:
        length: How many it lists, those that cannot be read included.
        more: Whether it says itself that there are more; None when it says nothing.
    """

    records: Sequence[RawRecord]
    length: int
    more: bool | None = None


class Lengths:
    """What is known of how much a server gives at once. Thread-safe: at worst it asks once more.

    A page that is shorter than what was asked for is the last one, unless the server gives less
    than it is asked for. Whoever sees a suspicious length for the first time asks once more; if
    nothing comes, no page of that length, or shorter, is suspicious any more.
    """

    def __init__(self) -> None:
        self._whole: dict[str, int] = {}
        self._proven: set[tuple[str, int]] = set()

    def may_go_on(self, whose: str, length: int, asked: int | None) -> bool:
        """Say whether more may follow a page of this length.

        Args:
            whose: Of which server, or device behind it.
            asked: How many were asked for; None when the server alone decides.
        """
        longest, usual = length > self._whole.get(whose, 0), length in _USUAL
        self._whole[whose] = max(length - 1, self._whole.get(whose, 0))  # more than that fits
        if asked is None:  # its own limit may change, for all we know
            return longest or (usual and (whose, length) not in self._proven)
        return length >= asked or (longest and usual)

    def is_whole(self, whose: str, length: int) -> None:
        """Note that nothing followed a page of this length."""
        self._whole[whose] = max(length, self._whole.get(whose, 0))
        self._proven.add((whose, length))


def _identity(record: RawRecord) -> tuple[str, str, dt.datetime]:
    return record.region, record.id, record.begin


class _Seen:
    """Lets each record through once."""

    def __init__(self) -> None:
        self.known: set[tuple[str, str, dt.datetime]] = set()

    def fresh(self, page: Page) -> list[RawRecord]:
        found = {_identity(one): one for one in page.records if _identity(one) not in self.known}
        self.known.update(found)
        return list(found.values())

    def meets(self, page: Page) -> bool:
        """Whether a record of *page* has come before."""
        return any(_identity(one) in self.known for one in page.records)


def by_position(
    ask: Callable[[int, int], Page], size: int, *, method: str, whose: str, lengths: Lengths
) -> Iterator[RawRecord]:
    """Page by position.

    Each page begins with the last record of the one before. If that is not there, older ones were
    deleted meanwhile and everything has moved up: then it goes back a bit, and from there on in
    smaller steps.

    Args:
        ask: Asks for a first and a last position, from 1, both included.

    Raises:
        ProtocolError: There are pages without end.
    """
    seen = _Seen()
    first, overlap, back, pages, before = 1, 1, 0, 0, 0
    while True:
        pages += 1
        check_page(pages, method)
        page = ask(first, first + size - 1)
        if first > 1 and overlap and back < _MOST_STEPS_BACK and not seen.meets(page):
            back, overlap = back + 1, size // 2
            first = max(first - overlap, 1)
            continue
        fresh = seen.fresh(page)
        yield from fresh
        if page.length < size and not fresh:
            lengths.is_whole(whose, before)
            return
        if not lengths.may_go_on(whose, page.length, size):
            return
        before = page.length
        if fresh:
            first += max(page.length - overlap, 1)
        elif overlap:  # perhaps a server that knows whole pages only
            first, overlap = first + overlap, 0
        else:
            return


@attrs.define
class ByTime:
    """One list that is paged by time: on from the last record of each page, in the server's order.

    Attributes:
        ask: Asks for what lies between two wall times.
        size: How many come at once, as far as is asked for.
        whose: Of which server the lengths are.
        repeated: The wall times that this day has twice. Between them a time says too little to
            go on from it: there the list is asked for in parts, each until nothing is cut off.
        strange: Makes the error for an answer that makes no sense.
    """

    ask: Callable[[dt.datetime, dt.datetime], Page]
    size: int | None
    method: str
    whose: str
    lengths: Lengths
    repeated: Repeated | None = None
    strange: Callable[[str, str], ProtocolError] = malformed
    _seen: _Seen = attrs.field(factory=_Seen, init=False)
    _pages: int = attrs.field(default=0, init=False)
    _longest: int = attrs.field(default=0, init=False)

    def run(self, begin: dt.datetime, end: dt.datetime) -> Iterator[RawRecord]:
        """Yield all, each once, in the order in which the server lists them.

        Raises:
            ProtocolError: There are pages without end, or less than the server says.
        """
        before = 0
        while True:
            page = self._page(begin, end)
            fresh = self._seen.fresh(page)
            yield from fresh
            if not fresh:
                self._end(page, before)
                return
            if not self._may_go_on(page):
                return
            before = page.length
            forward = page.records[0].begin <= page.records[-1].begin
            border = page.records[-1].begin
            if self.repeated is not None and self.repeated[0] <= border < self.repeated[1]:
                yield from self._apart(self.repeated, forward=forward)
                border = self.repeated[1 if forward else 0]
            begin, end = (border, end) if forward else (begin, border)

    def _page(self, begin: dt.datetime, end: dt.datetime) -> Page:
        self._pages += 1
        check_page(self._pages, self.method)
        page = self.ask(begin, end)
        self._longest = max(page.length, self._longest)
        return page

    def _may_go_on(self, page: Page) -> bool:
        if page.more is not None:
            return page.more
        return self.lengths.may_go_on(self.whose, page.length, self.size)

    def _end(self, page: Page, before: int) -> None:
        """Judge a page that brings nothing new: is it the end, or does the server not look at times?

        Args:
            before: How long the page before it was.
        """
        if page.more:
            raise self.strange(self.method, "says that there is more, and does not give it")
        if page.length < before or page.length <= 1:
            self.lengths.is_whole(self.whose, before)
        else:
            self._miss(page.length)

    def _miss(self, length: int) -> None:
        _log.warning("%s: %d recordings again; more may be missing", self.method, length)

    def _apart(self, window: Repeated, *, forward: bool) -> list[RawRecord]:
        """Return what is new in the hour that comes twice, in the server's order."""
        halves: tuple[list[RawRecord], list[RawRecord]] = ([], [])
        for page in self._parts(window):
            first, second = _passes(page.records if forward else page.records[::-1])
            halves[0].extend(self._seen.fresh(attrs.evolve(page, records=first)))
            halves[1].extend(self._seen.fresh(attrs.evolve(page, records=second)))
        found = [one for half in halves for one in sorted(half, key=lambda one: one.begin)]
        return found if forward else found[::-1]

    def _parts(self, window: Repeated) -> Iterator[Page]:
        """Ask for a window; for its halves instead when the answer may be cut off."""
        page = self._page(*window)
        most = self._longest if self.size is None else min(self.size, self._longest)
        cut = page.length >= most if page.more is None else page.more
        begin, end = window
        if not cut or not page.length:
            yield page
        elif end - begin <= _SHORTEST:
            self._miss(page.length)
            yield page
        else:
            middle = begin + (end - begin) / 2
            yield from self._parts((begin, middle.replace(microsecond=0)))
            yield from self._parts((middle.replace(microsecond=0), end))


def _passes(records: Sequence[RawRecord]) -> tuple[Sequence[RawRecord], Sequence[RawRecord]]:
    """Part records, oldest first, where the clock goes back; nothing is put back twice."""
    for place in range(1, len(records)):
        if records[place].begin < records[place - 1].begin:
            return records[:place], records[place:]
    return records, ()
