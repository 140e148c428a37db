"""The catalogue on each database: what is seen, planned, leased, fetched, failed, lost and found."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import secrets
import threading

from pathlib import Path, PurePosixPath

import attrs
import psycopg
import pytest

from camsync import Channel, Codec, Downloaded, Recording, RecordingKey, TimeSpan
from camsync.catalogue import Catalogue, ChannelMark, Pace, State
from camsync.errors import (
    AuthenticationError,
    CancelledError,
    ConfigurationError,
    CorruptMediaError,
    DestinationBusyError,
    DestinationError,
    DeviceFaultError,
    UnreachableError,
)


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, tzinfo=UTC)
NOW = dt.datetime(2024, 2, 1, tzinfo=UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
SERVER = os.environ.get("CAMSYNC_TEST_POSTGRES", "")
PLACES = ["memory", "file"]
if SERVER:  # read now: the tests run without such variables
    PLACES.append(pytest.param("postgres", marks=pytest.mark.postgres))


class Clock:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def wait(self, **length: float) -> None:
        self.now += dt.timedelta(**length)


@contextlib.contextmanager
def _schema():
    """Give a URL with a schema of its own on the server."""
    name = f"test_{secrets.token_hex(8)}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"CREATE SCHEMA {name}")
        yield f"{SERVER}?options=-csearch_path%3D{name}"
        server.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    """Where a catalogue may live."""
    if request.param == "postgres":
        with _schema() as url:
            yield url
    else:
        yield {"memory": ":memory:", "file": tmp_path / "catalogue.sqlite3"}[request.param]


@pytest.fixture
def clock():
    """A clock that only tests move."""
    return Clock()


@pytest.fixture
def catalogue(place, clock):
    """An empty catalogue."""
    with Catalogue(place, clock=clock) as opened:
        yield opened


@pytest.fixture
def holdings(catalogue, tmp_path):
    """What an empty catalogue knows about a folder."""
    return catalogue.at(tmp_path / "footage")


def _key(index=0, *, channel="1", stream="01", item=None, device="DS1", provider="hikvision"):
    return RecordingKey(
        provider=provider,
        device=device,
        channel=channel,
        stream=stream,
        start=START + index * HOUR,
        item=f"item{index}" if item is None else item,
    )


def _recording(index=0, *, length=HOUR, name="Front", size=100, in_progress=False, **key):
    key = _key(index, **key)
    return Recording(
        key=key,
        channel_name=name,
        start=key.start,
        end=key.start + length,
        size=size,
        in_progress=in_progress,
    )


def _file(holdings, recording, content=b"video", **fields):
    path = holdings.dest / "Cam01" / f"{recording.key.item}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    values = {
        "recording": recording,
        "path": path,
        "size": len(content),
        "container": "mp4",
        "start": recording.start,
        "end": recording.end,
        "duration": 3600.0,
        "codec": Codec.H264,
    }
    return Downloaded(**{**values, **fields})


def _one(holdings, key):
    return holdings.find([key])[key]


def _span(begin, end):
    return TimeSpan(START + begin * HOUR, START + end * HOUR)


def _hours(spans):
    return [((span.start - START) / HOUR, (span.end - START) / HOUR) for span in spans]


def _search(holdings, recordings, span, channel="1", **options):
    """Do what a run does with the answers to a complete search."""
    batch = holdings.begin_batch()
    holdings.observe(recordings, batch=batch)
    return holdings.searched("DS1", channel, span, since_batch=batch, **options)


def test_what_is_seen_is_found(holdings, clock):
    """Everything that a recording says comes back, in the order of the observation."""
    batch = holdings.begin_batch()
    recordings = [_recording(2), _recording(0, size=None), _recording(1, channel="2", name="Yard")]
    entries = holdings.observe(recordings, batch=batch)

    assert [each.key for each in recordings] == [entry.key for entry in entries]
    assert ["Front", "Front", "Yard"] == [entry.channel_name for entry in entries]
    assert [100, None, 100] == [entry.size for entry in entries]
    first = entries[0]
    assert (recordings[0].start, recordings[0].end) == (first.start, first.end)
    assert (State.SEEN, clock.now, clock.now) == (first.state, first.first_seen, first.last_seen)
    assert not first.held
    assert {first.key: first} == holdings.find([first.key, _key(9), _key(0, device="other")])


@pytest.mark.parametrize(
    "fields",
    [
        {"item": "50% off/\x00\n\udcff"},
        {"item": ""},
        {"channel": "Kanal ü/1", "stream": "sub stream"},
        {"device": "a%2Fb"},
        {"provider": "imou"},
    ],
)
def test_odd_keys_survive(holdings, fields):
    """What a vendor calls its things is kept to the letter, also where a database would refuse."""
    recording = _recording(0, **fields, name="na\x00me \udcff")
    (entry,) = holdings.observe([recording], batch="")

    assert recording.key == entry.key
    assert "na?me ?" == entry.channel_name
    assert [entry] == list(holdings.entries())


def test_keys_that_differ_in_one_part_are_different(holdings):
    """Provider, device, channel, stream, start and item all count."""
    others = [
        _recording(0),
        _recording(0, provider="imou"),
        _recording(0, device="DS2"),
        _recording(0, channel="2"),
        _recording(0, stream="02"),
        _recording(1, item="item0"),
        _recording(0, item="other"),
    ]
    holdings.observe(others, batch="")

    assert len(others) == len(holdings.find([each.key for each in others]))
    assert {_key(0)} == set(holdings.find([_key(0)]))


def test_destinations_do_not_share_rows(catalogue, tmp_path):
    """The same recording may be wanted in two places."""
    here, there = catalogue.at(tmp_path / "b"), catalogue.at(tmp_path / "a")
    here.observe([_recording()], batch="")

    assert {} == there.find([_key()])
    assert [] == list(there.entries())
    assert [tmp_path / "a", tmp_path / "b"] == catalogue.destinations()
    assert [_key()] == [entry.key for entry in catalogue.at(tmp_path / "b").entries()]


def test_an_observation_updates(holdings, clock):
    """A segment that grows, and a channel with a new name, are noted."""
    holdings.observe([_recording(in_progress=True, size=10)], batch="")
    clock.wait(hours=1)
    (entry,) = holdings.observe([_recording(length=2 * HOUR, name="Door", size=20)], batch="")

    assert (START + 2 * HOUR, 20, False, "Door") == (
        entry.end,
        entry.size,
        entry.in_progress,
        entry.channel_name,
    )
    assert (NOW, NOW + HOUR) == (entry.first_seen, entry.last_seen)


def test_what_is_held_stays_held(holdings):
    """Seeing a verified recording again changes neither its state nor its bounds."""
    recording = _recording()
    holdings.verified(_file(holdings, recording), batch="run", sha256="ab")
    (entry,) = holdings.observe([_recording(length=2 * HOUR, in_progress=True)], batch="next")

    assert entry.held
    assert (recording.end, False) == (entry.end, entry.in_progress)


def test_what_was_fetched_while_it_grew_is_fetched_again(holdings):
    """Not while it still grows, but as soon as it is complete."""
    growing = _recording(in_progress=True, length=3 * HOUR)
    holdings.verified(_file(holdings, growing, end=START + HOUR), batch="run", sha256="ab")
    (still,) = holdings.observe([growing], batch="")
    assert (State.VERIFIED, START + HOUR) == (still.state, still.end)

    (entry,) = holdings.observe([_recording(length=2 * HOUR)], batch="")
    assert (State.SEEN, START + 2 * HOUR, False) == (entry.state, entry.end, entry.in_progress)


def test_what_is_back_is_seen(holdings):
    """A device that lists what it had lost has it."""
    holdings.observe([_recording()], batch="")
    holdings.gone([_key()])
    assert State.GONE is _one(holdings, _key()).state

    (entry,) = holdings.observe([_recording()], batch="")
    assert State.SEEN is entry.state


def test_more_than_a_transaction(holdings):
    """Many recordings are noted and read in pieces, without a loss, oldest first."""
    recordings = [_recording(index, channel=str(index % 3)) for index in range(1100)]
    entries = holdings.observe(iter(reversed(recordings)), batch="")
    assert 1100 == len(entries)

    listed = [each.key for each in recordings]
    assert listed == [entry.key for entry in holdings.entries()]
    assert listed[:7] == [entry.key for entry in holdings.entries(limit=7)]
    one = [entry.key for entry in holdings.entries(channel=("DS1", "1"))]
    assert listed[1::3] == one
    assert [] == list(holdings.entries(channel=("DS1", "99")))
    assert set(listed) == set(holdings.find(listed))


def test_entries_of_a_span_and_of_states(holdings):
    """What overlaps the span counts, however long ago it began."""
    long = _recording(0, length=10 * HOUR, item="long")
    holdings.observe([long, *(_recording(index) for index in range(10))], batch="")
    holdings.gone([_key(5)])
    holdings.failed(_key(6), DeviceFaultError("no"))

    found = list(holdings.entries(span=_span(5, 7)))
    assert ["long", "item5", "item6"] == [entry.key.item for entry in found]
    assert [_key(5)] == [entry.key for entry in holdings.entries(states=[State.GONE])]
    assert [_key(6)] == [entry.key for entry in holdings.entries(states={State.FAILED})]
    assert [] == list(holdings.entries(states=[]))


def test_the_life_of_a_recording(holdings, clock):
    """Seen, planned, leased, downloading, verified: each state can be read."""
    key = _key()
    recording = _recording()
    holdings.observe([recording], batch="")
    assert 1 == holdings.plan([key, _key(5)], batch="run")
    assert (State.PLANNED, "run") == (_one(holdings, key).state, _one(holdings, key).batch)
    assert holdings.lease(key, owner="me", seconds=60)
    assert State.LEASED is _one(holdings, key).state
    holdings.begin(key, owner="me")
    assert (State.DOWNLOADING, 1) == (_one(holdings, key).state, _one(holdings, key).attempts)
    clock.wait(minutes=1)
    file = _file(holdings, recording)
    holdings.verified(file, batch="run", sha256="ab" * 32)

    entry = _one(holdings, key)
    assert entry.held
    assert (PurePosixPath("Cam01/item0.mp4"), 5, "ab" * 32) == (
        entry.path,
        entry.file_size,
        entry.sha256,
    )
    assert (3600.0, "mp4", "h264") == (entry.duration, entry.container, entry.codec)
    assert clock.now == entry.done_at
    assert not holdings.lease(key, owner="me", seconds=60)
    assert 0 == holdings.plan([key], batch="next")


def test_a_file_that_was_found_keeps_its_digest(holdings):
    """Who finds a file without reading it does not forget what it held; another file has none."""
    file = _file(holdings, _recording())
    holdings.verified(file, batch="", sha256="ab")
    holdings.verified(file, batch="")
    assert "ab" == _one(holdings, _key()).sha256

    holdings.verified(_file(holdings, _recording(), b"other video"), batch="")
    assert "" == _one(holdings, _key()).sha256


def test_a_digest_is_not_forgotten_because_a_file_was_found(holdings):
    """Who has not read it does not know whether it is still the same: a deep look says so."""
    file = _file(holdings, _recording())
    digest = hashlib.sha256(b"video").hexdigest()
    holdings.verified(file, batch="", sha256=digest)
    found = attrs.evolve(_file(holdings, _recording(), b"vide"), existing=True)
    holdings.verified(found, batch="")
    entry = _one(holdings, _key())
    assert (digest, file.size) == (entry.sha256, entry.file_size)
    assert [_key()] == [entry.key for entry in holdings.reconcile().changed]

    other = found.path.with_name("other.mp4")
    found.path.rename(other)
    holdings.verified(attrs.evolve(found, path=other), batch="")
    entry = _one(holdings, _key())
    assert ("", 4, "other.mp4") == (entry.sha256, entry.file_size, entry.path.name)


def test_a_file_elsewhere_is_refused(holdings, tmp_path):
    """Paths are relative to the destination: one outside cannot be written down."""
    outside = _file(holdings, _recording(), path=tmp_path / "elsewhere.mp4")
    with pytest.raises(ConfigurationError, match="not below the destination"):
        holdings.verified(outside, batch="")


def test_leases(holdings, clock):
    """One owner at a time, until the lease runs out; renewing makes it last."""
    key = _key()
    holdings.observe([_recording()], batch="")
    assert holdings.lease(key, owner="a", seconds=60)
    assert not holdings.lease(key, owner="b", seconds=60)
    assert holdings.lease(key, owner="a", seconds=60)

    clock.wait(seconds=50)
    assert (1, 0) == (holdings.renew("a", 60), holdings.renew("b", 60))
    clock.wait(seconds=50)
    with pytest.raises(DestinationBusyError, match=r"another run \(a\)"):
        holdings.begin(key, owner="b")
    clock.wait(seconds=11)
    assert holdings.lease(key, owner="b", seconds=60)
    holdings.begin(key, owner="b")
    holdings.release(key)
    assert State.SEEN is _one(holdings, key).state
    assert holdings.lease(key, owner="a", seconds=60)


def test_nobody_ends_the_lease_of_another(holdings, clock):
    """A run whose lease has run out comes to an end while another one is at work already."""
    key = _key()
    holdings.observe([_recording()], batch="")
    assert holdings.lease(key, owner="a", seconds=60)
    clock.wait(minutes=2)
    assert holdings.lease(key, owner="b", seconds=60, begin=True)

    def still_theirs():
        assert State.DOWNLOADING is _one(holdings, key).state
        assert not holdings.lease(key, owner="c", seconds=60)

    holdings.release(key, owner="a")
    still_theirs()
    for error in (CancelledError("stop"), CorruptMediaError("no video")):
        entry = holdings.failed(key, error, owner="a")
        assert (State.DOWNLOADING, 0) == (entry.state, entry.failures)
        still_theirs()

    assert State.FAILED is holdings.failed(key, DeviceFaultError("no"), owner="b").state
    assert 2 == holdings.failed(key, DeviceFaultError("no"), owner="a").failures
    assert holdings.lease(key, owner="b", seconds=60)
    holdings.release(key, owner="b")
    assert State.SEEN is _one(holdings, key).state


def test_a_late_release_of_what_nobody_has_taken_over(holdings, clock):
    """The lease has run out, but it is still one's own."""
    holdings.observe([_recording()], batch="")
    holdings.lease(_key(), owner="a", seconds=60)
    clock.wait(minutes=2)
    holdings.release(_key(), owner="a")

    assert State.SEEN is _one(holdings, _key()).state


def test_a_lease_from_the_future_is_void(holdings, clock):
    """A clock that was set back by a day must not keep a recording from being fetched for a day."""
    holdings.observe([_recording()], batch="")
    assert holdings.lease(_key(), owner="a", seconds=60)
    clock.wait(days=-1)

    assert holdings.lease(_key(), owner="b", seconds=60)


def test_unknown_recordings(holdings):
    """What was never observed cannot be begun, failed or pinned; asking for the rest is harmless."""
    for known in ([], [_recording(1)]):
        holdings.observe(known, batch="")
        for call in (
            lambda: holdings.begin(_key(), owner="a"),
            lambda: holdings.failed(_key(), DeviceFaultError("no")),
            lambda: holdings.pin(_key()),
        ):
            with pytest.raises(ConfigurationError, match="does not know hik://DS1/101"):
                call()
        assert not holdings.lease(_key(), owner="a", seconds=1)
        holdings.release(_key())
        holdings.gone([_key()])


def test_failures_wait_longer_and_longer(holdings, clock):
    """15 minutes, doubling up to a day; after five it is a week; rearming begins anew."""
    holdings.observe([_recording()], batch="")
    error = DeviceFaultError("the disk is bad", vendor_sub_code="hddError")
    waits = []
    for _ in range(4):
        entry = holdings.failed(_key(), error)
        assert State.FAILED is entry.state
        waits.append((entry.next_try - clock.now) / MINUTE)
    assert [15, 30, 60, 120] == waits
    assert ("the disk is bad", "device", "DeviceFaultError hddError") == (
        entry.error,
        entry.error_category,
        entry.error_code,
    )

    entry = holdings.failed(_key(), error)
    week = clock.now + dt.timedelta(days=7)
    assert (State.QUARANTINED, 5, week) == (entry.state, entry.failures, entry.next_try)
    assert (1, 0) == (holdings.rearm(), holdings.rearm([_key()]))
    entry = _one(holdings, _key())
    assert (State.SEEN, 0) == (entry.state, entry.failures)


def test_what_may_be_over_soon_is_tried_at_once(holdings, clock):
    """A broken connection costs one immediate try; whole devices are given more patience."""
    holdings.observe([_recording(), _recording(1)], batch="")
    waits = []
    for _ in range(6):
        entry = holdings.failed(_key(), UnreachableError("reset"), doubtful=True)
        waits.append((entry.next_try - clock.now) / MINUTE)
    assert [0, 15, 30, 60, 60, 60] == waits

    for _ in range(7):
        holdings.failed(_key(1), CorruptMediaError("garbage"), doubtful=True)
    assert State.FAILED is _one(holdings, _key(1)).state
    assert 1 == holdings.quarantine([_key(), _key(1)])
    assert State.FAILED is _one(holdings, _key()).state
    assert State.QUARANTINED is _one(holdings, _key(1)).state
    assert holdings.lease(_key(1), owner="a", seconds=60)


def test_success_forgets_failures(holdings):
    """What has worked in the end is no trouble any more."""
    holdings.observe([_recording()], batch="")
    holdings.failed(_key(), CorruptMediaError("no video"))
    assert 1 == holdings.plan([_key()], batch="")
    holdings.verified(_file(holdings, _recording()), batch="")

    entry = _one(holdings, _key())
    assert (0, "", None) == (entry.failures, entry.error, entry.next_try)


@pytest.mark.parametrize(
    ("error", "limit"),
    [(AuthenticationError("no"), None), (UnreachableError("no"), 8), (CorruptMediaError("no"), 2)],
)
def test_quarantine_is_for_recordings_to_blame(holdings, error, limit):
    """A password that is refused says nothing about the footage; a broken connection says little."""
    holdings.observe([_recording()], batch="")
    states = [holdings.failed(_key(), error, quarantine_after=2).state for _ in range(15)]

    first = states.index(State.QUARANTINED) + 1 if State.QUARANTINED in states else None
    assert limit == first
    assert [] == [
        entry
        for entry in holdings.entries(states=[State.FAILED])
        if entry.next_try - NOW > 24 * HOUR
    ]


def test_a_cancelled_transfer_is_no_failure(holdings):
    """It may be leased again at once."""
    holdings.observe([_recording()], batch="")
    holdings.lease(_key(), owner="a", seconds=60)
    entry = holdings.failed(_key(), CancelledError("stop"))

    assert (State.SEEN, 0, "") == (entry.state, entry.failures, entry.error)


def test_a_late_failure_does_not_undo_a_success(holdings):
    """What is held stays held, whoever fails at it or misses it."""
    holdings.verified(_file(holdings, _recording()), batch="")
    entry = holdings.failed(_key(), DeviceFaultError("no"))
    holdings.gone([_key()])

    assert entry.held
    assert _one(holdings, _key()).held


def test_the_watermark(holdings):
    """It is the begin of the first recording that is left to do, else of what was not searched."""
    assert ChannelMark() == holdings.mark_of("DS1", "1")
    recordings = [_recording(index) for index in range(4)]
    mark = _search(holdings, recordings, _span(0, 4), oldest=START - HOUR, deep=True)

    assert (START, START + 4 * HOUR) == (mark.watermark, mark.searched_until)
    assert (START - HOUR, NOW) == (mark.oldest_on_device, mark.last_deep)
    holdings.verified(_file(holdings, recordings[0]), batch="")
    assert START + HOUR == holdings.mark_of("DS1", "1").watermark
    holdings.gone([_key(1)])
    assert START + 2 * HOUR == holdings.mark_of("DS1", "1").watermark
    for _ in range(5):
        holdings.failed(_key(2), CorruptMediaError("no"))
    assert START + 3 * HOUR == holdings.mark_of("DS1", "1").watermark
    holdings.verified(_file(holdings, recordings[3]), batch="")
    assert START + 4 * HOUR == holdings.mark_of("DS1", "1").watermark
    assert ChannelMark() == holdings.mark_of("DS1", "2")


def test_a_recording_in_progress_holds_the_watermark(holdings):
    """Also one that was fetched, until the device has its end, or has it no more."""
    growing = _recording(1, in_progress=True)
    _search(holdings, [growing], _span(0, 5))
    holdings.verified(_file(holdings, growing), batch="")
    assert START + HOUR == holdings.mark_of("DS1", "1").watermark

    assert START + 5 * HOUR == _search(holdings, [], _span(0, 5)).watermark
    assert _one(holdings, growing.key).held


def test_what_a_search_misses_is_gone(holdings, clock):
    """Only within its span, only what is not held, and not what another run has in hand."""
    _search(holdings, [_recording(index) for index in range(5)], _span(0, 5))
    holdings.verified(_file(holdings, _recording(1)), batch="")
    holdings.lease(_key(2), owner="other", seconds=7200)
    clock.wait(hours=1)
    _search(holdings, [_recording(3)], _span(0, 4))
    once = [entry.state for entry in holdings.entries()]
    clock.wait(hours=6)
    holdings.lease(_key(2), owner="other", seconds=7200)
    _search(holdings, [_recording(3)], _span(0, 4))

    assert [State.SEEN, State.VERIFIED, State.LEASED, State.SEEN, State.SEEN] == once
    states = [entry.state for entry in holdings.entries()]
    assert [State.GONE, State.VERIFIED, State.LEASED, State.SEEN, State.SEEN] == states


def test_what_is_listed_again_was_not_missed(holdings, clock):
    """A recorder whose disk was not up: only what is missed for six hours is gone."""
    _search(holdings, [_recording(0), _recording(1)], _span(0, 5))
    for hours in (0, 5):
        clock.wait(hours=hours)
        assert [] == holdings.missed([_key(0), _key(1)])
    holdings.observe([_recording(1)], batch="")
    clock.wait(hours=1)

    assert [_key(0)] == holdings.missed([_key(0), _key(1)])
    assert State.GONE is _one(holdings, _key(0)).state
    clock.wait(hours=-3)
    assert [] == holdings.missed([_key(1)])
    assert clock.now == _one(holdings, _key(1)).missed_at
    assert (START, None) == (
        holdings.oldest_lost("DS1", "1", START),
        holdings.oldest_lost("DS1", "1", START + HOUR),
    )
    assert holdings.oldest_lost("DS1", "9", START) is None


def test_an_empty_answer_moves_no_mark(holdings):
    """It only says where a channel begins that was never searched."""
    batch = holdings.begin_batch()
    options = {"empty": True, "since_batch": batch}
    first = holdings.searched("DS1", "1", _span(2, 9), **options)
    second = holdings.searched("DS1", "1", _span(4, 20), **options)

    assert (START + 2 * HOUR,) * 2 == (first.searched_from, first.searched_until)
    assert first == second
    assert NOW == second.last_search


def test_a_search_needs_a_run(holdings):
    """Without its begin nobody could tell what it has missed."""
    with pytest.raises(ConfigurationError, match="there is no run 'x'"):
        holdings.searched("DS1", "1", _span(0, 1), since_batch="x")
    with pytest.raises(ConfigurationError, match="there is no run 'x'"):
        holdings.end_batch("x")


def test_the_watermark_does_not_jump_over_a_hole(holdings):
    """What lies between two searches was not searched."""
    _search(holdings, [], _span(10, 20))
    assert START + 20 * HOUR == _search(holdings, [], _span(30, 40)).watermark
    assert START + 20 * HOUR == _search(holdings, [], _span(0, 5)).watermark

    mark = _search(holdings, [], _span(5, 35))
    assert (5, 35) == _hours([TimeSpan(mark.searched_from, mark.watermark)])[0]


def test_coverage(holdings):
    """Held, missing, lost, in progress and pruned, without overlaps, and nothing of the future."""
    _search(holdings, [_recording(index) for index in range(5)], _span(0, 9))
    digest = hashlib.sha256(b"video").hexdigest()
    holdings.verified(_file(holdings, _recording(0)), batch="", sha256=digest)
    holdings.gone([_key(2)])
    holdings.verified(_file(holdings, _recording(3)), batch="", sha256=digest)
    holdings.prune(max_bytes=5, dry_run=False)
    event = _recording(4, item="event", length=2 * HOUR, stream="02")
    growing = _recording(7, in_progress=True, length=9999 * HOUR)
    holdings.observe([event, growing], batch="")
    found = holdings.coverage("DS1", "1", _span(0, 8))

    assert [(3, 4)] == _hours(found.held)
    assert [(0, 1)] == _hours(found.pruned)
    assert [(1, 2), (4, 6)] == _hours(found.missing)
    assert [(2, 3)] == _hours(found.lost)
    assert [(7, 8)] == _hours(found.in_progress)
    assert [(0, 6), (7, 8)] == _hours(found.recorded)
    assert [(1, 3), (4, 6)] == _hours(holdings.gaps("DS1", "1", _span(0, 8)))
    assert (3600.0, 1 / 7) == (found.seconds("held"), found.fraction_held)
    assert [(4, 6)] == _hours(holdings.coverage("DS1", "1", _span(0, 8), stream="02").missing)
    everything = holdings.coverage("DS1", "1", _span(0, 9999))
    assert [NOW] == [span.end for span in everything.in_progress]


def test_coverage_of_nothing(holdings):
    """A channel that was never seen lacks nothing."""
    found = holdings.coverage("DS1", "1", _span(0, 8))

    assert (1.0, ()) == (found.fraction_held, found.gaps)
    with pytest.raises(ConfigurationError, match="'all' is no part"):
        found.seconds("all")


def test_what_is_to_be_replaced_and_then_lost(holdings):
    """Grown, or found changed: what is there is held again, and only what it lacks is lost."""
    _search(holdings, [_recording(index) for index in range(4)], _span(0, 9))
    digest = hashlib.sha256(b"video").hexdigest()
    for index in range(4):
        holdings.verified(_file(holdings, _recording(index)), batch="", sha256=digest)
    longer = _recording(0, length=HOUR + 30 * MINUTE)
    hardly = _recording(3, length=HOUR + 5 * MINUTE / 60)
    grown, same = holdings.observe([longer, hardly], batch="")
    assert (State.SEEN, START + HOUR, True) == (grown.state, grown.file_end, grown.is_short)
    assert (State.VERIFIED, None, False) == (same.state, same.file_end, same.is_short)
    holdings.dest.joinpath("Cam01", "item1.mp4").write_bytes(b"rubbish")
    holdings.dest.joinpath("Cam01", "item2.mp4").unlink()
    holdings.reconcile(repair=True)
    changed, missing = (_one(holdings, _key(index)) for index in (1, 2))
    assert (changed.end, False, None) == (changed.file_end, changed.is_short, missing.file_end)
    found = holdings.coverage("DS1", "1", _span(0, 9))
    assert [(0, 1), (3, 4)] == _hours(found.held)
    assert [(1, 3)] == _hours(found.missing)

    holdings.failed(_key(0), DeviceFaultError("no"))
    holdings.gone([_key(index) for index in range(4)])
    entries = [_one(holdings, _key(index)) for index in range(4)]
    assert [State.VERIFIED, State.VERIFIED, State.GONE, State.VERIFIED] == [
        entry.state for entry in entries
    ]
    assert {None} == {entry.file_end for entry in entries}
    assert [longer.end, None, None, None] == [entry.lost_end for entry in entries]
    assert (START + HOUR, 0, "", None) == (
        entries[0].end,
        entries[0].failures,
        entries[0].error,
        entries[0].next_try,
    )
    found = holdings.coverage("DS1", "1", _span(0, 9))
    assert [(0, 2), (3, 4)] == _hours(found.held)
    assert [(2, 3)] == _hours(found.lost)
    late = TimeSpan(START + HOUR + MINUTE, START + HOUR + 2 * MINUTE)
    holdings.verified(_file(holdings, _recording(1, length=MINUTE)), batch="", sha256=digest)
    assert 60 == holdings.coverage("DS1", "1", late).seconds("lost")


def test_what_is_to_be_replaced_and_the_host_has(holdings):
    """It was told of this very file: that stays known, and so does what is wrong with it."""
    holdings.observe([_recording(0), _recording(1)], batch="")
    holdings.verified(_file(holdings, _recording(0)), batch="", sha256="ab")
    holdings.observe([_recording(0, length=2 * HOUR)], batch="")
    holdings.elsewhere([_key(0), _key(1)])

    file, none = (_one(holdings, _key(index)) for index in (0, 1))
    assert (True, "ab", 5, START + HOUR) == (file.held, file.sha256, file.file_size, file.end)
    assert (State.VERIFIED, None, "", None) == (none.state, none.path, none.sha256, none.file_size)
    assert START + 2 * HOUR == none.end
    assert [_key(0)] == [entry.key for entry in holdings.reconcile(deep=True).changed]


def test_a_search_that_misses_what_was_to_be_replaced(holdings, clock):
    """Twice, hours apart: then the file is all that there will be."""
    _search(holdings, [_recording()], _span(0, 9))
    holdings.verified(_file(holdings, _recording()), batch="", sha256="ab")
    holdings.observe([_recording(length=2 * HOUR)], batch="")
    for _ in range(2):
        clock.wait(hours=7)
        mark = _search(holdings, [], _span(0, 9))

    entry = _one(holdings, _key())
    assert (State.VERIFIED, START + HOUR, START + 2 * HOUR) == (
        entry.state,
        entry.end,
        entry.lost_end,
    )
    assert START + 9 * HOUR == mark.watermark


def test_looking_at_a_destination_that_is_not_known(catalogue, tmp_path):
    """It reads as empty, and is entered with the first that is noted about it."""
    slip = catalogue.at(tmp_path / "slip", create=False)
    span = _span(0, 9)
    assert ({}, [], []) == (slip.find([_key()]), list(slip.entries()), list(slip.channels()))
    assert ChannelMark() == slip.mark_of("DS1", "1")
    assert (None, {}, ()) == (slip.pace_of("x"), slip.folders(), slip.batches())
    assert () == slip.coverage("DS1", "1", span).recorded
    assert slip.oldest_lost("DS1", "1", START) is None
    slip.check_mounted()
    assert [] == catalogue.destinations()
    with pytest.raises(ConfigurationError, match="no run"):
        slip.end_batch("x")

    slip.observe([_recording()], batch="")
    assert [tmp_path / "slip"] == catalogue.destinations()
    known = catalogue.at(tmp_path / "slip", create=False)
    assert [_key()] == [entry.key for entry in known.entries()]
    channel = Channel(device="DS1", id="1", name="Gate")
    pace = Pace(streams=2, ceiling=None, learnt_at=NOW)
    for index, write in enumerate(
        (
            lambda other: other.begin_batch(),
            lambda other: other.note_pace("x", pace),
            lambda other: other.folder_of(channel, "Cam01"),
        )
    ):
        write(catalogue.at(tmp_path / str(index), create=False))
    assert 4 == len(catalogue.destinations())


def test_folders_never_move(holdings, catalogue):
    """A folder is bound to a camera once; another camera that wants it gets one beside it."""

    def channel(device="DS-7616NXI-I2/ABC123456", number="1"):
        return Channel(device=device, id=number, name="any")

    assert "Cam01-front" == holdings.folder_of(channel(), "Cam01-front")
    assert "Cam01-front" == holdings.folder_of(channel(), "Cam01-renamed")
    assert "Cam01-front-sub" == holdings.folder_of(channel(), "Cam01-front-sub", stream="02")
    other = channel(device="DS-7616NXI-I2/ABC654321")
    assert "cam01-FRONT-654321" == holdings.folder_of(other, "cam01-FRONT")
    third = holdings.folder_of(channel(device="x/654321"), "Cam01-front")
    fourth = holdings.folder_of(channel(device="???"), "Cam01-front")
    assert third.startswith("Cam01-front-")
    assert 5 == len({third, fourth, "Cam01-front-654321", "Cam01-front", "cam01-FRONT-654321"})

    again = catalogue.at(holdings.dest).folders()
    assert "Cam01-front" == again["DS-7616NXI-I2/ABC123456", "1"]
    assert {third, fourth} <= set(again.values())
    assert ["Cam01-front-sub"] == list(holdings.folders(stream="02").values())
    assert "Cam01-front" == holdings.mark_of("DS-7616NXI-I2/ABC123456", "1").folder


def test_batches(holdings, clock):
    """The last runs come first, with what was asked for and what came of it."""
    first = holdings.begin_batch(since=START, channels=["1"])
    clock.wait(minutes=1)
    second = holdings.begin_batch()
    clock.wait(minutes=1)
    holdings.end_batch(first, fetched=3, failed=0)

    later, earlier = holdings.batches()
    assert (second, None, {}) == (later.id, later.ended, later.facts)
    assert (first, NOW, NOW + 2 * MINUTE) == (earlier.id, earlier.started, earlier.ended)
    assert {"since": str(START), "channels": ["1"]} == earlier.facts
    assert {"fetched": 3, "failed": 0} == earlier.figures
    assert (later,) == holdings.batches(limit=1)


def _hold(holdings, count, content=b"video"):
    """Fill the destination with *count* recordings."""
    import hashlib

    for index in range(count):
        content = f"video {index}".encode()
        digest = hashlib.sha256(content).hexdigest()
        holdings.verified(_file(holdings, _recording(index), content), batch="", sha256=digest)


def test_reconciling_what_agrees(holdings):
    """Nothing to report, nothing changed."""
    _hold(holdings, 2)
    found = holdings.reconcile(deep=True)

    assert found.clean
    assert 2 == found.checked


def test_reconciling_nothing(holdings):
    """A destination that was never used need not exist."""
    assert holdings.reconcile().clean


def test_reconciling_both_ways(holdings):
    """Missing, changed, moved, unknown and left over: each is told, and no file is touched."""
    _hold(holdings, 5)
    camera = holdings.dest / "Cam01"
    (camera / "item0.mp4").unlink()
    (camera / "item1.mp4").write_bytes(b"short")
    (camera / "item2.mp4").write_bytes(b"VIDEO 2")
    (camera / "item3.mp4").rename(holdings.dest / "moved.mp4")
    (camera / "stranger.mp4").write_bytes(b"VIDEO 9")
    (camera / "notes.txt").write_text("mine")
    old, new = camera / ".old.mp4.1.part", camera / ".new.mp4.2.part"
    for part, age in ((old, 2 * HOUR), (new, MINUTE)):
        part.touch()
        os.utime(part, ((NOW - age).timestamp(),) * 2)
    (holdings.dest / "link.mp4").symlink_to(camera / "item4.mp4")
    before = sorted(holdings.dest.rglob("*"))

    found = holdings.reconcile(deep=True)
    assert not found.clean
    assert [_key(0)] == [entry.key for entry in found.missing]
    assert [_key(1), _key(2)] == [entry.key for entry in found.changed]
    assert [(_key(3), PurePosixPath("moved.mp4"))] == [
        (entry.key, entry.path) for entry in found.adopted
    ]
    assert (PurePosixPath("Cam01/stranger.mp4"),) == found.unknown
    assert (PurePosixPath("Cam01/.old.mp4.1.part"),) == found.parts
    states = [entry.state for entry in holdings.entries()]
    assert [State.SEEN] + 4 * [State.VERIFIED] == states
    assert PurePosixPath("moved.mp4") == _one(holdings, _key(3)).path

    found = holdings.reconcile(repair=True)
    assert [_key(1)] == [entry.key for entry in found.changed]
    assert State.SEEN is _one(holdings, _key(1)).state
    assert before == sorted(holdings.dest.rglob("*"))


def test_reconciling_a_disk_that_is_not_mounted(holdings):
    """An empty folder is no reason to fetch everything again."""
    _hold(holdings, 1)
    (holdings.dest / "Cam01" / "item0.mp4").unlink()
    (holdings.dest / "Cam01").rmdir()
    with pytest.raises(DestinationError, match="is empty"):
        holdings.reconcile()
    with pytest.raises(DestinationError, match="is empty"):
        _hold_elsewhere(holdings)
    holdings.dest.rmdir()
    with pytest.raises(DestinationError, match="cannot be read"):
        holdings.reconcile()

    assert _one(holdings, _key(0)).held


def _hold_elsewhere(holdings):
    holdings.reconcile(deep=True, repair=True)


def test_reconciling_can_be_stopped(holdings):
    """Then nothing was changed."""
    _hold(holdings, 1)
    (holdings.dest / "Cam01" / "item0.mp4").unlink()
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        holdings.reconcile(cancel=stop)

    assert _one(holdings, _key(0)).held


def test_pruning_by_age(holdings):
    """The oldest go, after a dry run that says the same; what was pruned is never fetched again."""
    _hold(holdings, 4)
    options = {"keep": HOUR, "now": START + 3 * HOUR + MINUTE}
    planned = holdings.prune(**options)
    assert planned.dry_run
    assert [_key(0), _key(1)] == [entry.key for entry in planned.deleted]
    assert (14, 14) == (planned.bytes, planned.left)
    assert 4 == len(list(holdings.dest.rglob("*.mp4")))

    done = holdings.prune(**options, dry_run=False)
    assert planned.deleted == done.deleted
    assert ["item2.mp4", "item3.mp4"] == sorted(p.name for p in holdings.dest.rglob("*.mp4"))
    entry = _one(holdings, _key(0))
    assert (State.VERIFIED, NOW, False) == (entry.state, entry.pruned_at, entry.held)
    (again,) = holdings.observe([_recording(0)], batch="")
    assert State.VERIFIED is again.state
    assert holdings.reconcile().clean
    assert () == holdings.prune(**options, dry_run=False).deleted


def test_pruning_what_has_an_odd_length(holdings):
    """A long recording that began first may end last."""
    holdings.verified(_file(holdings, _recording(0, length=9 * HOUR)), batch="", sha256="ab")
    holdings.verified(_file(holdings, _recording(1)), batch="", sha256="ab")
    found = holdings.prune(keep=HOUR, now=START + 5 * HOUR)

    assert [_key(1)] == [entry.key for entry in found.deleted]


def test_pruning_by_size(holdings):
    """Until the rest is small enough; what may not be deleted makes others go."""
    _hold(holdings, 4)
    holdings.pin(_key(0))
    (holdings.dest / "Cam01" / "item1.mp4").write_bytes(b"edited by hand")
    found = holdings.prune(max_bytes=21, dry_run=False)

    assert [_key(2)] == [entry.key for entry in found.deleted]
    assert {_key(0): "is pinned", _key(1): "has 14 bytes, not 7 as when it was verified"} == {
        entry.key: reason for entry, reason in found.kept
    }
    assert (7, 21) == (found.bytes, found.left)
    holdings.pin(_key(0), False)
    assert [_key(0)] == [entry.key for entry in holdings.prune(max_bytes=14).deleted]
    assert () == holdings.prune(max_bytes=100).deleted


def test_pruning_leaves_alone_what_is_not_finished_or_not_there(holdings):
    """A file that its complete version is to replace stays, and one that is missing is only told."""
    growing = _recording(0, in_progress=True)
    holdings.verified(_file(holdings, growing), batch="", sha256="ab")
    holdings.verified(_file(holdings, _recording(1)), batch="", sha256="ab")
    (holdings.dest / "Cam01" / "item1.mp4").unlink()
    found = holdings.prune(max_bytes=0, dry_run=False)

    assert () == found.deleted
    assert ["is to be replaced by its complete version", "is not there"] == [
        reason for _, reason in found.kept
    ]


def test_pruning_leaves_alone_what_was_not_fetched(holdings):
    """A file that stood there already is somebody's own; only what was fetched has a checksum."""
    holdings.verified(_file(holdings, _recording(0)), batch="")

    found = holdings.prune(max_bytes=0, dry_run=False)

    assert ["was found there, not fetched"] == [reason for _, reason in found.kept]
    assert (holdings.dest / "Cam01" / "item0.mp4").exists()


@pytest.mark.parametrize("limits", [{}, {"keep": -HOUR}, {"max_bytes": -1}])
def test_pruning_needs_a_limit(holdings, limits):
    """Nothing is deleted by accident."""
    with pytest.raises(ConfigurationError):
        holdings.prune(**limits)


def test_threads_share_a_catalogue(catalogue, tmp_path):
    """Of many threads that lease the same recordings, each recording goes to one."""
    keys = [_key(index) for index in range(12)]
    catalogue.at(tmp_path).observe([_recording(index) for index in range(12)], batch="")
    won: list[RecordingKey] = []

    def work(owner):
        holdings = catalogue.at(tmp_path)
        won.extend(key for key in keys if holdings.lease(key, owner=owner, seconds=60))

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(keys) == sorted(won)


def test_words_about_it(catalogue, holdings, place):
    """It says where it is, and never how it logs in."""
    shown = "".join(map(repr, (catalogue, holdings)))

    assert str(holdings.dest) in shown
    assert "Catalogue(" in shown
    if isinstance(place, str) and "@" in place:
        password = place.partition("@")[0].rpartition(":")[2]
        assert password not in shown
    else:
        assert Path(str(place)).name in shown


def test_closing(catalogue, holdings):
    """After that nothing works, and closing again is fine."""
    from camsync.errors import CatalogueError

    catalogue.close()
    catalogue.close()
    with pytest.raises(CatalogueError, match="has been closed"):
        holdings.find([_key()])


def test_the_lock(catalogue, holdings):
    """One run at a time; what a dead one had in hand is free again. Servers share by leases."""
    holdings.observe([_recording()], batch="")
    holdings.lease(_key(), owner="dead", seconds=9999)
    shared = catalogue.place.shared
    with holdings.lock():
        state = State.LEASED if shared else State.SEEN
        assert state is _one(holdings, _key()).state
        expected = contextlib.nullcontext() if shared else pytest.raises(DestinationBusyError)
        with expected, catalogue.at(holdings.dest).lock():
            pass
        with catalogue.at(holdings.dest / "other").lock():
            pass
    with holdings.lock():
        pass


# -- Which channels there are ----------------------------------------------------------------------


def test_channels_without_footage_are_known(holdings):
    """Searched in vain, only named, or with a folder: each is there, in the order of its number."""
    yard = Channel(device="DS1", id="10", name="Yard")
    holdings.note([yard, Channel(device="DS1", id="2", name="Dead")])
    _search(holdings, [], _span(0, 5), channel="2")
    batch = holdings.begin_batch()
    holdings.observe([_recording(2), _recording(0), _recording(1)], batch=batch)
    holdings.folder_of(Channel(device="CLOUD", id="x", name="Porch"), "Porch")
    channels = holdings.channels()

    assert [("CLOUD", "x"), ("DS1", "1"), ("DS1", "2"), ("DS1", "10")] == [
        (each.device, each.channel) for each in channels
    ]
    assert ["", "Front", "Dead", "Yard"] == [each.name for each in channels]
    assert [None, START + 3 * HOUR, None, None] == [each.newest for each in channels]
    assert [None, None, START + 5 * HOUR, None] == [each.mark.searched_until for each in channels]
    assert "Porch" == channels[0].mark.folder


def test_a_renamed_channel_without_footage(holdings):
    """The name is the one that it had last; noting it again writes nothing."""
    for name in ("Old", "New", "New"):
        holdings.note([Channel(device="DS1", id="1", name=name)])
    (known,) = holdings.channels()

    assert "New" == known.name


def test_a_channel_of_which_only_some_kinds_are_wanted(holdings):
    """It is one channel: the marks of its kinds are its own, and what is open holds them back."""
    _search(holdings, [], _span(0, 9), channel="2?motion")
    batch = holdings.begin_batch()
    holdings.observe([_recording(1)], batch=batch)
    for kinds, end in (("motion", 9), ("alarm+event", 7)):
        holdings.searched("DS1", f"1?{kinds}", _span(0, end), since_batch=batch)
    first, second = holdings.channels()

    assert (START + 9 * HOUR, START + HOUR) == (first.mark.searched_until, first.mark.watermark)
    assert ("1", "2") == (first.channel, second.channel)
    assert START + 9 * HOUR == second.mark.watermark
    assert (START + 2 * HOUR, None) == (first.newest, second.newest)
