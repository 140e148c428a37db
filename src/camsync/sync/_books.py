"""What is here already: the catalogue's rows for one destination, and the host's own table."""

from __future__ import annotations

import datetime as dt
import threading

from collections.abc import Collection, Mapping, Sequence

import attrs

from .._time import TimeSpan
from ..catalogue import ChannelMark, Entry, Holdings, State, SyncLedger
from ..download import camera_name
from ..errors import CamsyncError
from ..models import Channel, Downloaded, Recording, RecordingKey, RecordingKind


LEASE = 120.0
"""Seconds for which a worker keeps a recording to itself; it renews that while bytes come."""

_QUARANTINE_AFTER = 5
_OPEN = frozenset({State.SEEN, State.PLANNED, State.LEASED, State.DOWNLOADING, State.FAILED})


class Books:
    """The catalogue's rows and, where the host keeps a table of its own, that table's word.

    A host's table is asked one question at a time, never from two threads at once, and never while
    anything is sent.

    Args:
        holdings: The rows of the destination.
        ledger: The host's own table; then the catalogue is only the memory of this run.
        batch: The run's id, which each row gets.
        owner: Who leases recordings.
        kinds: Which kinds are wanted; None for all. How far a channel was searched for some kinds
            says nothing of the others: the catalogue keeps each choice as a channel of its own.
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

    def mark(self, channel: Channel, now: dt.datetime, wanted: dt.datetime) -> ChannelMark:
        """Return how far a channel has been synced; what is *wanted* begins there."""
        if self._ledger is None:
            mark = self.holdings.mark_of(channel.device, f"{channel.id}{self._suffix}")
            return mark if not self._suffix else self._held_back(mark, channel)
        with self._lock:
            moment = self._ledger.watermark(channel)
        if moment is None:
            return ChannelMark()
        # A host remembers only the watermark. Nothing says how far back its first run has looked, so
        # none looks back beyond what is wanted now; nor when it has last looked for late footage.
        until = min(moment, now)
        return ChannelMark(
            watermark=moment, searched_from=min(wanted, until), searched_until=until, last_deep=now
        )

    def _held_back(self, mark: ChannelMark, channel: Channel) -> ChannelMark:
        """Return a mark that does not pass what is still open of the channel, of whatever kind."""
        rows = self.holdings.entries(channel=(channel.device, channel.id), states=_OPEN, limit=1)
        starts = [row.start for row in rows]
        if mark.watermark is None or not starts:
            return mark
        return attrs.evolve(mark, watermark=min(mark.watermark, *starts))

    def known(self, recordings: Sequence[Recording]) -> Mapping[RecordingKey, Entry]:
        """Return what the catalogue knows, and change nothing."""
        return self.holdings.find([recording.key for recording in recordings])

    def observe(self, recordings: Sequence[Recording]) -> Mapping[RecordingKey, Entry]:
        """Enter what a device lists."""
        entries = self.holdings.observe(recordings, batch=self.batch)
        return {entry.key: entry for entry in entries}

    def with_host(self, key: RecordingKey) -> bool:
        """Whether the host's own table has the recording."""
        if self._ledger is None:
            return False
        with self._lock:
            return self._ledger.has(key)

    def unlisted(
        self, channel: Channel, span: TimeSpan, listed: Collection[RecordingKey]
    ) -> list[RecordingKey]:
        """Return what is still wanted of *span*, but was not among what the device lists."""
        rows = self.holdings.entries(channel=(channel.device, channel.id), span=span, states=_OPEN)
        inside = (row.key for row in rows if row.start in span)
        return [key for key in inside if key not in listed]

    def searched(
        self, channel: Channel, span: TimeSpan, *, oldest: dt.datetime | None, deep: bool
    ) -> None:
        """Note that all of *span* was searched."""
        self.holdings.searched(
            channel.device,
            f"{channel.id}{self._suffix}",
            span,
            oldest=oldest,
            deep=deep,
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
        if not self.holdings.lease(key, owner=self._owner, seconds=LEASE):
            return False
        self.holdings.begin(key, owner=self._owner)
        return True

    def renew(self) -> None:
        """Keep what this run has leased."""
        self.holdings.renew(self._owner, LEASE)

    def release(self, key: RecordingKey) -> None:
        """Give a recording back, as if it had not been begun."""
        self.holdings.release(key)

    def verified(self, file: Downloaded) -> None:
        """Enter a file that is complete and under its final name."""
        self.holdings.verified(file, batch=self.batch, sha256=file.sha256)
        if self._ledger is not None:
            with self._lock:
                self._ledger.add(file.recording, file)

    def failed(self, key: RecordingKey, error: CamsyncError) -> None:
        """Enter a failure, which moves the next try away."""
        self.holdings.failed(key, error, quarantine_after=_QUARANTINE_AFTER)

    def gone(self, keys: Collection[RecordingKey]) -> None:
        """Enter that recordings are not on the device any more."""
        self.holdings.gone(keys)

    def watermark(self, channel: Channel) -> dt.datetime | None:
        """Return how far a channel is done, and tell the host."""
        moment = self.holdings.mark_of(channel.device, channel.id).watermark
        if self._ledger is not None and moment is not None:
            with self._lock:
                self._ledger.advance(channel, moment)
        return moment
