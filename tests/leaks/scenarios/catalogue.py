"""The catalogue: everything that it is told, and tells, and has in its files; and hosts' tables."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3

from collections.abc import Iterator

import attrs

from leak_harness.stage import Stage, of, scenario

import camsync

from camsync import Catalogue, Entry, RetryPolicy, Secret, State, TimeSpan, VpackLedger
from camsync.catalogue import Pace
from camsync.testing import MemoryProvider
from camsync.testing.memory import content


_NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
_MINUTE = dt.timedelta(minutes=1)
_LAST_HOUR = TimeSpan(_NOW - 60 * _MINUTE, _NOW)
_ONCE = RetryPolicy(attempts=1)
_TABLES = """
CREATE TABLE downloaded_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, camera_name TEXT NOT NULL,
    original_filename TEXT NOT NULL, local_file_path TEXT NOT NULL, file_size_bytes INTEGER,
    download_timestamp TIMESTAMP, recording_start_time TIMESTAMP, recording_end_time TIMESTAMP,
    file_format TEXT, checksum TEXT, sync_batch_id TEXT, is_processed INTEGER DEFAULT 0,
    drive_file_id TEXT, relative_path TEXT);
CREATE TABLE last_downloaded_file (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, camera_name TEXT NOT NULL,
    last_file_timestamp TIMESTAMP, last_download_time TIMESTAMP, UNIQUE (source_id, camera_name));
"""


def _refusal(stage: Stage) -> camsync.CamsyncError:
    """Return an error that was handed a password, wrapped as passwords are."""
    masked = str(Secret(stage.plain("detail")))
    return camsync.CorruptMediaError(f"broken by {masked}", vendor_sub_code=masked)


@scenario(
    *of(
        "camsync.testing.MemoryProvider",
        "record rename capabilities devices channels search open storage close",
    ),
    "camsync.testing.MemoryProvider.__enter__",
    "camsync.testing.MemoryProvider.__exit__",
    "camsync.testing.memory.content",
)
def a_provider_in_memory(stage: Stage) -> None:
    """Use it by hand, and have it fail in each way."""
    content.cache_clear()
    with MemoryProvider("M1", channels=2) as provider:
        recording = provider.record("1", _NOW - 9 * _MINUTE)
        provider.rename("1", "Gate")
        stage.keep(provider, provider.capabilities, provider.devices(), provider.storage())
        (channel, _), (found,) = provider.channels(), provider.search(*_what(provider))
        stage.keep(channel, found)
        with provider.open(recording) as stream:
            stage.keep(stream.readinto(memoryview(bytearray(100))), len(content()))
        provider.trouble[recording.key] = _refusal(stage)
        with stage.fails(camsync.CorruptMediaError):
            provider.open(recording).__enter__()
        provider.blind["1"] = _refusal(stage)
        with stage.fails(camsync.CorruptMediaError):
            list(provider.search(*_what(provider)))
        provider.refusal = camsync.AuthenticationError(f"not {Secret(stage.plain('wrong'))}")
        with stage.fails(camsync.AuthenticationError):
            provider.channels()
        stage.keep(provider, provider.trouble, provider.refusal)


def _what(provider: MemoryProvider) -> tuple[camsync.Channel, TimeSpan]:
    return provider.channels()[0], _LAST_HOUR


@scenario(
    *of(
        "camsync.Catalogue",
        "at destinations close engine place now reading writing claim enter known_as",
    ),
    "camsync.Catalogue.__enter__",
    "camsync.Catalogue.__exit__",
    *of(
        "camsync.Holdings",
        "lock folder_of folders observe entries find plan lease renew release begin verified"
        " failed gone rearm mark_of searched coverage gaps begin_batch end_batch batches reconcile"
        " prune pin channels note",
    ),
    *of("camsync.Coverage", "seconds fraction_held gaps"),
    *of("camsync.Entry", "held is_short"),
    "camsync.ChannelMark",
    "camsync.catalogue.KnownChannel",
    "camsync.catalogue.Batch",
    "camsync.catalogue.Pruning",
    *of("camsync.catalogue.Reconciliation", "clean"),
)
def all_of_its_methods(stage: Stage) -> None:
    """Take recordings through all states, by hand; then read the files that are left."""
    provider = MemoryProvider("M1", channels=2)
    every = [provider.record("1", _NOW - number * _MINUTE) for number in (30, 20, 10)]
    (first, second, third), dest = every, stage.folder / "footage"
    dest.mkdir()
    place = stage.folder / "catalogue.sqlite3"
    with Catalogue(place) as catalogue:
        holdings = catalogue.at(dest)
        channel = provider.channels()[0]
        stage.keep(catalogue, holdings, catalogue.destinations(), catalogue.known_as(dest))
        with holdings.lock(), stage.fails(camsync.DestinationBusyError), holdings.lock():
            pass
        batch = holdings.begin_batch(login=Secret(stage.plain()), what=[Secret(stage.plain())])
        stage.keep(holdings.observe(every, batch=batch), holdings.folder_of(channel, "Gate"))
        keys = [each.key for each in every]
        holdings.plan(keys, batch=batch)
        holdings.lease(first.key, owner="me", seconds=60)
        with stage.fails(camsync.DestinationBusyError):
            holdings.begin(first.key, owner="you")
        holdings.renew("me", 60)
        holdings.begin(first.key, owner="me")
        done = camsync.download(provider, first, dest, container="original", retry=_ONCE)
        holdings.verified(done, batch=batch, sha256=done.sha256)
        stage.keep(holdings.failed(second.key, _refusal(stage)), holdings.rearm())
        holdings.release(second.key)
        holdings.gone([third.key])
        mark = holdings.searched("M1", "1", _LAST_HOUR, since_batch=batch)
        holdings.end_batch(batch, error=_refusal(stage), secret=Secret(stage.plain("wrong")))
        holdings.note(provider.channels())
        stage.keep(holdings.channels(), mark, holdings.mark_of("M1", "1"))
        stage.keep(holdings.batches(), holdings.folders())
        coverage = holdings.coverage("M1", "1", _LAST_HOUR)
        gaps = coverage.gaps, holdings.gaps("M1", "1", _LAST_HOUR)
        stage.keep(coverage, coverage.seconds("held"), coverage.fraction_held, gaps)
        entries: list[Entry] = list(holdings.entries(states=[State.VERIFIED]))
        stage.keep(
            entries, holdings.find(keys), [(entry.held, entry.is_short) for entry in entries]
        )
        holdings.pin(first.key)
        stage.keep(holdings.prune(keep=_MINUTE), holdings.reconcile(deep=True).clean)
        elsewhere = dest.rename(dest.with_name("elsewhere"))
        with stage.fails(camsync.DestinationError):
            holdings.reconcile()
        elsewhere.rename(dest)
        done.path.write_bytes(b"changed")
        stage.keep(holdings.reconcile(repair=True))
        with catalogue.reading(), catalogue.writing(), catalogue.claim(stage.folder) as mine:
            stage.keep(mine, repr(catalogue.engine), repr(catalogue.place), catalogue.now())
        _misused(stage, holdings, attrs.evolve(first.key, item="nobody's"))
    with stage.fails(camsync.CatalogueError):
        catalogue.at(dest)
    catalogue.close()


@scenario(
    *of(
        "camsync.Holdings",
        "elsewhere pace_of note_pace check_mounted swept missed quarantine oldest_lost",
    ),
    "camsync.Catalogue.forget",
    "camsync.Entry.missed_for",
    "camsync.catalogue.Pace",
)
def what_hosts_and_devices_teach(stage: Stage) -> None:
    """Note what a host has, and what a device bears."""
    recording = MemoryProvider("M1").record("1", _NOW - 9 * _MINUTE)
    with Catalogue(stage.folder / "catalogue.sqlite3") as catalogue:
        holdings = catalogue.at(stage.folder)
        holdings.observe([recording], batch=holdings.begin_batch())
        holdings.check_mounted()
        stage.keep(holdings.swept(now=True), holdings.missed([recording.key]))
        stage.keep(holdings.quarantine([recording.key]), holdings.oldest_lost("M1", "1", _NOW))
        holdings.elsewhere([recording.key])
        with stage.fails(camsync.ConfigurationError):
            catalogue.forget(stage.folder)
        holdings.note_pace("shop", Pace(streams=2, ceiling=3, learnt_at=_NOW))
        (entry,) = holdings.entries()
        stage.keep(holdings.pace_of("shop"), entry, entry.missed_for(_NOW))


def _misused(stage: Stage, holdings: camsync.Holdings, stranger: camsync.RecordingKey) -> None:
    with stage.fails(camsync.ConfigurationError):
        holdings.pin(stranger)
    with stage.fails(camsync.ConfigurationError):
        holdings.failed(stranger, _refusal(stage))
    with stage.fails(camsync.ConfigurationError):
        holdings.prune()
    with stage.fails(camsync.ConfigurationError):
        holdings.end_batch("none")


class _Broken:
    """A host whose database does not answer."""

    @contextlib.contextmanager
    def __call__(self) -> Iterator[sqlite3.Connection]:
        msg = "unable to open database file"
        raise sqlite3.OperationalError(msg)
        yield


@scenario(*of("camsync.VpackLedger", "has add watermark advance"), "camsync.sync")
def a_table_of_the_hosts_own(stage: Stage) -> None:
    """Sync into VPACK's table, and have that table fail."""
    provider = MemoryProvider("M1")
    recording = provider.record("1", _NOW - 9 * _MINUTE)
    (channel,) = provider.channels()
    path = stage.folder / "vpack.db"

    @contextlib.contextmanager
    def connect() -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            yield connection

    with connect() as connection:
        connection.executescript(_TABLES)
    ledger, dest = VpackLedger(connect, 7), stage.folder / "out"
    for _ in range(2):
        report = camsync.sync(provider, dest, ledger=ledger, container="original")
        stage.keep(report, ledger.watermark(channel), ledger.has(recording.key))
    ledger.advance(channel, _NOW)
    broken = VpackLedger(_Broken(), 7)
    for function in (
        lambda: broken.has(recording.key),
        lambda: broken.watermark(channel),
        lambda: camsync.sync(provider, dest, ledger=broken, container="original"),
    ):
        with stage.fails(sqlite3.OperationalError):
            function()
    stage.keep(ledger, broken)
