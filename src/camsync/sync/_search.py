"""The searching half of a device's run: its channels one after the other, oldest first."""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterable, Iterator, Mapping

import attrs

from .._cancel import check_cancelled
from .._time import TimeSpan
from ..catalogue import Entry
from ..errors import AuthenticationError, CamsyncError, CancelledError, QuotaError
from ..models import Channel, Recording, RecordingKey
from ..provider import Provider
from ._checks import Skew, check_clock, check_device
from ._context import Context
from ._options import Source
from ._survey import HOPE, Look, Window, is_late_look_due, judge, look
from ._values import EventKind, PlanItem, Verdict


OF_THE_ACCOUNT = (AuthenticationError, QuotaError)
"""What goes wrong for all channels alike: every further try could lock the account, or costs."""

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
    """

    def __init__(self, context: Context, source: Source, *, writes: bool) -> None:
        self._context = context
        self._source = source
        self._writes = writes
        self._skew = Skew()
        self._window = Window(
            since=source.since or context.options.since, span=context.options.span
        )

    def run(self, provider: Provider) -> Found:
        """Search all wanted channels. A channel that cannot be searched is noted, not raised.

        Raises:
            CamsyncError: The device cannot even say which channels it has, or all the others would
                fail like this one.
        """
        options = self._context.options
        label, before = self._source.label_shown, getattr(provider, "replaced", None)
        known = provider.channels()
        check_device(self._context, label, provider, before)
        channels = [each for each in known if options.wants(self._source, each)]
        self._context.wishes.offered(self._source, known)
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
            except (CancelledError, *OF_THE_ACCOUNT):
                raise
            except CamsyncError as error:
                self._context.problem(str(channel.device), error, str(channel.id))
            else:
                done.append(channel)
        return Found(channels=tuple(done), due=self._in_order(due))

    def _in_order(
        self, due: list[tuple[Channel, PlanItem]]
    ) -> tuple[tuple[Channel, Recording], ...]:
        """Sort what is due by time; what has failed before comes last, or nothing else would come."""
        due.sort(
            key=lambda pair: pair[1].key.start, reverse=self._context.options.order == "newest"
        )
        due.sort(key=lambda pair: bool(pair[1].reason))
        return tuple((channel, item.recording) for channel, item in due if item.recording)

    def _channel(self, provider: Provider, channel: Channel) -> Iterator[PlanItem]:
        """Yield what is due of *channel*, also when the search breaks off in the middle."""
        context = self._context
        chosen = self._look(channel)
        if chosen is None:
            return
        listed: set[RecordingKey] = set()
        oldest: dt.datetime | None = None
        exact = self._window.span is not None
        span = chosen.span if exact else self._skew.widened(chosen.span)
        found = provider.search(channel, span, kinds=context.options.kinds)
        for chunk in _chunks(found):
            oldest = oldest or min(each.start for each in chunk)
            listed.update(each.key for each in chunk)
            for item in self._judged([each for each in chunk if context.claim(each.key)]):
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

    def _look(self, channel: Channel) -> Look | None:
        """Decide what to search of *channel*."""
        books, now = self._context.books, self._context.now
        mark = books.mark(channel, now, self._window.beginning(now))
        hope = None
        if is_late_look_due(mark, now):
            hope = books.holdings.oldest_lost(channel.device, channel.id, now - HOPE)
        return look(self._window, mark, now, hope)

    def _judged(self, recordings: list[Recording]) -> Iterator[PlanItem]:
        context = self._context
        books, options = context.books, context.options
        theirs = books.with_host(recordings)
        known: Mapping[RecordingKey, Entry]
        keys = [each.key for each in recordings]
        known = books.observe(recordings) if self._writes else books.holdings.find(keys)
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
            if self._window.span is None:  # an hour of last week says nothing of the days since
                empty = every and not listed
                context.books.searched(
                    channel, chosen.span, oldest=oldest, deep=chosen.deep, empty=empty
                )


def _chunks(found: Iterable[Recording]) -> Iterator[list[Recording]]:
    """Yield lists of up to 500: one transaction each, in memory that does not grow.

    What came before a search breaks off is yielded, too.
    """
    chunk: list[Recording] = []
    try:
        for recording in found:
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
