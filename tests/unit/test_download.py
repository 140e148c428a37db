from __future__ import annotations

import collections
import contextlib
import datetime as dt
import errno
import hashlib
import logging
import os
import sys
import threading
import time

from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import av
import pytest

from camsync import (
    AuthenticationError,
    CancelledError,
    Capability,
    ChannelId,
    Codec,
    ConfigurationError,
    CorruptMediaError,
    DestinationError,
    DeviceBusyError,
    DeviceId,
    DeviceTimeoutError,
    DiskFullError,
    Downloaded,
    Failed,
    MissingExtraError,
    PermissionDeniedError,
    ProtocolError,
    Recording,
    RecordingInProgressError,
    RecordingKey,
    RetryPolicy,
    ShortReadError,
    Stage,
    UnreachableError,
    _cancel,
    download,
    download_many,
)
from camsync.download import _engine, _files, _paths, media
from camsync.download._options import Options
from camsync.download._run import bring
from camsync.testing.recorder._media import program_stream


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, 3, 0, tzinfo=UTC)
QUICK = RetryPolicy(attempts=3, initial=0.0, total=5.0)
NAME = "Cam01-gate_20240101_100000"
ORIGINAL = f"{NAME}_3aa7fc34"
MIB = 1 << 20


def content(codec="h264", seconds=4.0, **options):
    """Return the bytes of a recording."""
    return b"".join(program_stream(codec, seconds=seconds, **options))


def recording(data=b"", *, seconds=4.0, start=START, item="00000000955000913", **fields):
    """Return a recording as a search would."""
    given = {
        "channel_name": "Gate",
        "size": len(data) or None,
        "utc_offset": dt.timedelta(hours=7),
        "end": start + dt.timedelta(seconds=seconds),
        **fields,
    }
    key = RecordingKey(
        provider="hikvision",
        device=DeviceId("DS-7616NI-K2"),
        channel=ChannelId("1"),
        start=start,
        item=item,
    )
    return Recording(key=key, start=start, **given)


class Stream:
    """The open bytes of a recording, from memory."""

    container = "mpeg-ps"

    def __init__(self, data, *, size="known", chunk=MIB, offset=0, error=None, block=False):
        self.size = len(data) if size == "known" else size
        self.offset = offset
        self.aborted = threading.Event()
        self._data = memoryview(data)
        self._chunk = chunk
        self._error = error
        self._block = block

    def readinto(self, buffer):
        count = min(len(buffer), self._chunk, len(self._data))
        if not count and self._block:
            assert self.aborted.wait(20)
            raise UnreachableError("the connection broke")  # noqa: EM101, TRY003
        if not count and self._error is not None:
            raise self._error
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count

    def abort(self):
        self.aborted.set()


class Source:
    """A provider that has nothing but what the engine asks for.

    The plans are one for each call of `open`, the last one for all further calls: bytes, an error,
    or a function that makes the stream from the offset.
    """

    name = "fake"

    def __init__(self, *plans, capabilities=Capability.SEARCH | Capability.DOWNLOAD):
        self.capabilities = capabilities
        self.plans = list(plans)
        self.offsets = []
        self.open_streams = 0

    @contextlib.contextmanager
    def open(self, recording, *, offset=0, cancel=None):
        self.offsets.append(offset)
        plan = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
        if isinstance(plan, Exception):
            raise plan
        stream = Stream(plan) if isinstance(plan, bytes) else plan(offset)
        self.open_streams += 1
        try:
            yield stream
        finally:
            self.open_streams -= 1


def fetch(source, item, dest, **options):
    """Download with a quick policy."""
    return download(source, item, dest, **{"retry": QUICK, "min_free": 0, **options})


def files(folder):
    """Return the names of all files under *folder*, hidden ones included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def stages(events):
    """Return the stages of *events*, each run of the same one only once."""
    found = []
    for event in events:
        if not found or found[-1] is not event.stage:
            found.append(event.stage)
    return found


# -- The happy path


@pytest.mark.parametrize(("codec", "expected"), [("h264", Codec.H264), ("h265", Codec.H265)])
def test_recording_becomes_a_film(tmp_path, codec, expected):
    """One call gives a complete MP4 file under a telling name, described from a second look."""
    data = content(codec)
    source = Source(data)
    done = fetch(source, recording(data), tmp_path)
    path = tmp_path / "Cam01-gate" / f"{NAME}.mp4"

    assert attrs.evolve(done, elapsed=0.0) == Downloaded(
        recording=recording(data),
        path=path,
        size=path.stat().st_size,
        container="mp4",
        start=START,
        end=START + dt.timedelta(seconds=4),
        duration=4.0,
        codec=expected,
        width=640,
        height=360,
        fps=25.0,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    assert done.elapsed > 0
    assert [f"Cam01-gate/{NAME}.mp4"] == files(tmp_path)
    assert 0 == source.open_streams
    with av.open(str(path)) as container:
        assert "2024-01-01T03:00:00.000000Z" == container.metadata["creation_time"]


def test_original_is_what_the_device_sent(tmp_path):
    """Not a byte is changed, and no media library is needed."""
    data = content(audio="g711a")
    done = fetch(Source(data), recording(data), str(tmp_path), container="original")

    assert data == done.path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == done.sha256
    assert tmp_path / "Cam01-gate" / f"{ORIGINAL}.mpg" == done.path
    assert ("mpeg-ps", 4.0, Codec.H264, len(data)) == (
        done.container,
        round(done.duration, 6),
        done.codec,
        done.size,
    )
    assert (None, None, None, False) == (done.width, done.height, done.fps, done.existing)


def test_events_tell_the_story(tmp_path):
    """Bytes, checks, remux, done: in this order, with totals, rates and places in the run."""
    data = content(seconds=8.0)
    events = []
    done = fetch(Source(data), recording(data, seconds=8.0), tmp_path, on_event=events.append)

    assert [Stage.DOWNLOAD, Stage.VERIFY, Stage.REMUX, Stage.DONE] == stages(events)
    assert all(event.bytes_done <= event.bytes_total == len(data) for event in events)
    assert (0, len(data)) == (events[0].bytes_done, events[1].bytes_done)
    assert events[1].rate > 0
    assert events[1].eta == 0.0
    assert str(done.path) == events[-1].message
    assert {(1, 1)} == {(event.file_index, event.file_count) for event in events}


def test_a_thousand_tiny_chunks(tmp_path):
    """A device that trickles costs nothing but time, and few events."""
    data = content()
    chunk = len(data) // 1000
    events = []
    done = fetch(
        Source(lambda _: Stream(data, chunk=chunk)),
        recording(data),
        tmp_path,
        container="original",
        on_event=events.append,
    )

    assert data == done.path.read_bytes()
    assert len(events) < 20


def test_sound_and_remarks(tmp_path):
    """What was changed on the way is told."""
    data = content(audio="g711u")
    done = fetch(Source(data), recording(data), tmp_path)

    assert ("audio pcm_mulaw transcoded to AAC",) == done.notes


@pytest.mark.parametrize("suffix", [".mp4", ".MP4"])
def test_dest_may_be_the_file(tmp_path, suffix):
    """A video suffix names the file itself; missing folders are made."""
    data = content()
    path = tmp_path / "a" / "b" / f"door{suffix}"

    assert path == fetch(Source(data), recording(data), path).path
    assert [f"a/b/door{suffix}"] == files(tmp_path)


def test_links_in_the_path_stay(tmp_path):
    """The path comes back as given: consumers compare it as text."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    data = content()
    done = fetch(Source(data), recording(data), tmp_path / "link")

    assert tmp_path / "link" / "Cam01-gate" / f"{NAME}.mp4" == done.path


def test_mtime_is_the_time_of_writing(tmp_path):
    """Consumers look for new files by it."""
    data = content()
    begun = time.time()
    done = fetch(Source(data), recording(data), tmp_path)

    assert begun - 2 <= done.path.stat().st_mtime <= time.time() + 2


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_file_has_normal_permissions(tmp_path):
    """Readable for others, as far as the umask lets it be."""
    data = content()
    before = os.umask(0o027)
    try:
        done = fetch(Source(data), recording(data), tmp_path)
    finally:
        os.umask(before)

    assert 0o640 == done.path.stat().st_mode & 0o777


def test_timezone_names_the_file(tmp_path):
    """The caller's zone wins over the recorder's."""
    data = content()
    done = fetch(Source(data), recording(data), tmp_path, timezone=ZoneInfo("America/New_York"))

    assert "Cam01-gate_20231231_220000.mp4" == done.path.name


def test_video_that_is_mp4_already(tmp_path):
    """A device that sends MP4 is served as well, in both forms."""
    data = content()
    film = fetch(Source(data), recording(data), tmp_path / "film.mp4").path.read_bytes()
    item = recording(film, container="mp4")
    again = fetch(Source(film), item, tmp_path / "again")
    original = fetch(Source(film), item, tmp_path / "original", container="original")

    assert (4.0, Codec.H264) == (again.duration, again.codec)
    assert film == original.path.read_bytes()
    assert (f"{ORIGINAL}.mp4", 4.0, 640) == (original.path.name, original.duration, original.width)


def test_transport_stream(tmp_path):
    """A transport stream is measured like a program stream, and becomes a film like one."""
    data = content()
    film = fetch(Source(data), recording(data), tmp_path / "film.mp4").path
    with av.open(str(film)) as reading, av.open(str(tmp_path / "x.ts"), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.size:
                packet.stream = stream
                writing.mux(packet)
    moved = (tmp_path / "x.ts").read_bytes()
    item = recording(moved, container="mpeg-ts")
    original = fetch(Source(moved), item, tmp_path / "one", container="original")
    unsized = attrs.evolve(item, size=None)
    assert fetch(Source(moved), unsized, tmp_path / "one", container="original").existing
    assert (".ts", 4.0) == (original.path.suffix, original.duration)
    assert pytest.approx(4.0, abs=0.1) == fetch(Source(moved), item, tmp_path / "two").duration


# -- What is there already


def test_second_run_fetches_nothing(tmp_path):
    """A film is recognised by its mark, and told as skipped."""
    data = content()
    first = fetch(Source(data), recording(data), tmp_path)
    source, events = Source(UnreachableError("never asked")), []
    second = fetch(source, recording(data), tmp_path, on_event=events.append)

    assert attrs.evolve(first, existing=True, elapsed=0.0, sha256="") == second
    assert ([], [Stage.SKIPPED]) == (source.offsets, stages(events))


@pytest.mark.parametrize(("announced", "length"), [("right", None), (None, 4.0), (99, 4.0)])
def test_second_run_of_an_original_fetches_nothing(tmp_path, announced, length):
    """An original is recognised by its name; its length is measured if the size does not tell."""
    data = content()
    item = recording(data, size=len(data) if announced == "right" else announced)
    first = fetch(Source(data), item, tmp_path, container="original")
    source = Source(UnreachableError("never asked"))
    second = fetch(source, item, tmp_path, container="original")

    assert (first.path, True, []) == (second.path, second.existing, source.offsets)
    assert (Codec.H264, length, item.end) == (
        second.codec,
        second.duration and round(second.duration, 6),
        second.end,
    )


def other_device(item, name="OTHER"):
    """Return what another recorder has under the same camera, second, size and item."""
    return attrs.evolve(item, key=attrs.evolve(item.key, device=DeviceId(name)))


def test_originals_of_equal_size_are_not_confused(tmp_path):
    """Recorders cut files at a fixed size, so that size, camera and second prove nothing."""
    one = content()
    two = one[:-100] + bytes(100)
    items = [recording(one), other_device(recording(one)), other_device(recording(one), "THIRD")]
    for existing in (False, True):
        found = [
            fetch(Source(data), each, tmp_path, container="original")
            for data, each in zip((one, two, one), items, strict=True)
        ]
        assert [existing] * 3 == [each.existing for each in found]
        assert [one, two, one] == [each.path.read_bytes() for each in found]


def test_named_original_is_never_taken_for_the_recording(tmp_path):
    """Camera 2 must not be told that it is there because camera 1 has a file of equal size."""
    data = content()
    first = recording(data)
    second = attrs.evolve(first, key=attrs.evolve(first.key, channel=ChannelId("2")))
    path = tmp_path / "one.mpg"
    fetch(Source(data), first, path, container="original")
    source = Source(data)
    for each in (second, first):
        with pytest.raises(DestinationError, match="not known to hold this recording"):
            fetch(source, each, path, container="original")

    assert [] == source.offsets
    assert data == path.read_bytes()


def test_growing_original_is_replaced_when_it_is_complete(tmp_path):
    """What was fetched while it was being written is not taken for the whole recording."""
    data, whole = content(seconds=4.0), content(seconds=30.0)
    growing = recording(data, seconds=3600, in_progress=True)
    options = {"container": "original"}
    first = fetch(Source(data), growing, tmp_path, allow_in_progress=True, **options)
    more = content(seconds=8.0)
    second = fetch(Source(more), growing, tmp_path, allow_in_progress=True, **options)
    final = recording(whole, seconds=30.0)
    third = fetch(Source(whole), final, tmp_path, **options)

    assert [4.0, 8.0, 30.0] == [round(each.duration, 6) for each in (first, second, third)]
    assert not second.existing
    assert not third.existing
    assert whole == third.path.read_bytes()
    assert fetch(Source(whole), final, tmp_path, **options).existing
    assert [f"Cam01-gate/{ORIGINAL}.mpg"] == files(tmp_path)


def test_original_that_nobody_can_measure(tmp_path):
    """A single frame has no length: its name is all there is."""
    data = content(seconds=1 / 25)
    item = recording(data, seconds=1.0, size=None)
    fetch(Source(data), item, tmp_path, container="original")
    again = fetch(Source(data), item, tmp_path, container="original")

    assert (True, None) == (again.existing, again.duration)


def test_original_in_another_container_than_announced(tmp_path):
    """The extension says what the bytes are, and the next run still finds them."""
    data = content()
    film = fetch(Source(data), recording(data), tmp_path / "film.mp4").path.read_bytes()
    item = recording(film, container="mpeg-ps", size=None)
    first = fetch(Source(film), item, tmp_path / "x", container="original")
    second = fetch(Source(film), item, tmp_path / "x", container="original")

    assert f"{ORIGINAL}.mp4" == first.path.name
    assert (True, 4.0) == (second.existing, second.duration)


def test_film_without_mark_is_judged_by_start_and_length(tmp_path):
    """Files that another program has made, or that lost their comment, count too."""
    data = content()
    path = fetch(Source(data), recording(data), tmp_path).path
    path.write_bytes(path.read_bytes().replace(b"camsync:", b"another:"))
    item = recording(data)

    assert fetch(Source(data), item, tmp_path).existing
    longer = attrs.evolve(item, end=START + dt.timedelta(seconds=60))
    with pytest.raises(ShortReadError):
        fetch(Source(data), longer, tmp_path)
    assert [f"Cam01-gate/{NAME}.mp4"] == files(tmp_path)


def test_hour_that_comes_twice_gives_two_files(tmp_path):
    """In autumn the second recording of the same local time gets the item into its name."""
    zone = ZoneInfo("Europe/Berlin")
    start = dt.datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    data = content()
    items = [
        recording(data, start=start, item="a", utc_offset=None),
        recording(data, start=start + dt.timedelta(hours=1), item="b", utc_offset=None),
    ]
    for existing in (False, True):
        found = [fetch(Source(data), each, tmp_path, timezone=zone) for each in items]
        names = ["Cam01-gate_20241027_023000.mp4", "Cam01-gate_20241027_023000_b.mp4"]
        assert names == [each.path.name for each in found]
        assert {existing} == {each.existing for each in found}


def test_another_recorder_with_the_same_camera(tmp_path):
    """Same camera number, same second, same length: still two recordings."""
    data = content()
    one = recording(data)
    two = other_device(one)

    assert f"{NAME}.mp4" == fetch(Source(data), one, tmp_path).path.name
    assert f"{NAME}_00000000955000913.mp4" == fetch(Source(data), two, tmp_path).path.name
    three = other_device(one, "THIRD")
    source = Source(data)
    with pytest.raises(DestinationError, match="not known to hold this recording"):
        fetch(source, three, tmp_path)
    assert [] == source.offsets


@pytest.mark.parametrize("container", ["mp4", "original"])
@pytest.mark.parametrize("found", [b"", b"something else entirely", None])
def test_named_file_that_is_something_else_stays(tmp_path, container, found):
    """What the caller has named and is not this recording is never overwritten."""
    path = tmp_path / "door.mp4"
    if found is None:
        path.symlink_to("nowhere")
    else:
        path.write_bytes(found)
    data = content()
    source = Source(data)
    with pytest.raises(DestinationError, match="exists"):
        fetch(source, recording(data), path, container=container)

    assert [] == source.offsets
    assert found is None or found == path.read_bytes()
    assert 1 == len(list(tmp_path.iterdir()))


def test_recording_in_progress_is_left_alone(tmp_path):
    """Fetched now it would be cut short."""
    source = Source(content())
    with pytest.raises(RecordingInProgressError):
        fetch(source, recording(in_progress=True), tmp_path)
    assert [] == source.offsets


def test_growing_recording_is_replaced_when_it_is_complete(tmp_path):
    """Fetched on demand it is as long as it is; the whole one takes its place later."""
    data = content(seconds=4.0)
    growing = recording(data, seconds=3600, size=1 << 30, in_progress=True)
    first = fetch(Source(data), growing, tmp_path, allow_in_progress=True)
    whole = content(seconds=30.0)
    final = recording(whole, seconds=30.0)
    second = fetch(Source(whole), final, tmp_path)

    assert (4.0, START + dt.timedelta(seconds=4)) == (first.duration, first.end)
    assert (first.path, 30.0, False) == (second.path, second.duration, second.existing)
    assert fetch(Source(data), final, tmp_path).existing
    assert [f"Cam01-gate/{NAME}.mp4"] == files(tmp_path)


def test_somebody_else_was_faster(tmp_path):
    """Two runs may fetch the same recording: the second finds the file and leaves it."""
    data = content()
    path = tmp_path / "Cam01-gate" / f"{NAME}.mp4"

    def overtaken(offset):
        fetch(Source(data), recording(data), tmp_path)
        return Stream(data)

    done = fetch(Source(overtaken), recording(data), tmp_path)

    assert (path, True) == (done.path, done.existing)
    assert [f"Cam01-gate/{NAME}.mp4"] == files(tmp_path)


def test_name_was_taken_meanwhile(tmp_path):
    """Another file under the wanted name is not overwritten, however late it comes."""
    data = content()
    folder = tmp_path / "Cam01-gate"

    def taken(offset):
        (folder / f"{NAME}.mp4").write_bytes(b"mine")
        return Stream(data)

    def both_taken(offset):
        (folder / f"{NAME}_{'0' * 8}955000913.mp4").write_bytes(b"mine")
        return taken(offset)

    done = fetch(Source(taken), recording(data), tmp_path)
    assert f"{NAME}_00000000955000913.mp4" == done.path.name
    done.path.unlink()
    (folder / f"{NAME}.mp4").unlink()
    with pytest.raises(DestinationError):
        fetch(Source(both_taken), recording(data), tmp_path)
    assert {b"mine"} == {path.read_bytes() for path in folder.iterdir()}


# -- What is not right with the bytes


@pytest.mark.parametrize("container", ["mp4", "original"])
@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"", ShortReadError, "nothing at all"),
        (b'<?xml version="1.0"?><ResponseStatus/>', CorruptMediaError, "<ResponseStatus>"),
        (b"\n<html>", CorruptMediaError, "<html>"),
        (b"\0" * 10_000, CorruptMediaError, "no video"),
        (b"\0\0\0\x20ftypisom" + bytes(500), CorruptMediaError, "no complete MP4"),
    ],
)
def test_bytes_that_are_no_recording(tmp_path, container, data, error, reason):
    """Error documents with status 200 and the like leave nothing behind."""
    events = []
    with pytest.raises(error, match=reason):
        fetch(Source(data), recording(), tmp_path, container=container, on_event=events.append)

    assert [] == files(tmp_path)
    assert (Stage.FAILED, 0) == (events[-1].stage, events[-1].bytes_done)


def test_failure_after_the_last_byte_holds_nothing(tmp_path):
    """All bytes have come and were thrown away: a display must not count them as done."""
    data = content(seconds=30.0)
    events = []
    with pytest.raises(ShortReadError):
        fetch(Source(data), recording(data, seconds=60.0), tmp_path, on_event=events.append)

    assert len(data) == max(event.bytes_done for event in events)
    assert (Stage.FAILED, 0, len(data)) == (
        events[-1].stage,
        events[-1].bytes_done,
        events[-1].bytes_total,
    )


def test_fewer_bytes_than_announced(tmp_path):
    """Both numbers are told, and it is tried again."""
    data = content()
    source = Source(lambda _: Stream(data[:-100], size=None))
    with pytest.raises(ShortReadError) as caught:
        fetch(source, recording(data), tmp_path, container="original")

    assert (len(data), len(data) - 100) == (caught.value.expected, caught.value.received)
    assert 3 == len(source.offsets)
    assert [] == files(tmp_path)


@pytest.mark.parametrize(
    ("announced", "promise"), [("right", None), ("right", 99), (99, "known"), (None, None)]
)
def test_either_promise_is_enough(tmp_path, announced, promise):
    """Content-Length may be missing or wrong, and so may the size in the listing."""
    data = content()
    size = len(data) if announced == "right" else announced
    item = recording(size=size)
    done = fetch(Source(lambda _: Stream(data, size=promise)), item, tmp_path)

    assert () == done.notes


def test_more_bytes_than_announced_is_a_remark(tmp_path):
    """The walk and the length decide then."""
    data = content()
    source = Source(lambda _: Stream(data, size=None))
    done = fetch(source, recording(size=len(data) - 10), tmp_path)

    assert ("10 bytes more than announced",) == done.notes


def test_promise_is_all_there_is(tmp_path):
    """Without an announced size, the stream's own promise counts."""
    data = content()
    with pytest.raises(ShortReadError, match=f"{len(data)} of {len(data) + 7}"):
        fetch(Source(lambda _: Stream(data, size=len(data) + 7)), recording(), tmp_path)


@pytest.mark.parametrize("container", ["mp4", "original"])
def test_cut_recording_of_unknown_size_is_noticed(tmp_path, container):
    """No size anywhere: the walk finds the packet that breaks off."""
    data = content(seconds=60.0)
    source = Source(lambda _: Stream(data[:-1000], size=None))
    with pytest.raises(ShortReadError, match="in the middle of a packet"):
        fetch(source, recording(seconds=60.0), tmp_path, container=container)
    assert [] == files(tmp_path)


@pytest.mark.parametrize("container", ["mp4", "original"])
def test_cut_between_packets_is_noticed_by_the_length(tmp_path, container):
    """The stream looks perfect, there is just too little of it; the numbers are seconds."""
    data = content(seconds=30.0)
    with pytest.raises(ShortReadError, match=r"30\.0 of 60\.0 announced seconds") as caught:
        fetch(Source(data), recording(seconds=60.0), tmp_path, container=container)

    assert 60.0 == caught.value.expected
    assert pytest.approx(30.0) == caught.value.received


@pytest.mark.parametrize(
    ("found", "announced", "enough"),
    [(30.0, 31.9, True), (30.0, 32.1, False), (96.0, 100.0, True), (94.0, 100.0, False)],
)
def test_small_differences_are_normal(tmp_path, found, announced, enough):
    """Searches announce whole seconds, and recorders cut at key frames: 2 s or 5 % are borne."""
    data = content(seconds=found)
    outcome = contextlib.nullcontext() if enough else pytest.raises(ShortReadError)
    with outcome:
        done = fetch(Source(data), recording(seconds=announced), tmp_path)
        assert found == done.duration


def test_longer_than_announced_is_a_remark(tmp_path):
    """Many firmwares hand out the whole file for a part of it."""
    data = content(seconds=30.0)
    done = fetch(Source(data), recording(seconds=20.0, item="x"), tmp_path)

    assert ("10.0 s longer than announced",) == done.notes
    with pytest.raises(CorruptMediaError, match=r"30\.0 s of video arrived, but 10\.0"):
        fetch(Source(data), recording(seconds=10.0), tmp_path / "other")


def test_last_packet_cut_on_the_device(tmp_path):
    """All announced bytes are here: what is missing, the recorder never wrote."""
    data = content()[:-50]
    done = fetch(Source(data), recording(data), tmp_path, container="original")

    assert ("the last packet is cut short on the device already",) == done.notes


def test_garbage_is_a_remark(tmp_path):
    """A hole in the recording is told."""
    data = content(seconds=8.0)
    middle = data.index(b"\0\0\1\xba", len(data) // 2)
    data = data[:middle] + b"\xff" * 500 + data[middle:]
    done = fetch(Source(data), recording(data, seconds=8.0), tmp_path)

    assert ("500 bytes skipped that are no video",) == done.notes


def jumping():
    """Return 8 s of video whose clock jumps ahead by ten hours in the middle."""
    first, second = content(seconds=4.0), bytearray(content(seconds=4.0, header="none"))
    at = -1
    while (at := second.find(b"\0\0\1\xe0", at + 1)) >= 0:
        if second[at + 7] & 0x80:
            second[at + 9] |= 0x06  # bits 31 and 30 of the time stamp: 3 x 2^30 ticks
    return first + bytes(second)


def test_jump_of_the_clock_is_closed(tmp_path):
    """Eight seconds were announced: the hours in between are an error of the clock."""
    data = jumping()
    done = fetch(Source(data), recording(data, seconds=8.0), tmp_path)

    assert pytest.approx(8.0, abs=0.1) == done.duration
    assert 1 == len(done.notes)
    assert done.notes[0].startswith("jumps of 35787 s")


def test_gap_that_was_announced_stays(tmp_path):
    """Footage with a hole keeps the right time behind it."""
    data = jumping()
    length = 3 * 2**30 / 90_000 + 4
    done = fetch(Source(data), recording(data, seconds=length), tmp_path, container="original")

    assert pytest.approx(length, abs=0.1) == done.duration
    assert () == done.notes


def test_single_frame_has_no_length(tmp_path):
    """One time stamp says nothing; an original of one is not refused for it."""
    data = content(seconds=1 / 25)
    done = fetch(Source(data), recording(data, seconds=1.0), tmp_path, container="original")

    assert None is done.duration
    assert fetch(Source(data), recording(data, seconds=1.0), tmp_path).duration > 0


def test_film_is_checked_after_the_remux_too(tmp_path, monkeypatch):
    """A remux that loses half of the footage without an error is noticed."""
    info = media.MediaInfo(codec=Codec.H264, width=640, height=360, fps=25.0, duration=10.0)
    monkeypatch.setattr(media, "probe", lambda _: info)
    data = content(seconds=30.0)
    with pytest.raises(ShortReadError, match=r"10\.0 of 30\.0"):
        fetch(Source(data), recording(data, seconds=30.0), tmp_path)
    assert [] == files(tmp_path)


@pytest.mark.parametrize("change", [{"codec": Codec.UNKNOWN}, {"width": 0}, {"height": 0}])
def test_film_without_a_picture_is_refused(tmp_path, monkeypatch, change):
    """A codec that nobody knows or a picture without size is what an encrypted stream gives."""
    info = media.MediaInfo(codec=Codec.H264, width=640, height=360, fps=25.0, duration=4.0)
    monkeypatch.setattr(media, "probe", lambda _: attrs.evolve(info, **change))
    data = content()
    with pytest.raises(CorruptMediaError, match="cannot be decoded"):
        fetch(Source(data), recording(data), tmp_path)
    assert [] == files(tmp_path)


# -- Trying again


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError("the connection broke"),
        DeviceTimeoutError("silence"),
        DeviceBusyError("busy"),
        ShortReadError("half"),
    ],
)
def test_what_may_work_the_second_time_is_tried_again(tmp_path, error):
    """The second try begins at the first byte, and the reason is told."""
    data = content()
    source = Source(lambda _: Stream(data[:5000], error=error), error, data)
    events = []
    done = fetch(source, recording(data), tmp_path, container="original", on_event=events.append)
    retries = [event for event in events if event.stage is Stage.RETRY]

    assert data == done.path.read_bytes()
    assert [0, 0, 0] == source.offsets
    assert 2 == len(retries)
    assert retries[0].message.startswith(error.message)
    assert 0 in [event.bytes_done for event in events[events.index(retries[0]) :]]


def test_what_cannot_work_is_not_tried_again(tmp_path):
    """A missing right stays missing."""
    source = Source(PermissionDeniedError("no"))
    with pytest.raises(PermissionDeniedError):
        fetch(source, recording(), tmp_path)
    assert 1 == len(source.offsets)


def test_attempts_are_used_up(tmp_path):
    """The last error comes out, unchanged."""
    error = UnreachableError("again")
    source = Source(error)
    with pytest.raises(UnreachableError) as caught:
        fetch(source, recording(), tmp_path)
    assert error is caught.value
    assert 3 == len(source.offsets)
    assert [] == files(tmp_path)


RANGES = Capability.DOWNLOAD | Capability.RANGE


def breaking(data, *, after, error=None):
    """Return a plan that resumes at any offset and breaks after some bytes."""

    def plan(offset):
        return Stream(
            data[offset : offset + after],
            size=len(data) - offset,
            offset=offset,
            error=error or UnreachableError("broke"),
        )

    return plan


def test_resumes_where_the_provider_can(tmp_path):
    """With real ranges, nothing comes twice."""
    data = content(bitrate=4_000_000)
    source = Source(
        breaking(data, after=700_000),
        breaking(data, after=600_000),
        lambda offset: Stream(data[offset:], offset=offset),
        capabilities=RANGES,
    )
    done = fetch(source, recording(data), tmp_path, container="original")

    assert [0, 700_000, 1_300_000] == source.offsets
    assert data == done.path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == done.sha256


@pytest.mark.parametrize("really", [0, 300_000])
def test_stream_that_begins_earlier_is_believed(tmp_path, really):
    """A server that ignores the range must not double the file."""
    data = content(bitrate=4_000_000)
    source = Source(
        breaking(data, after=700_000),
        lambda _: Stream(data[really:], offset=really),
        capabilities=RANGES,
    )
    done = fetch(source, recording(data), tmp_path, container="original")

    assert data == done.path.read_bytes()


def test_stream_that_begins_later_is_refused(tmp_path):
    """A hole cannot be filled."""
    source = Source(lambda _: Stream(b"x", offset=10))
    with pytest.raises(ProtocolError, match="begins at byte 10"):
        fetch(source, recording(), tmp_path)


def test_headway_earns_new_attempts(tmp_path):
    """A line that breaks every two megabytes still brings a large recording, if it resumes."""
    data = content(bitrate=60_000_000)
    source = Source(breaking(data, after=2 * MIB), capabilities=RANGES)
    source.plans = [breaking(data, after=2 * MIB) for _ in range(12)]
    source.plans.append(lambda offset: Stream(data[offset:], offset=offset))
    events = []
    done = fetch(source, recording(data), tmp_path, container="original", on_event=events.append)

    assert len(data) > 25 * MIB
    assert data == done.path.read_bytes()
    assert len(source.offsets) > 3 * QUICK.attempts
    assert 12 == sum(event.stage is Stage.RETRY for event in events)


@pytest.mark.parametrize(
    ("capabilities", "error"),
    [
        (Capability.DOWNLOAD, None),
        (RANGES, PermissionDeniedError("no")),
        (RANGES, DeviceBusyError("later", retry_after=3600)),
    ],
)
def test_headway_that_does_not_count(tmp_path, capabilities, error):
    """Bytes that come again each time, a final refusal, and a device's own wish end the tries."""
    data = content(bitrate=8_000_000)
    source = Source(breaking(data, after=2 * MIB, error=error), capabilities=capabilities)
    with pytest.raises((UnreachableError, PermissionDeniedError, DeviceBusyError)):
        fetch(source, recording(data), tmp_path)
    assert len(source.offsets) <= 3


def test_time_in_which_bytes_come_is_not_counted(tmp_path, monkeypatch):
    """An hour of steady bytes leaves the policy's total time for real trouble."""
    now = [0.0]
    monkeypatch.setattr(_engine.time, "monotonic", lambda: now[0])
    data = content()

    class Slow(Stream):
        def readinto(self, buffer):
            now[0] += 600.0
            return super().readinto(buffer)

    source = Source(
        lambda _: Slow(
            data, chunk=20_000, error=None if len(source.offsets) > 1 else UnreachableError("broke")
        )
    )
    policy = RetryPolicy(attempts=2, total=700.0, initial=0.0)
    done = fetch(source, recording(data), tmp_path, container="original", retry=policy)

    assert now[0] > 2000
    assert 2 == len(source.offsets)
    assert data == done.path.read_bytes()


def test_waiting_for_a_turn_is_not_counted(tmp_path, monkeypatch):
    """A device that serves others first does not use up the policy's total time either."""
    now, waited = [0.0], [0.0]
    monkeypatch.setattr(_engine.time, "monotonic", lambda: now[0])
    data = content()

    def after_a_while(_):
        now[0] += 600.0
        waited[0] += 600.0
        return Stream(data, error=None)

    source = Source(after_a_while)
    source.waited = lambda: waited[0]
    real = source.open

    @contextlib.contextmanager
    def breaking_once(*args, **options):
        with real(*args, **options) as stream:
            if len(source.offsets) == 1:
                raise UnreachableError("broke")  # noqa: EM101
            yield stream

    source.open = breaking_once
    policy = RetryPolicy(attempts=2, total=100.0, initial=0.0)
    done = fetch(source, recording(data), tmp_path, container="original", retry=policy)

    assert 1200.0 == now[0]
    assert data == done.path.read_bytes()


def test_bytes_judged_bad_are_not_resumed(tmp_path):
    """What failed the check is fetched again from the start, even with ranges."""
    data = content()
    source = Source(lambda _: Stream(data[:-9], size=None), data, capabilities=RANGES)
    fetch(source, recording(data), tmp_path)

    assert [0, 0] == source.offsets


# -- Names of the caller's own


def test_layout_says_where_files_go(tmp_path):
    """For one recording and for many, and the next run finds them there."""
    data = content()
    layout = "{start:%Y/%m}/{camera}-{start:%H%M}"
    done = fetch(Source(data), recording(data), tmp_path, layout=layout)
    (again,) = download_many(
        Source(UnreachableError("never asked")), [recording(data)], tmp_path, layout=layout
    )

    assert tmp_path / "2024" / "01" / "Cam01-gate-1000.mp4" == done.path == again.path
    assert again.existing


def test_files_of_one_name_step_aside_twice(tmp_path):
    """By the device's name for the item, then by the digest, which no other recording has."""
    data = content()
    items = [
        recording(data),
        recording(data, start=START + dt.timedelta(hours=1)),
        recording(data, start=START + dt.timedelta(hours=2)),
    ]
    for _ in range(2):
        done = [fetch(Source(data), item, tmp_path, layout="all") for item in items]
        names = ["all", "all_00000000955000913", "all_" + _paths.key8(items[2])]
        assert [f"{name}.mp4" for name in names] == [one.path.name for one in done]
    assert 3 == len(files(tmp_path))


@pytest.mark.parametrize("layout", [None, "{camera}/{camera}_{start:%Y%m%d_%H%M%S}"])
def test_camera_may_be_bound(tmp_path, layout):
    """A channel that was renamed keeps its folder, if the caller says so."""
    data = content()
    done = fetch(Source(data), recording(data), tmp_path, layout=layout, camera="Cam01-old")

    assert tmp_path / "Cam01-old" / "Cam01-old_20240101_100000.mp4" == done.path


def test_camera_may_be_a_function(tmp_path):
    """Hosts that fetch many channels with one set of options look the folder up."""
    data = content()
    options = Options(dest=tmp_path, min_free=0, camera=lambda one: f"C{one.key.channel}")

    assert tmp_path / "C1" == bring(Source(data), recording(data), options).path.parent


# -- Cancelling


def test_cancel_between_reads(tmp_path):
    """It stops within a read and leaves nothing."""
    data = content()
    stop = threading.Event()
    events = []

    def on_event(event):
        events.append(event)
        if event.stage is Stage.DOWNLOAD:
            stop.set()

    with pytest.raises(CancelledError):
        fetch(Source(data), recording(data), tmp_path, cancel=stop, on_event=on_event)
    assert [] == files(tmp_path)
    assert Stage.FAILED is events[-1].stage


def test_cancel_while_the_device_sends_nothing(tmp_path):
    """A blocked read is broken off; the error is the caller's wish, not the broken connection."""
    data = content()
    stop = threading.Event()
    source = Source(lambda _: Stream(data[:1000], size=len(data), block=True))
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(CancelledError) as caught:
        fetch(source, recording(data), tmp_path, cancel=stop)
    timer.join()

    assert time.monotonic() - begun < 5
    assert isinstance(caught.value.__context__, UnreachableError)
    assert [] == files(tmp_path)
    assert not [each for each in threading.enumerate() if each.name == "camsync-cancel"]


@pytest.mark.parametrize("stage", [Stage.VERIFY, Stage.REMUX, Stage.RETRY])
def test_cancel_later(tmp_path, stage):
    """Also while checking, remuxing and waiting."""
    data = content()
    stop = threading.Event()
    plans = [UnreachableError("broke"), data] if stage is Stage.RETRY else [data]
    with pytest.raises(CancelledError):
        fetch(
            Source(*plans),
            recording(data),
            tmp_path,
            cancel=stop,
            on_event=lambda event: event.stage is stage and stop.set(),
        )
    assert [] == files(tmp_path)


def test_cancel_reaches_the_provider(tmp_path):
    """A device may be silent before there is a stream to break off."""
    stop = threading.Event()
    seen = []

    class Silent(Source):
        def open(self, recording, *, offset=0, cancel=None):
            seen.append(cancel)
            raise CancelledError("as asked")  # noqa: EM101, TRY003

    with pytest.raises(CancelledError, match="as asked"):
        fetch(Silent(b""), recording(), tmp_path, cancel=stop)
    assert [stop] == seen


def test_cancel_after_the_last_byte(tmp_path):
    """A stream that ends because it was broken off is not taken for complete."""
    data = content()
    stop = threading.Event()

    class Ending(Stream):
        def readinto(self, buffer):
            count = super().readinto(buffer)
            if not count:
                stop.set()
            return count

    with pytest.raises(CancelledError):
        fetch(Source(lambda _: Ending(data)), recording(data), tmp_path, cancel=stop)


def test_unset_cancel_changes_nothing(tmp_path, monkeypatch):
    """The watching thread looks, and ends with the transfer, also when that fails."""
    monkeypatch.setattr(_cancel, "_POLL", 0.001)
    data = content()
    looks = []

    class Unset:
        def is_set(self):
            looks.append(threading.current_thread().name)
            return False

    class Waiting(Stream):
        def readinto(self, buffer):
            while looks.count("camsync-cancel") < 3:
                time.sleep(0.001)
            return super().readinto(buffer)

    stop = Unset()
    source = Source(lambda _: Waiting(data))
    assert fetch(source, recording(data), tmp_path, cancel=stop).path.is_file()
    with pytest.raises(UnreachableError):
        fetch(
            Source(lambda _: Stream(b"", error=UnreachableError("broke"))),
            recording(data),
            tmp_path / "x",
            cancel=stop,
        )
    assert not [each for each in threading.enumerate() if each.name == "camsync-cancel"]


def test_cancelled_by_the_provider(tmp_path):
    """A provider may notice first."""
    error = CancelledError("enough")
    source = Source(lambda _: Stream(b"", error=error))
    with pytest.raises(CancelledError) as caught:
        fetch(source, recording(), tmp_path, cancel=threading.Event())
    assert error is caught.value


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a bug")])
def test_anything_else_leaves_nothing_either(tmp_path, error):
    """Ctrl-C and bugs of a provider pass through, and the part file goes."""
    with pytest.raises(type(error)):
        fetch(Source(lambda _: Stream(content(), error=error)), recording(), tmp_path)
    assert [] == files(tmp_path)


# -- The disk


def test_no_room_is_noticed_before_anything_comes(tmp_path, monkeypatch):
    """Twice the size for a film, plus the reserve."""
    data = content()
    usage = collections.namedtuple("usage", "total used free")  # noqa: PYI024
    free = [2 * len(data) + 999]
    monkeypatch.setattr(_files.shutil, "disk_usage", lambda _: usage(1, 1, free[0]))
    source = Source(data)
    with pytest.raises(DiskFullError) as caught:
        fetch(source, recording(data), tmp_path, min_free=1000)

    assert (2 * len(data) + 1000, free[0]) == (caught.value.needed, caught.value.free)
    assert [] == source.offsets
    free[0] += 1
    assert fetch(source, recording(data), tmp_path, min_free=1000).path.is_file()
    free[0] = len(data) + 1000
    assert fetch(source, recording(data), tmp_path, min_free=1000, container="original").size


def test_disk_that_fills_up_is_noticed_on_the_way(tmp_path, monkeypatch):
    """The reserve is kept even when others write."""
    monkeypatch.setattr(_engine, "_SPACE_EVERY", 50_000)
    data = content(bitrate=1_000_000)
    seen = []
    usage = collections.namedtuple("usage", "total used free")  # noqa: PYI024

    def disk_usage(path):
        seen.append(path)
        return usage(1, 1, 10_000_000 if len(seen) < 4 else 10)

    monkeypatch.setattr(_files.shutil, "disk_usage", disk_usage)
    with pytest.raises(DiskFullError, match="10 B free"):
        fetch(
            Source(lambda _: Stream(data, chunk=20_000)), recording(data), tmp_path, min_free=1000
        )
    assert 4 == len(seen)
    assert [] == files(tmp_path)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EIO, DestinationError),
    ],
)
@pytest.mark.parametrize("usage", ["works", "fails"])
def test_failing_write(tmp_path, monkeypatch, number, expected, usage):
    """What the system says becomes one of two errors; it is not tried again."""
    inner, calls = os.write, []

    def write(descriptor, data):
        calls.append(len(data))
        if len(calls) > 3:
            if usage == "fails":
                monkeypatch.setattr(_files.shutil, "disk_usage", fail)
            raise OSError(number, os.strerror(number))
        return inner(descriptor, data[:1000])

    def fail(path):
        raise OSError(errno.EIO, "no answer")

    monkeypatch.setattr(_files.os, "write", write)
    data = content()
    source = Source(data)
    with pytest.raises(expected) as caught:
        fetch(source, recording(data), tmp_path)

    assert isinstance(caught.value.__cause__, OSError)
    assert 1 == len(source.offsets)
    assert [] == files(tmp_path)


def test_short_writes_lose_nothing(tmp_path, monkeypatch):
    """Systems may write less than asked."""
    inner = os.write
    monkeypatch.setattr(_files.os, "write", lambda fd, data: inner(fd, data[:7001]))
    data = content()
    done = fetch(Source(data), recording(data), tmp_path, container="original")

    assert data == done.path.read_bytes()


def test_destination_that_cannot_be_made(tmp_path):
    """A file where a folder should be, and a disk that cannot be asked."""
    (tmp_path / "file").write_bytes(b"")
    source = Source(content())
    with pytest.raises(DestinationError, match="cannot write"):
        fetch(source, recording(), tmp_path / "file" / "sub")
    assert [] == source.offsets


def test_existing_file_that_cannot_be_read(tmp_path, monkeypatch):
    """It may be the recording or not: that is for the user to say."""
    data = content()
    path = fetch(Source(data), recording(data), tmp_path).path
    inner = Path.open

    def refuse(self, *args, **options):
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return inner(self, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DestinationError, match="Permission denied"):
        fetch(Source(data), recording(data), tmp_path)


def test_no_temporary_file_is_visible(tmp_path):
    """Scanners must not see a video that is not complete: no suffix of a video, hidden, beside."""
    data = content()
    seen = set()

    def on_event(event):
        seen.update(files(tmp_path))

    fetch(Source(data), recording(data), tmp_path, on_event=on_event)
    seen -= {f"Cam01-gate/{NAME}.mp4"}

    assert 2 == len(seen)
    for name in seen:
        assert name.startswith(f"Cam01-gate/.{NAME}.mp4.")
        assert name.endswith(".part")


def test_skipping_sweeps_too(tmp_path):
    """What a killed run has left goes even when there is nothing more to do."""
    data = content()
    path = fetch(Source(data), recording(data), tmp_path).path
    path.with_name(f".{path.name}.00000000.part").write_bytes(b"x" * 100)
    fetch(Source(data), recording(data), tmp_path)

    assert [f"Cam01-gate/{NAME}.mp4"] == files(tmp_path)


# -- Arguments


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"container": "mkv"}, "container must be"),
        ({"min_free": -1}, "min_free must not be negative"),
        ({"min_free": "1 GB"}, "min_free must be a whole number of bytes, not str"),
        ({"timezone": "Europe/Berlin"}, "tzinfo"),
        ({"dest": "a\0b"}, "NUL"),
        ({"layout": 5}, "layout must be text, not int"),
        ({"layout": "{name}"}, "there is no field {name}"),
        ({"layout": "{camera}", "dest": "one.mp4"}, "a layout needs a folder"),
        ({"dest": None}, "dest must be a path, not NoneType"),
        ({"cancel": object()}, r"cancel must have a method is_set\(\), but is object"),
        ({"cancel": threading.Event}, "but is the class Event"),
        ({"retry": 3}, r"retry must be a RetryPolicy, not int.*RetryPolicy\(attempts=3\)"),
        ({"on_event": 5}, "on_event must be a function that takes a Progress, not int"),
    ],
)
def test_unusable_arguments(tmp_path, options, reason):
    """They are refused at once, for one recording and for many."""
    given = {"dest": tmp_path, **options}
    for function, what in ((download, recording()), (download_many, [recording()])):
        with pytest.raises(ConfigurationError, match=reason):
            function(Source(b""), what, **given)


@pytest.mark.parametrize("provider", [None, "hikvision://admin@192.168.1.64", Source])
def test_unusable_provider(tmp_path, provider):
    """What cannot open recordings is refused before anything else happens."""
    for function, what in ((download, recording()), (download_many, [recording()])):
        with pytest.raises(ConfigurationError, match=r"provider must be .*connect\(url\)"):
            function(provider, what, tmp_path)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ([recording()], "not list.*use download_many"),
        (iter([recording()]), "use download_many"),
        (recording().key, r"not RecordingKey.*provider\.locate\(key\)"),
        (recording().key.uri, r"not str.*provider\.locate\(key\)"),
        (None, r"not NoneType.*provider\.search"),
    ],
)
def test_unusable_recording(tmp_path, what, reason):
    """The error says how to get a recording, or what takes several."""
    with pytest.raises(ConfigurationError, match=reason):
        download(Source(b""), what, tmp_path)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (recording(), "not one Recording.*use download,"),
        (recording().key, "iterable of Recording, not RecordingKey"),
        (recording().key.uri, "iterable of Recording, not str"),
        (None, "iterable of Recording, not NoneType"),
        ([recording(), recording().key], r"not RecordingKey.*provider\.locate\(key\)"),
    ],
)
def test_unusable_recordings(tmp_path, what, reason):
    """They are refused at once, not when the first one is asked for."""
    with pytest.raises(ConfigurationError, match=reason):
        download_many(Source(b""), what, tmp_path)


def test_unusable_recording_that_comes_late(tmp_path):
    """What a generator yields is checked as it comes."""
    source = Source(b"")
    with pytest.raises(ConfigurationError, match="not int"):
        next(download_many(source, iter([5]), tmp_path))
    assert [] == source.offsets


@pytest.mark.parametrize("dest", ["x" * 300 + ".mp4", "x" * 300])
def test_name_that_is_too_long(tmp_path, dest):
    """What the system does not take is an error of the destination."""
    with pytest.raises(DestinationError):
        fetch(Source(b""), recording(), tmp_path / dest)


def test_without_the_extra_nothing_is_fetched(tmp_path, monkeypatch):
    """The error says what to install, before a byte has come; originals need no extra."""
    monkeypatch.setitem(sys.modules, "camsync.download.media", None)
    data = content()
    source = Source(data)
    with pytest.raises(MissingExtraError, match=r"\[mp4\]"):
        fetch(source, recording(data), tmp_path)
    with pytest.raises(MissingExtraError):
        download_many(source, [recording(data)], tmp_path)

    assert [] == source.offsets
    assert fetch(source, recording(data), tmp_path, container="original").size == len(data)


def test_failing_callback_is_logged_once(tmp_path, caplog):
    """A display that breaks costs no download and is not hidden either."""
    data = content()

    def on_event(event):
        raise ValueError("broken display")  # noqa: EM101, TRY003

    with caplog.at_level(logging.ERROR, "camsync.download"):
        done = fetch(Source(data), recording(data), tmp_path, on_event=on_event)

    assert done.path.is_file()
    assert 1 == len(caplog.records)
    assert "broken display" in caplog.text


# -- Many


def test_many_go_on_after_a_failure(tmp_path):
    """One bad recording is reported and the others come."""
    data = content()
    items = [
        recording(data, start=START + dt.timedelta(minutes=each), item=str(each))
        for each in range(3)
    ]
    source = Source(data, PermissionDeniedError("not this one"), data)
    events = []
    results = list(
        download_many(source, items, tmp_path, on_event=events.append, retry=QUICK, min_free=0)
    )

    assert [Downloaded, Failed, Downloaded] == [type(each) for each in results]
    assert items == [each.recording for each in results]
    assert isinstance(results[1].error, PermissionDeniedError)
    assert [1, 2, 3] == sorted({event.file_index for event in events})
    assert {3} == {event.file_count for event in events}
    assert 2 == len(files(tmp_path))


def test_many_are_lazy(tmp_path):
    """Recordings may come from a search that is still going on; the number is unknown then."""
    data = content()
    taken, events = [], []

    def search():
        for each in range(2):
            taken.append(each)
            yield recording(data, start=START + dt.timedelta(minutes=each))

    results = download_many(
        Source(data), search(), tmp_path, container="original", min_free=0, on_event=events.append
    )

    assert [] == taken
    assert isinstance(next(results), Downloaded)
    assert [0] == taken
    assert {None} == {event.file_count for event in events}
    assert 1 == len(list(results))


@pytest.mark.parametrize("error", [AuthenticationError("refused"), CancelledError("enough")])
def test_many_end_when_going_on_would_hurt(tmp_path, error):
    """Further logins could lock the account; a wish to stop is for all."""
    data = content()
    source = Source(data, error)
    items = [recording(data, start=START + dt.timedelta(minutes=each)) for each in range(4)]
    results = download_many(source, items, tmp_path, retry=QUICK, min_free=0)

    assert isinstance(next(results), Downloaded)
    with pytest.raises(type(error)):
        next(results)
    assert 2 == len(source.offsets)


def test_many_stop_between_files(tmp_path):
    """A cancel that comes between two files costs no request more."""
    data = content()
    stop = threading.Event()
    source = Source(data)
    items = [recording(data, start=START + dt.timedelta(minutes=each)) for each in range(2)]
    results = download_many(source, items, tmp_path, cancel=stop, min_free=0)
    next(results)
    stop.set()

    with pytest.raises(CancelledError):
        next(results)
    assert 1 == len(source.offsets)


def minutes(count, data=b""):
    """Return recordings that follow each other."""
    return [
        recording(data, start=START + dt.timedelta(minutes=each), item=str(each))
        for each in range(count)
    ]


def test_many_do_not_fit_into_one_file(tmp_path):
    """Nothing is fetched when it is plain that all but one would fail."""
    source = Source(content())
    with pytest.raises(ConfigurationError, match=r"one\.mp4 is one file.*give a folder"):
        download_many(source, minutes(2), tmp_path / "one.mp4")
    assert [] == source.offsets


def test_many_of_unknown_number_do_not_fit_into_one_file(tmp_path):
    """The first has its place; the second ends the run."""
    data = content()
    source = Source(data)
    results = download_many(source, iter(minutes(2, data)), tmp_path / "one.mp4", min_free=0)

    assert tmp_path / "one.mp4" == next(results).path
    with pytest.raises(ConfigurationError, match="is one file"):
        next(results)
    assert 1 == len(source.offsets)


def test_one_of_many_fits_into_a_file(tmp_path):
    """A list of one is fine, and so is an empty one."""
    data = content()
    path = tmp_path / "one.mp4"

    assert [path] == [
        each.path for each in download_many(Source(data), minutes(1, data), path, min_free=0)
    ]
    assert [] == list(download_many(Source(data), [], path))


def test_many_end_when_the_disk_is_full(tmp_path):
    """There is no room for the others either: one error, not one for each."""
    source, events = Source(content()), []
    results = download_many(source, minutes(3), tmp_path, min_free=1 << 62, on_event=events.append)
    with pytest.raises(DiskFullError):
        next(results)

    assert [] == source.offsets
    assert [Stage.FAILED] == stages(events)


@pytest.mark.parametrize("dest", ["file", "file/sub", "file/one.mp4"])
def test_many_end_when_nothing_can_be_written(tmp_path, dest):
    """A destination that cannot be made is told once."""
    (tmp_path / "file").write_bytes(b"")
    source = Source(content())
    with pytest.raises(DestinationError, match="cannot write"):
        next(download_many(source, minutes(1), tmp_path / dest, min_free=0))
    assert [] == source.offsets


def test_many_go_on_when_one_name_is_taken(tmp_path):
    """Another file in the way of one recording is not in the way of the next."""
    data = content()
    items = minutes(2, data)
    dest = tmp_path / "x"
    path = fetch(Source(data), items[0], dest, container="original").path
    path.write_bytes(b"something else")
    results = list(
        download_many(Source(data), items, dest, container="original", retry=QUICK, min_free=0)
    )

    assert [Failed, Downloaded] == [type(each) for each in results]
    assert isinstance(results[0].error, DestinationError)
    assert b"something else" == path.read_bytes()
    assert 2 == len(files(tmp_path))
