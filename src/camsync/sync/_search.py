"""The searching half of a device's run: its channels one after the other, oldest first."""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterable, Iterator

import attrs

from .._cancel import CancelToken, check_cancelled
from .._time import TimeSpan
from ..errors import (
    AuthenticationError,
    CamsyncError,
    CancelledError,
    CatalogueError,
    DiskFullError,
    QuotaError,
)
from ..models import Channel, DeviceId, Recording, RecordingKey
from ..provider import Provider
from ._checks import Skew, check_clock, check_device
from ._context import Context
from ._leftovers import looks_behind, without_leftovers
from ._options import Source
from ._survey import HOPE, Look, Window, is_late_look_due, judge, look
from ._values import EventKind, PlanItem, Verdict


OF_THE_ACCOUNT = (AuthenticationError, QuotaError)
"""What goes wrong for all channels alike: every further try could lock the account, or costs."""

OF_THE_CATALOGUE = (CatalogueError, DiskFullError)
"""What ends the whole run while nothing is fetched: only the catalogue is written then."""

_CHUNK = 500


@attrs.frozen(kw_only=True)
class Found:
    """What the search of a device has brought.

    Attributes:
        channels: The channels that were searched to the end.
        due: What is to be fetched, with its channel, in the order of fetching.
    """

    channels: tuple[Channel, ...]
    due: tuple[tuple[Channel, Recording], ...]


class Survey:
    """Searches the channels of one source and judges each recording.

    Args:
        context: What all parts of the run share.
        source: Whose recordings are wanted.
        writes: Whether the catalogue is changed; a plan changes nothing.

    Attributes:
        devices: The devices that the source has.
        twins: What was listed here, too, but was found first by another source of the same device.
    """

    def __init__(self, context: Context, source: Source, *, writes: bool) -> None:
        self._context = context
        self._source = source
        self._writes = writes
        self.devices: frozenset[DeviceId] = frozenset()
        self.twins: dict[RecordingKey, tuple[Channel, Recording]] = {}
        self._skew = Skew()
        self._window = Window(
            since=source.since or context.options.since, span=context.options.span
        )

    def run(self, provider: Provider) -> Found:
        """Search all wanted channels. A channel that cannot be searched is noted, not raised.

        Raises:
            CamsyncError: The device cannot even say which channels it has, or all the others would
                fail like this one.
            CatalogueError: The catalogue cannot be read or written.
            HostError: The host's own table has raised.
        """
        options = self._context.options
        label, before = self._source.label_shown, getattr(provider, "replaced", None)
        known = provider.channels()
        self.devices = frozenset(channel.device for channel in known)
        check_device(self._context, label, provider, before)
        channels = self._context.wishes.chosen(self._source, known)
        if self._writes:
            self._context.books.holdings.note(channels)
        if channels:
            self._skew = check_clock(self._context, label, provider)
        done: list[Channel] = []
        due: list[tuple[Channel, PlanItem]] = []
        for channel in channels:
            check_cancelled(self._context.halt)
            try:
                # one by one: what was listed before a search breaks off is due all the same
                for item in self._channel(provider, channel):
                    due.append((channel, item))  # noqa: PERF401
            except (CancelledError, *OF_THE_ACCOUNT, *OF_THE_CATALOGUE):
                raise
            except CamsyncError as error:
                self._context.problem(str(channel.device), error, str(channel.id))
            else:
                done.append(channel)
        due.sort(key=lambda pair: turn_of(pair[1], options.order))
        listed = ((channel, item.recording) for channel, item in due)
        return Found(
            channels=tuple(done),
            due=tuple((channel, each) for channel, each in listed if each is not None),
        )

    def _channel(self, provider: Provider, channel: Channel) -> Iterator[PlanItem]:
        """Yield what is due of *channel*, also when the search breaks off in the middle."""
        for chosen in self._looks(channel):
            yield from self._listed(provider, channel, chosen)

    def _listed(self, provider: Provider, channel: Channel, chosen: Look) -> Iterator[PlanItem]:
        context = self._context
        listed: set[RecordingKey] = set()
        oldest: dt.datetime | None = None
        exact = self._window.span is not None
        span = chosen.span if exact else self._skew.widened(chosen.span)
        found = provider.search(channel, span, kinds=context.options.kinds)
        for chunk in _chunks(found, context.halt):
            oldest = oldest or min(each.start for each in chunk)
            listed.update(each.key for each in chunk)
            wanted = [each for each in chunk if chosen.only is None or each.key in chosen.only]
            for item in self._judged(self._claimed(channel, wanted)):
                context.judged(item)
                if item.verdict is Verdict.FETCH:
                    yield item
            check_cancelled(context.halt)
        self._ended(channel, chosen, listed, oldest)
        context.tell(
            EventKind.SEARCHED,
            device=str(channel.device),
            channel=str(channel.id),
            message=f"{len(listed)} recordings from {_words(chosen.span)}",
        )

    def _looks(self, channel: Channel) -> list[Look]:
        """Decide what to search of *channel*."""
        books, now, kinds = self._context.books, self._context.now, self._context.options.kinds
        mark = books.mark(channel, now, self._window.beginning(now))
        behind: list[Look] = []
        if self._window.span is None:
            behind = looks_behind(books.holdings, channel, mark, now, kinds)
            mark = without_leftovers(books.holdings, channel, mark)
        hope = None
        if is_late_look_due(mark, now):
            hope = books.holdings.oldest_lost(channel.device, channel.id, now - HOPE)
        chosen = look(self._window, mark, now, hope)
        return behind if chosen is None else [chosen, *behind]

    def _claimed(self, channel: Channel, recordings: list[Recording]) -> list[Recording]:
        """Return those that no other source of the same device has found before."""
        mine = [each for each in recordings if self._context.claim(each.key)]
        if len(self._context.options.sources) > 1:
            keys = {each.key for each in mine}
            others = (each for each in recordings if each.key not in keys)
            self.twins.update((each.key, (channel, each)) for each in others)
        return mine

    def _judged(self, recordings: list[Recording]) -> Iterator[PlanItem]:
        context = self._context
        books, options = context.books, context.options
        theirs = books.with_host(recordings)
        known = (books.observe if self._writes else books.foresee)(recordings, theirs)
        # What the host has is a file that is bad, or lacks the end.
        theirs -= {key for key in theirs & set(known) if known[key].file_end is not None}
        if theirs and self._writes:
            books.holdings.elsewhere(theirs)
        for each in recordings:
            if each.key in theirs:
                yield PlanItem(key=each.key, verdict=Verdict.HELD, recording=each)
                continue
            entry = known.get(each.key)
            item = judge(each, entry, context.now, options.settle - self._skew.ahead)
            if entry is not None and item.verdict is Verdict.HELD and self._writes:
                file = books.handed_over(each, entry)
                if file is not None:
                    context.handed_over(file)
            yield item

    def _ended(
        self,
        channel: Channel,
        chosen: Look,
        listed: set[RecordingKey],
        oldest: dt.datetime | None,
    ) -> None:
        """Note what was searched to the end, and what was missed in it.

        A device whose disk is not up yet lists nothing and says that this was all: what is missed
        is not gone at once, and an empty answer moves no mark. With some kinds only, an empty
        answer is nothing odd, and what was not asked for is not missed.
        """
        context = self._context
        every = context.options.kinds is None
        missed = context.books.unlisted(channel, chosen.span, listed) if every else []
        for entry in missed:
            if entry.missed_for(context.now):
                context.judged(PlanItem(key=entry.key, verdict=Verdict.GONE))
        if self._writes:
            context.books.holdings.missed([entry.key for entry in missed])
            # An hour of last week says nothing of the days since.
            if self._window.span is None and chosen.only is None:
                empty = every and not listed
                context.books.searched(
                    channel, chosen.span, oldest=oldest, deep=chosen.deep, empty=empty
                )


def turn_of(item: PlanItem, order: str) -> tuple[bool, float]:
    """Return what to sort by: time; what has failed before comes last, or nothing else would come."""
    moment = item.key.start.timestamp()
    failed_before = item.verdict is Verdict.FETCH and bool(item.reason)
    return failed_before, -moment if order == "newest" else moment


def _chunks(found: Iterable[Recording], cancel: CancelToken) -> Iterator[list[Recording]]:
    """Yield lists of up to 500: one transaction each, in memory that does not grow.

    What came before a search breaks off, or is cancelled, is yielded, too.
    """
    chunk: list[Recording] = []
    try:
        for recording in found:
            check_cancelled(cancel)  # a device may take a minute for a page of 40
            chunk.append(recording)
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
    except CamsyncError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _words(span: TimeSpan) -> str:
    return f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"
