from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import threading

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from camsync import CorruptMediaError, DestinationError, DiskFullError
from camsync.download import _aside, _files, _ts, _verify, _walk
from camsync.testing.imou._ts import segment
from camsync.testing.recorder._media import program_stream


PROGRAM = b"".join(program_stream("h264", seconds=4.0, bitrate=4_000_000))
TRANSPORT = segment("h264", 0, 0, 100)


def threads():
    """Return the threads that look at bytes."""
    return [one for one in threading.enumerate() if one.name == "camsync-aside"]


def feed(aside, data, piece=1 << 16, at=0):
    """Give *data* to *aside* as the part file does, in pieces; return how much there is."""
    view = memoryview(data)
    while view:
        room = aside.room(at, piece)
        count = min(len(room), len(view))
        room[:count] = view[:count]
        aside.took(at, count)
        at, view = at + count, view[count:]
    return at


def outcome(call):
    """Return what *call* returns, or the message of the error that it raises."""
    try:
        return call()
    except CorruptMediaError as error:
        return error.message


def walked(data):
    """Return what the look at a whole file finds."""
    head = _walk.sniff(data[: _walk.HEAD])
    if head.container == "mp4":
        return None
    file = io.BytesIO(data)
    return _ts.walk_ts(file) if head.container == "mpeg-ts" else _walk.walk_ps(file, head)


@pytest.mark.parametrize("data", [PROGRAM, TRANSPORT], ids=["program", "transport"])
@pytest.mark.parametrize("piece", [1_000, 70_001, 1 << 20])
def test_what_is_seen_on_the_way(data, piece):
    """It is the same as a look at the whole file afterwards, however the bytes come."""
    aside = _aside.Aside(hashed=True, look=_verify.look)
    seen = aside.finish(feed(aside, data, piece))

    assert len(data) > 2 * _aside._BLOCK
    assert hashlib.sha256(data).hexdigest() == seen.digest
    assert walked(data) == seen.found()
    assert seen is aside.finish(len(data))
    assert [] == threads()


@settings(max_examples=25)
@given(
    sample=st.sampled_from([PROGRAM, TRANSPORT]),
    changes=st.lists(
        st.tuples(st.integers(0, 1_200_000), st.binary(max_size=300), st.integers(0, 100_000)),
        max_size=5,
    ),
    piece=st.integers(1 << 14, 1 << 20),
)
def test_damage_is_seen_alike(sample, changes, piece):
    """Whatever is cut out and put in, the way and the file give one answer."""
    data = bytearray(sample[:1_300_000])
    for at, content, cut in changes:
        data[at : at + cut] = content
    data = bytes(data)
    aside = _aside.Aside(look=_verify.look)
    size = feed(aside, data, piece)
    seen = aside.finish(size)

    assert outcome(lambda: walked(data)) == outcome(seen.found)


def test_mp4_is_only_summed_up():
    """Its index may stand at its end: it is looked at when it is whole."""
    data = b"\0\0\0\x20ftypisom" + random.Random(1).randbytes(900_000)
    aside = _aside.Aside(hashed=True, look=_verify.look)
    seen = aside.finish(feed(aside, data))

    assert hashlib.sha256(data).hexdigest() == seen.digest
    assert seen.found() is None


def test_what_the_look_raises_is_raised_again():
    """An error on the thread is one of the caller, who asks for what was found."""
    aside = _aside.Aside(hashed=True, look=lambda window: window.at(0, 9).no_such_thing)
    data = bytes(2 << 20)
    seen = aside.finish(feed(aside, data))

    assert hashlib.sha256(data).hexdigest() == seen.digest
    with pytest.raises(AttributeError, match="no_such_thing"):
        seen.found()


def test_a_slow_look_holds_the_line_up():
    """There are never more than a few blocks in memory."""
    go, given_out = threading.Event(), set()

    def look(window):
        assert go.wait(20)
        return len(window.at(5 * _aside._BLOCK, 1 << 16))

    aside = _aside.Aside(look=look)
    threading.Timer(0.1, go.set).start()
    at = 0
    for _ in range(100):
        room = aside.room(at, 1 << 16)
        given_out.add(id(room.obj))
        aside.took(at, len(room))
        at += len(room)

    assert 1 << 16 == aside.finish(at).found()
    assert len(given_out) <= _aside._BLOCKS


def test_a_look_far_ahead():
    """What lies between is passed over; behind the end there is nothing."""
    data = bytes(3 << 20) + b"here"
    places = (3 << 20, 4), (9 << 20, 4), (9 << 20, 4)
    aside = _aside.Aside(look=lambda window: ([window.at(*place) for place in places], window.end))

    assert ([b"here", b"", b""], len(data)) == aside.finish(feed(aside, data)).found()


@pytest.mark.parametrize("size", [100, 1 << 20])
def test_stopping_in_the_middle(size):
    """No thread is left, wherever it was waiting."""
    aside = _aside.Aside(hashed=True, look=_verify.look)
    feed(aside, PROGRAM[:size])
    assert 1 == len(threads())
    aside.stop()
    aside.stop()

    assert [] == threads()
    assert aside.finish(size) is None


def test_cut_to_nothing_it_begins_anew():
    """A second attempt from the first byte is seen as a whole."""
    aside = _aside.Aside(hashed=True, look=_verify.look)
    feed(aside, b"\0" * (1 << 20))
    aside.cut(0)
    assert [] == threads()
    size = feed(aside, PROGRAM)
    aside.cut(size)
    seen = aside.finish(size)
    aside.cut(size)
    assert seen is aside.finish(size)

    assert walked(PROGRAM) == seen.found()
    aside.cut(0)
    assert aside.finish(size) is None


def test_going_on_behind_the_last_byte():
    """A resumed stream is seen as one with what came before."""
    aside = _aside.Aside(hashed=True)
    at = feed(aside, b"first")
    aside.cut(at)

    assert (
        hashlib.sha256(b"first second").hexdigest()
        == aside.finish(feed(aside, b" second", at=at)).digest
    )


def test_cut_in_the_middle_it_has_lost_track():
    """What was summed up cannot be taken back: nothing is known of the file."""
    aside = _aside.Aside(hashed=True)
    feed(aside, b"abcdef")
    aside.cut(3)
    size = feed(aside, b"xyz", at=3)

    assert aside.finish(size) is None
    assert [] == threads()


def test_nothing_wanted_needs_no_thread():
    """A file of which nobody wants to know has a buffer, and no more."""
    aside = _aside.Aside()
    size = feed(aside, PROGRAM)

    assert [] == threads()
    assert aside.finish(size) is None


def test_summing_up_needs_no_thread():
    """It is done by the one that receives."""
    aside = _aside.Aside(hashed=True)
    size = feed(aside, PROGRAM)

    assert [] == threads()
    seen = aside.finish(size)
    assert (hashlib.sha256(PROGRAM).hexdigest(), None) == (seen.digest, seen.found())


def test_no_thread_to_be_had(monkeypatch):
    """The download goes on: the file is read in the end."""

    def refuse(thread):
        raise RuntimeError("can't start new thread")  # noqa: EM101, TRY003

    monkeypatch.setattr(threading.Thread, "start", refuse)
    aside = _aside.Aside(hashed=True, look=_verify.look)

    assert aside.finish(feed(aside, PROGRAM)) is None


def test_received_bytes_are_written_and_seen(tmp_path):
    """The part file asks for them in the buffer that the thread sees."""
    source = io.BytesIO(PROGRAM)
    with _files.PartFile(tmp_path / "a.mpg", hashed=True, look=_verify.look) as part:
        while part.receive(source.readinto, 100_000):
            pass
        assert PROGRAM == part.stream().read()
        os.pwrite(part._descriptor, b"xyz", 0)
        assert hashlib.sha256(PROGRAM).hexdigest() == part.digest()
        assert walked(PROGRAM) == part.seen().found()


def test_no_thread_is_left_behind_a_part_file(tmp_path):
    """Whatever ends the block, and before the lock is given up."""
    with _files.PartFile(tmp_path / "a.ts", hashed=True, look=_verify.look) as part:
        part.write(memoryview(TRANSPORT))
        assert 1 == len(threads())
    assert [] == threads()


def test_no_thread_is_left_when_the_part_file_is(tmp_path, monkeypatch):
    """A disk that has become read-only is an error, and no reason to go on summing up."""

    def refuse(path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(_files.Path, "unlink", refuse)
    part = _files.PartFile(tmp_path / "a.ts", hashed=True, look=_verify.look)
    with pytest.raises(DestinationError), part:
        part.write(memoryview(TRANSPORT))

    assert [] == threads()
    part.close()


def test_bytes_that_a_full_disk_has_lost(tmp_path, monkeypatch):
    """What was written in part was not seen: the digest is that of the file."""
    inner, budget = os.write, [2]

    def write(descriptor, data):
        if not budget[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        budget[0] -= 1
        return inner(descriptor, data[:3])

    with _files.PartFile(tmp_path / "a.mpg", hashed=True) as part:
        monkeypatch.setattr(_files.os, "write", write)
        part.write(memoryview(b"abc"))
        with pytest.raises(DiskFullError):
            part.write(memoryview(b"defghi"))
        monkeypatch.undo()
        part.write(memoryview(b"xyz"))
        assert hashlib.sha256(b"abcdefxyz").hexdigest() == part.digest()
