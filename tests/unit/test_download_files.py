from __future__ import annotations

import errno
import hashlib
import os
import threading
import time

from pathlib import Path

import pytest

from camsync import CancelledError, DestinationError, DiskFullError
from camsync.download import _files


fcntl = pytest.importorskip("fcntl", reason="locks of POSIX systems")


def part_name(final, letters="00000000"):
    """Return the path of a part file."""
    return final.with_name(f".{final.name}.{letters}.part")


def test_part_file_is_gone_after_the_block(tmp_path):
    """Whatever happens inside, unless it was placed."""
    with _files.PartFile(tmp_path / "a.mp4") as part:
        part.write(memoryview(b"abc"))
        assert [part.path] == list(tmp_path.iterdir())
    assert [] == list(tmp_path.iterdir())


def test_placed_file_stays(tmp_path):
    """It has the final name and nothing else is left."""
    final = tmp_path / "a.mp4"
    with _files.PartFile(final) as part:
        part.write(memoryview(b"abc"))
        part.place(final)

    assert [final] == list(tmp_path.iterdir())
    assert b"abc" == final.read_bytes()
    assert 1 == final.stat().st_nlink


def test_place_never_destroys(tmp_path):
    """A taken name is an error, unless the caller knows better."""
    final = tmp_path / "a.mp4"
    final.write_bytes(b"old")
    with _files.PartFile(final) as part:
        part.write(memoryview(b"new"))
        with pytest.raises(FileExistsError):
            part.place(final)
        assert b"old" == final.read_bytes()
        part.place(final, replace=True)

    assert b"new" == final.read_bytes()
    assert [final] == list(tmp_path.iterdir())


def refuse(number):
    """Return a function that fails like a system call."""

    def call(*args, **options):
        raise OSError(number, os.strerror(number))

    return call


def test_place_without_hard_links(tmp_path, monkeypatch):
    """FAT and some network shares have none: there the name is looked at first."""
    monkeypatch.setattr(Path, "hardlink_to", refuse(errno.EPERM))
    final = tmp_path / "a.mp4"
    with _files.PartFile(final) as part:
        part.write(memoryview(b"abc"))
        part.place(final)
    with _files.PartFile(final) as part, pytest.raises(FileExistsError):
        part.place(final)

    assert b"abc" == final.read_bytes()
    assert [final] == list(tmp_path.iterdir())


def test_place_on_a_full_disk(tmp_path, monkeypatch):
    """A name needs room too."""
    monkeypatch.setattr(Path, "hardlink_to", refuse(errno.ENOSPC))
    with _files.PartFile(tmp_path / "a.mp4") as part, pytest.raises(DiskFullError):
        part.place(tmp_path / "a.mp4")


def test_late_write_errors_are_noticed(tmp_path, monkeypatch):
    """Network file systems report a full disk as late as at fsync."""
    monkeypatch.setattr(_files.os, "fsync", refuse(errno.EDQUOT))
    with _files.PartFile(tmp_path / "a.mp4") as part, pytest.raises(DiskFullError):
        part.place(tmp_path / "a.mp4")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "fatal"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_folders_that_cannot_be_synced(tmp_path, monkeypatch, number, fatal):
    """Some file systems know no fsync of a folder; a broken disk is something else."""
    monkeypatch.setattr(_files.os, "fsync", refuse(number))
    if fatal:
        with pytest.raises(DestinationError):
            _files.sync_folder(tmp_path)
    else:
        _files.sync_folder(tmp_path)


def test_new_folders_are_synced(tmp_path, monkeypatch):
    """Also the entries of folders that had to be made survive a power cut."""
    synced = []
    monkeypatch.setattr(_files, "sync_folder", synced.append)
    _files.make_folder(tmp_path / "a" / "b")
    _files.make_folder(tmp_path / "a" / "b")

    assert {tmp_path, tmp_path / "a"} == set(synced)
    assert 2 == len(synced)


def test_folder_that_can_be_written(tmp_path):
    """It is made if it is missing, and the trial leaves nothing behind."""
    (tmp_path / "file").write_bytes(b"")

    assert _files.is_writable(tmp_path / "a" / "b")
    assert [] == list((tmp_path / "a" / "b").iterdir())
    assert not _files.is_writable(tmp_path / "file")
    assert not _files.is_writable(tmp_path / "file" / "sub")


def test_orphans_are_swept(tmp_path):
    """Only part files of this destination, and only without a living owner."""
    final = tmp_path / "a.mp4"
    orphan, other = part_name(final), part_name(tmp_path / "b.mp4")
    for path in (orphan, other, tmp_path / ".a.mp4.txt"):
        path.write_bytes(b"x")
    with _files.PartFile(final) as part:
        _files.sweep(final)
        assert {part.path, other, tmp_path / ".a.mp4.txt"} == set(tmp_path.iterdir())


def test_writable_says_why_it_is_not(tmp_path):
    """Where `is_writable` answers no, this one raises."""
    (tmp_path / "file").write_bytes(b"")

    _files.writable(tmp_path / "a")
    assert [] == list((tmp_path / "a").iterdir())
    with pytest.raises(DestinationError):
        _files.writable(tmp_path / "file" / "sub")


def test_a_whole_tree_is_swept(tmp_path):
    """Part files of dead processes go, at any depth; everything else stays."""
    deep = tmp_path / "Cam01" / "2024"
    deep.mkdir(parents=True)
    orphans = [part_name(deep / "a.mp4"), part_name(tmp_path / "b.MPG")]
    others = [
        tmp_path / ".c.mp4.0123.part",
        deep / "x.mp4.00000000.part",
        deep / ".d.txt.00000000.part",
    ]
    for path in (*orphans, *others):
        path.write_bytes(b"x")

    with _files.PartFile(deep / "e.ts") as part:
        _files.sweep_tree(tmp_path)
        left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {part.path, *others} == left


def test_a_tree_that_cannot_be_swept(tmp_path, monkeypatch):
    """Folders that cannot be listed are passed over; an orphan that cannot be removed is told."""
    _files.sweep_tree(tmp_path / "missing")
    part_name(tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.setattr(Path, "unlink", refuse(errno.EROFS))

    with pytest.raises(DestinationError):
        _files.sweep_tree(tmp_path)


@pytest.mark.parametrize("hashed", [True, False])
def test_digest_is_that_of_the_file(tmp_path, hashed):
    """Whatever was written, cut off and written again, by either way."""
    final = tmp_path / "a.mp4"
    with _files.PartFile(final, hashed=hashed) as part:
        assert hashlib.sha256().hexdigest() == part.digest()
    with _files.PartFile(final, hashed=hashed) as part:
        part.write(memoryview(b"first"))
        part.truncate(0)
        part.write(memoryview(b"second"))
        part.truncate(6)
        part.write(memoryview(b" third"))
        assert hashlib.sha256(b"second third").hexdigest() == part.digest() == part.digest()
    with _files.PartFile(final, hashed=hashed) as part:
        part.write(memoryview(b"abcdef"))
        part.truncate(3)
        part.write(memoryview(b"xyz"))
        assert hashlib.sha256(b"abcxyz").hexdigest() == part.digest()


def test_digest_of_what_was_summed_up_reads_nothing(tmp_path, monkeypatch):
    """Hashing while writing saves a second look at hours of video."""
    with _files.PartFile(tmp_path / "a.mpg", hashed=True) as part:
        part.write(memoryview(b"abc"))
        os.pwrite(part._descriptor, b"xyz", 0)
        assert hashlib.sha256(b"abc").hexdigest() == part.digest()


def test_digest_can_be_cancelled(tmp_path):
    """A large film takes seconds to read."""
    cancel = threading.Event()
    cancel.set()
    with _files.PartFile(tmp_path / "a.mp4") as part:
        part.write(memoryview(b"abc"))
        with pytest.raises(CancelledError):
            part.digest(cancel)


@pytest.mark.parametrize(("age", "left"), [(0, 1), (7200, 0)])
@pytest.mark.parametrize("number", [None, errno.ENOLCK])
def test_age_decides_where_locks_mean_nothing(tmp_path, monkeypatch, age, left, number):
    """Everybody gets every lock on Lustre, nobody gets one elsewhere: old files are orphans."""
    monkeypatch.setattr(_files.fcntl, "flock", refuse(number) if number else lambda *_: None)
    path = part_name(tmp_path / "a.mp4")
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age,) * 2)
    _files.sweep(tmp_path / "a.mp4")

    assert left == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES])
def test_orphans_of_others(tmp_path, monkeypatch, number):
    """Gone meanwhile, or another user's: not our business."""
    part_name(tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse(number))
    _files.sweep(tmp_path / "a.mp4")

    assert 1 == len(list(tmp_path.iterdir()))


def test_sweep_in_an_unreadable_folder(tmp_path):
    """A folder that cannot be listed cannot be used."""
    with pytest.raises(DestinationError):
        _files.sweep(tmp_path / "missing" / "a.mp4")


def test_part_file_swept_at_birth_is_made_again(tmp_path, monkeypatch):
    """Another run may take it for an orphan in the moment before the lock."""
    inner, made = fcntl.flock, []

    def flock(descriptor, operation):
        if not made:
            made.extend(tmp_path.iterdir())
            made[0].unlink()
        inner(descriptor, operation)

    monkeypatch.setattr(_files.fcntl, "flock", flock)
    with _files.PartFile(tmp_path / "a.mp4") as part:
        assert made != [part.path]
        assert [part.path] == list(tmp_path.iterdir())


def test_names_of_part_files_that_are_taken(tmp_path, monkeypatch):
    """A few tries, then an error: never somebody else's file."""
    letters = iter(["00000000", "11111111"])
    final = tmp_path / "a.mp4"
    part_name(final).write_bytes(b"x")
    monkeypatch.setattr(_files.secrets, "token_hex", lambda _: next(letters))
    with _files.PartFile(final) as part:
        assert part_name(final, "11111111") == part.path

    monkeypatch.setattr(_files.secrets, "token_hex", lambda _: "00000000")
    with pytest.raises(DestinationError, match="no free name"):
        _files.PartFile(final)


def test_closing_twice_is_fine(tmp_path):
    """The lock goes with the descriptor."""
    with _files.PartFile(tmp_path / "a.mp4") as part:
        part.close()
        part.close()
    assert [] == list(tmp_path.iterdir())


def test_disk_that_cannot_be_asked(tmp_path):
    """Not to know how much room there is, is an error of the destination."""
    with pytest.raises(DestinationError):
        _files.require_space(tmp_path / "missing", 1, 1)
