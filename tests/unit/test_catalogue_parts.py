"""Where a catalogue lives, how it is opened, and what it says when that fails."""

from __future__ import annotations

import builtins
import contextlib
import datetime as dt
import logging
import os
import sqlite3
import stat
import sys
import traceback

from pathlib import Path

import attrs
import pytest
import sqlalchemy as sa

from camsync import RecordingKey, _places
from camsync.catalogue import (
    Catalogue,
    Pace,
    _catalogue,
    _disk,
    _migrate,
    _place,
    _postgres,
    _prune,
    _trouble,
)
from camsync.catalogue._lock import busy, only_process
from camsync.errors import (
    CatalogueUnavailableError,
    ConfigurationError,
    DamagedCatalogueError,
    DestinationBusyError,
    DestinationError,
    DiskFullError,
    MissingExtraError,
)


SECRET = "hunter2-Xq"
NOW = dt.datetime(2024, 2, 1, tzinfo=dt.timezone.utc)


def _chain(error):
    """Everything that a crash reporter could show of *error*."""
    shown, waiting = [], [error]
    while waiting:
        one = waiting.pop()
        report = traceback.TracebackException.from_exception(one, capture_locals=True)
        shown.append("".join(report.format()))
        waiting += [each for each in (one.__cause__, one.__context__) if each is not None]
    return "\n".join(shown)


def test_the_usual_place(monkeypatch):
    """In the user's own folder, which nobody else can look into."""
    with Catalogue() as catalogue:
        path = catalogue.place.file
        assert Path(os.environ["CAMSYNC_HOME"]) / "catalogue.sqlite3" == path
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
    monkeypatch.delenv("CAMSYNC_HOME")
    assert "camsync" in str(_places.data_folder())


def test_it_is_durable(tmp_path):
    """Write-ahead log, flushed at every commit, foreign keys checked; and kept when reopened."""
    path = tmp_path / "c.sqlite3"
    with Catalogue(str(path)) as catalogue:
        catalogue.at(tmp_path)
        with catalogue.reading() as connection:
            values = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
    assert ["wal", 2, 1] == values
    with Catalogue(path) as again:
        assert [tmp_path] == again.destinations()


@pytest.mark.parametrize("url", [b"x", 3, ["postgresql://u:p@h/d"]])
def test_what_is_no_place(url):
    """A path or a URL, and nothing else."""
    with pytest.raises(ConfigurationError, match="path or a URL"):
        Catalogue(url)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://u:{SECRET}@h/d",
        f"{SECRET}://u@h/d",
        f"postgresql://u:{SECRET}/x@127.0.0.1/d",
        f"postgresql://u:{SECRET}@x@127.0.0.1/d",
        f"postgresql://u:{SECRET}?x@127.0.0.1/d",
        f"postgresql://u:{SECRET}#x@127.0.0.1/d",
        f"postgresql://u:{SECRET}",
        f"postgresql://u:{SECRET}@127.0.0.1/d?nonsense={SECRET}",
        f"postgresql://u:{SECRET}@127.0.0.1:1/d",
        f"postgres://u:{SECRET}@127.0.0.1:1/d?connect_timeout=3",
        f"postgresql+psycopg://127.0.0.1:1/d?user=u&password={SECRET}",
        f"postgresql://u:{SECRET}@[::1]:1/d",
    ],
)
def test_a_password_is_never_shown(url, caplog):
    """Whatever is wrong with a URL or its server: not in errors, their frames, or the log."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises((ConfigurationError, CatalogueUnavailableError)) as caught:
        Catalogue(url)
    error = caught.value
    del url

    # The frame of this test is the caller's, and shows what it was called with.
    error.__traceback__ = error.__traceback__.tb_next
    assert SECRET not in _chain(error)
    assert SECRET not in caplog.text
    assert SECRET not in str(error)


def test_a_message_that_quotes_a_password_is_masked(monkeypatch):
    """Should a server ever do that."""

    def connect(url):
        msg = f"no password {SECRET}!"
        raise _postgres.psycopg.OperationalError(msg)

    monkeypatch.setattr(_postgres.psycopg, "connect", connect)
    with pytest.raises(CatalogueUnavailableError, match=r"no password \*\*\*!"):
        Catalogue(f"postgresql://u:{SECRET}@127.0.0.1/d")


def _without(monkeypatch, *names):
    """Make the import of a package fail."""
    real = builtins.__import__

    def fake(name, *args, **options):
        if name.partition(".")[0] in names:
            raise ImportError(name)
        return real(name, *args, **options)

    for module in [name for name in sys.modules if name.partition(".")[0] in names]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", fake)


def test_without_psycopg(monkeypatch):
    """The message says what to install."""
    monkeypatch.delitem(sys.modules, "camsync.catalogue._postgres")
    monkeypatch.delattr("camsync.catalogue._postgres")
    _without(monkeypatch, "psycopg")
    with pytest.raises(MissingExtraError, match="'postgres'"):
        Catalogue("postgresql://h/d")


def test_without_sqlalchemy(monkeypatch):
    """The message says what to install; what a host's own ledger needs is there."""
    import camsync.catalogue as package

    package.Catalogue  # noqa: B018 - now it can be taken away
    monkeypatch.delattr(package, "Catalogue")
    monkeypatch.setitem(sys.modules, "camsync.catalogue._catalogue", None)
    with pytest.raises(MissingExtraError, match="'sync'"):
        package.Catalogue  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        package.Nonsense  # noqa: B018
    assert package.VpackLedger


def test_a_newer_catalogue(tmp_path):
    """It is left alone."""
    path = tmp_path / "c.sqlite3"
    Catalogue(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE camsync_schema SET version = 99")
        connection.commit()
    with pytest.raises(ConfigurationError, match="made by a newer camsync"):
        Catalogue(path)


def test_an_older_catalogue_is_brought_forward(tmp_path, monkeypatch):
    """Step by step, and all steps or none."""
    path = tmp_path / "c.sqlite3"
    Catalogue(path).close()
    done = []

    def step(connection):
        connection.exec_driver_sql("CREATE TABLE fresh (id INTEGER)")
        done.append(connection)

    def failing(connection):
        msg = "no such column"
        raise sqlite3.OperationalError(msg)

    monkeypatch.setattr(_migrate, "CURRENT", 5)
    monkeypatch.setattr(_migrate, "STEPS", {4: step, 5: failing})
    with pytest.raises(CatalogueUnavailableError, match="no such column"):
        Catalogue(path)
    monkeypatch.setattr(_migrate, "STEPS", {4: step, 5: done.append})
    with Catalogue(path) as catalogue, catalogue.reading() as connection:
        versions = connection.exec_driver_sql("SELECT version FROM camsync_schema").scalars()
        assert [5] == list(versions)
    assert 3 == len(done)


def test_a_catalogue_that_another_process_brings_forward(tmp_path, monkeypatch):
    """Who has waited for it finds nothing left to do."""
    path = tmp_path / "c.sqlite3"
    Catalogue(path).close()
    monkeypatch.setattr("camsync.catalogue._catalogue.is_current", lambda _: False)
    monkeypatch.setattr(_migrate, "STEPS", {})
    with Catalogue(path) as catalogue:
        assert [] == catalogue.destinations()


def test_a_catalogue_of_version_1_is_brought_forward(tmp_path):
    """It gets the tables that it lacks, and they are what a new catalogue has."""
    new, old = tmp_path / "new.sqlite3", tmp_path / "old.sqlite3"
    for path in (new, old):
        Catalogue(path).close()
    with contextlib.closing(sqlite3.connect(old)) as connection:
        connection.executescript(
            """
            DROP TABLE camsync_pace;
            ALTER TABLE camsync_recording DROP COLUMN missed_at;
            ALTER TABLE camsync_recording DROP COLUMN file_end;
            ALTER TABLE camsync_recording DROP COLUMN lost_end;
            ALTER TABLE camsync_channel DROP COLUMN last_search;
            ALTER TABLE camsync_destination DROP COLUMN mount;
            UPDATE camsync_schema SET version = 1;
            """
        )
    pace = Pace(streams=3, ceiling=None, learnt_at=NOW)
    columns = []
    for path in (new, old):
        with Catalogue(path) as catalogue:
            holdings = catalogue.at(tmp_path)
            holdings.note_pace("shop", pace)
            holdings.note_pace("shop", attrs.evolve(pace, streams=4, ceiling=4))
            assert attrs.evolve(pace, streams=4, ceiling=4) == holdings.pace_of("shop")
            assert holdings.pace_of("office") is None
            with catalogue.reading() as connection:
                look = sa.inspect(connection)
                columns.append([str(each) for each in look.get_columns("camsync_pace")])
                columns.append(
                    sorted(each["name"] for each in look.get_columns("camsync_recording"))
                )
    assert columns[:2] == columns[2:]


def test_a_destination_belongs_to_one_run_at_a_time(tmp_path):
    """Whoever comes second is told, and does not take it from the first by leaving."""
    with Catalogue(":memory:") as catalogue:
        with catalogue.claim(tmp_path) as first:
            with catalogue.claim(tmp_path) as second:
                pass
            with catalogue.claim(tmp_path) as third:
                pass
        with catalogue.claim(tmp_path) as later:
            pass

    assert (True, False, False, True) == (first, second, third, later)


def test_a_shared_catalogue_does_not_say_which_runs_are_dead(tmp_path, monkeypatch):
    """On another computer one may go on that has not ended here."""
    with Catalogue(":memory:") as catalogue:
        holdings = catalogue.at(tmp_path)
        holdings.begin_batch()
        alone = holdings.swept()
        monkeypatch.setattr(type(catalogue.place), "shared", True)

        assert (False, True) == (alone, holdings.swept(now=True))


def test_a_catalogue_without_a_version(tmp_path):
    """That cannot be ours."""
    path = tmp_path / "c.sqlite3"
    Catalogue(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM camsync_schema")
        connection.commit()
    with pytest.raises(DamagedCatalogueError, match="which version"):
        Catalogue(path)


def test_somebody_elses_database_is_left_alone(tmp_path):
    """Not a byte of it is changed."""
    path = tmp_path / "theirs.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="another program"):
        Catalogue(path)

    assert before == path.read_bytes()


def test_a_schema_that_is_no_text_is_damage(tmp_path):
    """SQLite quotes bytes of it in its error, which Python then cannot read."""
    path = tmp_path / "catalogue.sqlite3"
    with Catalogue(path) as catalogue:
        catalogue.at(tmp_path)
    content = path.read_bytes()
    assert b"CREATE TABLE camsync_recording" in content
    path.write_bytes(content.replace(b"CREATE TABLE camsync_rec", b"CREATE \xff\xfe camsync_rec"))

    with pytest.raises(DamagedCatalogueError, match="is damaged"), Catalogue(path) as catalogue:
        catalogue.at(tmp_path)


def test_a_message_that_is_no_text_is_damage():
    """Up to Python 3.12 that is what comes of a broken schema; later ones give the message."""
    with pytest.raises(DamagedCatalogueError, match="no text"), _trouble.translated("c"):
        b"near \xff".decode()


def test_a_damaged_file(tmp_path):
    """Text is no catalogue."""
    path = tmp_path / "c.sqlite3"
    path.write_text("hello " * 1000)
    with pytest.raises(DamagedCatalogueError, match="is damaged"):
        Catalogue(path)


def test_a_place_that_cannot_be(tmp_path):
    """A folder is no file, and a file no folder."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "c.sqlite3"):
        with pytest.raises(CatalogueUnavailableError, match="cannot be opened"):
            Catalogue(path)


@pytest.mark.parametrize(
    ("words", "kind", "retryable"),
    [
        ("database or disk is full", DiskFullError, False),
        ("database disk image is malformed", DamagedCatalogueError, False),
        ("database is locked", CatalogueUnavailableError, True),
        ("deadlock detected", CatalogueUnavailableError, True),
        ("attempt to write a readonly database", CatalogueUnavailableError, False),
    ],
)
def test_words_of_databases(words, kind, retryable):
    """They become errors that say what can be done."""
    with pytest.raises(kind, match=r"c\.sqlite3") as caught, _trouble.translated("c.sqlite3"):
        raise sqlite3.OperationalError(words)

    assert retryable == caught.value.retryable
    busy_pool = _trouble.trouble("c", sa.exc.TimeoutError("no connection"))
    assert busy_pool.retryable


class _Server:
    """Records what a server would be told."""

    class dialect:  # noqa: N801 - as SQLAlchemy calls it
        name = "postgresql"

    def __init__(self):
        self.said = []

    def execute(self, statement, *_args):
        self.said.append(str(statement))


def test_migrations_on_a_server_take_a_lock(monkeypatch):
    """Two computers must not change the tables at once."""
    server = _Server()
    monkeypatch.setattr(_migrate.sa, "inspect", lambda _: _Empty())
    monkeypatch.setattr(_migrate.METADATA, "create_all", lambda *_, **__: None)
    _migrate.migrate(server, "x", 0)

    assert "pg_advisory_xact_lock" in server.said[0]


class _Empty:
    @staticmethod
    def get_table_names():
        return ["somebody_elses"]


def test_a_shared_place_has_no_lock(monkeypatch):
    """There leases divide the work."""
    monkeypatch.setattr(_place.MemoryPlace, "shared", True)
    with Catalogue(":memory:") as catalogue:
        holdings = catalogue.at("/footage")
        with holdings.lock(), holdings.lock():
            pass


def test_another_process_with_the_lock(tmp_path):
    """The message says who it is, and since when."""
    lock = tmp_path / "lock"
    with only_process(lock, Path("/footage"), NOW):
        with pytest.raises(DestinationBusyError) as caught:
            only_process(lock, Path("/footage"), NOW).__enter__()
        error = caught.value
        assert (os.getpid(), NOW) == (error.pid, error.since)
        assert error.host in str(error)
        lock.write_text("[]")
        with pytest.raises(DestinationBusyError, match="another process"):
            only_process(lock, Path("/footage"), NOW).__enter__()
    with only_process(lock, Path("/footage"), NOW):
        pass
    assert None is busy(Path("/footage"), {"pid": 1}).since


def test_a_lock_that_cannot_be_made(tmp_path):
    """The folder may be gone."""
    with pytest.raises(CatalogueUnavailableError, match="cannot be used"):
        only_process(tmp_path / "no" / "lock", tmp_path, NOW).__enter__()


def _refusing(error):
    def refuse(*_args, **_options):
        raise error

    return refuse


def test_files_that_cannot_be_looked_at(tmp_path, monkeypatch):
    """They are told of, which is not the same as missing."""
    refused = PermissionError(13, "Permission denied", str(tmp_path / "a"))
    monkeypatch.setattr(Path, "lstat", _refusing(refused))
    with pytest.raises(PermissionError):
        _disk.size_of(tmp_path / "a")
    monkeypatch.undo()

    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    told = []
    for error, expected in ((refused, ["a", "b"]), (FileNotFoundError(2, "gone", "x"), [])):
        told.clear()
        monkeypatch.setattr(os, "lstat", _refusing(error))
        assert [] == list(_disk.walk(tmp_path, told.append))
        assert expected == list(map(str, told))
    monkeypatch.undo()
    monkeypatch.setattr(os, "scandir", _refusing(refused))
    list(_disk.walk(tmp_path, told.append))
    assert ["a"] == list(map(str, told))


def test_an_empty_destination(tmp_path):
    """Its disk is not mounted."""
    with pytest.raises(DestinationError, match="is empty"):
        _disk.require_there(tmp_path)


@pytest.fixture
def held(tmp_path):
    """A destination with two files of the same content, one of them known."""
    from camsync import Downloaded, Recording

    key = RecordingKey(provider="p", device="D", channel="1", start=NOW, item="a")
    recording = Recording(key=key, channel_name="", start=NOW, end=NOW + dt.timedelta(hours=1))
    file = tmp_path / "footage" / "Cam01" / "a.mp4"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"video")
    with Catalogue(":memory:") as catalogue:
        holdings = catalogue.at(tmp_path / "footage")
        downloaded = Downloaded(
            recording=recording,
            path=file,
            size=5,
            container="mp4",
            start=NOW,
            end=recording.end,
        )
        holdings.verified(downloaded, batch="", sha256="ab")
        yield holdings, file, key


def test_reconciling_files_that_cannot_be_read(held, monkeypatch):
    """Neither missing nor changed: nobody knows."""
    holdings, file, _ = held
    monkeypatch.setattr(Path, "open", _refusing(PermissionError(13, "Permission denied")))
    assert 1 == len(holdings.reconcile(deep=True).unreadable)

    file.rename(file.with_name("b.mp4"))
    found = holdings.reconcile()
    assert (1, 1, 1) == (len(found.missing), len(found.unknown), len(found.unreadable))


def test_reconciling_finds_nothing_moved_without_the_same_bytes(held):
    """The same size is not enough."""
    holdings, file, _ = held
    file.rename(file.with_name("b.mp4"))
    found = holdings.reconcile()

    assert ((), 1) == (found.adopted, len(found.missing))


def test_pruning_what_cannot_be_deleted(held, monkeypatch):
    """It is told with the reason, and is held as before."""
    holdings, file, key = held
    monkeypatch.setattr(_prune, "digest_of", lambda *_: "ab")
    monkeypatch.setattr(Path, "unlink", _refusing(PermissionError(13, "Permission denied")))
    found = holdings.prune(max_bytes=0, dry_run=False)
    assert [(key, "cannot be deleted: Permission denied")] == [
        (entry.key, reason) for entry, reason in found.kept
    ]
    assert holdings.find([key])[key].held
    monkeypatch.undo()

    monkeypatch.setattr(Path, "lstat", _refusing(PermissionError(13, "Permission denied")))
    ((_, reason),) = holdings.prune(keep=dt.timedelta(0)).kept
    assert "cannot be looked at: Permission denied" == reason
    monkeypatch.undo()

    monkeypatch.setattr(_prune, "digest_of", lambda *_: "ab")
    monkeypatch.setattr(
        "camsync.catalogue._prune._reason_to_keep", lambda *_: holdings.pin(key) or ""
    )
    ((_, reason),) = holdings.prune(max_bytes=0, dry_run=False).kept
    assert "has been changed meanwhile" == reason
    assert file.exists()


def test_after_a_fork(tmp_path):
    """The child uses connections of its own; a catalogue in memory is the parent's."""
    catalogue, memory = Catalogue(tmp_path / "c.sqlite3"), Catalogue(":memory:")
    with catalogue, memory, Catalogue(":memory:") as closed:
        closed.close()
        before = catalogue.engine.pool
        _catalogue._renew_all()
        assert catalogue.engine.pool is not before
        assert before in _catalogue._INHERITED
        catalogue.at(tmp_path)
        with pytest.raises(Exception, match="has been closed"):
            memory.at(tmp_path)
    for pool in _catalogue._INHERITED:
        pool.dispose()  # here they are not somebody else's
    _catalogue._INHERITED.clear()
