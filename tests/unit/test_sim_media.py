"""The simulator's video: what PyAV makes of it, sizes known in advance, constant memory."""

from __future__ import annotations

import io
import itertools
import struct

import av
import hypothesis.strategies as st
import pytest

from hypothesis import example, given

from camsync.testing.recorder import _ps
from camsync.testing.recorder._media import ProgramStream, pictures, program_stream, tone


CODECS = {"h264": "h264", "h265": "hevc"}


def _bytes_of(stream: ProgramStream) -> bytes:
    return b"".join(stream)


@pytest.mark.parametrize("header", ["imkh", "envelope", "none"])
@pytest.mark.parametrize("with_map", [True, False])
@pytest.mark.parametrize("codec", CODECS)
def test_a_recording_demuxes_to_the_right_frames(codec, with_map, header):
    """FFmpeg finds codec, rate, length and every picture, with even time stamps."""
    stream = program_stream(codec, 12.4, header=header, with_map=with_map)
    with av.open(io.BytesIO(_bytes_of(stream))) as container:
        video = container.streams.video[0]
        packets = [packet for packet in container.demux(video) if packet.size]
        assert (CODECS[codec], 640, 360, 25) == (
            video.codec_context.name,
            video.codec_context.width,
            video.codec_context.height,
            video.average_rate,
        )
        assert pytest.approx(12.4) == float(video.duration * video.time_base)
    times = [packet.pts for packet in packets]
    assert 310 == len(packets)
    assert {3600} == {later - earlier for earlier, later in itertools.pairwise(times)}
    assert times == [packet.dts for packet in packets]
    assert 13 == sum(packet.is_keyframe for packet in packets)


@pytest.mark.parametrize("codec", CODECS)
def test_each_picture_decodes(codec):
    """A decoder that stops at the first error reads the loop twice over."""
    with av.open(io.BytesIO(_bytes_of(program_stream(codec, 12)))) as container:
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        assert 300 == sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize(("audio", "name"), [("g711a", "pcm_alaw"), ("g711u", "pcm_mulaw")])
def test_sound_is_a_clean_tone(audio, name):
    """The G.711 track decodes to eight kilohertz at the level that was put in."""
    with av.open(io.BytesIO(_bytes_of(program_stream(seconds=3, audio=audio)))) as container:
        sound = container.streams.audio[0]
        assert (name, 8000, 1) == (
            sound.codec_context.name,
            sound.codec_context.sample_rate,
            sound.codec_context.channels,
        )
        frames = list(container.decode(sound))
    samples = [
        sample
        for frame in frames
        for (sample,) in struct.iter_unpack("<h", bytes(frame.planes[0])[: 2 * frame.samples])
    ]
    assert 24_000 == len(samples)
    assert 8_000 == pytest.approx(max(samples), rel=0.03)
    assert -8_000 == pytest.approx(min(samples), rel=0.03)
    assert samples[:8_000] == samples[8_000:16_000]


@given(
    codec=st.sampled_from(["h264", "h265"]),
    frames=st.integers(0, 300),
    audio=st.sampled_from([None, "g711a", "g711u"]),
    bitrate=st.none() | st.integers(1, 12_000_000),
    header=st.sampled_from(["imkh", "envelope", "none"]),
    with_map=st.booleans(),
    end_code=st.booleans(),
)
def test_the_size_is_known_in_advance(codec, frames, audio, bitrate, header, with_map, end_code):
    """The announced size is the number of bytes, for any settings."""
    stream = ProgramStream(
        codec=codec,
        frames=frames,
        audio=audio,
        bitrate=bitrate,
        header=header,
        with_map=with_map,
        end_code=end_code,
    )
    assert stream.size == sum(len(chunk) for chunk in stream)


def test_the_same_arguments_give_the_same_bytes():
    """A recording can be made again at any time."""
    assert _bytes_of(program_stream(seconds=11)) == _bytes_of(program_stream(seconds=11))


def test_padding_reaches_the_bitrate_and_demuxes():
    """Eight megabits a second are reached within a percent, and the pictures stay."""
    stream = program_stream(seconds=4, bitrate=8_000_000)
    assert 4_000_000 == pytest.approx(stream.size, rel=0.01)
    with av.open(io.BytesIO(_bytes_of(stream))) as container:
        assert 100 == sum(1 for packet in container.demux(video=0) if packet.size)


def test_a_huge_bitrate_comes_in_pieces_of_bounded_size():
    """Two gigabits a second do not make chunks of a quarter of a gigabyte."""
    chunks = itertools.islice(program_stream(seconds=1, bitrate=200_000_000), 30)
    assert 2 * 2**20 > max(len(chunk) for chunk in chunks)


def test_the_header_says_what_is_inside():
    """Forty bytes: PS, codec, and the sound's format, rate and bits."""
    data = _bytes_of(program_stream("h265", 1, audio="g711a"))
    fields = struct.unpack("<4sHHHHHBBII16x", data[:40])
    assert (b"IMKH", 0x0102, 0, 2, 5, 0x7111, 1, 16, 8_000, 64_000) == fields
    assert b"\0\0\1\xba" == data[40:44]
    silent = struct.unpack("<4sHHHHH", _bytes_of(program_stream(seconds=1))[:14])
    assert (b"IMKH", 0x0102, 0, 2, 1, 0) == silent


def test_the_envelope_is_64_bytes():
    """The first pack of a DS-9632NI-M8 stands at 64, its IMKH header at 24."""
    data = _bytes_of(program_stream(seconds=1, header="envelope"))
    assert b"\x00\x00\x00\x40\x00\x00\x00\x13" == data[:8]
    assert (24, 64) == (data.index(b"IMKH"), data.index(b"\0\0\1\xba"))


def test_no_packet_is_longer_than_a_recorder_makes_it():
    """PES packets keep to 5,120 bytes, headers included, also when a picture needs many."""
    data = _ps.packets(_ps.VIDEO_ID, bytes(20_000))
    sizes, at = [], 0
    while at < len(data):
        assert b"\0\0\1\xe0" == data[at : at + 4]
        sizes.append(6 + int.from_bytes(data[at + 4 : at + 6], "big"))
        at += sizes[-1]
    assert (5_120, 4) == (max(sizes), len(sizes))


@given(st.integers(0, 2**33 - 1))
def test_time_stamps_hold_their_ticks(ticks):
    """Clock reference and presentation time give back all 33 bits."""
    pts = int.from_bytes(_ps.presentation_time(ticks), "big")
    assert ticks == (pts >> 33 & 7) << 30 | (pts >> 17 & 0x7FFF) << 15 | pts >> 1 & 0x7FFF
    scr = int.from_bytes(_ps.clock_reference(ticks), "big")
    assert ticks == (scr >> 43 & 7) << 30 | (scr >> 27 & 0x7FFF) << 15 | scr >> 11 & 0x7FFF


@given(st.integers(0, 300_000))
@example(65_541 + 3)
@example(5)
def test_padding_has_the_size_that_was_asked(size):
    """Padding is exact from six bytes on, the length of its header; below it is left out."""
    data = _ps.padding(size)
    assert (size if size >= 6 else 0) == len(data)
    at = 0
    while at < len(data):
        assert b"\0\0\1\xbe" == data[at : at + 4]
        at += 6 + int.from_bytes(data[at + 4 : at + 6], "big")
    assert len(data) == at


def test_the_stream_map_carries_a_valid_checksum():
    """CRC-32/MPEG-2 over the whole map, checksum included, is zero."""
    assert 0 == _ps._crc(_ps.stream_map("h265", "g711u")[:])
    assert b"\x24\xe0" in _ps.stream_map("h265", None)


def test_the_assets_are_ten_seconds_without_delimiters():
    """Each loop has 250 pictures that start with a start code; the tone fits 25 to the second."""
    for codec in CODECS:
        assert 250 == len(pictures(codec))
        assert all(unit.startswith(b"\0\0\0\1") for unit in pictures(codec))
    assert [320] * 25 == [len(piece) for piece in tone("g711a")]


@pytest.mark.parametrize(
    "wrong", [{"codec": "mpeg4"}, {"audio": "aac"}, {"header": "riff"}, {"seconds": -1}]
)
def test_nonsense_is_refused(wrong):
    """Settings that no recorder has are a ValueError."""
    with pytest.raises(ValueError):
        program_stream(**wrong)
