"""What the time stamps of segments say, and whether segments follow one another without a hole."""

from __future__ import annotations

import io

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import ShortReadError
from camsync._secret import Secret
from camsync.providers.imou._playlist import Segment
from camsync.providers.imou._stamps import CLOCK, Measure, apart, measure
from camsync.providers.imou._timeline import Timeline, is_short
from camsync.testing.imou._ts import segment
from camsync.testing.recorder._ps import presentation_time


WRAP = 1 << 33
VIDEO, SOUND, PRIVATE = 0xE0, 0xC0, 0xBD
FPS = 25


def _packet(seconds: float, stream: int = VIDEO) -> bytes:
    """Return a packet in which a picture, or a piece of sound, begins."""
    stamp = presentation_time(round(seconds * CLOCK) % WRAP)
    pes = b"\0\0\1" + bytes((stream, 0, 0, 0x84, 0x80, 5)) + stamp
    return (b"\x47\x41\0\x10" + pes).ljust(188, b"\xff")


def _run(begin: float, seconds: float, stream: int = VIDEO, fps: int = FPS) -> bytes:
    return b"".join(_packet(begin + n / fps, stream) for n in range(round(seconds * fps)))


def _measure(data: bytes) -> Measure:
    return measure(io.BytesIO(data))


def _segment(seconds: float, *, restarts: bool = False) -> Segment:
    uri = Secret("https://media.invalid/1.ts")
    return Segment(number=1, uri=uri, seconds=seconds, name="1", restarts=restarts)


def _joined(*parts, usual: float = 4.0) -> Timeline:
    """Return the timeline of *(stream, seconds by the playlist, whether it restarts)*."""
    timeline = Timeline()
    for data, seconds, *restarts in parts:
        one = _segment(seconds, restarts=bool(restarts))
        timeline = timeline.behind(one, _measure(data), usual)
    return timeline


# -- What the stamps say


def test_a_real_stream_lasts_as_long_as_its_pictures():
    """The last picture lasts as long as the others."""
    found = _measure(segment("h265", 0, 0, 3))

    assert (3.0, CLOCK, 3600) == (found.seconds, found.video.first, found.video.step)
    assert (None, False) == (found.sound, found.scrambled)
    assert 4 * CLOCK == found.video.end


def test_pictures_that_come_in_the_order_of_decoding():
    """The earliest picture counts, not the first one that comes."""
    order = [3, 1, 0, 2, 6, 5, 4, 7]
    found = _measure(b"".join(_packet(10 + n / FPS) for n in order))

    assert (10 * CLOCK, 8 / FPS) == (found.video.first, pytest.approx(found.seconds))
    assert 0.0 == pytest.approx(apart(found.video.end, round((10 + 8 / FPS) * CLOCK)))


def test_a_clock_that_wraps_in_a_segment():
    """Time stamps have 33 bits, which is a good day."""
    begin = WRAP / CLOCK - 1
    found = _measure(_run(begin, 4))

    assert 4.0 == pytest.approx(found.seconds)
    assert 4.0 == pytest.approx(apart(found.video.end, found.video.first), abs=0.001)


def test_a_clock_that_begins_anew_in_a_segment():
    """Both parts count, and the next segment goes on from the second one."""
    found = _measure(_run(900, 2) + _run(1, 3))

    assert 5.0 == pytest.approx(found.seconds)
    assert (900 * CLOCK, 4 * CLOCK) == (found.video.first, found.video.end)


@pytest.mark.parametrize(
    ("data", "seconds", "kinds"),
    [
        (_packet(5), 0.0, (True, False)),
        (_packet(5) * 3, 0.0, (True, False)),
        (_run(5, 2, SOUND), 2.0, (False, True)),
        (_run(5, 2, PRIVATE), 2.0, (False, True)),
        (_run(5, 1) + _run(5, 4, SOUND), 4.0, (True, True)),
        (_run(5, 2, 0xBE), 0.0, (False, False)),
        (b"\x47\x1f\xff\x10".ljust(188, b"\xff") * 9, 0.0, (False, False)),
        (b"\x47\x41\0\x30\xb7".ljust(188, b"\xff"), 0.0, (False, False)),
        (b"\x47\x41\0\xd0".ljust(188, b"\x9a") * 9, None, (False, False)),
        (b"\x47\x41\0\xd0".ljust(188, b"\x9a") + _run(5, 2), 2.0, (True, False)),
    ],
)
def test_what_tells_nothing_is_nothing(data, seconds, kinds):
    """Only packets that are encrypted leave it open how long a segment is."""
    found = _measure(data)

    assert kinds == (found.video is not None, found.sound is not None)
    assert (pytest.approx(seconds) if seconds else seconds) == found.seconds


def test_a_digest_tells_segments_apart():
    """The same bytes have the same one, others have others."""
    one, other = _measure(_run(1, 1)), _measure(_run(2, 1))

    assert one.digest == _measure(_run(1, 1)).digest != other.digest


# -- What belongs together


@given(
    lengths=st.lists(st.integers(1, 8), min_size=1, max_size=8),
    begin=st.integers(0, WRAP - 1),
    rounding=st.sampled_from([0.0, 0.4, -0.4]),
)
def test_what_is_whole_passes(lengths, begin, rounding):
    """Wherever the clock stands, and however lengths are rounded."""
    at, parts = begin / CLOCK, []
    for seconds in lengths:
        parts.append((_run(at, seconds, fps=5), seconds + rounding))
        at += seconds

    found = _joined(*parts)
    assert sum(lengths) == pytest.approx(found.seconds, abs=0.01)
    assert found.is_enough(sum(lengths))


@given(st.permutations(range(6)), st.integers(2, 6))
def test_what_is_not_whole_does_not_pass(order, left):
    """Left out in the middle, in another order: the time stamps tell."""
    chosen = order[:left]
    parts = [(_run(100 + 4 * n, 4, fps=5), 4.0) for n in chosen]
    if chosen == list(range(chosen[0], chosen[0] + left)):
        assert 4.0 * left == pytest.approx(_joined(*parts).seconds)
    else:
        with pytest.raises(ShortReadError, match=r"missing|out of order"):
            _joined(*parts)


@pytest.mark.parametrize("usual", [1.0, 2.0, 4.0, 10.0])
def test_one_segment_that_is_left_out_is_noticed(usual):
    """Also where all segments are short."""
    parts = [(_run(usual * n, usual), usual) for n in (0, 1, 3)]
    with pytest.raises(ShortReadError, match="segments are missing"):
        _joined(*parts, usual=usual)


@pytest.mark.parametrize("usual", [1.0, 2.0, 4.0, 10.0])
def test_one_segment_that_comes_twice_is_noticed(usual):
    """Its time stamps lead back."""
    parts = [(_run(usual * n, usual), usual) for n in (0, 1, 1)]
    with pytest.raises(ShortReadError, match="come twice"):
        _joined(*parts, usual=usual)


def test_a_short_pause_between_two_clips_counts():
    """A service that joins clips of events leaves out what was not filmed."""
    found = _joined((_run(0, 4), 4), (_run(5.5, 4), 4), (_run(9.4, 4), 4))

    assert 13.4 == pytest.approx(found.seconds, abs=0.01)
    with pytest.raises(ShortReadError, match=r"jumps by 2\.5 s"):
        _joined((_run(0, 4), 4), (_run(6.5, 4), 4))


def test_a_clock_may_begin_anew_where_the_playlist_says_so():
    """Then nothing has to fit, and the lengths are added up."""
    assert 8.0 == pytest.approx(_joined((_run(900, 4), 4), (_run(1, 4), 4, True)).seconds)
    with pytest.raises(ShortReadError):
        _joined((_run(900, 4), 4), (_run(1, 4), 4))


def test_a_playlist_that_exaggerates_is_forgiven():
    """When each segment goes on where the one before has ended, nothing is missing."""
    found = _joined(*((_run(4 * n, 4), 12) for n in range(3)), usual=12)

    assert (12.0, True) == (pytest.approx(found.seconds), found.exaggerated)
    assert not _joined((_run(0, 4), 4), (_run(4, 4), 4)).exaggerated


@pytest.mark.parametrize("left", [0.1, 1.0, 2.0, 3.3])
def test_a_segment_that_was_cut_is_not_forgiven(left):
    """The next one begins where the whole one would have ended."""
    with pytest.raises(ShortReadError, match="end of a segment is missing"):
        _joined((_run(0, 4), 4), (_run(4, left), 4), (_run(8, 4), 4))


def test_a_little_less_in_each_segment_adds_up():
    """What each one may lack does not count as a pause."""
    found = _joined(*((_run(4 * n, 3.6), 4) for n in range(15)))

    assert 54.0 == pytest.approx(found.seconds, abs=0.1)
    with pytest.raises(ShortReadError, match=r"54\.0 of 60\.0 announced"):
        found.check_end(60.0)


def test_a_segment_of_sound_is_no_hole():
    """A camera may pause its pictures; the sound goes on."""
    both = lambda at: _run(at, 4) + _run(at, 4, SOUND)  # noqa: E731
    found = _joined((both(0), 4), (_run(4, 4, SOUND), 4), (both(8), 4))

    assert 12.0 == pytest.approx(found.seconds)
    late = _run(6, 2) + _run(4, 4, SOUND)
    assert 12.0 == pytest.approx(_joined((both(0), 4), (late, 4), (both(8), 4)).seconds)
    with pytest.raises(ShortReadError):
        _joined((both(0), 4), (both(8), 4))


def test_sound_after_pictures_without_sound():
    """What cannot be compared with its like is compared with what there is."""
    assert 8.0 == pytest.approx(_joined((_run(0, 4), 4), (_run(4, 4, SOUND), 4)).seconds)


def test_a_segment_of_nothing():
    """It counts nothing: what comes next must go on from the one before."""
    nothing = b"\x47\x1f\xff\x10".ljust(188, b"\xff")
    found = _joined((_run(0, 4), 4), (nothing, 0.2), (_run(4, 4), 4))

    assert (8.0, True) == (pytest.approx(found.seconds), found.is_enough(8.4))
    with pytest.raises(ShortReadError, match=r"jumps by 4\.0 s"):
        _joined((_run(0, 4), 4), (nothing, 4), (_run(8, 4), 4))


def test_encrypted_packets_say_nothing():
    """Then the playlist counts, and the download says that the video is encrypted."""
    hidden = b"\x47\x41\0\xd0".ljust(188, b"\x9a")
    found = _joined((_run(0, 4), 4), (hidden, 4), (_run(90, 4), 4))

    assert 12.0 == pytest.approx(found.seconds)
    assert not is_short(_segment(4), _measure(hidden))


# -- The end


@pytest.mark.parametrize(
    ("announced", "enough"), [(60.0, True), (62.0, True), (63.1, True), (63.3, False)]
)
def test_a_whole_may_be_a_little_shorter_than_announced(announced, enough):
    """Two seconds, or 5 %: as the download engine says."""
    found = _joined(*((_run(4 * n, 4), 4) for n in range(15)))

    assert enough == found.is_enough(announced)


@pytest.mark.parametrize("restarts", [(), (True,)])
def test_a_last_segment_that_was_cut(restarts):
    """Nothing follows that could tell: then the whole must be there but for two seconds."""
    parts = [(_run(4 * n, 4), 4) for n in range(14)] + [(_run(56, 1), 4)]
    if restarts:
        parts.append((_run(0, 4), 4, True))
    found, whole = _joined(*parts), 60.0 + 4 * len(restarts)

    assert found.is_enough(whole - 1)
    assert not found.is_enough(whole)
    with pytest.raises(ShortReadError, match="announced seconds"):
        found.check_end(whole)


def test_a_part_is_not_compared_with_the_whole():
    """A stream that left out the begin cannot know."""
    Timeline(whole=False).check_end(60.0)
    with pytest.raises(ShortReadError):
        Timeline().check_end(60.0)
