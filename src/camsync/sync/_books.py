"""What is here already: the catalogue's rows for one destination, and the host's own table."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Collection, Mapping, Sequence

import attrs

from .._time import TimeSpan
from ..catalogue import ChannelMark, Entry, Holdings, Pace, State, SyncLedger
from ..download import camera_name
from ..errors import CamsyncError
from ..models import Channel, Codec, Downloaded, Recording, RecordingKey, RecordingKind
from ._pace import learnt, recalled
from ._turns import GateFigures


LEASE = 120.0
"""Seconds for which a worker keeps a recording to itself; it renews that while bytes come."""

_OPEN = frozenset(State) - {State.VERIFIED, State.GONE}


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
        self._lock = threading.Lock()

    def mark(self, channel: Channel, now: dt.datetime, wanted: dt.datetime | None) -> ChannelMark:
        """Return how far a channel has been synced; what is *wanted* begins there."""
        mark = self._own_mark(channel)
        if self._ledger is None:
            return mark
        with self._lock:
            moment = self._ledger.watermark(channel)
        if moment is None:
            return mark
        if mark.watermark is not None:  # the host may have been set back, to a backup of itself
            return attrs.evolve(mark, watermark=min(mark.watermark, moment))
        # A host remembers only the watermark. Nothing says how far back its first run has looked, so
        # none looks back beyond what is wanted now; nor when it has last looked for late footage.
        until = min(moment, now)
        return ChannelMark(
            watermark=moment,
            searched_from=min(wanted or until, until),
            searched_until=until,
            last_deep=now,
            newest=until,
        )

    def _own_mark(self, channel: Channel) -> ChannelMark:
        every = self.holdings.mark_of(channel.device, channel.id)
        if not self._suffix:
            return every
        mark = self.holdings.mark_of(channel.device, f"{channel.id}{self._suffix}")
        open_since = every.oldest_open  # of whatever kind
        held_back = mark.watermark and min(mark.watermark, open_since or mark.watermark)
        return attrs.evolve(mark, watermark=held_back, oldest_open=open_since, newest=every.newest)

    def observe(self, recordings: Sequence[Recording]) -> Mapping[RecordingKey, Entry]:
        """Enter what a device lists."""
        entries = self.holdings.observe(recordings, batch=self.batch)
        return {entry.key: entry for entry in entries}

    def with_host(self, recordings: Sequence[Recording]) -> set[RecordingKey]:
        """Return the keys of those that the host's own table has."""
        if self._ledger is None:
            return set()
        with self._lock:
            return {each.key for each in recordings if self._ledger.has(each.key)}

    def handed_over(self, recording: Recording, entry: Entry) -> Downloaded | None:
        """Tell the host of a file that it does not know; None if there is no such file.

        A run that is killed between the catalogue and the host leaves one; so does a run without
        the host.
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
            with self._lock:
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
        """Enter a file that is complete and under its final name."""
        self.holdings.verified(file, batch=self.batch, sha256=file.sha256)
        self._tell_host(file)

    def failed(self, key: RecordingKey, error: CamsyncError) -> None:
        """Enter a failure, which moves the next try away. It may still be the device's own."""
        self.holdings.failed(key, error, doubtful=True)

    def pace(self, source: str, now: dt.datetime) -> Pace | None:
        """Return how many downloads at once *source* has borne in earlier runs."""
        return recalled(self.holdings.pace_of(source), now)

    def note_pace(self, source: str, figures: GateFigures, now: dt.datetime) -> None:
        """Remember how many downloads at once *source* has borne in this run."""
        pace = learnt(figures, self.holdings.pace_of(source), now)
        if pace is not None:
            self.holdings.note_pace(source, pace)

    def watermark(self, channel: Channel) -> dt.datetime | None:
        """Return how far a channel is done, and tell the host: of all kinds, or it stays silent."""
        moment = self._own_mark(channel).watermark
        if self._ledger is not None and moment is not None and not self._suffix:
            with self._lock:
                self._ledger.advance(channel, moment)
        return moment
