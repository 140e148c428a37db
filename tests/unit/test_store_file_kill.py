"""The encrypted file when writers race, and when they are killed: nothing is ever lost or stuck."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys

import pytest

from camsync.credentials import Credential, CredentialName
from camsync.credentials.file import EncryptedFileStore
from camsync.credentials.keys import write_key_file
from camsync.testing.store_contract import write_in_processes


pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")

OLD = Credential(username="admin", secret="old")
NEW = Credential(username="admin", secret="new")

# Kills itself at a step of writing the file.
CHILD = """
import os, pathlib, signal, stat, sys

from camsync import _private
from camsync.credentials import Credential
from camsync.credentials.file import EncryptedFileStore
from camsync.credentials.keys import KeyFromFile

path, key, moment = sys.argv[1:]
store = EncryptedFileStore(path, key=KeyFromFile(key))
store.get("hikvision", "a")


def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(place, name, when=lambda *args: True):
    real = getattr(place, name)

    def patched(*args, **options):
        if when(*args):
            die()
        return real(*args, **options)

    setattr(place, name, patched)


def write_half(handle, mode):
    os.write(handle, b'{"camsync_credentials":1,"cipher"')
    die()


def is_folder(handle):
    return stat.S_ISDIR(os.fstat(handle).st_mode)


if moment == "before-create":
    die_at(os, "open", lambda name, flags, *mode: flags & os.O_EXCL and ".new" in str(name))
elif moment == "after-create":
    die_at(os, "fdopen")
elif moment == "mid-write":
    os.fdopen = write_half
elif moment == "before-sync":
    die_at(os, "fsync", lambda handle: not is_folder(handle))
elif moment == "before-replace":
    die_at(pathlib.Path, "replace")
elif moment == "before-folder-sync":
    die_at(os, "fsync", is_folder)
store.set("hikvision", "a", Credential(username="admin", secret="new"))
if moment == "before-release":
    die()
print("survived")
"""
# Thirty times: a child stores one credential after the other for ever, and is killed.
KILLER = """
import itertools, os, random, signal, sys, time

from camsync.credentials import Credential
from camsync.credentials.file import EncryptedFileStore
from camsync.credentials.keys import KeyFromFile

path, key = sys.argv[1:]
chance = random.Random(30)


def write_for_ever(pipe):
    store = EncryptedFileStore(path, key=KeyFromFile(key))
    for number in itertools.count(1):
        store.set("hikvision", "a", Credential(username="admin", secret=f"secret {number}"))
        os.write(pipe, b".")


for _ in range(30):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        write_for_ever(writer)
    os.close(writer)
    reported = len(os.read(reader, 1))
    time.sleep(chance.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reader, 1000):
        reported += len(more)
    os.close(reader)
    stored = EncryptedFileStore(path, key=KeyFromFile(key)).get("hikvision", "a").secret.reveal()
    print(reported, stored.split()[1])
"""
MOMENTS = {
    "before-create": OLD,
    "after-create": OLD,
    "mid-write": OLD,
    "before-sync": OLD,
    "before-replace": OLD,
    "before-folder-sync": NEW,
    "before-release": NEW,
}


@pytest.fixture
def key(tmp_path):
    """A key in a file."""
    return write_key_file(tmp_path / "elsewhere" / "key")


@pytest.fixture
def path(tmp_path):
    """Where the store is."""
    return tmp_path / "here" / "credentials"


def _start(code, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    )


@pytest.mark.parametrize(("moment", "expected"), MOMENTS.items(), ids=list(MOMENTS))
def test_a_kill_between_any_two_steps_leaves_a_whole_file(path, key, moment, expected):
    """The old file or the new one is there; the next writer waits for nothing and cleans up."""
    store = EncryptedFileStore(path, key=key)
    store.set("hikvision", "a", OLD)
    store.set("hikvision", "b", OLD)

    child = _start(CHILD, path, key.path, moment)
    output = child.communicate(timeout=30)

    assert ("", "", -signal.SIGKILL) == (*output, child.returncode)
    assert expected == store.get("hikvision", "a")
    assert OLD == store.get("hikvision", "b")
    left = moment in {"after-create", "mid-write", "before-sync", "before-replace"}
    assert left is path.with_name(".credentials.new").exists()
    store.set("hikvision", "c", NEW)
    assert {"credentials", ".credentials.lock"} == {each.name for each in path.parent.iterdir()}
    assert ["a", "b", "c"] == [name.account for name in store.names()]


def test_kills_at_any_instant_leave_a_whole_file(path, key):
    """Thirty writers are killed while they write: what each has last reported is there."""
    store = EncryptedFileStore(path, key=key)
    store.set("hikvision", "b", OLD)

    killer = _start(KILLER, path, key.path)
    output, errors = killer.communicate(timeout=60)

    assert ("", 0) == (errors, killer.returncode)
    ends = [tuple(map(int, line.split())) for line in output.splitlines()]
    assert 30 == len(ends)
    # One more may be stored than the child had time to report.
    assert [] == [end for end in ends if end[1] - end[0] not in {0, 1}]
    assert OLD == store.get("hikvision", "b")
    store.set("hikvision", "c", NEW)
    assert {"credentials", ".credentials.lock"} == {each.name for each in path.parent.iterdir()}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_two_processes_that_write_at_once_lose_none(path, key, count):
    """Every single credential of both is there, with its own secret."""
    place = functools.partial(EncryptedFileStore, path, key=key)
    write_in_processes(place, "hikvision", ("first", "second"), count)

    book = place()._open().book
    expected = {
        CredentialName("hikvision", f"{who}-{number}"): Credential(
            username=who, secret=f"secret of {who} {number}"
        )
        for who in ("first", "second")
        for number in range(count)
    }
    assert set(expected) == set(place().names())
    assert expected == {name: book.get(name) for name in expected}
