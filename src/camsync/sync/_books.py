"""What is here already: the catalogue's rows for one destination, and the host's own table."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading

from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs

from .._time import TimeSpan, ensure_aware
from ..catalogue import ChannelMark, Entry, Holdings, State, SyncLedger
from ..catalogue._values import SLACK
from ..download import camera_name
from ..errors import CamsyncError, DestinationBusyError
from ..models import Channel, Codec, Downloaded, Recording, RecordingKey, RecordingKind
from ._survey import USUAL


LEASE = 120.0
"""Seconds for which a worker keeps a recording to itself; it renews that while bytes come."""

_OPEN = frozenset(State) - {State.VERIFIED, State.GONE}


class HostError(BaseException):
    """What a host's own table has raised, until it is back in the thread that has called.

    It is no `Exception`: on its way nobody shall take a host's `CamsyncError` for the device's.

    Attributes:
        error: What was raised, to be raised again as it is.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Books:
    """The catalogue's rows and, where the host keeps a table of its own, that table's word.

    A host's table is asked one question at a time, never from two threads at once, and never while
    anything is sent or the catalogue is being written. What is in either of the two is held.

    Args:
        holdings: The rows of the destination.
        ledger: The host's own table.
        batch: The run's id, which each row gets.
        owner: Who leases recordings.
        kinds: Which kinds are wanted; None for all. How far a channel was searched for some kinds
            says nothing of the others: the catalogue keeps each choice as a channel of its own.

    Attributes:
        holdings: For what concerns neither the run nor the host.
        batch: The run's id.
    """

    def __init__(
        self,
        holdings: Holdings,
        ledger: SyncLedger | None,
        *,
        batch: str,
        owner: str,
        kinds: Collection[RecordingKind] | None = None,
    ) -> None:
        self.holdings = holdings
        self.batch = batch
        self._ledger = ledger
        self._owner = owner
        self._suffix = "" if kinds is None else f"?{'+'.join(sorted(each.value for each in kinds))}"
        self._searched: set[tuple[str, str]] = set()
        """Channels that this run has searched to the end, with an answer that can be believed."""
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask the host, whose errors must reach the caller as they are."""
        with self._lock:
            try:
                yield
            except Exception as error:
                raise HostError(error) from error

    def mark(self, channel: Channel, now: dt.datetime, wanted: dt.datetime | None) -> ChannelMark:
        """Return how far a channel has been synced; what is *wanted* begins there.

        Raises:
            HostError: The host's table has raised.
        """
        mark = self._own_mark(channel)
        moment = self._mark_of_the_host(channel)
        if moment is None:
            return mark
        if mark.watermark is None:
            return _mark_without_a_catalogue(moment, now, wanted)
        if moment > now:
            return mark  # a clock was ahead: that says nothing, and the catalogue knows it all
        # The host may have been set back, to a backup of itself, and to before the first search.
        return attrs.evolve(
            mark,
            watermark=min(mark.watermark, moment),
            searched_from=min(mark.searched_from or moment, moment),
        )

    def _mark_of_the_host(self, channel: Channel) -> dt.datetime | None:
        if self._ledger is None:
            return None
        with self._asking():
            moment = self._ledger.watermark(channel)
            return None if moment is None else ensure_aware(moment, "the ledger's watermark")

    def _own_mark(self, channel: Channel) -> ChannelMark:
        every = self.holdings.mark_of(channel.device, channel.id)
        if not self._suffix:
            return every
        mark = self.holdings.mark_of(channel.device, f"{channel.id}{self._suffix}")
        open_since = every.oldest_open  # of whatever kind
        held_back = mark.watermark and min(mark.watermark, open_since or mark.watermark)
        return attrs.evolve(mark, watermark=held_back, oldest_open=open_since, newest=every.newest)

    def observe(
        self, recordings: Sequence[Recording], theirs: Collection[RecordingKey]
    ) -> Mapping[RecordingKey, Entry]:
        """Enter what a device lists; *theirs* is what `with_host` has said of it."""
        entries = self.holdings.observe(recordings, batch=self.batch)
        lost = [entry for entry in entries if self._is_lost(entry, theirs)]
        for entry in lost:
            with contextlib.suppress(DestinationBusyError):  # another run is fetching it already
                self.holdings.begin(entry.key, owner=self._owner)
                self.release(entry.key)
        known = {entry.key: entry for entry in entries}
        return known | {entry.key: _anew(entry) for entry in lost}

    def foresee(
        self, recordings: Sequence[Recording], theirs: Collection[RecordingKey]
    ) -> Mapping[RecordingKey, Entry]:
        """Return what `observe` would, and write nothing."""
        known = self.holdings.find([each.key for each in recordings])
        pairs = ((known[each.key], each) for each in recordings if each.key in known)
        return {
            entry.key: _anew(entry)
            if self._is_lost(entry, theirs) or _would_be_new(entry, each)
            else entry
            for entry, each in pairs
        }

    def _is_lost(self, entry: Entry, theirs: Collection[RecordingKey]) -> bool:
        """Whether only the host has had a recording, and has it no more: it was set back."""
        was_theirs = entry.state is State.VERIFIED and entry.path is None
        denied = self._ledger is not None and entry.key not in theirs
        return was_theirs and denied and entry.pruned_at is None

    def with_host(self, recordings: Sequence[Recording]) -> set[RecordingKey]:
        """Return the keys of those that the host's own table has.

        Raises:
            HostError: The host's table has raised.
        """
        if self._ledger is None:
            return set()
        with self._asking():
            return {each.key for each in recordings if self._ledger.has(each.key)}

    def handed_over(self, recording: Recording, entry: Entry) -> Downloaded | None:
        """Tell the host of a file that it does not know; None if there is no such file.

        A run that is killed between the catalogue and the host leaves one; so does a run without
        the host.

        Raises:
            HostError: The host's table has raised.
        """
        file = None if self._ledger is None else self._file_of(recording, entry)
        if file is not None:
            self._tell_host(file)
        return file

    def _file_of(self, recording: Recording, entry: Entry) -> Downloaded | None:
        """Return the file of an entry as it is on disk, unless it was deleted or changed."""
        path = self.holdings.dest / (entry.path or "")
        try:
            size = path.stat().st_size
        except OSError:
            return None
        if not entry.held or size != entry.file_size:
            return None
        return Downloaded(
            recording=recording,
            path=path,
            size=size,
            container=entry.container,
            start=entry.start,
            end=entry.end,
            duration=entry.duration,
            codec=Codec(entry.codec),
            existing=True,
            sha256=entry.sha256,
        )

    def _tell_host(self, file: Downloaded) -> None:
        if self._ledger is not None:
            with self._asking():
                self._ledger.add(file.recording, file)

    def unlisted(
        self, channel: Channel, span: TimeSpan, listed: Collection[RecordingKey]
    ) -> list[Entry]:
        """Return what is still wanted of *span*, but was not among what the device lists."""
        rows = self.holdings.entries(channel=(channel.device, channel.id), span=span, states=_OPEN)
        return [row for row in rows if row.start in span and row.key not in listed]

    def searched(
        self,
        channel: Channel,
        span: TimeSpan,
        *,
        oldest: dt.datetime | None,
        deep: bool,
        empty: bool,
    ) -> None:
        """Note that all of *span* was searched; an *empty* answer proves nothing."""
        self.holdings.searched(
            channel.device,
            f"{channel.id}{self._suffix}",
            span,
            oldest=oldest,
            deep=deep,
            empty=empty,
            since_batch=self.batch,
        )
        if not empty:
            self._searched.add((channel.device, channel.id))

    def folder(self, channel: Channel, recording: Recording) -> str:
        """Return the folder of a camera, which stays what it was when the camera is renamed."""
        wanted = camera_name(recording)
        return self.holdings.folder_of(channel, wanted, stream=recording.key.stream)

    def planned(self, keys: Collection[RecordingKey]) -> None:
        """Enter what this run is going to fetch."""
        self.holdings.plan(keys, batch=self.batch)

    def lease(self, key: RecordingKey) -> bool:
        """Keep others off a recording; False if somebody else has it."""
        return self.holdings.lease(key, owner=self._owner, seconds=LEASE, begin=True)

    def renew(self) -> None:
        """Keep what this run has leased."""
        self.holdings.renew(self._owner, LEASE)

    def verified(self, file: Downloaded) -> None:
        """Enter a file that is complete and under its final name; then tell the host.

        Raises:
            HostError: The host's table has raised. The catalogue has the file.
        """
        self.holdings.verified(file, batch=self.batch, sha256=file.sha256)
        self._tell_host(file)

    def failed(self, key: RecordingKey, error: CamsyncError) -> None:
        """Enter a failure, which moves the next try away. It may still be the device's own.

        If another worker has it meanwhile, since this one's lease has run out, that one has the say.
        """
        self.holdings.failed(key, error, doubtful=True, owner=self._owner)

    def release(self, key: RecordingKey) -> None:
        """Give a recording back that this run has leased."""
        self.holdings.release(key, owner=self._owner)

    def watermark(self, channel: Channel) -> dt.datetime | None:
        """Return how far a channel is done, and tell the host what this run has found of that.

        It is told of all kinds, or of nothing. A run for a span has not searched from the host's
        mark on, and an answer that lists nothing proves nothing: neither moves that mark, which may
        be older than the catalogue's. What the host raises is raised as it is.
        """
        moment = self._own_mark(channel).watermark
        found = (channel.device, channel.id) in self._searched
        if self._ledger is not None and moment is not None and found and not self._suffix:
            with self._lock:
                self._ledger.advance(channel, moment)
        return moment


def _mark_without_a_catalogue(
    moment: dt.datetime, now: dt.datetime, wanted: dt.datetime | None
) -> ChannelMark:
    """Return the mark of a channel of which the host alone remembers anything.

    That is no more than a watermark: nothing says how far back its first run has looked, so that
    none looks back beyond what is wanted now; nor when it has last looked for late footage. One that
    lies in the future comes from a clock that was ahead, and says nothing at all.
    """
    if moment > now:
        moment = min(wanted or now, now - USUAL)
    until = min(moment, wanted or moment)
    return ChannelMark(
        watermark=moment, searched_from=until, searched_until=moment, last_deep=now, newest=moment
    )


def _would_be_new(entry: Entry, listed: Recording) -> bool:
    """Whether `Holdings.observe` makes of an entry something to fetch, now that it is *listed* so."""
    longer = listed.end.replace(microsecond=0) > entry.end + SLACK
    more = not listed.in_progress and (entry.in_progress or (entry.held and longer))
    return entry.state is State.GONE or (entry.state is State.VERIFIED and more)


def _anew(entry: Entry) -> Entry:
    file_end = entry.end if entry.held else entry.file_end
    return attrs.evolve(entry, state=State.SEEN, failures=0, next_try=None, file_end=file_end)
