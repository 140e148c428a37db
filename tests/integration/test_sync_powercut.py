"""A power cut in the middle of whole runs: what the disk may then hold, and what the next run does.

`Disk` notes every step that makes a file or a name, and every step that makes one durable. A power
cut may come between any two of them; it leaves what was made durable, and of the rest whatever a
file system likes. SQLite keeps what it has committed: its journal is synced at each commit.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import os
import random
import shutil
import sqlite3
import stat
import tempfile
import threading

from pathlib import Path

import attrs
import pytest

from camsync import RetryPolicy, download
from camsync.catalogue import Catalogue, Holdings, State
from camsync.download import _files
from camsync.sync import sync
from camsync.testing import MemoryProvider
from camsync.testing.recorder._media import program_stream


pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders are not synced there")

NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
MINUTE = dt.timedelta(minutes=1)
QUICK = RetryPolicy(attempts=1, initial=0.0)
FOLDER = "a folder"
ALL = "CAMSYNC_KILLS" in os.environ
"""Whether the power is cut after every single step, not only after some."""


@functools.cache
def _footage(seconds):
    return b"".join(program_stream("h264", seconds=seconds))


class _Stream:
    """The bytes of a recording, as a provider gives them."""

    container = "mpeg-ps"
    offset = 0

    def __init__(self, data):
        self.size = len(data)
        self._data = memoryview(data)

    def readinto(self, buffer):
        part, self._data = self._data[: len(buffer)], self._data[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def abort(self):
        self._data = self._data[:0]


class Recorder(MemoryProvider):
    """A recorder of which no two recordings have the same bytes."""

    def film(self, channel, minutes, seconds):
        """Record so many *seconds*, so many *minutes* ago."""
        start = NOW - minutes * MINUTE
        self.record(
            channel,
            start,
            item=f"{channel}-{minutes}",
            end=start + dt.timedelta(seconds=seconds),
            size=len(_footage(seconds)),
        )

    @contextlib.contextmanager
    def open(self, recording, *, offset=0, cancel=None):
        self.opened[recording.key] += 1
        self.on_open(recording)
        yield _Stream(_bytes_of(recording))

    def everything(self):
        """Return all that it has, of all channels."""
        return [each for some in self.listed.values() for each in some]


def _bytes_of(recording):
    return _footage(int((recording.end - recording.start).total_seconds()))


def _digest(data):
    return hashlib.sha256(data).hexdigest()


# -- The model of a disk --------------------------------------------------------------------------


@attrs.define(eq=False)
class Inode:
    """The bytes of a file, whatever its names: as of its last fsync, or None."""

    synced: bytes | None = None
    size: int = 0


@attrs.frozen
class Moment:
    """The disk and the catalogue between two steps.

    Attributes:
        label: The step that was the last.
        durable: Names that have been synced.
        pending: Changes of names that have not, each as pairs of a name and what it names now.
        bytes: What was synced of each file, and how long it is.
        rows: A copy of the catalogue.
    """

    label: str
    durable: dict
    pending: tuple
    bytes: dict
    rows: Path | None

    def left(self, root, seed):
        """Return a tree that a power cut may leave: paths, with the bytes of those that are files.

        Args:
            seed: 0: nothing that was not synced; 1: all names, but zeros for bytes that were not
                synced; else: some of it, by chance.
        """
        chance = random.Random(seed)
        names = dict(self.durable)
        for change in self.pending:
            if seed == 1 or (seed > 1 and chance.random() < 0.5):
                names.update(change)
        found = {}
        for path, node in sorted(names.items()):
            if node is None or (path != root and path.parent not in found):
                continue
            found[path] = FOLDER if node is FOLDER else self._content(node, seed, chance)
        return found

    def _content(self, node, seed, chance):
        synced, size = self.bytes[node]
        if synced is not None:
            return synced
        return bytes(size if seed == 1 else chance.randint(0, size) if seed > 1 else 0)


class Disk:
    """Notes what happens to the files below *root*, and what of it is durable already."""

    def __init__(self, root, catalogue):
        self.root = root
        self.catalogue = catalogue
        self.moments = []
        self._copies = Path(tempfile.mkdtemp(dir=root.parent))
        self.wrong = []
        self._lock = threading.RLock()
        self._folders = {}
        self._nodes = {}
        self._names = {}
        self._durable = {}
        self._pending = []

    def start_from(self, tree):
        """Begin with a tree that is on the disk already, for good."""
        for path, content in tree.items():
            node = FOLDER if content is FOLDER else Inode(content, len(content))
            self._names[path] = self._durable[path] = node
            if node is not FOLDER:
                self._nodes[_identity(path.stat())] = node

    @contextlib.contextmanager
    def watching(self, monkeypatch):
        """Note every step until the block ends; nothing may have happened beside them."""
        with monkeypatch.context() as patch:
            for owner, name in (
                (os, "open"),
                (os, "fsync"),
                (Path, "hardlink_to"),
                (Path, "rename"),
                (Path, "replace"),
                (Path, "unlink"),
                (Path, "mkdir"),
                (Holdings, "verified"),
                (Holdings, "end_batch"),
            ):
                patch.setattr(owner, name, self._watched(getattr(owner, name), name))
            yield
        assert set(self._names) == {self.root, *self.root.rglob("*")}

    def _watched(self, inner, name):
        after = getattr(self, f"_{name}")

        @functools.wraps(inner)
        def call(*args, **options):
            with self._lock:
                was_there = self._is_there(args[0])
                result = inner(*args, **options)
                if after(*args, result=result, was_there=was_there, **options):
                    self._note(f"{name} {getattr(args[0], 'name', '')}".strip())
                return result

        return call

    def _is_there(self, path):
        return path in self._names if isinstance(path, Path) else None

    def _inside(self, path):
        return path == self.root or self.root in Path(path).parents

    # -- The steps: each says whether anything of the kind has happened -----------------------------

    def _open(self, path, flags, *_, result, **__):
        if isinstance(path, (str, os.PathLike)):
            self._folders[result] = Path(path)
            if flags & os.O_CREAT and self._inside(Path(path)):
                node = Inode()
                self._nodes[_identity(os.fstat(result))] = node
                return self._changed((Path(path), node))
        return False

    def _fsync(self, descriptor, **_):
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            return self._folder_synced(self._folders[descriptor])
        node = self._nodes.get(_identity(found))
        if node is not None:
            node.synced = self._path_of(node).read_bytes()
        return node is not None

    def _folder_synced(self, folder):
        done = [change for change in self._pending if any(p.parent == folder for p, _ in change)]
        for change in done:
            self._durable.update(change)
            self._pending.remove(change)
        return True

    def _hardlink_to(self, path, target, **_):
        return self._inside(path) and self._changed((path, self._names[target]))

    def _rename(self, path, target, **_):
        if not self._inside(path):
            return False
        return self._changed((Path(target), self._names[path]), (path, None))

    _replace = _rename

    def _unlink(self, path, *, was_there, **_):
        return bool(was_there) and self._changed((path, None))

    def _mkdir(self, path, *_, **__):
        return self._inside(path) and path not in self._names and self._changed((path, FOLDER))

    def _verified(self, holdings, file, *, sha256, **_):
        """The rule itself: a row comes after the bytes, the name and the folders."""
        content = file.path.read_bytes()
        for seed in range(3):
            tree = self._moment("", rows=False).left(self.root, seed)
            if content != tree.get(file.path):
                self.wrong.append(f"{file.path.name} was believed before it was durable")
        if sha256 and sha256 != _digest(content):
            self.wrong.append(f"{file.path.name} has another digest")
        return True

    def _end_batch(self, *_, **__):
        return True

    # -- What is known after a step ----------------------------------------------------------------

    def _changed(self, *change):
        for path, node in change:
            if node is None:
                self._names.pop(path)
            else:
                self._names[path] = node
        self._pending.append(change)
        return True

    def _path_of(self, node):
        return next(path for path, other in self._names.items() if other is node)

    def _note(self, label):
        self.moments.append(self._moment(label))

    def _moment(self, label, *, rows=True):
        for path, node in self._names.items():
            if node is not FOLDER:
                node.size = path.stat().st_size
        nodes = {*self._durable.values(), *(node for change in self._pending for _, node in change)}
        return Moment(
            label,
            dict(self._durable),
            tuple(self._pending),
            {node: (node.synced, node.size) for node in nodes if isinstance(node, Inode)},
            _copy(self.catalogue, self._copies / f"{len(self.moments)}") if rows else None,
        )


def _identity(found):
    return found.st_dev, found.st_ino


def _copy(catalogue, target):
    """Copy what is committed in a SQLite file at this moment."""
    with (
        contextlib.closing(sqlite3.connect(catalogue)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        copy.execute("PRAGMA synchronous=OFF")
        source.backup(copy)
    return target


def _rebuild(tree, root):
    """Put *tree* in the place of *root*."""
    shutil.rmtree(root, ignore_errors=True)
    for path, content in tree.items():
        if content is FOLDER:
            path.mkdir()
        else:
            path.write_bytes(content)


# -- The runs -------------------------------------------------------------------------------------


@pytest.fixture
def recorder():
    """Two cameras, three recordings."""
    recorder = Recorder(channels=2)
    for channel, minutes, seconds in (("1", 90, 1), ("1", 60, 3), ("2", 75, 2)):
        recorder.film(channel, minutes, seconds)
    return recorder


@pytest.fixture
def root(tmp_path):
    """Where the files go; it does not exist yet."""
    return tmp_path / "footage"


def _run(recorder, root, catalogue, container):
    report = sync(
        recorder,
        root,
        catalogue=catalogue,
        container=container,
        retry=QUICK,
        min_free=0,
        concurrency=2,
    )
    assert report.complete, report
    return report


def _traced(recorder, root, catalogue, container, monkeypatch, tree=()):
    """Run a sync, and return the disk that has watched it."""
    with Catalogue(catalogue):
        pass  # the tables are made before the first cut
    disk = Disk(root, catalogue)
    disk.start_from(dict(tree))
    with disk.watching(monkeypatch):
        _run(recorder, root, catalogue, container)
    return disk


def _tree(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _check(recorder, root, catalogue, container):
    """Every recording is there once, byte for byte; nothing else is; the rows tell the truth."""
    files = _tree(root)
    with Catalogue(catalogue) as opened:
        rows = list(opened.at(root).entries())
    assert {State.VERIFIED} == {row.state for row in rows}
    assert sorted(each.key for each in recorder.everything()) == sorted(row.key for row in rows)
    held = {row.key: files[root / row.path] for row in rows}
    assert len(files) == len(held) == len({row.path for row in rows})
    assert all(_digest(held[row.key]) == row.sha256 for row in rows if row.sha256)
    for each in recorder.everything():
        assert held[each.key] == _wanted(each, container)


@functools.lru_cache(maxsize=32)
def _wanted(recording, container):
    """Return the bytes that a run without any trouble makes of a recording."""
    return _bytes_of(recording) if container == "original" else _remuxed(recording)


def _remuxed(recording):
    recorder = Recorder()
    recorder.listed["1"] = [recording]
    with tempfile.TemporaryDirectory() as folder:
        return download(recorder, recording, folder, min_free=0).path.read_bytes()


def _cut(moment, seed, root, catalogue):
    """Leave what a power cut at that moment may leave; return the tree."""
    tree = moment.left(root, seed)
    _rebuild(tree, root)
    for path in catalogue.parent.glob(f"*{catalogue.name}*"):
        path.unlink()
    shutil.copy(moment.rows, catalogue)
    return tree


@pytest.mark.parametrize("container", ["original", "mp4"])
def test_a_row_follows_the_bytes_the_name_and_the_folders(
    recorder, root, tmp_path, monkeypatch, container
):
    """Nothing is believed to be here before a power cut cannot take it away any more."""
    disk = _traced(recorder, root, tmp_path / "c.sqlite3", container, monkeypatch)

    assert [] == disk.wrong
    assert 3 == sum(moment.label.startswith("verified") for moment in disk.moments)
    _check(recorder, root, tmp_path / "c.sqlite3", container)


def test_a_commit_is_on_the_disk(tmp_path):
    """SQLite syncs its journal at each commit: what the model of the disk takes for granted."""
    with Catalogue(tmp_path / "c.sqlite3") as catalogue, catalogue.writing() as connection:
        assert 2 == connection.exec_driver_sql("PRAGMA synchronous").scalar()
        assert "wal" == connection.exec_driver_sql("PRAGMA journal_mode").scalar()


@pytest.mark.parametrize("container", ["original", "mp4"])
def test_after_a_power_cut_the_next_run_ends_with_everything_once(
    recorder, root, tmp_path, monkeypatch, container
):
    """Whenever it comes in a run, and whatever it takes that was not synced."""
    catalogue = tmp_path / "c.sqlite3"
    disk = _traced(recorder, root, catalogue, container, monkeypatch)
    steps = list(enumerate(disk.moments))
    for at, moment in steps if ALL else steps[len(container) :: 9]:
        _cut(moment, at % 4, root, catalogue)
        _run(recorder, root, catalogue, container)
        _check(recorder, root, catalogue, container)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_power_cuts_in_a_row(recorder, root, tmp_path, monkeypatch, seed):
    """The run that repairs the damage may be cut itself."""
    catalogue, chance, tree = tmp_path / "c.sqlite3", random.Random(seed), {}
    for _ in range(3):
        disk = _traced(recorder, root, catalogue, "original", monkeypatch, tree)
        assert [] == disk.wrong
        tree = _cut(chance.choice(disk.moments), seed, root, catalogue)
    _run(recorder, root, catalogue, "original")
    _check(recorder, root, catalogue, "original")


@pytest.mark.parametrize("container", ["original", "mp4"])
def test_a_lost_catalogue(recorder, root, tmp_path, monkeypatch, container):
    """What is whole on the disk is entered again, and nothing is fetched twice."""
    catalogue = tmp_path / "c.sqlite3"
    disk = _traced(recorder, root, catalogue, container, monkeypatch)
    middle = [step for step in disk.moments if step.label.startswith("verified")][1]
    tree = _cut(middle, 2, root, catalogue)
    catalogue.unlink()
    report = _run(recorder, root, catalogue, container)

    whole = sum(content is not FOLDER and path.suffix != ".part" for path, content in tree.items())
    assert whole == len(report.found) >= 2
    _check(recorder, root, catalogue, container)


@pytest.mark.parametrize("container", ["original", "mp4"])
def test_a_power_cut_after_the_run(recorder, root, tmp_path, monkeypatch, container):
    """What was removed in the run does not come back to stay."""
    catalogue = tmp_path / "c.sqlite3"
    disk = _traced(recorder, root, catalogue, container, monkeypatch)
    _cut(disk.moments[-1], 0, root, catalogue)
    _run(recorder, root, catalogue, container)
    _check(recorder, root, catalogue, container)


def test_a_kill_and_then_a_power_cut(recorder, root, tmp_path, monkeypatch):
    """A file that a killed run has named, but not yet for good, is made durable before its row."""
    catalogue = tmp_path / "c.sqlite3"
    with Catalogue(catalogue):
        pass
    disk = Disk(root, catalogue)
    sync_folder = _files.sync_folder

    def killed(folder):
        if folder.parent == root and any(folder.glob("[!.]*")):
            raise KeyboardInterrupt
        sync_folder(folder)

    with disk.watching(monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(_files, "sync_folder", killed)
            with pytest.raises(KeyboardInterrupt):
                _run(recorder, root, catalogue, "original")
        report = _run(recorder, root, catalogue, "original")

    assert 1 <= len(report.found)
    assert [] == disk.wrong


@pytest.mark.parametrize("step", ["_fsync", "_folder_synced"])
def test_the_model_finds_a_sync_that_is_missing(recorder, root, tmp_path, monkeypatch, step):
    """A disk on which syncing has no effect, or only files can be synced, breaks the rule."""
    monkeypatch.setattr(Disk, step, lambda *_, **__: False)
    disk = _traced(recorder, root, tmp_path / "c.sqlite3", "original", monkeypatch)

    assert 3 <= len(disk.wrong)
