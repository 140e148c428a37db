"""What keeps files safe from a missing disk, a wrong clock, links, copies and mistyped places."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import logging
import os
import sqlite3
import threading
import traceback

from pathlib import Path, PurePosixPath

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import Downloaded, Recording, RecordingKey, Secret, TimeSpan
from camsync.catalogue import Catalogue, Pace, State, _disk, _prune, _trouble
from camsync.catalogue._mistyped import mistyped
from camsync.catalogue._mounted import mount_point
from camsync.cli import main
from camsync.errors import (
    CancelledError,
    CatalogueServerError,
    CatalogueUnavailableError,
    Category,
    ConfigurationError,
    CorruptMediaError,
    DamagedCatalogueError,
    DestinationBusyError,
    DestinationError,
)
from camsync.models import Channel
from camsync.sync._config import SyncConfig
from camsync.sync._document import Document, read_document


SECRET = "hunter2-Xq"
NOW = dt.datetime(2026, 9, 1, 12, tzinfo=dt.timezone.utc)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ALWAYS = TimeSpan(NOW - 2 * DAY, NOW)


class _Clock:
    """A clock that only tests move."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


in_a_file = pytest.mark.parametrize("catalogue", ["c.sqlite3"], indirect=True)


@pytest.fixture
def clock():
    """A clock that only tests move."""
    return _Clock()


@pytest.fixture
def catalogue(request, tmp_path, clock):
    """An empty catalogue, in memory unless a test wants a file."""
    file = getattr(request, "param", None)
    with Catalogue(tmp_path / file if file else ":memory:", clock=clock) as opened:
        yield opened


@pytest.fixture
def holdings(catalogue, tmp_path):
    """What is known of a folder with three files of three hours."""
    held = catalogue.at(tmp_path / "disk" / "footage")
    for index in range(3):
        _hold(held, index)
    return held


def _key(index):
    return RecordingKey(
        provider="p", device="D", channel="1", start=NOW - DAY + index * HOUR, item=f"i{index}"
    )


def _recording(index):
    key = _key(index)
    return Recording(key=key, channel_name="", start=key.start, end=key.start + HOUR)


def _hold(holdings, index, *, folder="Cam01"):
    path, content = holdings.dest / folder / f"i{index}.mp4", f"video {index}".encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    file = Downloaded(
        recording=_recording(index),
        path=path,
        size=len(content),
        container="mp4",
        start=_key(index).start,
        end=_key(index).start + HOUR,
    )
    holdings.verified(file, batch="", sha256=hashlib.sha256(content).hexdigest())
    return path


def _mounts(monkeypatch, *points):
    """Pretend that these are the mount points, and no others."""
    wanted = {str(point) for point in points}
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) in wanted)


def _take_away(holdings):
    """Put the files out of sight, as they are when their disk is not mounted."""
    away = holdings.dest.with_name("away")
    holdings.dest.rename(away)
    return away


def _paths(holdings):
    return sorted(path.name for path in holdings.dest.rglob("*.mp4"))


# --- the disk ----------------------------------------------------------------------------------


def test_a_mount_point_is_found_without_the_folder(tmp_path, monkeypatch):
    """The folder may be missing, a link leads to the disk, and a root is always the last resort."""
    _mounts(monkeypatch, tmp_path, "/")
    link = tmp_path / "link"
    link.symlink_to("/somewhere-else")

    assert tmp_path == mount_point(tmp_path / "no" / "such")
    assert Path("/") == mount_point(link / "footage")
    _mounts(monkeypatch)
    assert Path("/") == mount_point(tmp_path)


def test_a_disk_that_is_not_mounted_stops_everything(holdings, monkeypatch):
    """Nothing is written, seen anew or deleted; and when it is back, all goes on."""
    disk = holdings.dest.parent
    _mounts(monkeypatch, disk, "/")
    holdings.check_mounted()
    away = _take_away(holdings)
    _mounts(monkeypatch, "/")

    for call in (holdings.check_mounted, holdings.reconcile, lambda: holdings.prune(max_bytes=0)):
        with pytest.raises(DestinationError, match="was on the disk at") as caught:
            call()
        assert f"mount the disk at {disk}" in caught.value.next_step
        assert "--forget" in caught.value.next_step
    holdings.dest.mkdir()
    (holdings.dest / "other.mp4").touch()
    with pytest.raises(DestinationError, match="the one at / now"):
        holdings.check_mounted()
    (holdings.dest / "other.mp4").unlink()
    holdings.dest.rmdir()
    away.rename(holdings.dest)
    _mounts(monkeypatch, disk, "/")
    assert holdings.reconcile().clean


def test_files_that_moved_with_their_disk(holdings, monkeypatch):
    """Another mount point is fine as long as one of the newest files is there; then it counts."""
    _mounts(monkeypatch, holdings.dest, "/")
    holdings.check_mounted()
    (holdings.dest / "Cam01" / "i2.mp4").unlink()
    _mounts(monkeypatch, holdings.dest.parent, "/")
    holdings.check_mounted()
    _take_away(holdings)
    _mounts(monkeypatch, "/")

    with pytest.raises(DestinationError, match=f"on the disk at {holdings.dest.parent}, "):
        holdings.check_mounted()


def test_a_file_that_cannot_be_looked_at_is_no_proof(holdings, monkeypatch):
    """An input error of a broken disk is not the right disk."""
    _mounts(monkeypatch, holdings.dest, "/")
    holdings.check_mounted()
    _mounts(monkeypatch, "/")
    monkeypatch.setattr(Path, "lstat", _refusing(OSError(5, "Input/output error")))

    with pytest.raises(DestinationError, match="without the files"):
        holdings.check_mounted()


def test_a_destination_without_files_may_be_anywhere(catalogue, tmp_path, monkeypatch, caplog):
    """Where nothing was ever fetched, nothing can be missing."""
    holdings = catalogue.at(tmp_path / "new")
    for point in ("/", tmp_path, tmp_path, "/"):
        _mounts(monkeypatch, point, "/")
        holdings.check_mounted()

    assert "" == caplog.text


@pytest.mark.parametrize("known", [True, False])
def test_an_empty_folder_on_the_same_disk(holdings, monkeypatch, caplog, known):
    """Somebody may have made room: the log names what makes the catalogue notice that."""
    _mounts(monkeypatch, "/")
    if known:
        holdings.check_mounted()
    _take_away(holdings)
    with caplog.at_level(logging.WARNING, "camsync.catalogue"):
        holdings.check_mounted()

    assert f"camsync reconcile {holdings.dest} --forget" in caplog.text


def test_forgetting_what_is_gone_for_good(holdings, monkeypatch):
    """On a new disk all of it is seen again, and the new disk is the right one from then on."""
    _mounts(monkeypatch, holdings.dest.parent, "/")
    holdings.check_mounted()
    away = _take_away(holdings)
    _mounts(monkeypatch, "/")
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        holdings.reconcile(forget=True, cancel=stop)
    with pytest.raises(DestinationError):
        holdings.check_mounted()

    found = holdings.reconcile(forget=True)
    assert 3 == len(found.missing)
    assert {State.SEEN} == {entry.state for entry in holdings.entries()}
    holdings.check_mounted()
    assert 3 == len(list(away.rglob("*.mp4")))


def test_an_empty_folder_names_the_way_out(holdings):
    """The error of `reconcile` says how to go on when the files were deleted on purpose."""
    _take_away(holdings)
    holdings.dest.mkdir()
    with pytest.raises(DestinationError, match="is empty") as caught:
        holdings.reconcile()

    assert "--forget" in caught.value.next_step
    assert 3 == len(holdings.reconcile(forget=True).missing)


def test_an_unreadable_folder_is_not_empty(tmp_path, monkeypatch):
    """Only what is known to be absent counts as absent."""
    assert _disk.is_empty(tmp_path / "no")
    assert _disk.is_empty(tmp_path)
    monkeypatch.setattr(Path, "iterdir", _refusing(PermissionError(13, "Permission denied")))
    assert not _disk.is_empty(tmp_path)


def _refusing(error):
    def refuse(*_args, **_options):
        raise error

    return refuse


# --- pruning -----------------------------------------------------------------------------------


def test_what_is_not_there_takes_no_room(holdings, monkeypatch):
    """Files that were deleted by hand do not make others go."""
    monkeypatch.setattr(_prune, "_MANY", 1)
    (holdings.dest / "Cam01" / "i1.mp4").unlink()
    found = holdings.prune(max_bytes=14, dry_run=False)

    assert ((), 14) == (found.deleted, found.left)
    assert ["i0.mp4", "i2.mp4"] == _paths(holdings)
    monkeypatch.setattr(_disk.Path, "lstat", _refusing(OSError(5, "Input/output error")))
    assert 0 == holdings.prune(max_bytes=0, dry_run=False).left


def test_a_copy_that_was_put_away_is_never_pruned(holdings):
    """It was found outside the camera's folder: somebody has kept it on purpose."""
    camera, kept = holdings.dest / "Cam01", holdings.dest / "evidence" / "burglary.mp4"
    kept.parent.mkdir()
    (camera / "i0.mp4").rename(kept)
    (camera / "i1.mp4").rename(camera / "renamed.mp4")
    found = holdings.reconcile()
    assert {_key(0): True, _key(1): False} == {each.key: each.pinned for each in found.adopted}

    pruned = holdings.prune(max_bytes=0, dry_run=False)
    assert ["is pinned"] == [reason for _, reason in pruned.kept]
    assert ["burglary.mp4"] == _paths(holdings)


def test_a_file_of_another_content_is_never_pruned(holdings):
    """It may have its size, but not its bytes: somebody has written into it."""
    (holdings.dest / "Cam01" / "i1.mp4").write_bytes(b"my note")
    found = holdings.prune(max_bytes=0, dry_run=False)

    assert ["has other bytes than when it was verified"] == [reason for _, reason in found.kept]
    assert ["i1.mp4"] == _paths(holdings)


def test_a_file_that_cannot_be_read_is_never_pruned(holdings, monkeypatch):
    """Nobody can say whether it is what was fetched."""
    monkeypatch.setattr(Path, "open", _refusing(PermissionError(13, "Permission denied")))
    found = holdings.prune(max_bytes=0, dry_run=False)

    assert ["cannot be read: Permission denied"] * 3 == [reason for _, reason in found.kept]


@pytest.mark.parametrize("dry_run", [True, False])
def test_nothing_behind_a_link_is_pruned(holdings, tmp_path, dry_run):
    """A folder was moved to an archive, and a link left in its place: the archive is not ours."""
    archive = tmp_path / "archive"
    (holdings.dest / "Cam01").rename(archive)
    (holdings.dest / "Cam01").symlink_to(archive)
    found = holdings.prune(max_bytes=0, dry_run=dry_run)

    assert ["is outside the destination, behind a link"] * 3 == [reason for _, reason in found.kept]
    assert 3 == len(list(archive.iterdir()))


def test_a_destination_that_is_a_link_itself(catalogue, tmp_path):
    """What lies below it is the destination's own."""
    (tmp_path / "real").mkdir()
    (tmp_path / "footage").symlink_to(tmp_path / "real")
    holdings = catalogue.at(tmp_path / "footage")
    _hold(holdings, 0)

    assert 1 == len(holdings.prune(max_bytes=0, dry_run=False).deleted)


def test_pruning_can_be_stopped(holdings, monkeypatch):
    """What was deleted until then is noted, and the rest is there."""
    stop = threading.Event()
    real = Path.unlink

    def unlink(path, **options):
        real(path, **options)
        stop.set()

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(CancelledError):
        holdings.prune(max_bytes=0, dry_run=False, cancel=stop)
    assert ["i1.mp4", "i2.mp4"] == _paths(holdings)
    assert [False, True, True] == [entry.held for entry in holdings.entries()]
    with pytest.raises(CancelledError):
        holdings.prune(max_bytes=0, cancel=stop)


@pytest.mark.parametrize("sync_under_that_clock", [True, False])
def test_a_clock_that_is_years_ahead(holdings, clock, sync_under_that_clock):
    """By that clock fresh files are old: nothing is deleted until somebody has looked at it."""
    holdings.begin_batch()
    clock.now += 3650 * DAY
    if sync_under_that_clock:
        holdings.begin_batch()
    for dry_run in (True, False):
        with pytest.raises(ConfigurationError, match=r"says 2036-08-29, but .* 2026-09-01") as told:
            holdings.prune(keep=30 * DAY, dry_run=dry_run)
        assert "set the clock" in told.value.next_step
    assert 3 == len(_paths(holdings))

    assert () == holdings.prune(keep=30 * DAY, now=NOW, dry_run=False).deleted
    assert () == holdings.prune(keep=4000 * DAY).deleted
    assert 3 == len(holdings.prune(keep=30 * DAY, now=clock.now).deleted)
    assert 3 == len(holdings.prune(max_bytes=0).deleted)


def test_a_clock_that_runs_brings_no_refusal(holdings, clock):
    """Runs that find nothing prove that time passes; and a first run may bring old footage."""
    assert 3 == len(holdings.prune(keep=HOUR).deleted)
    clock.now += 399 * DAY
    holdings.begin_batch()
    clock.now += 399 * DAY

    assert 3 == len(holdings.prune(keep=30 * DAY, dry_run=False).deleted)


# --- places ------------------------------------------------------------------------------------

MISTYPED = [
    f"postgresql//camsync:{SECRET}@db.local/x",
    f"postgresql:/camsync:{SECRET}@db/x",
    f"postgres:u:{SECRET}@h",
    f"camsync:{SECRET}@db.local/x",
    f"folder/camsync:{SECRET}@db",
    f"host=db user=u password={SECRET} dbname=x",
    f"host=db PASSWORD = {SECRET}",
    f" PostgreSQL {SECRET}",
]


def _shown(error):
    shown = []
    while error is not None:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = [line for line in report.format() if "camsync/" in line]
        shown += [str(error), *frames]
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


@pytest.mark.parametrize("wrap", [str, Secret])
@pytest.mark.parametrize("text", MISTYPED)
def test_a_mistyped_url_is_no_path(tmp_path, monkeypatch, text, wrap):
    """It may hold a password: no file is named after it, and nothing of it is shown."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="neither a URL nor") as caught:
        Catalogue(wrap(text))

    assert "~/.pgpass" in caught.value.next_step
    error = caught.value
    error.__traceback__ = error.__traceback__.tb_next  # the frame of this test shows the text
    assert SECRET not in _shown(error)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        *("catalogue.sqlite3", "./postgres.db", "/srv/postgres/c.db", "C:\\Users\\me@work\\c.db"),
        *("c:/Users/me@work/c.db", "/data/2024-01-01T10:00/me@work.db", ":memory:", "a:b", "me@x"),
        f"postgresql://u:{SECRET}@h/d",
    ],
)
def test_what_is_not_mistyped(text):
    """Paths of Windows and those with odd characters are paths."""
    assert not mistyped(text)


@given(
    st.sampled_from(["postgres", "POSTGRESQL", "user:", "a/b:", "password="]),
    st.text(st.characters(exclude_characters="/")),
)
def test_a_password_in_no_url_is_always_noticed(begin, rest):
    """Whatever the password is, as long as no slash is in it."""
    assert "://" in begin + rest or mistyped(f"{begin}{rest}@")


def test_a_path_may_have_any_name(tmp_path):
    """Who gives a path means a path."""
    with Catalogue(tmp_path / "postgres:a@b") as catalogue:
        assert tmp_path / "postgres:a@b" == catalogue.place.file


@pytest.mark.parametrize("text", [*MISTYPED, f"postgresql://u@h/d?password={SECRET}"])
def test_a_mistyped_url_in_the_file(tmp_path, monkeypatch, text):
    """The line is named, and nothing of it is shown; nor is it ever made a path."""
    path = tmp_path / "camsync.toml"
    path.write_text(f'catalogue = "{text}"\n')
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="line 1: 'catalogue' holds a secret") as caught:
        read_document(path)
    assert SECRET not in _shown(caught.value)
    assert "~/.pgpass" in caught.value.next_step

    given_directly = SyncConfig.of(Document(values={"catalogue": text}), partial=True)
    assert text == given_directly.catalogue


def test_other_things_in_the_place_of_a_catalogue(tmp_path):
    """What is no text is somebody else's error, and a plain path is read."""
    path = tmp_path / "camsync.toml"
    for text in ("catalogue = 3", "catalogue = 'c.sqlite3'", "[catalogue]\na = 1"):
        path.write_text(text)
        assert "catalogue" in read_document(path).values


@pytest.mark.parametrize(
    "text",
    [
        *MISTYPED[:6],
        f"postgresql://u:{SECRET}@h/d",
        f"postgresql://u@h/d?password={SECRET}",
    ],
)
def test_a_mistyped_url_on_the_command_line(tmp_path, monkeypatch, capsys, text):
    """It is refused like a correct one, because everybody can read it there; by the variable, too."""
    monkeypatch.chdir(tmp_path)
    assert 2 == main(["status", "--catalogue", text])
    assert "every program on this computer" in capsys.readouterr().err
    if "://" not in text:
        monkeypatch.setenv("CAMSYNC_CATALOGUE", text)
        assert 2 == main(["status"])
        streams = capsys.readouterr()
        assert SECRET not in streams.out + streams.err
    assert [] == list(tmp_path.iterdir())


def test_a_windows_path_on_the_command_line(tmp_path, monkeypatch, capsys):
    """Its drive is no user, and its folder no password."""
    monkeypatch.chdir(tmp_path)
    main(["status", "--catalogue", "C:\\Users\\me@work\\c.db"])
    assert "every program" not in capsys.readouterr().err


def test_a_folder_that_is_not_there(tmp_path, monkeypatch):
    """Only the user's own folder is made: another one may be a slip, or a disk not mounted."""
    with pytest.raises(CatalogueUnavailableError, match="there is no folder") as caught:
        Catalogue(tmp_path / "typo" / "c.sqlite3")
    assert "make the folder" in caught.value.next_step
    assert not (tmp_path / "typo").exists()

    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home" / "camsync"))
    Catalogue().close()
    assert (tmp_path / "home" / "camsync" / "catalogue.sqlite3").exists()


# --- the file ----------------------------------------------------------------------------------


@in_a_file
@pytest.mark.parametrize("harm", ["deleted", "replaced"])
def test_a_catalogue_that_is_lost_meanwhile(tmp_path, catalogue, holdings, harm):
    """What is written to it is written for nobody: the run ends, and says so."""
    batch = holdings.begin_batch()
    for path in tmp_path.glob("c.sqlite3*"):
        path.unlink()
    if harm == "replaced":
        Catalogue(tmp_path / "c.sqlite3").close()
    with pytest.raises(CatalogueUnavailableError, match=f"was {harm}") as caught:
        holdings.end_batch(batch)

    assert "start again" in caught.value.next_step
    assert holdings.batches()[0].ended is None


@contextlib.contextmanager
def _edited(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        yield connection
        connection.commit()


@pytest.mark.parametrize("version", ["'abc'", "0", "-1", "1.5"])
def test_a_version_that_is_none(tmp_path, version):
    """The catalogue is damaged, and nothing is done to it."""
    path = tmp_path / "c.sqlite3"
    Catalogue(path).close()
    with _edited(path) as connection:
        connection.execute(f"UPDATE camsync_schema SET version = {version}")
    with pytest.raises(DamagedCatalogueError, match="which version"):
        Catalogue(path)


@in_a_file
def test_words_of_a_later_camsync_in_a_row(tmp_path, holdings):
    """A kind or a codec that is not known is unknown."""
    with _edited(tmp_path / "c.sqlite3") as connection:
        connection.execute("UPDATE camsync_recording SET kind = 'banana', codec = 'h266'")

    assert {("unknown", "unknown")} == {
        (entry.kind.value, entry.codec) for entry in holdings.entries()
    }


@in_a_file
@pytest.mark.parametrize(
    "values", ["state = 'banana'", "start = 'soon'", '"end" = 1e17', "path = x'00ff'"]
)
def test_a_row_that_makes_no_sense(tmp_path, holdings, values):
    """That is damage, and no bug of the caller."""
    with _edited(tmp_path / "c.sqlite3") as connection:
        connection.execute(f"UPDATE camsync_recording SET {values}")
    with pytest.raises(DamagedCatalogueError, match="makes no sense"):
        list(holdings.entries())


@in_a_file
@pytest.mark.parametrize("values", ["facts = '{'", "figures = x'00ff'", "started_at = 1e18"])
def test_a_run_that_makes_no_sense(tmp_path, holdings, values):
    """Neither is what somebody has written into the list of runs."""
    holdings.begin_batch(what="sync")
    with _edited(tmp_path / "c.sqlite3") as connection:
        connection.execute(f"UPDATE camsync_batch SET {values}")
    with pytest.raises(DamagedCatalogueError, match="makes no sense"):
        holdings.batches()


READS = {
    "mark_of": lambda holdings: holdings.mark_of("D", "1"),
    "channels": lambda holdings: holdings.channels(),
    "coverage": lambda holdings: holdings.coverage("D", "1", ALWAYS),
    "oldest_lost": lambda holdings: holdings.oldest_lost("D", "1", ALWAYS.start),
    "entries": lambda holdings: list(holdings.entries(span=ALWAYS)),
    "pace_of": lambda holdings: holdings.pace_of("shop"),
    "searched": lambda holdings: holdings.searched(
        "D", "1", ALWAYS, since_batch=holdings.begin_batch()
    ),
    "folder_of": lambda holdings: holdings.folder_of(Channel(device="D", id="1", name=""), "C"),
    "folders": lambda holdings: holdings.folders(),
    "check_mounted": lambda holdings: holdings.check_mounted(),
    "prune": lambda holdings: holdings.prune(max_bytes=0),
    "clock": lambda holdings: holdings.prune(keep=dt.timedelta(0)),
    "failed": lambda holdings: [
        holdings.failed(entry.key, CorruptMediaError("no")) for entry in holdings.entries()
    ],
}


@in_a_file
@pytest.mark.parametrize(
    ("table", "values", "reads"),
    [
        ("channel", "searched_until = 'x'", "mark_of channels searched"),
        ("channel", "searched_until = 9000000000000000000", "mark_of channels"),
        ("channel", "searched_from = 'x'", "mark_of channels searched"),
        ("channel", "last_search = 'x'", "mark_of channels"),
        ("channel", "longest = 'x'", "coverage entries"),
        ("recording", "start = 9000000000000000000, state = 'gone'", "mark_of oldest_lost"),
        ("recording", "start = 9e18, state = 'seen'", "mark_of channels"),
        ("recording", "\"end\" = 'x'", "coverage entries"),
        ("recording", "state = 'banana'", "coverage entries"),
        ("recording", "file_end = 'x'", "coverage entries"),
        ("recording", "file_size = 'x'", "prune entries"),
        ("recording", "size = 'x'", "entries"),
        ("recording", "attempts = 'x'", "entries failed"),
        ("recording", "failures = 'x'", "entries failed"),
        ("recording", "path = x'ff'", "check_mounted prune"),
        ("recording", "done_at = -9000000000000000000", "clock"),
        ("pace", "streams = 'x'", "pace_of"),
        ("pace", "streams = 0", "pace_of"),
        ("pace", "ceiling = 1.5", "pace_of"),
        ("pace", "noted_at = 'x'", "pace_of"),
        ("folder", "name = x'ff'", "folder_of folders"),
        ("destination", "mount = x'ff'", "check_mounted"),
    ],
)
def test_values_that_make_no_sense(tmp_path, holdings, table, values, reads):
    """Whoever reads them is told that the catalogue is damaged."""
    holdings.searched("D", "1", ALWAYS, since_batch=holdings.begin_batch())
    holdings.note_pace("shop", Pace(streams=3, ceiling=None, learnt_at=NOW))
    holdings.folder_of(Channel(device="D", id="1", name=""), "Cam01")
    with _edited(tmp_path / "c.sqlite3") as connection:
        connection.execute("UPDATE camsync_batch SET started_at = -9000000000000000000")
        connection.execute(f"UPDATE camsync_{table} SET {values}")
    with Catalogue(tmp_path / "c.sqlite3") as again:
        for name in reads.split():
            with pytest.raises(DamagedCatalogueError):
                READS[name](again.at(holdings.dest))


@in_a_file
def test_opening_does_not_wait_for_those_who_write(tmp_path, holdings):
    """Nothing is to be changed: who only looks need not wait."""
    path = tmp_path / "c.sqlite3"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Catalogue(path) as catalogue:
            assert 3 == len(list(catalogue.at(holdings.dest, create=False).entries()))


def test_locks_outlast_a_second_opening(tmp_path):
    """Another `Catalogue` of the same file in this process does not end the first one's locks."""
    path = tmp_path / "c.sqlite3"
    with Catalogue(path) as first, first.writing():
        handle = []
        real, os_open = os.open, []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", lambda name, *a: os_open.append(Path(name)) or real(name, *a))
            with first.place.alone():
                handle.append(path)
        assert path not in os_open


# --- servers -----------------------------------------------------------------------------------


def test_a_server_that_is_down():
    """It is the network's trouble, and the advice speaks of servers."""
    with pytest.raises(CatalogueServerError) as caught:
        Catalogue(f"postgresql://u:{SECRET}@127.0.0.1:1/d")
    error = caught.value

    assert (Category.NETWORK, True) == (error.category, error.retryable)
    assert "pg_hba.conf" in error.next_step
    assert isinstance(error, CatalogueUnavailableError)


def test_a_server_that_is_down_on_the_command_line(monkeypatch, capsys):
    """The exit code is that of the network, and no word is of disks."""
    monkeypatch.setenv("CAMSYNC_CATALOGUE", f"postgresql://u:{SECRET}@127.0.0.1:1/d")
    assert 4 == main(["status"])
    told = capsys.readouterr().err

    assert "disk" not in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("place", "category"), [("postgresql://h/d", Category.NETWORK), ("/c.db", Category.DISK)]
)
def test_words_of_servers(place, category):
    """What a server says later on is its trouble, too; a file's is the disk's."""
    for words in ("server closed the connection", "database is locked"):
        assert category is _trouble.trouble(place, sqlite3.OperationalError(words)).category


# --- forgetting --------------------------------------------------------------------------------


def test_forgetting_a_destination(catalogue, tmp_path):
    """One that was a slip is gone, with its runs and folders; others stay."""
    slip, other = catalogue.at(tmp_path / "slip"), catalogue.at(tmp_path / "other")
    for each in (slip, other):
        channel = Channel(device="D", id="1", name="Front")
        each.folder_of(channel, "Front")
        each.begin_batch()
    catalogue.forget(tmp_path / "slip")

    assert [tmp_path / "other"] == catalogue.destinations()
    assert 1 == len(other.batches())
    assert 1 == len(other.folders())
    assert () == catalogue.at(tmp_path / "slip").batches()


def test_what_is_not_forgotten(catalogue, holdings, tmp_path):
    """Recordings that are known, a run that goes on, and what was never heard of."""
    with pytest.raises(ConfigurationError, match="knows 3 recordings"):
        catalogue.forget(holdings.dest)
    with pytest.raises(ConfigurationError, match="nothing was ever synced"):
        catalogue.forget(tmp_path / "never")
    idle = catalogue.at(tmp_path / "idle")
    with idle.lock(), pytest.raises(DestinationBusyError):
        catalogue.forget(idle.dest)

    assert [holdings.dest, idle.dest] == catalogue.destinations()
    assert PurePosixPath("Cam01/i0.mp4") == holdings.find([_key(0)])[_key(0)].path
