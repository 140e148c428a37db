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
from ._context import Context
from ._options import Source
from ._survey import Look, Window, judge, look
from ._values import EventKind, PlanItem, Verdict


OF_THE_ACCOUNT = (AuthenticationError, QuotaError)
"""What goes wrong for all channels alike: every further try could lock the account, or costs."""

_CHUNK = 500


@attrs.frozen(kw_only=True)
class Found:
    """What the search of a device has brought.

    Attributes:
        channels: The channels that were searched to the end.
        due: What is to be fetched, with its channel, oldest first.
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
        channels = [each for each in provider.channels() if options.wants(self._source, each)]
        done, due = [], []
        for channel in channels:
            check_cancelled(self._context.halt)
            try:
                # one by one: what was listed before a search breaks off is due all the same
                for recording in self._channel(provider, channel):
                    due.append((channel, recording))  # noqa: PERF401
            except (CancelledError, *OF_THE_ACCOUNT):
                raise
            except CamsyncError as error:
                self._context.problem(str(channel.device), error, str(channel.id))
            else:
                done.append(channel)
        due.sort(key=lambda pair: pair[1].start, reverse=options.order == "newest")
        return Found(channels=tuple(done), due=tuple(due))

    def _channel(self, provider: Provider, channel: Channel) -> Iterator[Recording]:
        """Yield what is due of *channel*, also when the search breaks off in the middle."""
        context = self._context
        wanted = self._window.beginning(context.now)
        mark = context.books.mark(channel, context.now, wanted)
        chosen = look(self._window, mark, context.now)
        if chosen is None:
            return
        listed: set[RecordingKey] = set()
        oldest: dt.datetime | None = None
        found = provider.search(channel, chosen.span, kinds=context.options.kinds)
        for chunk in _chunks(found):
            oldest = oldest or min(each.start for each in chunk)
            listed.update(each.key for each in chunk)
            for item in self._judged(chunk):
                context.judged(item)
                if item.verdict is Verdict.FETCH and item.recording is not None:
                    yield item.recording
            check_cancelled(context.halt)
        self._ended(channel, chosen, listed, oldest)
        context.tell(
            EventKind.SEARCHED,
            device=str(channel.device),
            channel=str(channel.id),
            message=f"{len(listed)} recordings from {_words(chosen.span)}",
        )

    def _judged(self, recordings: list[Recording]) -> Iterator[PlanItem]:
        context = self._context
        books, options = context.books, context.options
        theirs = {each.key for each in recordings if books.with_host(each.key)}
        ours = [each for each in recordings if each.key not in theirs]
        known: Mapping[RecordingKey, Entry]
        known = books.observe(ours) if self._writes else books.known(ours)
        for each in recordings:
            if each.key in theirs:
                yield PlanItem(key=each.key, verdict=Verdict.HELD, recording=each)
            else:
                yield judge(each, known.get(each.key), context.now, options.settle)

    def _ended(
        self,
        channel: Channel,
        chosen: Look,
        listed: set[RecordingKey],
        oldest: dt.datetime | None,
    ) -> None:
        """Note what was searched to the end, and what has vanished from the device meanwhile."""
        books, kinds = self._context.books, self._context.options.kinds
        # What was not asked for has not vanished.
        vanished = books.unlisted(channel, chosen.span, listed) if kinds is None else []
        for key in vanished:
            self._context.judged(PlanItem(key=key, verdict=Verdict.GONE))
        if self._writes:
            books.gone(vanished)
            if self._window.span is None:  # an hour of last week says nothing of the days since
                books.searched(channel, chosen.span, oldest=oldest, deep=chosen.deep)


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
