"""`clip`: from the recordings that show a span to one file, against a camera from memory."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import importlib
import io
import itertools
import math
import os
import subprocess
import sys
import threading

from types import SimpleNamespace

import attrs
import av
import pytest

from camsync import (
    CancelledError,
    Capability,
    Channel,
    ChannelId,
    Codec,
    ConfigurationError,
    CorruptMediaError,
    DestinationError,
    DeviceId,
    FootageGapError,
    Recording,
    RecordingInProgressError,
    RecordingKey,
    RecordingNotFoundError,
    RetryPolicy,
    Stage,
    TimeSpan,
    UnreachableError,
    download,
)
from camsync._time import utcnow
from camsync.download import media
from camsync.download._existing import Shelf
from camsync.download._files import PartFile
from camsync.sync._clip import clip
from camsync.testing.recorder._media import program_stream


UTC = dt.timezone.utc
START = dt.datetime(2024, 1, 1, 3, 0, tzinfo=UTC)
CHANNEL = Channel(device=DeviceId("DS-1"), id=ChannelId("1"), name="Gate")
ONCE = RetryPolicy(attempts=1)
NAME = "Cam01-gate_20240101_1000"


def at(seconds: float) -> dt.datetime:
    """Return a moment, in seconds from the first recording's begin."""
    return START + dt.timedelta(seconds=seconds)


def span(begin: float, end: float) -> TimeSpan:
    """Return a span, in seconds from the first recording's begin."""
    return TimeSpan(at(begin), at(end))


@attrs.frozen
class Shot:
    """A recording of the camera, and its bytes."""

    recording: Recording
    data: bytes


def shot(begin=0, seconds=4.0, *, real=None, codec="h264", audio=None, start=None, **fields):
    """Return a recording that is announced to last *seconds*, and lasts *real* ones."""
    data = b"".join(program_stream(codec, real or seconds, audio=audio))
    start = start or at(begin)
    given = {
        "channel_name": "Gate",
        "size": len(data),
        "utc_offset": dt.timedelta(hours=7),
        "end": start + dt.timedelta(seconds=seconds),
        **fields,
    }
    key = RecordingKey(
        provider="hikvision",
        device=CHANNEL.device,
        channel=CHANNEL.id,
        start=start,
        item=f"{codec}{seconds}",
    )
    return Shot(Recording(key=key, start=start, **given), data)


class Stream:
    """The open bytes of a recording."""

    container = "mpeg-ps"
    offset = 0

    def __init__(self, data):
        self.size = len(data)
        self._file = io.BytesIO(data)

    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def abort(self):
        """Nothing blocks here."""


class Camera:
    """A provider that has what `clip` asks for, and counts what is fetched."""

    name = "hikvision"
    capabilities = Capability.NONE

    def __init__(self, *shots):
        self.shots = sorted(shots, key=lambda each: each.recording.start)
        self.opened = []
        self.asked = []

    def search(self, channel, span, *, kinds=None):
        self.asked.append((channel, span, kinds))
        for each in self.shots:
            if each.recording.span.overlaps(span):
                yield each.recording

    @contextlib.contextmanager
    def open(self, recording, *, offset=0, cancel=None):
        self.opened.append(recording.key)
        found = next(each for each in self.shots if each.recording.key == recording.key)
        yield Stream(found.data)


def cut(camera, begin, end, dest, **options):
    """Make a clip between two seconds."""
    return clip(camera, CHANNEL, span(begin, end), dest, retry=ONCE, **options)


def seen(path):
    """Return the wall clock of each picture of a file, in seconds from the first recording."""
    with av.open(str(path)) as film:
        zero = dt.datetime.fromisoformat(film.metadata["creation_time"].replace("Z", "+00:00"))
        stream = film.streams.video[0]
        packets = [packet for packet in film.demux(stream) if packet.size]
        assert packets[0].is_keyframe
        begin = (zero - START).total_seconds()
        return [round(begin + float(each.pts * each.time_base), 3) for each in packets]


def frames(begin, end):
    """Return the moments of 25 pictures a second."""
    count = math.ceil(round(end * 25, 6))
    return [round(number / 25, 3) for number in range(round(begin * 25), count)]


def leftovers(folder):
    """Return what is hidden in a folder."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


# -- What is in the file --------------------------------------------------------------------------


def test_a_clip_begins_at_a_key_frame_and_ends_before_the_end(tmp_path):
    """Inside one recording: from the key frame before the begin to the last picture."""
    camera = Camera(shot())

    found = cut(camera, 1.5, 2.9, tmp_path)

    assert frames(1, 2.9) == seen(found.path)
    part = found.parts[0]
    assert (at(1), at(2.92)) == (part.start, at(2.92)) == (at(1), part.end)
    assert (48, pytest.approx(1.92)) == (part.pictures, part.duration)
    assert (Codec.H264, 640, 360) == (part.codec, part.width, part.height)
    assert (camera.shots[0].recording.key,) == part.sources
    assert hashlib.sha256(part.path.read_bytes()).hexdigest() == part.sha256
    assert part.path.stat().st_size == part.size
    assert (CHANNEL, span(1.5, 2.9)) == (found.channel, found.span)


def test_the_name_says_what_was_asked_for(tmp_path):
    """In a folder: the camera, the begin and the end by the device's wall clock."""
    camera = Camera(shot())

    found = cut(camera, 1.5, 3.9, tmp_path / "clips")
    elsewhere = cut(camera, 1.5, 3.9, tmp_path / "clips", timezone=UTC)

    assert tmp_path / "clips" / f"{NAME}02-20240101_100004.mp4" == found.path
    assert "Cam01-gate_20240101_030002-20240101_030004.mp4" == elsewhere.path.name
    assert [] == leftovers(tmp_path / "clips")


def test_both_ends_are_named_by_the_clock_that_was_shown(tmp_path):
    """Clocks that are put back in between end the clip an hour earlier than it began."""
    winter = {"utc_offset": dt.timedelta(hours=6)}

    found = cut(Camera(shot(0), shot(4, **winter)), 1, 7, tmp_path)

    assert f"{NAME}01-20240101_090007.mp4" == found.path.name


def test_a_file_name_is_kept(tmp_path):
    """A destination with the suffix of a film is the film."""
    found = cut(Camera(shot()), 0, 4, tmp_path / "new" / "gate.mp4")

    assert tmp_path / "new" / "gate.mp4" == found.path
    assert frames(0, 4) == seen(found.path)
    assert ["gate.mp4"] == [path.name for path in found.path.parent.iterdir()]


def test_continuous_recordings_are_joined(tmp_path):
    """Three recordings in a row make one file, and each picture is there once."""
    camera = Camera(shot(0), shot(4), shot(8), shot(12))

    found = cut(camera, 2.2, 9.0, tmp_path)

    assert frames(2, 9) == seen(found.path)
    assert [each.recording.key for each in camera.shots[:3]] == list(found.parts[0].sources)
    assert list(found.parts[0].sources) == camera.opened


def test_what_two_recordings_show_is_shown_once(tmp_path):
    """The first one ends where the second one begins."""
    found = cut(Camera(shot(0, 6), shot(4)), 1, 7, tmp_path)

    assert frames(1, 7) == seen(found.path)


def test_no_picture_is_lost_to_whole_seconds(tmp_path):
    """Begins are known to the second: an overlap of less is none."""
    camera = Camera(shot(0, 4, real=4.4), shot(4, 4, real=4.4), shot(8))

    found = cut(camera, 0, 11, tmp_path)

    # the third would be 0.8 s late, and is; nothing is shown over anything else
    assert frames(0, 11) == seen(found.path)
    assert 275 == found.parts[0].pictures


def test_a_tiny_gap_stays_one(tmp_path):
    """What follows a moment later stands where it was taken."""
    found = cut(Camera(shot(0), shot(5)), 3, 7, tmp_path)

    assert frames(3, 4) + frames(5, 7) == seen(found.path)
    assert pytest.approx(4) == found.parts[0].duration


def test_a_border_needs_one_recording(tmp_path):
    """A span that begins and ends with a recording needs no other."""
    camera = Camera(shot(0), shot(4), shot(8))

    found = cut(camera, 4, 8, tmp_path)

    assert frames(4, 8) == seen(found.path)
    assert [camera.shots[1].recording.key] == camera.opened


def test_a_recording_inside_another_is_not_fetched(tmp_path):
    """Recorders make a second file for an alarm; the first one shows it, too."""
    camera = Camera(shot(0, 8), shot(2, 3), shot(8))

    cut(camera, 1, 10, tmp_path)

    assert [0, 8] == [(key.start - START).total_seconds() for key in camera.opened]


def test_sound_comes_with_the_picture(tmp_path):
    """G.711 becomes AAC, goes on over the joint, and stays with the picture."""
    found = cut(Camera(shot(0, audio="g711a"), shot(4, audio="g711a")), 2, 6, tmp_path)

    with av.open(str(found.path)) as film:
        sound = film.streams.audio[0]
        times = [float(p.pts * p.time_base) for p in film.demux(sound) if p.size]
    assert 0 <= times[0] < 0.2
    assert 3.7 < times[-1] < 4
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.2


def test_begins_between_two_seconds_keep_the_wall_clock(tmp_path):
    """``creation_time`` has whole seconds; the first picture stands at the fraction."""
    start = START + dt.timedelta(seconds=0.48)
    camera = Camera(shot(start=start))

    found = cut(camera, 1.6, 3, tmp_path)

    assert start + dt.timedelta(seconds=1) == found.parts[0].start
    assert 1.48 == seen(found.path)[0]


# -- Gaps -----------------------------------------------------------------------------------------


def test_a_gap_is_an_error_before_anything_is_fetched(tmp_path):
    """The error says which footage is missing, and what to do."""
    camera = Camera(shot(0), shot(8), shot(16))

    with pytest.raises(FootageGapError, match="03:00:04 to 2024-01-01 03:00:08") as caught:
        cut(camera, 1, 19, tmp_path / "clips")

    assert (span(4, 8), span(12, 16)) == caught.value.gaps
    assert "gaps='split'" in str(caught.value)
    assert "and 1 more" in str(caught.value)
    assert [] == camera.opened
    assert not (tmp_path / "clips").exists()


def test_gaps_can_split_the_clip(tmp_path):
    """One file for each continuous piece; the only path is an error then."""
    found = cut(Camera(shot(0), shot(8)), 1, 11, tmp_path / "gate.mp4", gaps="split")

    assert ["gate_1.mp4", "gate_2.mp4"] == [part.path.name for part in found.parts]
    assert [frames(1, 4), frames(8, 11)] == [seen(part.path) for part in found.parts]
    with pytest.raises(FootageGapError, match="2 files") as caught:
        _ = found.path
    assert (span(4, 8),) == caught.value.gaps == found.gaps


@pytest.mark.parametrize(
    ("begin", "end", "gaps"),
    [(-10, 30, ((-10, 0), (4, 8), (12, 30))), (1, 13, ((4, 8),)), (1, 3, ())],
)
def test_the_pieces_that_are_missing(begin, end, gaps, tmp_path):
    """Each of them is told, at the ends too; what the tolerance allows is none."""
    found = cut(Camera(shot(0), shot(8)), begin, end, tmp_path, gaps="split")

    assert tuple(span(*gap) for gap in gaps) == found.gaps


@pytest.mark.parametrize("name", ["x.avi", "x.MKV", "x.ts", "x.dav"])
def test_a_file_of_another_kind_is_no_folder(name, tmp_path):
    """Nobody means a folder of that name, unless it is there."""
    camera = Camera(shot(0))
    with pytest.raises(ConfigurationError, match=r"written as \.mp4") as caught:
        cut(camera, 1, 3, tmp_path / name)

    assert "name it x.mp4" in caught.value.next_step
    assert [] == camera.asked == list(tmp_path.iterdir())
    (tmp_path / name).mkdir()
    assert tmp_path / name == cut(camera, 1, 3, tmp_path / name).path.parent
    assert tmp_path / "v1.0" == cut(camera, 1, 3, tmp_path / "v1.0").path.parent


def test_a_clip_needs_no_catalogue():
    """Without SQLAlchemy it is there all the same; what keeps a catalogue says what it needs."""
    code = """
import sys
sys.modules["sqlalchemy"] = None
import camsync.cli._clip_job
from camsync import MissingExtraError, clip
assert clip is camsync.cli._clip_job.cut
try:
    from camsync.sync import make_plan
except MissingExtraError as error:
    print(error.next_step)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=50
    )

    assert "[sync]" in done.stdout
    with pytest.raises(AttributeError, match="nothing"):
        _ = importlib.import_module("camsync.sync").nothing


def test_pieces_in_a_folder_have_their_own_times(tmp_path):
    """Each file is named by what of the span it shows."""
    found = cut(Camera(shot(0), shot(8)), 1, 30, tmp_path, gaps="split")

    assert [
        f"{NAME}01-20240101_100004.mp4",
        f"{NAME}08-20240101_100012.mp4",
    ] == [part.path.name for part in found.parts]


@pytest.mark.parametrize(("begin", "end"), [(-10, 3), (1, 9)])
def test_footage_that_is_missing_at_an_end_is_a_gap(begin, end, tmp_path):
    """A span that begins before the first footage, or ends after the last, has a gap."""
    camera = Camera(shot(0))

    with pytest.raises(FootageGapError):
        cut(camera, begin, end, tmp_path)
    found = cut(camera, begin, end, tmp_path, gaps="split")

    assert frames(max(begin, 0), min(end, 4)) == seen(found.path)


@pytest.mark.parametrize(("end", "gap"), [(14, span(8, 10)), (10, span(8, 10))])
def test_a_gap_that_shows_after_the_download_is_an_error_too(end, gap, tmp_path):
    """A recording may be a little shorter than announced: more than the tolerance is a gap."""
    camera = Camera(shot(0, 10, real=8), shot(10))
    second = dt.timedelta(seconds=1)

    with pytest.raises(FootageGapError) as caught:
        cut(camera, 1, end, tmp_path, tolerance=second)
    found = cut(camera, 1, end, tmp_path, tolerance=second, gaps="split")

    assert (gap,) == caught.value.gaps
    assert frames(1, 8) == seen(found.parts[0].path)
    assert (2 if end == 14 else 1) == len(found.parts)
    assert [] == leftovers(tmp_path)


def test_a_change_of_the_format_is_an_error_or_splits(tmp_path):
    """What one file cannot hold is never mixed."""
    camera = Camera(shot(0), shot(4, codec="h265"))

    with pytest.raises(FootageGapError, match="format changes at 2024-01-01 03:00:04") as caught:
        cut(camera, 1, 7, tmp_path)
    found = cut(camera, 1, 7, tmp_path, gaps="split")

    assert () == caught.value.gaps
    assert [Codec.H264, Codec.H265] == [part.codec for part in found.parts]
    assert [frames(1, 4), frames(4, 7)] == [seen(part.path) for part in found.parts]
    with pytest.raises(FootageGapError) as caught:
        _ = found.path
    assert () == caught.value.gaps


def test_no_footage_is_an_error_of_its_own(tmp_path):
    """Nothing there, or not yet."""
    with pytest.raises(RecordingNotFoundError, match="Gate has no footage from 2024-01-01"):
        cut(Camera(), 0, 4, tmp_path)
    with pytest.raises(RecordingNotFoundError):
        clip(Camera(shot()), CHANNEL, TimeSpan(utcnow(), utcnow().replace(year=8999)), tmp_path)


def test_a_recording_that_turns_out_shorter_may_show_nothing(tmp_path):
    """What it was chosen for is not in it: the next one begins, or there is nothing."""
    short = shot(0, 10, real=8.5)

    found = cut(Camera(short, shot(10)), 9, 12, tmp_path)
    with pytest.raises(RecordingNotFoundError, match="no picture"):
        cut(Camera(short), 9, 10, tmp_path)

    assert frames(10, 12) == seen(found.path)
    assert 1 == len(found.parts[0].sources)


# -- Still being written --------------------------------------------------------------------------


def test_footage_of_a_recording_that_goes_on_can_be_had(tmp_path):
    """What is needed of it is on the disk of the recorder already."""
    start = utcnow().replace(microsecond=0) - dt.timedelta(seconds=20)
    camera = Camera(shot(0, 600, real=20, start=start, in_progress=True))
    wanted = TimeSpan(start, start + dt.timedelta(seconds=10))

    found = clip(camera, CHANNEL, wanted, tmp_path)

    assert 250 == found.parts[0].pictures


@pytest.mark.parametrize(
    ("announced", "real", "end"),
    [(5, 5, 10), (600, 20, 60), (600, 10, 15)],
    ids=["not yet announced", "in the future", "not yet written"],
)
def test_footage_that_is_yet_to_come_is_an_error(announced, real, end, tmp_path):
    """The error says until when to wait; it is no gap, which would stay."""
    start = utcnow().replace(microsecond=0) - dt.timedelta(seconds=20)
    camera = Camera(shot(0, announced, real=real, start=start, in_progress=True))
    wanted = TimeSpan(start, start + dt.timedelta(seconds=end))

    with pytest.raises(RecordingInProgressError, match="still writing") as caught:
        clip(camera, CHANNEL, wanted, tmp_path, gaps="split")

    assert "come back" in str(caught.value)
    assert [] == list(tmp_path.iterdir())


# -- Files that are there -------------------------------------------------------------------------


def fetched(camera, folder, **options):
    """Download everything that a camera has."""
    return [download(camera, each.recording, folder, **options) for each in camera.shots]


@pytest.mark.parametrize("container", ["mp4", "original"])
@pytest.mark.parametrize("how", ["files", "paths"])
def test_held_files_are_not_fetched(how, container, tmp_path):
    """Files in either container stand in for downloads, and stay as they are."""
    camera = Camera(shot(0), shot(4))
    files = fetched(camera, tmp_path / "held", container=container)
    before = [each.path.read_bytes() for each in files]
    camera.opened.clear()
    events = []

    held = files if how == "files" else [str(each.path) for each in files]
    found = cut(camera, 1, 7, tmp_path, held=held, on_event=events.append)

    assert [] == camera.opened
    assert frames(1, 7) == seen(found.path)
    assert before == [each.path.read_bytes() for each in files]
    skipped = [event.message for event in events if event.stage is Stage.SKIPPED]
    assert [str(each.path) for each in files] == skipped


def _cut_short(file):
    file.path.write_bytes(file.path.read_bytes()[:-100])


def _changed(file):
    data = bytearray(file.path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.path.write_bytes(data)


def _no_film(file):
    file.path.write_bytes(bytes(100))


@pytest.mark.parametrize(
    "damage", [_cut_short, _changed, _no_film, lambda file: file.path.unlink()]
)
def test_damaged_files_are_fetched_instead(damage, tmp_path):
    """A file that is not what was written is of no use."""
    camera = Camera(shot(0))
    (file,) = fetched(camera, tmp_path / "held")
    damage(file)
    camera.opened.clear()

    found = cut(camera, 1, 3, tmp_path, held=[file])

    assert 1 == len(camera.opened)
    assert frames(1, 3) == seen(found.path)


@pytest.mark.parametrize("container", ["mp4", "original"])
def test_damaged_paths_are_fetched_instead(container, tmp_path):
    """Of a path nothing is known but what is in the file."""
    camera = Camera(shot(0))
    (file,) = fetched(camera, tmp_path / "held", container=container)
    (tmp_path / "text.mp4").mkdir()
    _no_film(file)
    camera.opened.clear()

    cut(camera, 1, 3, tmp_path, held=[file.path, tmp_path / "text.mp4", tmp_path / "other.mpg"])

    assert 1 == len(camera.opened)


def test_an_unreadable_path_is_fetched_instead(tmp_path, monkeypatch):
    """What the disk refuses is no reason to give up."""
    camera = Camera(shot(0))
    (file,) = fetched(camera, tmp_path / "held")

    recognise = Shelf.recognise

    def refused(self, path):
        if path == file.path:
            raise DestinationError("no")  # noqa: EM101
        return recognise(self, path)

    monkeypatch.setattr(Shelf, "recognise", refused)
    camera.opened.clear()

    cut(camera, 1, 3, tmp_path, held=[file.path])

    assert 1 == len(camera.opened)


def test_an_original_that_says_nothing_new_is_fetched(tmp_path):
    """A whole file of the right size that holds no video is noticed when it is read."""
    camera = Camera(shot(0))
    (file,) = fetched(camera, tmp_path / "held", container="original")
    file.path.write_bytes(bytes(file.size))
    camera.opened.clear()

    found = cut(camera, 1, 3, tmp_path, held=[attrs.evolve(file, sha256="")])

    assert 1 == len(camera.opened)
    assert frames(1, 3) == seen(found.path)


def test_an_original_that_breaks_off_is_fetched(tmp_path):
    """A file may have been cut short before anybody wrote down how long it was."""
    camera = Camera(shot(0))
    (file,) = fetched(camera, tmp_path / "held", container="original")
    file.path.write_bytes(file.path.read_bytes()[: file.size // 2])
    camera.opened.clear()

    held = attrs.evolve(file, sha256="", size=file.size // 2)
    found = cut(camera, 1, 3, tmp_path, held=[held])

    assert 1 == len(camera.opened)
    assert frames(1, 3) == seen(found.path)


def test_what_was_fetched_too_early_is_fetched_again(tmp_path):
    """A file from the time when the recording was still being written is not all of it."""
    early = shot(0, 20, real=5, in_progress=True)
    (file,) = fetched(Camera(early), tmp_path / "held", allow_in_progress=True)
    camera = Camera(Shot(attrs.evolve(early.recording, in_progress=False), shot(0, 20).data))
    camera.shots[0] = attrs.evolve(
        camera.shots[0], recording=attrs.evolve(camera.shots[0].recording, size=None)
    )

    cut(camera, 1, 12, tmp_path / "a", held=[file])
    cut(camera, 1, 12, tmp_path / "b", held=[file.path])
    cut(Camera(early), 1, 5, tmp_path / "c", held=[file])

    assert 2 == len(camera.opened)


def test_a_catalogue_says_what_is_held(tmp_path):
    """Verified files of a destination are used; everything else is fetched."""
    camera = Camera(shot(0), shot(4), shot(8))
    files = fetched(camera, tmp_path / "held")
    camera.opened.clear()
    states = ["verified", "failed", "verified"]
    asked = []

    def entries(*, channel, span):
        asked.append((channel, span))
        for state, file in zip(states, files, strict=True):
            yield SimpleNamespace(
                key=file.recording.key,
                state=SimpleNamespace(value=state),
                path=file.path.relative_to(tmp_path / "held"),
                file_size=file.size,
                sha256=file.sha256,
                duration=file.duration,
            )

    holdings = SimpleNamespace(dest=tmp_path / "held", entries=entries)
    found = cut(camera, 1, 11, tmp_path, holdings=holdings)

    assert [files[1].recording.key] == camera.opened
    assert frames(1, 11) == seen(found.path)
    assert [(("DS-1", "1"), span(1, 11))] == asked


# -- Names ----------------------------------------------------------------------------------------


def test_nothing_is_overwritten(tmp_path):
    """A file that exists is an error, for a named one before anything is searched."""
    camera = Camera(shot(0))
    (tmp_path / "gate.mp4").write_bytes(b"mine")

    with pytest.raises(DestinationError, match="exists already"):
        cut(camera, 1, 3, tmp_path / "gate.mp4")
    assert [] == camera.asked
    cut(camera, 1, 3, tmp_path)
    with pytest.raises(DestinationError, match="exists already"):
        cut(camera, 1, 3, tmp_path)

    assert b"mine" == (tmp_path / "gate.mp4").read_bytes()
    assert [] == leftovers(tmp_path)


def test_parts_get_their_names_together_or_not_at_all(tmp_path):
    """Where the second name is taken, the first part is taken back."""
    (tmp_path / "gate_2.mp4").write_bytes(b"mine")

    with pytest.raises(DestinationError, match=r"gate_2\.mp4 exists already"):
        cut(Camera(shot(0), shot(8)), 1, 11, tmp_path / "gate.mp4", gaps="split")

    assert ["gate_2.mp4"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("other", ["film", "text"])
def test_the_hour_that_clocks_repeat_has_names_of_its_own(other, tmp_path):
    """Another clip, or something else, has the name: the one in UTC is used."""
    name = f"{NAME}01-20240101_100003.mp4"
    hour = dt.timedelta(hours=1)
    if other == "film":
        earlier = shot(0, start=START - hour)
        east = attrs.evolve(earlier.recording, utc_offset=dt.timedelta(hours=8))
        clip(Camera(Shot(east, earlier.data)), CHANNEL, span(1 - 3600, 3 - 3600), tmp_path)
        assert [name] == [path.name for path in tmp_path.iterdir()]
    else:
        (tmp_path / name).write_bytes(b"mine")

    found = cut(Camera(shot(0)), 1, 3, tmp_path)

    assert f"{name[:-4]}_20240101_030001Z.mp4" == found.path.name


# -- Life -----------------------------------------------------------------------------------------


def test_events_tell_of_each_recording_and_of_the_result(tmp_path):
    """Numbers count the recordings; names of hidden files are never told."""
    events = []

    found = cut(Camera(shot(0), shot(4)), 1, 7, tmp_path, on_event=events.append)

    assert {(1, 2), (2, 2)} == {(event.file_index, event.file_count) for event in events}
    assert {Stage.DOWNLOAD, Stage.VERIFY, Stage.REMUX, Stage.DONE} == {e.stage for e in events}
    assert [str(found.path)] == [event.message for event in events if event.message]


def test_a_failure_is_told_once(tmp_path):
    """The last event says why, and nothing is left."""
    camera = Camera(shot(0))
    events = []

    def broken(*_, **__):
        raise UnreachableError("the plug is pulled")  # noqa: EM101, TRY003

    camera.open = broken
    with pytest.raises(UnreachableError):
        cut(camera, 1, 3, tmp_path, on_event=events.append)

    assert ["the plug is pulled"] == [e.message for e in events if e.stage is Stage.FAILED]
    assert [] == list(tmp_path.iterdir())


def test_a_display_that_fails_does_not_stop_the_clip(tmp_path, caplog):
    """What the callback raises is logged."""

    def broken(event):
        raise RuntimeError(event.stage)

    found = cut(Camera(shot(0)), 1, 3, tmp_path, on_event=broken)

    assert frames(1, 3) == seen(found.path)
    assert "on_event callback failed" in caplog.text


@pytest.mark.parametrize("stage", [Stage.DOWNLOAD, Stage.REMUX, Stage.VERIFY])
def test_a_clip_can_be_cancelled_anywhere(stage, tmp_path):
    """Nothing is left, wherever it was."""
    stop = threading.Event()

    def on_event(event):
        if event.stage is stage and event.file_index == 2:
            stop.set()

    with pytest.raises(CancelledError):
        cut(Camera(shot(0), shot(4)), 1, 7, tmp_path, on_event=on_event, cancel=stop)

    assert [] == list(tmp_path.iterdir())


def test_a_search_can_be_cancelled(tmp_path):
    """The token is looked at between two results."""
    stop = threading.Event()
    stop.set()

    with pytest.raises(CancelledError):
        cut(Camera(shot(0)), 1, 3, tmp_path / "clips", cancel=stop)

    assert [] == list(tmp_path.iterdir())


def test_hashing_can_be_cancelled(tmp_path):
    """A held file of many gigabytes takes a while to read."""
    camera = Camera(shot(0))
    (file,) = fetched(camera, tmp_path / "held")
    looks = iter([False])  # one look is the search's
    token = SimpleNamespace(is_set=lambda: next(looks, True))

    with pytest.raises(CancelledError):
        cut(camera, 1, 3, tmp_path, held=[file], cancel=token)

    assert ["held"] == [path.name for path in tmp_path.iterdir()]


def test_the_result_is_opened_before_it_gets_its_name(tmp_path, monkeypatch):
    """A file that does not show what was put into it is thrown away."""
    probe = media.probe
    monkeypatch.setattr(media, "probe", lambda file: _shorter(probe(file)))

    with pytest.raises(CorruptMediaError, match=r"should show 2\.0 s"):
        cut(Camera(shot(0)), 1, 3, tmp_path, held=fetched_early(tmp_path))

    assert ["held"] == [path.name for path in tmp_path.iterdir()]


def fetched_early(tmp_path):
    """Download with the real probe: the broken one would refuse the download itself."""
    folder = tmp_path / "held"
    camera = Camera(shot(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media, "probe", _PROBE)
        return fetched(camera, folder)


_PROBE = media.probe


def _shorter(info):
    return attrs.evolve(info, duration=info.duration - 1.5)


def test_what_a_killed_run_has_left_is_removed(tmp_path):
    """Workshops that nobody works in go; those in use, and other files, stay."""
    for name in ("dead", "old", "used"):
        (tmp_path / f".camsync-clip-{name}").mkdir()
    os.utime(tmp_path / ".camsync-clip-old", (0, 0))
    (tmp_path / ".camsync-clip-dead" / ".in-use.0a1b2c3d.part").write_bytes(b"")
    (tmp_path / ".camsync-clip-dead" / "000001.mp4").write_bytes(b"film")
    (tmp_path / ".camsync-clip.mp4.0a1b2c3d.part").write_bytes(b"")
    (tmp_path / ".camsync-clip-file").write_bytes(b"")
    (tmp_path / ".mine").mkdir()
    with PartFile(tmp_path / ".camsync-clip-used" / "in-use"):
        cut(Camera(shot(0)), 1, 3, tmp_path)

        assert [".camsync-clip-file", ".camsync-clip-used", ".mine"] == sorted(leftovers(tmp_path))


def test_a_workshop_that_is_just_being_made_stays(tmp_path):
    """Between the folder and its lock there is a moment."""
    (tmp_path / ".camsync-clip-new").mkdir()

    cut(Camera(shot(0)), 1, 3, tmp_path)

    assert [".camsync-clip-new"] == leftovers(tmp_path)


# -- Arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channel": "1"}, "channel must be a Channel"),
        ({"span": (1, 2)}, "span must be a TimeSpan"),
        ({"gaps": "join"}, "gaps must be 'error' or 'split'"),
        ({"tolerance": 2}, "tolerance must be"),
        ({"tolerance": dt.timedelta(seconds=-1)}, "tolerance must be"),
        ({"container": "original"}, "container='mp4'"),
        ({"held": "file.mp4"}, "held must be a list"),
        ({"held": 7}, "held must be a list"),
        ({"held": [7]}, "held must be a list"),
        ({"provider": object()}, "provider must be"),
        ({"min_free": -1}, "min_free"),
    ],
)
def test_arguments_are_checked_first(options, said, tmp_path):
    """An unusable argument is an error before anything is sent."""
    camera = Camera(shot(0))
    given = {"provider": camera, "channel": CHANNEL, "span": span(1, 3), **options}

    with pytest.raises(ConfigurationError, match=said):
        clip(given.pop("provider"), given.pop("channel"), given.pop("span"), tmp_path, **given)

    assert [] == camera.asked


def test_kinds_are_passed_on_and_the_search_is_a_little_wider(tmp_path):
    """Devices count in whole seconds."""
    camera = Camera(shot(0))

    cut(camera, 1, 3, tmp_path, kinds=())

    assert [(CHANNEL, span(-1, 5), ())] == camera.asked
