"""The module of docs/howto/vpack.md in a miniature of VPACK: its tables, and what reads its files.

Facts about VPACK are those of its backend at cf9d476. Nothing of it is imported or copied.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import types

from collections.abc import Iterator
from pathlib import Path

import attrs
import av
import pytest

from camsync import (
    Catalogue,
    Credential,
    EncryptedFileStore,
    HikvisionISAPI,
    Profile,
    Profiles,
    TimeSpan,
    VpackTokenStore,
)
from camsync.credentials.keys import KeyFromFile, new_key, write_key_file
from camsync.errors import RecordingNotFoundError
from camsync.sync import EventKind, _checks
from camsync.testing import RecorderSimulator


PAGE = Path(__file__).parents[2] / "docs" / "howto" / "vpack.md"

if not PAGE.is_file():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

UTC = dt.timezone.utc
DAY = 86_400.0
SOURCE = 2
OWNER = "alice@example.com"
CHANNELS = ("1", "10")
CAMERAS = ("Cam01", "Cam10")
PASSWORD = "Simulator-1"
EXTENSIONS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".flv", ".wmv"})
AGE = dt.timedelta(days=3)
HISTORY = {"hours": 219 / 3600, "segment_seconds": 30.0, "seed": 21}
"""Three finished recordings of each channel; the next ones are finished half a minute later."""

TABLES = """
CREATE TABLE video_sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source_type TEXT NOT NULL CHECK (source_type IN ('local', 'cloud')), name TEXT NOT NULL,
    path TEXT NOT NULL, config TEXT, active INTEGER DEFAULT 1,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, folder_depth INTEGER, parent_folder_id TEXT);
CREATE TABLE downloaded_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, camera_name TEXT NOT NULL,
    original_filename TEXT NOT NULL, local_file_path TEXT NOT NULL, file_size_bytes INTEGER,
    download_timestamp TIMESTAMP, recording_start_time TIMESTAMP, recording_end_time TIMESTAMP,
    file_format TEXT, checksum TEXT, sync_batch_id TEXT, is_processed INTEGER DEFAULT 0,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
ALTER TABLE downloaded_files ADD COLUMN drive_file_id TEXT;
ALTER TABLE downloaded_files ADD COLUMN relative_path TEXT;
ALTER TABLE downloaded_files ADD COLUMN processing_timestamp TIMESTAMP;
ALTER TABLE downloaded_files ADD COLUMN processing_status TEXT;
CREATE TABLE last_downloaded_file (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL, camera_name TEXT NOT NULL,
    last_filename TEXT, last_file_timestamp TIMESTAMP, last_download_time TIMESTAMP,
    total_files_count INTEGER DEFAULT 0, total_size_mb REAL DEFAULT 0,
    UNIQUE (source_id, camera_name));
CREATE TABLE file_list (
    id INTEGER PRIMARY KEY AUTOINCREMENT, camera_name TEXT, file_path TEXT, ctime REAL,
    size INTEGER, status TEXT DEFAULT 'pending');
CREATE TABLE packing_profiles (id INTEGER PRIMARY KEY AUTOINCREMENT, profile_name TEXT);
"""


class Vpack:
    """A miniature of VPACK's backend.

    Args:
        root: Where it keeps its things.

    Attributes:
        timeout: Seconds that its connections wait for a lock.
        max_files: How many files a run of the module brings.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.timeout = 60.0
        self.max_files = 30
        self.database = root / "database" / "events.db"
        self.database.parent.mkdir(parents=True, exist_ok=True)
        self._nested = threading.local()

    @contextlib.contextmanager
    def safe_db_connection(self) -> Iterator[sqlite3.Connection]:
        """Behave as VPACK's: commit at the end, and twist what the block raises.

        It tries again after an OperationalError by yielding a second time, which no context
        manager may; any other exception comes out as a plain `sqlite3.Error`.
        """
        assert not getattr(self._nested, "open", False), "a connection within a connection"
        for _ in range(3):
            # A generator that does not stop is closed by whichever thread collects it.
            connection = sqlite3.connect(
                self.database, timeout=self.timeout, check_same_thread=False
            )
            self._nested.open = True
            try:
                connection.execute(f"PRAGMA busy_timeout = {round(self.timeout * 1000)}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                yield connection
                connection.commit()
                return  # noqa: TRY300 - the block may raise what is caught here
            except sqlite3.OperationalError:
                connection.rollback()
            except Exception as error:
                msg = f"Unexpected database error: {error}"
                raise sqlite3.Error(msg) from error
            finally:
                self._nested.open = False
                connection.close()
        msg = "Failed to connect to database after 3 attempts"
        raise sqlite3.Error(msg)

    def staging_path(self, name: str) -> str:
        """The folder of a source in the cache."""
        return str(self.root / "var" / "cache" / "cloud_downloads" / name)

    @property
    def cache(self) -> str:
        """The only source's folder: `processing_config.input_path`."""
        return self.staging_path("CloudStorage_alice")

    def create(self, port: int, hours: float) -> None:
        """Make the tables, with one source: a recorder, as the wizard would save it."""
        config = {
            "provider": "hikvision",
            "nvr_id": f"127.0.0.1_{port}",
            "user_email": OWNER,
            "selected_channels": list(CHANNELS),
            "time_range_hours": hours,
        }
        with self.safe_db_connection() as connection:
            connection.executescript(TABLES)
            connection.execute(
                "INSERT INTO video_sources (id, source_type, name, path, config) "
                "VALUES (?, 'cloud', 'CloudStorage_alice', ?, ?)",
                (SOURCE, self.cache, json.dumps(config)),
            )

    def rows(self, table: str = "downloaded_files") -> list[dict[str, object]]:
        """Everything in a table, in the order in which it came."""
        with self.safe_db_connection() as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY id")]

    def forget(self, table: str) -> None:
        """Empty a table."""
        with self.safe_db_connection() as connection:
            connection.execute(f"DELETE FROM {table}")

    def scan(self) -> list[str]:
        """Look for new files as the scanner does, and return their paths."""
        with self.safe_db_connection() as connection:
            newest = connection.execute("SELECT MAX(ctime) FROM file_list").fetchone()[0] or 0.0
        found = []
        for folder, _, names in os.walk(self.cache):
            for path in (Path(folder, name) for name in names):
                camera, status = path.relative_to(self.cache).parts[0], path.lstat()
                wanted = camera in CAMERAS and path.suffix.lower() in EXTENSIONS
                if wanted and status.st_ctime > newest:
                    found.append((camera, str(path), status.st_ctime, status.st_size))
        insert = "INSERT INTO file_list (camera_name, file_path, ctime, size) VALUES (?, ?, ?, ?)"
        with self.safe_db_connection() as connection:
            connection.executemany(insert, sorted(found, key=lambda each: each[2]))
        return [path for _, path, _, _ in found]

    def clean(self, now: float) -> int:
        """Delete what is older than a day, as happens every hour; return how many files."""
        every = [Path(at, name) for at, _, names in os.walk(self.cache) for name in names]
        old = [path for path in every if path.stat().st_mtime < now - DAY]
        for path in old:
            path.unlink()
        return len(old)

    def profile_of(self, camera: str) -> str:
        """The profile that VPACK would use for the files of a camera."""
        query = (
            "SELECT profile_name FROM packing_profiles WHERE profile_name LIKE ? ORDER BY id DESC"
        )
        with self.safe_db_connection() as connection:
            return connection.execute(query, (f"%{camera}%",)).fetchone()[0]

    def files(self) -> set[str]:
        """Every file below the cache, hidden ones included."""
        return {str(Path(at, name)) for at, _, names in os.walk(self.cache) for name in names}

    def load(self) -> types.ModuleType:
        """Import the page's module, as a start of the backend does."""
        pace = f"max_files={self.max_files},"
        stand_ins = {
            name: types.ModuleType(name)
            for name in (
                "modules",
                "modules.db_utils",
                "modules.db_utils.safe_connection",
                "modules.path_utils",
            )
        }
        stand_ins["modules.db_utils.safe_connection"].safe_db_connection = self.safe_db_connection
        stand_ins["modules.path_utils"].get_cloud_staging_path = self.staging_path
        begin = "```python\n# backend/modules/sources/camsync_core.py\n"
        code = PAGE.read_text(encoding="utf-8").partition(begin)[2].partition("```")[0]
        assert 1 == code.count("max_files=30,")
        code = code.replace("max_files=30,", pace)
        module = types.ModuleType("camsync_core")
        sys.modules.update(stand_ins)
        try:
            exec(compile(code, str(PAGE), "exec"), vars(module))
        finally:
            for name in stand_ins:
                del sys.modules[name]
        return module


def creation_time(path: str) -> dt.datetime:
    """When VPACK thinks that a file begins."""
    with av.open(path) as container:
        text = container.metadata["creation_time"]
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


class House:
    """A backend and the recorder in its network. The recorder's clock is three days behind."""

    def __init__(self, stack: contextlib.ExitStack, root: Path, **options: object) -> None:
        self.stack = stack
        self.root = root
        self.shift = -AGE
        self.recorder = stack.enter_context(
            RecorderSimulator(
                clock=self.clock, password=PASSWORD, channels=11, **{**HISTORY, **options}
            )
        )
        self.vpack = Vpack(root)
        self.vpack.create(self.recorder.port, hours=100.0)
        self.save_profile()
        self.core = self.started()

    def clock(self) -> dt.datetime:
        """The recorder's clock."""
        return dt.datetime.now(UTC) + self.shift

    @property
    def name(self) -> str:
        """VPACK's `nvr_id`, and the name of the profile."""
        return f"127.0.0.1_{self.recorder.port}"

    def save_profile(self, password: str = PASSWORD) -> None:
        """Save address and password, as VPACK's page would."""
        key = self.root / "keys" / "camsync.key"
        key.parent.mkdir(mode=0o700, exist_ok=True)
        if not key.exists():
            write_key_file(key)
        Profiles().set(
            Profile(name=self.name, provider="hikvision", host="127.0.0.1", port=self.recorder.port)
        )
        store = EncryptedFileStore(
            self.root / "database" / "credentials.camsync", key=KeyFromFile(key)
        )
        store.set(
            "hikvision", self.name, Credential(username="admin", secret=password), owner=OWNER
        )

    def started(self) -> types.ModuleType:
        """Start the backend (again)."""
        core = self.vpack.load()
        self.stack.callback(self.stopped, core)
        return core

    @staticmethod
    def stopped(core: types.ModuleType) -> None:
        """Close what a backend holds."""
        for recorder in core.RECORDERS.values():
            recorder.close()
        core.RECORDERS.clear()

    def later(self, minutes: float) -> None:
        """Let time pass: the recorder records, and VPACK is started again."""
        self.shift += dt.timedelta(minutes=minutes)
        self.stopped(self.core)
        self.core = self.started()

    def sync(self, on_event=None) -> dict[str, object]:
        """One tick of the scheduler."""
        return self.core.sync_source(SOURCE, on_event)

    def finished(self) -> set[str]:
        """The keys of the recordings that the recorder has finished."""
        with HikvisionISAPI("127.0.0.1", "admin", PASSWORD, port=self.recorder.port) as client:
            now = self.clock()
            span = TimeSpan(now - 2 * AGE, now)
            channels = [each for each in client.channels() if each.id in CHANNELS]
            found = [each for channel in channels for each in client.search(channel, span)]
        return {each.key.uri for each in found if not each.in_progress}

    def downloads(self) -> int:
        """How many downloads the recorder was asked for."""
        return sum("download" in line.path.lower() for line in self.recorder.requests_log)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A function that builds a backend with a recorder; `vpack` and `recorder` are in it."""
    (tmp_path / "vpack").mkdir()
    # The recorder's clock is days behind only so that this computer's clock can be left alone.
    monkeypatch.setattr(_checks, "_TOLERATED", 2 * AGE)
    monkeypatch.setenv("CAMSYNC_STORE", f"file:{tmp_path}/vpack/database/credentials.camsync")
    monkeypatch.setenv("CAMSYNC_KEY_FILE", str(tmp_path / "vpack" / "keys" / "camsync.key"))
    with contextlib.ExitStack() as stack:
        yield lambda **options: House(stack, tmp_path / "vpack", **options)


def keys_of(vpack: Vpack) -> list[str]:
    """The recordings that VPACK has rows for."""
    return sorted(str(row["drive_file_id"]) for row in vpack.rows())


def test_every_column_of_the_rows(house):
    """What VPACK's other parts read is what it expects; a second run brings nothing."""
    home = house()
    before = dt.datetime.now(UTC)

    first = home.sync()
    home.recorder.reset_counters()
    second = home.sync()

    rows = home.vpack.rows()
    assert sorted(home.finished()) == keys_of(home.vpack)
    assert 6 == len(rows)
    for row in rows:
        path = str(row["local_file_path"])
        start = dt.datetime.fromisoformat(str(row["recording_start_time"]))
        end = dt.datetime.fromisoformat(str(row["recording_end_time"]))
        fetched = dt.datetime.fromisoformat(str(row["download_timestamp"]))
        name = str(row["original_filename"])
        local = start.astimezone(dt.timezone(dt.timedelta(hours=8)))
        assert SOURCE == row["source_id"]
        assert row["camera_name"] in CAMERAS
        assert f"{row['camera_name']}_{local:%Y%m%d_%H%M%S}.mp4" == name
        assert f"{home.vpack.cache}{os.sep}{row['camera_name']}{os.sep}{name}" == path
        assert "" == row["relative_path"]
        assert Path(path).stat().st_size == row["file_size_bytes"]
        assert before <= fetched <= dt.datetime.now(UTC)
        assert dt.timedelta(seconds=30) <= end - start <= dt.timedelta(seconds=33)
        assert dt.timedelta(0) == start.utcoffset() == end.utcoffset()
        assert creation_time(path) == start
        assert ".mp4" == row["file_format"]
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", str(row["checksum"]))
        assert re.fullmatch(r"\d{8}T\d{6}Z", str(row["sync_batch_id"]))
        assert 0 == row["is_processed"]
        assert row["created_at"]
        assert str(row["drive_file_id"]).startswith("hik://DS-7616NI-K2")
        assert None is row["processing_timestamp"] is row["processing_status"]
    assert len(rows) == len({row["original_filename"] for row in rows})
    assert home.vpack.files() == {row["local_file_path"] for row in rows}
    first["synced_folders"].sort()
    assert f"{len(rows)} fetched" in first.pop("message")
    assert {
        "success": True,
        "files_downloaded": len(rows),
        "total_size_mb": sum(int(str(row["file_size_bytes"])) for row in rows) / 2**20,
        "synced_folders": list(CAMERAS),
        "failed_folders": [],
    } == first
    assert 0 == second["files_downloaded"] == home.downloads()
    assert [] == second["synced_folders"] == second["failed_folders"]
    marks = home.vpack.rows("last_downloaded_file")
    assert [(SOURCE, True), (SOURCE, True)] == [
        (row["source_id"], dt.datetime.fromisoformat(row["last_file_timestamp"]) < before)
        for row in marks
    ]


def test_the_scanner_sees_only_whole_files(house):
    """However often it looks: no half file ever has a video's name."""
    home = house()

    home.sync(lambda _: home.vpack.scan())

    seen = home.vpack.rows("file_list")
    # What lands in one folder while the scanner walks the next can be older than what it finds
    # there, and then its filter by ctime misses it for ever. So ask once more, without the filter.
    home.vpack.forget("file_list")
    everything = home.vpack.scan()
    rows = {row["local_file_path"]: row for row in home.vpack.rows()}
    assert sorted(rows) == sorted(everything)
    for row in [*seen, *home.vpack.rows("file_list")]:
        theirs = rows[row["file_path"]]  # the text of the paths is what VPACK joins by
        assert theirs["camera_name"] == row["camera_name"]
        assert theirs["file_size_bytes"] == row["size"]
        with av.open(row["file_path"]) as container:
            assert 1 == len(container.streams.video)


def test_the_cleaner_takes_nothing_that_is_new(house):
    """Footage of three days ago stays for a day; then it goes, and does not come again."""
    home = house()
    home.sync()
    fetched = keys_of(home.vpack)

    assert 0 == home.vpack.clean(time.time() + DAY - 3600)
    assert len(fetched) == len(home.vpack.files()) == home.vpack.clean(time.time() + DAY + 60)
    home.vpack.forget("last_downloaded_file")  # so that everything is looked at again
    home.recorder.reset_counters()
    again = home.sync()

    assert 0 == again["files_downloaded"] == home.downloads()
    assert f"{len(fetched)} held already" in again["message"]
    assert fetched == keys_of(home.vpack)
    assert set() == home.vpack.files()


def test_a_file_comes_back_by_its_key(house):
    """To the path that its row has, and with the bytes that it had; or an error says why not."""
    home = house()
    home.sync()
    rows = home.vpack.rows()
    home.vpack.clean(time.time() + 2 * DAY)
    wanted = rows[2]

    file = home.core.fetch_again(wanted["local_file_path"])

    assert {wanted["local_file_path"]} == home.vpack.files() == {os.fspath(file.path)}
    assert (wanted["file_size_bytes"], wanted["checksum"]) == (file.size, f"sha256:{file.sha256}")
    assert rows == home.vpack.rows()
    with home.vpack.safe_db_connection() as connection:  # as if it had been overwritten meanwhile
        gone = re.sub(r"\d{8}T\d{6}Z", "20200101T000000Z", wanted["drive_file_id"])
        update = "UPDATE downloaded_files SET drive_file_id = ? WHERE id = ?"
        connection.execute(update, (gone, wanted["id"]))
    with pytest.raises(RecordingNotFoundError):
        home.core.fetch_again(wanted["local_file_path"])


def test_stopped_in_the_middle(house):
    """`stop_auto_sync` ends the run; the next one brings the rest, each recording once."""
    home = house(bandwidth=700_000.0)

    def stop(event):
        if event.kind is EventKind.FETCHED:
            home.core.STOP[SOURCE].set()

    first = home.sync(stop)
    held = keys_of(home.vpack)
    left = home.vpack.files()
    second = home.sync()

    assert first["success"]
    assert 0 < first["files_downloaded"] == len(held) == len(left) < len(home.finished())
    assert all(path.endswith(".mp4") for path in left)
    assert sorted(home.finished()) == keys_of(home.vpack)
    assert len(home.finished()) - len(held) == second["files_downloaded"]
    assert len(home.finished()) == len(home.vpack.files())


def test_terminated_in_the_middle(house):
    """VPACK's way to end on SIGTERM, `os._exit`, leaves nothing that the next run must redo."""
    home = house(bandwidth=700_000.0)
    home.stopped(home.core)
    subprocess.run([sys.executable, __file__, str(home.root)], check=True)
    before = home.vpack.rows()
    whole = {path for path in home.vpack.files() if path.endswith(".mp4")}
    finished = home.finished()
    assert 2 <= len(before) <= len(whole) < len(finished)

    result = home.sync()

    assert result["success"]
    assert sorted(finished) == keys_of(home.vpack)
    assert before == home.vpack.rows()[: len(before)]
    assert len(finished) - len(whole) == result["files_downloaded"]
    assert {row["local_file_path"] for row in home.vpack.rows()} == home.vpack.files()


def test_a_renamed_channel_keeps_its_folder(house):
    """And its profile, which VPACK finds by a part of its name."""
    home = house()
    with home.vpack.safe_db_connection() as connection:
        names = [("Cam01 front",), ("Cam10 lobby",)]
        connection.executemany("INSERT INTO packing_profiles (profile_name) VALUES (?)", names)
    home.sync()
    before = len(home.vpack.rows())
    device = home.recorder._device
    device.channels = tuple(attrs.evolve(each, name="Kho / 仓库") for each in device.channels)
    home.vpack.scan()
    home.later(minutes=1)

    home.sync()

    rows = home.vpack.rows()
    assert len(rows) > before
    assert {row["local_file_path"] for row in rows[before:]} == set(home.vpack.scan())
    assert set(CAMERAS) == {row["camera_name"] for row in rows[before:]}
    assert set(CAMERAS) == {each.name for each in Path(home.vpack.cache).iterdir()}
    assert ["Cam01 front", "Cam10 lobby"] == [home.vpack.profile_of(each) for each in CAMERAS]


def test_a_recording_that_fails_does_not_stop_the_others(house):
    """The result names its camera, the watermark waits for it, and a later run tries it again."""
    home = house()
    home.recorder.enable("garbage-body", 1)

    first = home.sync()
    missing = home.finished() - set(keys_of(home.vpack))
    marks = home.vpack.rows("last_downloaded_file")
    waiting = home.sync()
    with Catalogue() as catalogue:
        assert catalogue.at(home.vpack.cache).rearm() == 1  # or a quarter of an hour
    second = home.sync()

    assert (1, False) == (len(missing), first["success"])
    assert len(home.finished()) - 1 == first["files_downloaded"]
    track, start = missing.pop().split("/")[3:5]
    failed = f"Cam{int(track[:-2]):02}"
    assert [failed] == first["failed_folders"]
    moment = dt.datetime.strptime(start, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert moment.isoformat() in {row["last_file_timestamp"] for row in marks}
    assert (True, 0) == (waiting["success"], waiting["files_downloaded"])
    assert (True, 1, [failed]) == (
        second["success"],
        second["files_downloaded"],
        second["synced_folders"],
    )
    assert sorted(home.finished()) == keys_of(home.vpack)


def test_a_locked_database_costs_a_row_but_no_download(house):
    """VPACK's own error comes out; the next run enters the file that is there."""
    home = house()
    home.vpack.timeout = 0.05
    with contextlib.closing(sqlite3.connect(home.vpack.database)) as other:

        def lock(event):
            if event.kind is EventKind.PROGRESS and not other.in_transaction:
                other.execute("BEGIN IMMEDIATE")

        with pytest.raises(RuntimeError, match="generator didn't stop"):
            home.sync(lock)
        other.rollback()
    home.vpack.timeout = 60.0
    there = len(home.vpack.files())
    entered = len(home.vpack.rows())

    result = home.sync()

    rows = home.vpack.rows()
    assert there > entered
    assert result["success"]
    assert len(home.finished()) - there == result["files_downloaded"]
    assert sorted(home.finished()) == keys_of(home.vpack)
    assert all(row["checksum"].startswith("sha256:") for row in rows)


def test_a_refused_password_is_sent_once(house):
    """However often the scheduler comes; until somebody saves another one."""
    home = house()
    home.save_profile("wrong")

    results = [home.sync() for _ in range(3)]
    logins = home.recorder.logins_failed
    home.save_profile()
    home.stopped(home.core)
    good = home.sync()

    assert 1 == logins
    assert all(result["message"].startswith("authentication: ") for result in results)
    assert not any(result["success"] for result in results)
    assert good["success"]
    assert PASSWORD not in str([*results, good])


def test_the_pace(house):
    """A long history comes in portions, oldest first, so that the analysis can keep up."""
    home = house()
    home.vpack.max_files = 3
    home.later(minutes=0)

    results = [home.sync() for _ in range(5)]

    count = len(home.finished())
    assert count > 3
    assert [3, min(count - 3, 3)] == [each["files_downloaded"] for each in results[:2]]
    assert count == sum(each["files_downloaded"] for each in results)
    assert 0 == results[-1]["files_downloaded"]
    assert all(result["success"] for result in results)
    starts = [row["recording_start_time"] for row in home.vpack.rows()]
    assert max(starts[:3]) <= min(starts[3:])


def test_with_the_token_files_of_vpack(house, tmp_path):
    """The recorder's password comes out of VPACK's own file."""
    home = house()
    key = new_key()
    (tmp_path / "tokens").mkdir(mode=0o700)
    store = VpackTokenStore(tmp_path / "tokens", key)
    store.set("hikvision", home.name, Credential(username="admin", secret=PASSWORD), owner=OWNER)
    home.core.STORE = VpackTokenStore(tmp_path / "tokens", key)

    result = home.sync()

    assert result["success"]
    assert sorted(home.finished()) == keys_of(home.vpack)


def test_no_run_goes_further_back_than_the_first(house):
    """A source that wants the last minutes does not creep through the whole history."""
    home = house(hours=339 / 3600)
    config = json.loads(home.vpack.rows("video_sources")[0]["config"])
    config["time_range_hours"] = AGE.total_seconds() / 3600 + 0.05
    with home.vpack.safe_db_connection() as connection:
        connection.execute("UPDATE video_sources SET config = ?", (json.dumps(config),))
    earliest = home.clock() - dt.timedelta(hours=0.05, seconds=35)

    first, second = home.sync(), home.sync()

    assert first["files_downloaded"] > 0
    starts = [dt.datetime.fromisoformat(r["recording_start_time"]) for r in home.vpack.rows()]
    assert min(starts) >= earliest
    assert 0 == second["files_downloaded"]


def _backend(root: str) -> None:
    """A backend of its own: it fetches until SIGTERM comes, and dies of it as VPACK does."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    fetched = []

    def tell(event):
        fetched.extend([event] if event.kind is EventKind.FETCHED else [])
        if len(fetched) > 1:
            os.kill(os.getpid(), signal.SIGTERM)

    Vpack(Path(root)).load().sync_source(SOURCE, tell)
    sys.exit("it was not terminated")


if __name__ == "__main__":
    _backend(sys.argv[1])
