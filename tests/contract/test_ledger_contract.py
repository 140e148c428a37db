"""The contract of `SyncLedger`, for VPACK's tables and for the simplest of all."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3

from pathlib import Path

import pytest

from camsync import Channel, Downloaded, Recording, RecordingKey
from camsync.catalogue import SyncLedger, VpackLedger


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, 3, tzinfo=UTC)
NOW = dt.datetime(2024, 2, 1, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)

# As VPACK creates them.
TABLES = """
CREATE TABLE downloaded_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, camera_name TEXT NOT NULL,
    original_filename TEXT NOT NULL, local_file_path TEXT NOT NULL, file_size_bytes INTEGER,
    download_timestamp TIMESTAMP, recording_start_time TIMESTAMP, recording_end_time TIMESTAMP,
    file_format TEXT, checksum TEXT, sync_batch_id TEXT, is_processed INTEGER DEFAULT 0,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, drive_file_id TEXT, relative_path TEXT,
    processing_timestamp TIMESTAMP, processing_status TEXT);
CREATE TABLE last_downloaded_file (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, camera_name TEXT NOT NULL,
    last_filename TEXT, last_file_timestamp TIMESTAMP, last_download_time TIMESTAMP,
    total_files_count INTEGER DEFAULT 0, total_size_mb REAL DEFAULT 0,
    UNIQUE (source_id, camera_name));
"""


class Host:
    """VPACK's way to its database: a fresh connection each time, and never two at once."""

    def __init__(self, path):
        self.path = path
        self.open = False
        with self() as connection:
            connection.executescript(TABLES)

    @contextlib.contextmanager
    def __call__(self):
        assert not self.open, "VPACK's connections must not be nested"
        self.open = True
        connection = sqlite3.connect(self.path)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        except sqlite3.OperationalError as error:
            msg = "generator didn't stop after throw()"
            raise RuntimeError(msg) from error
        finally:
            connection.close()
            self.open = False

    def rows(self, table):
        with self() as connection:
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


class Simplest:
    """A ledger that is gone with the process."""

    def __init__(self):
        self.keys, self.marks = set(), {}

    def has(self, key):
        return key in self.keys

    def add(self, recording, file):
        self.keys.add(recording.key)

    def watermark(self, channel):
        return self.marks.get(channel)

    def advance(self, channel, moment):
        self.marks[channel] = moment


@pytest.fixture
def host(tmp_path):
    """A miniature of VPACK."""
    return Host(tmp_path / "vpack.db")


@pytest.fixture(params=["vpack", "simplest"])
def ledger(request, host):
    """A ledger that keeps the contract."""
    return VpackLedger(host, 2) if request.param == "vpack" else Simplest()


def _recording(item="a", channel="1"):
    key = RecordingKey(provider="hikvision", device="DS1", channel=channel, start=START, item=item)
    return Recording(key=key, channel_name="Front", start=START, end=START + HOUR)


def _file(recording, path="/cache/Cam01-front/Cam01_20240101_100000.mp4", **fields):
    return Downloaded(
        recording=recording,
        path=Path(path),
        size=7,
        container="mp4",
        start=recording.start,
        end=recording.end,
        **fields,
    )


def _channel(number="1", name="Front"):
    return Channel(device="DS1", id=number, name=name)


def test_it_is_a_ledger(ledger):
    """The protocol can be asked for."""
    assert isinstance(ledger, SyncLedger)


def test_what_was_added_is_there(ledger):
    """And nothing else; adding it again is fine."""
    assert not ledger.has(_recording().key)
    ledger.add(_recording(), _file(_recording()))
    ledger.add(_recording(), _file(_recording()))

    assert ledger.has(_recording().key)
    assert not ledger.has(_recording("b").key)
    assert not ledger.has(_recording(channel="2").key)


def test_watermarks(ledger):
    """One for each channel; the last word counts, also when it goes back."""
    assert None is ledger.watermark(_channel())
    for moment in (START, START + HOUR, START - HOUR):
        ledger.advance(_channel(), moment)
        assert moment == ledger.watermark(_channel())

    assert None is ledger.watermark(_channel("2"))


def test_the_row_that_vpack_reads(host):
    """Its columns hold what VPACK's other parts look for."""
    ledger = VpackLedger(host, 2, batch="run", clock=lambda: NOW)
    file = _file(_recording())
    object.__setattr__(file, "sha256", "ab" * 32) if hasattr(file, "sha256") else None
    ledger.add(_recording(), file)
    (row,) = host.rows("downloaded_files")

    assert {
        "source_id": 2,
        "camera_name": "Cam01-front",
        "original_filename": "Cam01_20240101_100000.mp4",
        "local_file_path": "/cache/Cam01-front/Cam01_20240101_100000.mp4",
        "file_size_bytes": 7,
        "download_timestamp": "2024-02-01T00:00:00+00:00",
        "recording_start_time": "2024-01-01T03:00:00+00:00",
        "recording_end_time": "2024-01-01T04:00:00+00:00",
        "file_format": ".mp4",
        "sync_batch_id": "run",
        "is_processed": 0,
        "drive_file_id": _recording().key.uri,
        "relative_path": "",
    }.items() <= row.items()
    assert row["checksum"] == (f"sha256:{'ab' * 32}" if hasattr(file, "sha256") else None)


@pytest.mark.parametrize(
    ("path", "camera", "below"),
    [
        ("/cache/Cam01/a.mp4", "Cam01", ""),
        ("/cache/Cam01/2024/01/a.mp4", "Cam01", "2024/01"),
        ("/cache/a.mp4", "", ""),
    ],
)
def test_the_camera_is_the_first_folder(host, path, camera, below):
    """However deep a layout puts the files."""
    VpackLedger(host, 2, dest="/cache").add(_recording(), _file(_recording(), path))
    (row,) = host.rows("downloaded_files")

    assert (camera, below) == (row["camera_name"], row["relative_path"])


def test_sources_are_apart(host):
    """VPACK keeps all sources in one table."""
    VpackLedger(host, 2).add(_recording(), _file(_recording()))
    VpackLedger(host, 2).advance(_channel(), START)

    other = VpackLedger(host, 3)
    assert not other.has(_recording().key)
    assert None is other.watermark(_channel())


def test_a_renamed_camera_keeps_its_watermark(host):
    """The name of a channel is whatever somebody typed."""
    ledger = VpackLedger(host, 2)
    ledger.advance(_channel(name="Front"), START)

    assert START == ledger.watermark(_channel(name="Door"))


@pytest.mark.parametrize("text", ["", "yesterday", None, "2024-01-01T00:00:00"])
def test_a_watermark_that_cannot_be_read_is_none(host, text):
    """A time without a zone could be anywhere: then everything is searched again."""
    ledger = VpackLedger(host, 2)
    ledger.advance(_channel(), START)
    with host() as connection:
        connection.execute("UPDATE last_downloaded_file SET last_file_timestamp = ?", (text,))
        connection.commit()

    assert None is ledger.watermark(_channel())


def test_the_hosts_errors_pass_through(host):
    """They come as the host raises them: nothing of ours is raised inside its connection."""
    ledger = VpackLedger(host, 2)
    with host() as connection:
        connection.execute("DROP TABLE downloaded_files")

    with pytest.raises(RuntimeError, match="generator didn't stop"):
        ledger.add(_recording(), _file(_recording()))


def test_two_that_add_at_once(host):
    """One statement asks and inserts, so that there is one row."""
    first, second = VpackLedger(host, 2), VpackLedger(host, 2)
    first.add(_recording(), _file(_recording()))
    second.add(_recording(), _file(_recording()))

    assert 1 == len(host.rows("downloaded_files"))
