"""The transport stream of the Imou simulator: what PyAV makes of it, and the standard's counters."""

from __future__ import annotations

import io
import itertools

from collections import defaultdict

import av
import hypothesis.strategies as st
import pytest

from hypothesis import given

from camsync.testing.imou import _ts
from camsync.testing.imou._footage import Footage


NAMES = {"h264": "h264", "h265": "hevc"}
codecs = pytest.mark.parametrize("codec", NAMES)


def _joined(footage: Footage, longest: int, **options: bool) -> bytes:
    return b"".join(piece.data() for piece in footage.cut(longest, **options))


def _packets(data: bytes) -> list[bytes]:
    assert 0 == len(data) % 188
    return [data[at : at + 188] for at in range(0, len(data), 188)]


def _fields(packet: bytes) -> tuple[int, int, int, int]:
    """Return packet id, control bits, counter, and the length of the adaptation field."""
    field = packet[4] + 1 if packet[3] & 0x20 else 0
    pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
    return pid, packet[3] >> 4 & 3, packet[3] & 15, field


def _clocks(data: bytes) -> list[int]:
    """Return the clock references, in ticks of 90 kHz."""
    return [
        int.from_bytes(packet[6:12], "big") >> 15
        for packet in _packets(data)
        if packet[3] & 0x20 and packet[4] >= 7 and packet[5] & 0x10
    ]


@codecs
@pytest.mark.parametrize(("start", "seconds", "longest"), [(0, 23, 4), (1_000_007, 11, 6)])
def test_the_segments_read_as_one_stream(codec, start, seconds, longest):
    """FFmpeg finds codec, size, rate, length and each picture, and has nothing to complain about."""
    footage = Footage(codec=codec, spans=((start, seconds),))
    av.logging.set_level(av.logging.WARNING)
    source = io.BytesIO(_joined(footage, longest))
    with av.logging.Capture() as complaints, av.open(source, format="mpegts") as container:
        video = container.streams.video[0]
        packets = [packet for packet in container.demux(video) if packet.size]
        found = (
            video.codec_context.name,
            video.codec_context.width,
            video.codec_context.height,
            video.average_rate,
        )
        length = float(video.duration * video.time_base)
    av.logging.set_level(None)
    times = [packet.pts for packet in packets]
    assert [] == complaints
    assert (NAMES[codec], 640, 360, 25) == found
    assert seconds == length
    assert footage.frames == len(packets) == seconds * 25
    assert (_ts.START, {3600}) == (
        times[0],
        {later - earlier for earlier, later in itertools.pairwise(times)},
    )
    assert times == [packet.dts for packet in packets]
    assert seconds == sum(packet.is_keyframe for packet in packets)


@codecs
def test_each_segment_decodes_on_its_own(codec):
    """A segment begins with a key frame and its parameter sets: no picture is lost at its start."""
    for piece in Footage(codec=codec, spans=((3, 9),)).cut(4):
        with av.open(io.BytesIO(piece.data()), format="mpegts") as container:
            container.streams.video[0].codec_context.options = {"err_detect": "explode"}
            assert piece.seconds * 25 == sum(1 for _ in container.decode(video=0))


@codecs
def test_the_stream_remuxes_to_mp4(codec):
    """Copied into an MP4 without decoding, all pictures are there and the length is exact."""
    target = io.BytesIO()
    source = io.BytesIO(_joined(Footage(codec=codec, spans=((8, 7),)), 3))
    with av.open(source, format="mpegts") as given_, av.open(target, "w", format="mp4") as made:
        stream = made.add_stream_from_template(given_.streams.video[0])
        for packet in given_.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    target.seek(0)
    with av.open(target) as container:
        video = container.streams.video[0]
        assert (175, 7) == (video.frames, float(video.duration * video.time_base))
        assert 175 == sum(1 for _ in container.decode(video=0))


@given(
    codec=st.sampled_from(sorted(NAMES)),
    start=st.integers(0, 2_000_000_000),
    seconds=st.integers(0, 40),
    longest=st.integers(1, 9),
)
def test_the_size_is_known_in_advance(codec, start, seconds, longest):
    """The sizes of the pieces, and of the whole, are those of the bytes."""
    footage = Footage(codec=codec, spans=((start, seconds),))
    data = _joined(footage, longest)
    assert len(data) == _ts.size(codec, start % _ts.LOOP, seconds)
    assert len(data) == sum(piece.size for piece in footage.cut(longest))


@codecs
def test_counters_go_on_across_segments(codec):
    """Each packet id counts its packets modulo 16, whatever segment they are in."""
    last: dict[int, int] = {}
    for packet in _packets(_joined(Footage(codec=codec, spans=((5, 13),)), 4)):
        pid, control, counter, _ = _fields(packet)
        assert 0x47 == packet[0]
        assert control & 1
        assert (last.get(pid, -1) + 1) % 16 == counter
        last[pid] = counter
    assert {0, 0x100, 0x1000} == set(last)


def test_clock_references_run_ahead_and_even():
    """There is one for each picture, a tenth of a second before it is shown."""
    clocks = _clocks(_joined(Footage(codec="h264", spans=((0, 3),)), 2))
    assert [_ts.START - 9_000 + 3_600 * n for n in range(75)] == clocks


def test_time_stamps_wrap_after_26_hours(monkeypatch):
    """The 33 bits of a time stamp begin again at zero."""
    late = 2**33 // 90_000
    clocks = _clocks(_ts.segment("h264", 0, late - 2, 3))
    assert max(clocks) > 2**33 - 90_000
    assert min(clocks) < 90_000


@codecs
@pytest.mark.parametrize("table", [_ts.programs(3), None])
def test_tables_carry_a_valid_checksum(codec, table):
    """CRC-32/MPEG-2 over a table, checksum included, is zero."""
    packet = table or _ts.program_map(codec, 5)
    length = int.from_bytes(packet[6:8], "big") & 0xFFF
    assert 0 == _ts._crc(packet[5 : 8 + length])
    assert {0xFF} == set(packet[8 + length :])


@given(size=st.integers(0, 800), tick=st.integers(0, 2**33 - 1), counter=st.integers(0, 15))
def test_a_picture_of_any_size_is_packed_and_found_again(size, tick, counter):
    """Payloads put together give the picture back, and stuffing fills the last packet exactly."""
    unit = bytes(n % 251 for n in range(size))
    payloads = defaultdict(bytes)
    for place, packet in enumerate(_packets(_ts.frame(unit, tick, counter, key=True))):
        pid, _, number, field = _fields(packet)
        assert (counter + place) % 16 == number
        assert bool(packet[1] & 0x40) == (place == 0)
        payloads[pid] += packet[4 + field :]
    pes = payloads[0x100]
    assert (b"\0\0\1\xe0", unit) == (pes[:4], pes[14:])


def test_footage_is_cut_at_whole_seconds():
    """Only the last piece of a span is shorter, and a new span begins a new clock."""
    pieces = Footage(codec="h265", spans=((95, 7), (200, 4))).cut(3)
    assert [(5, 0, 3), (5, 3, 3), (5, 6, 1), (0, 0, 3), (0, 3, 1)] == [
        (piece.first, piece.begin, piece.seconds) for piece in pieces
    ]
    assert [False, False, False, True, False] == [piece.restarts for piece in pieces]


def test_a_restart_in_the_middle_keeps_the_pictures():
    """The clock begins anew, and the video goes on where it was."""
    footage = Footage(codec="h264", spans=((2, 8), (50, 2)))
    plain, odd = footage.cut(2), footage.cut(2, restart_in_the_middle=True)
    assert [False, False, True, False, True] == [piece.restarts for piece in odd]
    assert [0, 2, 0, 2, 0] == [piece.begin for piece in odd]
    shown = [
        [(piece.first + piece.begin) % _ts.LOOP for piece in pieces] for pieces in (plain, odd)
    ]
    assert shown[0] == shown[1]
    assert plain[4] == odd[4]
    assert {_ts.START - 9_000} == {_clocks(odd[n].data())[0] for n in (0, 2, 4)}


def test_a_restart_needs_a_middle():
    """One piece alone has none, and a piece that begins a clock anyway needs none."""
    alone = Footage(codec="h264", spans=((0, 2),))
    assert alone.cut(4) == alone.cut(4, restart_in_the_middle=True)
    pair = Footage(codec="h264", spans=((0, 2), (9, 2)))
    assert pair.cut(4) == pair.cut(4, restart_in_the_middle=True)
