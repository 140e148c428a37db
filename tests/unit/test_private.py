"""Private files: their rights, their lock, and that they are replaced as a whole."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading

from pathlib import Path

import filelock
import pytest

from camsync import Secret, _private
from camsync._places import absolute, config_folder
from camsync._private import (
    ANYTHING,
    TO_READ,
    create_private,
    locked,
    read_given,
    read_private,
    replace_private,
)
from camsync.errors import DamagedStoreError, ExposedStoreError, StoreUnavailableError


posix = pytest.mark.skipif(os.name != "posix", reason="rights as in POSIX")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_written_can_be_read(tmp_path):
    """The content comes back, and a missing file is None."""
    path = tmp_path / "file"

    assert None is read_private(path)
    replace_private(path, b"one")
    replace_private(path, b"two")
    assert b"two" == read_private(path)
    assert [path] == list(tmp_path.iterdir())


@posix
@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_the_rights_are_right_whatever_the_umask(tmp_path, umask):
    """The file is for its owner alone, and for its owner at all; so is a folder that was made."""
    path = tmp_path / "some" / "folder" / "file"
    before = os.umask(umask)
    try:
        with locked(path):
            replace_private(path, b"content")
        assert create_private(path.with_name("key"), Secret("content"))
    finally:
        os.umask(before)

    assert {0o600} == {_mode(each) for each in path.parent.iterdir()}
    assert [0o700, 0o700] == [_mode(path.parent), _mode(path.parent.parent)]


@posix
def test_the_mode_is_right_before_the_first_byte(tmp_path, monkeypatch):
    """At the moment of the first write nobody else could open the file, however lax the umask."""
    seen = []
    fdopen = os.fdopen

    class Watched:
        def __init__(self, handle, mode):
            self.handle, self.stream = handle, fdopen(handle, mode)

        def __enter__(self):
            return self

        def __exit__(self, *details):
            self.stream.close()

        def write(self, content):
            status = os.fstat(self.handle)
            seen.append((stat.S_IMODE(status.st_mode), status.st_size))
            self.stream.write(content)

        def flush(self):
            self.stream.flush()

    monkeypatch.setattr(os, "fdopen", Watched)
    before = os.umask(0)
    try:
        replace_private(tmp_path / "file", b"content")
    finally:
        os.umask(before)

    assert [(0o600, 0)] == seen
    assert b"content" == (tmp_path / "file").read_bytes()


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o610])
def test_a_file_that_others_can_reach_is_refused(tmp_path, mode):
    """Any right of anybody else is an error that says which; unless it is allowed."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(mode)

    with pytest.raises(ExposedStoreError, match=f"mode {mode:04o}"):
        read_private(path)
    assert b"content" == read_private(path, others=ANYTHING)


@posix
def test_reading_alone_can_be_allowed(tmp_path):
    """Profiles may be read by everybody, and changed by nobody else."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o644)
    assert b"content" == read_private(path, others=TO_READ)

    path.chmod(0o646)
    with pytest.raises(ExposedStoreError, match="can change"):
        read_private(path, others=TO_READ)


def _owned_by(monkeypatch, owner, me):
    """Make every file *owner*'s and this process *me*'s."""
    fstat = os.fstat

    def foreign(handle):
        found = list(fstat(handle))
        found[stat.ST_UID] = owner
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", foreign)
    monkeypatch.setattr(os, "geteuid", lambda: me)


@posix
@pytest.mark.parametrize(("owner", "me"), [(1000, 1000), (0, 1000), (0, 0)])
@pytest.mark.parametrize("others", [0, TO_READ])
def test_files_of_ones_own_and_of_root_are_read(tmp_path, monkeypatch, owner, me, others):
    """Root can change everything anyhow."""
    replace_private(tmp_path / "file", b"content")
    _owned_by(monkeypatch, owner, me)

    assert b"content" == read_private(tmp_path / "file", others=others)


@posix
@pytest.mark.parametrize(
    ("me", "words", "step"),
    [
        (1000, r"uid 1001\), who can change it - ", "chown 1000"),
        (0, "root does not rely on it", "without sudo"),
    ],
)
@pytest.mark.parametrize("others", [0, TO_READ])
def test_a_file_of_another_user_is_refused(tmp_path, monkeypatch, me, words, step, others):
    """Whoever owns it can change it whatever its mode; also with sudo in that user's home."""
    path = tmp_path / "file"
    replace_private(path, b"content")
    _owned_by(monkeypatch, 1001, me)

    for read in (read_private, lambda path, **options: read_given(path, 9, **options)):
        with pytest.raises(ExposedStoreError, match=words) as caught:
            read(path, others=others)
        assert str(path) in caught.value.message
        assert step in caught.value.next_step
    assert b"content" == read_given(path, 9, others=ANYTHING)


@posix
@pytest.mark.parametrize(("mode", "refused"), [(0o440, False), (0o444, True), (0o460, True)])
def test_the_group_may_read_what_was_handed_over(tmp_path, monkeypatch, mode, refused):
    """Kubernetes gives a file of root to a program's group: nobody else could read it then."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(mode)
    _owned_by(monkeypatch, 0, 1000)

    if refused:
        with pytest.raises(ExposedStoreError):
            read_private(path)
    else:
        assert b"content" == read_private(path)


def test_a_folder_is_no_file(tmp_path):
    """What cannot be read is an error with the system's reason."""
    with pytest.raises(StoreUnavailableError, match="cannot be read: "):
        read_private(tmp_path, others=ANYTHING)


@posix
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_a_regular_file_is_read(tmp_path, monkeypatch, kind):
    """Nothing else can hold up the reader, or feed it without end; and it is closed again."""
    path = {"pipe": tmp_path / "pipe", "device": Path(os.devnull), "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(path, 0o600)
    handles, closed = [], []
    opening, closing = os.open, os.close
    monkeypatch.setattr(os, "open", lambda *args: handles.append(opening(*args)) or handles[-1])
    monkeypatch.setattr(os, "close", lambda handle: closed.append(handle) or closing(handle))

    with pytest.raises(StoreUnavailableError, match="is no regular file"):
        read_private(path, others=ANYTHING)
    assert 1 == len(handles)
    assert handles == closed


def test_a_given_file_is_read_up_to_a_limit(tmp_path):
    """No more than asked for; a missing one is None, and a folder an error."""
    replace_private(tmp_path / "file", b"content")

    assert b"cont" == read_given(tmp_path / "file", 4)
    assert None is read_given(tmp_path / "nothing", 4)
    with pytest.raises(StoreUnavailableError, match="cannot be read: "):
        read_given(tmp_path, 4, others=ANYTHING)


def test_a_file_has_a_greatest_length(tmp_path, monkeypatch):
    """Something endless does not fill the memory, and nothing is written that cannot be read."""
    monkeypatch.setattr(_private, "_LONGEST", 10)
    path = tmp_path / "file"
    replace_private(path, bytes(10))

    assert bytes(10) == read_private(path)
    with pytest.raises(StoreUnavailableError, match="longer than 10 bytes"):
        replace_private(path, bytes(11))
    path.write_bytes(bytes(11))
    with pytest.raises(DamagedStoreError, match="longer than 10 bytes"):
        read_private(path)


@posix
def test_a_link_stays_a_link(tmp_path):
    """Who keeps the file elsewhere and links to it goes on doing so."""
    target, link = tmp_path / "real" / "file", tmp_path / "link"
    link.symlink_to(target)
    with locked(link):
        replace_private(link, b"content")

    assert link.is_symlink()
    assert b"content" == target.read_bytes() == read_private(link)
    assert {target, target.with_name(".file.lock")} == set(target.parent.iterdir())


def test_a_left_over_is_cleaned_up(tmp_path):
    """What a killed writer has left is gone after the next write."""
    (tmp_path / ".file.new").write_bytes(b"half")

    replace_private(tmp_path / "file", b"content")

    assert [tmp_path / "file"] == list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["fsync", "fdopen", "open", "replace"])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, step):
    """A full disk at any step leaves what was there, and nothing else."""
    path = tmp_path / "file"
    replace_private(path, b"old")

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "replace") if step == "replace" else (os, step)), full)
        with pytest.raises(StoreUnavailableError, match="written: No space left on device"):
            replace_private(path, b"new")

    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


@posix
def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path, monkeypatch):
    """The file is in its place by then: saying that it failed would be wrong."""
    fsync = os.fsync

    def refuse_folders(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    replace_private(tmp_path / "file", b"content")

    assert b"content" == read_private(tmp_path / "file")


@pytest.mark.parametrize("tries", [2, 200])
def test_on_windows_a_reader_is_waited_for(tmp_path, monkeypatch, tries):
    """There, a file that is open cannot be replaced: it is tried again, but not for ever."""
    replace, calls = Path.replace, []

    def refuse(self, target):
        calls.append(target)
        if len(calls) <= tries:
            raise PermissionError(errno.EACCES, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(_private, "_POSIX", False)
    monkeypatch.setattr(_private, "_READER", 0)
    monkeypatch.setattr(Path, "replace", refuse)
    if tries > 2:
        with pytest.raises(StoreUnavailableError, match="Permission denied"):
            replace_private(tmp_path / "file", b"content")
    else:
        replace_private(tmp_path / "file", b"content")

    assert (tries <= 2) is (tmp_path / "file").exists()


def test_a_new_file_replaces_nothing(tmp_path):
    """Creating says False where there is something, even a link to nowhere."""
    path = tmp_path / "key"

    assert create_private(path, Secret("first"))
    assert not create_private(path, Secret("second"))
    assert b"first" == path.read_bytes()
    if os.name == "posix":
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        assert not create_private(tmp_path / "link", Secret("third"))
        assert not (tmp_path / "nowhere").exists()


def test_a_new_file_that_cannot_be_written_is_an_error(tmp_path):
    """A file in the place of the folder is told with the system's reason."""
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailableError, match="cannot be written"):
        create_private(tmp_path / "file" / "key", Secret("content"))


def test_two_threads_take_turns(tmp_path):
    """While one has the lock, the other waits."""
    path, order, inside = tmp_path / "file", [], threading.Event()

    def second():
        inside.wait()
        with locked(path):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with locked(path):
        inside.set()
        thread.join(0.05)
        order.append("first")
    thread.join()

    assert ["first", "second"] == order


def test_a_lock_that_is_never_free_is_an_error(tmp_path, monkeypatch):
    """Waiting ends, with an error that can be retried."""
    monkeypatch.setattr(_private, "_PATIENCE", 0.02)
    path = tmp_path / "file"
    for holder, who in (
        (locked(path), "thread"),
        (filelock.FileLock(tmp_path / ".file.lock"), "process"),
    ):
        with holder:
            with (
                pytest.raises(StoreUnavailableError, match=f"another {who} has held") as caught,
                locked(path),
            ):
                pass
            assert caught.value.retryable
    with locked(path):
        assert {tmp_path / ".file.lock"} == set(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_wait_for_threads_that_it_has_not(tmp_path):
    """It waits for the file's lock only, which the parent frees."""
    code = (
        "import os, pathlib, sys, threading\n"
        "from camsync._private import locked\n"
        "path, inside, go = pathlib.Path(sys.argv[1]), threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with locked(path):\n"
        "        inside.set()\n"
        "        go.wait()\n"
        "threading.Thread(target=hold).start()\n"
        "inside.wait()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    with locked(path):\n"
        "        os._exit(7)\n"
        "go.set()\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "file")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ("7\n", "") == (done.stdout, done.stderr)


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path):
    """A folder that cannot be made is told with the system's reason."""
    (tmp_path / "file").touch()

    with (
        pytest.raises(StoreUnavailableError, match="cannot be locked"),
        locked(tmp_path / "file" / "below"),
    ):
        pass


@posix
def test_the_lock_of_a_killed_process_is_free(tmp_path):
    """The system frees it: nobody has to delete a lock file by hand."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from camsync._private import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "file"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=False)

    assert -9 == killed.returncode
    with locked(path):
        replace_private(path, b"content")
    assert b"content" == read_private(path)


def test_without_permission_bits_nothing_is_refused(tmp_path, monkeypatch):
    """Windows shows no rights of others; the folder's rights protect the file there."""
    monkeypatch.setattr(_private, "_POSIX", False)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o666)

    assert b"content" == read_private(path)


def test_the_folder_of_settings_is_absolute(tmp_path, monkeypatch):
    """A relative CAMSYNC_HOME is seen from the working folder, and shown in full."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMSYNC_HOME", "here")

    assert tmp_path / "here" == config_folder()


@posix
def test_only_the_system_follows_links(tmp_path):
    """Two dots after a link lead from where it points: they stay in the path."""
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    (tmp_path / "far" / "file").touch()
    path = absolute(str(tmp_path / "link" / ".." / "file"))

    assert str(tmp_path / "link" / ".." / "file") == str(path)
    assert path.exists()


def test_without_a_choice_the_system_has_a_place(monkeypatch):
    """It is absolute, too, and called after us."""
    monkeypatch.delenv("CAMSYNC_HOME", raising=False)

    assert config_folder().is_absolute()
    assert "camsync" == config_folder().name
