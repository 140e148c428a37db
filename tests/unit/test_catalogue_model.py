"""The catalogue against a simple model, over random histories: the watermark never lies."""

from __future__ import annotations

import datetime as dt

from pathlib import Path

import hypothesis

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from camsync import Codec, Downloaded, Recording, RecordingKey, TimeSpan
from camsync.catalogue import Catalogue, State
from camsync.catalogue._values import MISSED_FOR
from camsync.errors import CancelledError, CorruptMediaError, DestinationBusyError


START = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
HOUR = dt.timedelta(hours=1)
COUNT = 6
LEASE = 100
indexes = st.integers(0, COUNT - 1)
owners = st.sampled_from("ab")
DONE = {State.GONE, State.QUARANTINED}


def _key(index):
    return RecordingKey(
        provider="hikvision", device="D", channel="1", start=START + index * HOUR, item=str(index)
    )


def _recording(index, *, growing=False):
    key = _key(index)
    return Recording(
        key=key,
        channel_name="",
        start=key.start,
        end=key.start + HOUR,
        in_progress=growing,
    )


class Row:
    """What the model remembers of one recording."""

    def __init__(self, *, growing):
        self.state = State.SEEN
        self.growing = growing
        self.failures = 0
        self.owner = None
        self.until = 0
        self.missed = None
        self.short = False
        """It has a file, which is to be replaced by a longer one."""

    @property
    def done(self):
        return self.state in DONE or (self.state is State.VERIFIED and not self.growing)


class Histories(RuleBasedStateMachine):
    """Does the same to a catalogue and to a dictionary."""

    @initialize()
    def begin(self):
        self.seconds = 0
        self.catalogue = Catalogue(
            ":memory:", clock=lambda: START + 1000 * HOUR + dt.timedelta(seconds=self.seconds)
        )
        self.holdings = self.catalogue.at("/footage")
        self.rows: dict[int, Row] = {}
        self.until = None

    def teardown(self):
        self.catalogue.close()

    def _leased(self, row, owner=None):
        return (
            row.state in {State.LEASED, State.DOWNLOADING}
            and row.owner not in {owner, None}
            and self.seconds < row.until
        )

    @rule(seconds=st.integers(1, 60) | st.just(4 * 3600))
    def wait(self, seconds):
        self.seconds += seconds

    def _observe(self, index, growing):
        row = self.rows.get(index)
        if row is not None:
            row.missed = None
        if row is None:
            self.rows[index] = Row(growing=growing)
        elif row.state is State.VERIFIED:
            if row.growing and not growing:
                self._reset(row)
                row.short = True
        elif row.state is State.GONE:
            self._reset(row)
            row.growing = growing
        else:
            row.growing = growing

    def _reset(self, row):
        row.state, row.failures, row.growing = State.SEEN, 0, False

    @rule(index=indexes, growing=st.booleans())
    def observe(self, index, growing):
        self.holdings.observe([_recording(index, growing=growing)], batch="x")
        self._observe(index, growing)

    @rule(seen=st.dictionaries(indexes, st.booleans()), length=st.integers(1, COUNT))
    def search(self, seen, length):
        seen = {index: growing for index, growing in seen.items() if index < length}
        self.seconds += 1
        batch = self.holdings.begin_batch()
        recordings = [_recording(index, growing=growing) for index, growing in seen.items()]
        self.holdings.observe(recordings, batch=batch)
        span = TimeSpan(START, START + length * HOUR)
        self.holdings.searched("D", "1", span, since_batch=batch)
        for index, growing in seen.items():
            self._observe(index, growing)
        self.until = max(self.until or span.end, span.end)
        for index, row in self.rows.items():
            if index < length and index not in seen:
                if row.state is State.VERIFIED:
                    row.growing = False
                elif not (self._leased(row) or row.state is State.GONE):
                    self._miss(row)

    def _miss(self, row):
        if row.missed is None:
            row.missed = self.seconds
        elif self.seconds - row.missed >= MISSED_FOR.total_seconds():
            self._gone(row)

    @rule(index=indexes)
    def plan(self, index):
        row = self.rows.get(index)
        todo = row is not None and row.state in {State.SEEN, State.FAILED}
        assert int(todo) == self.holdings.plan([_key(index)], batch="x")
        if todo:
            row.state = State.PLANNED

    @rule(index=indexes, owner=owners)
    def lease(self, index, owner):
        row = self.rows.get(index)
        free = (
            row is not None
            and (row.state not in {State.GONE, State.VERIFIED})
            and not self._leased(row, owner)
        )
        assert free == self.holdings.lease(_key(index), owner=owner, seconds=LEASE)
        if free:
            row.state, row.owner, row.until = State.LEASED, owner, self.seconds + LEASE

    @rule(index=indexes, owner=owners)
    def fetch(self, index, owner):
        row = self.rows.get(index)
        if row is None or row.state is not State.LEASED:
            return
        try:
            self.holdings.begin(_key(index), owner=owner)
        except DestinationBusyError:
            assert self._leased(row, owner)
        else:
            assert not self._leased(row, owner)
            row.state, row.owner = State.DOWNLOADING, owner

    @rule(index=indexes, growing=st.booleans())
    def verify(self, index, growing):
        if index not in self.rows:
            self.rows[index] = Row(growing=growing)
        row = self.rows[index]
        recording = _recording(index, growing=growing)
        file = Downloaded(
            recording=recording,
            path=Path("/footage") / f"{index}.mp4",
            size=1,
            container="mp4",
            start=recording.start,
            end=recording.end,
            codec=Codec.H264,
        )
        self.holdings.verified(file, batch="x", sha256="")
        row.state, row.growing, row.failures = State.VERIFIED, growing, 0
        row.short = False

    @rule(index=indexes, cancelled=st.booleans())
    def fail(self, index, cancelled):
        row = self.rows.get(index)
        if row is None:
            return
        error = CancelledError("stop") if cancelled else CorruptMediaError("no")
        self.holdings.failed(_key(index), error, quarantine_after=2)
        if cancelled:
            if row.state in {State.LEASED, State.DOWNLOADING}:
                row.state = State.SEEN
        elif row.state is not State.VERIFIED:
            row.failures += 1
            row.state = State.QUARANTINED if row.failures >= 2 else State.FAILED

    @rule(index=indexes)
    def lose(self, index):
        self.holdings.gone([_key(index)])
        row = self.rows.get(index)
        if row is not None and row.state is not State.VERIFIED:
            self._gone(row)

    def _gone(self, row):
        """What has a file stays held: only the rest of it is lost."""
        row.state, row.growing = State.VERIFIED if row.short else State.GONE, False
        row.failures = 0 if row.short else row.failures
        row.short = False

    @rule()
    def rearm(self):
        beaten = [
            row for row in self.rows.values() if row.state in {State.FAILED, State.QUARANTINED}
        ]
        assert len(beaten) == self.holdings.rearm()
        for row in beaten:
            row.state, row.failures = State.SEEN, 0

    @rule()
    def take_over(self):
        with self.holdings.lock():
            for row in self.rows.values():
                if row.state in {State.LEASED, State.DOWNLOADING}:
                    row.state = State.SEEN

    @invariant()
    def the_states_agree(self):
        found = {int(entry.key.item): entry for entry in self.holdings.entries()}
        assert {index: row.state for index, row in self.rows.items()} == {
            index: entry.state for index, entry in found.items()
        }
        assert {index: row.growing for index, row in self.rows.items()} == {
            index: entry.in_progress for index, entry in found.items()
        }

    @invariant()
    def the_watermark_never_passes_what_is_not_done(self):
        mark = self.holdings.mark_of("D", "1").watermark
        left = [_key(index).start for index, row in self.rows.items() if not row.done]
        expected = None if self.until is None else min([self.until, *left])
        assert expected == mark


TestHistories = Histories.TestCase
TestHistories.settings = hypothesis.settings(max_examples=20, stateful_step_count=15, deadline=None)
