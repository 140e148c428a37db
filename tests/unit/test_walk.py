from __future__ import annotations

import io
import struct

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import Codec, CorruptMediaError
from camsync.download import _walk
from camsync.testing.recorder._media import program_stream


def sample(codec="h264", seconds=2.0, **options):
    """Return a program stream as a recorder would send it."""
    return b"".join(program_stream(codec, seconds=seconds, **options))


def walk(data):
    """Sniff and walk *data*."""
    return _walk.walk_ps(io.BytesIO(data), _walk.sniff(data[: _walk.HEAD]))


def stamp_bytes(stamp):
    """Return the five bytes of a time stamp."""
    return bytes(
        (
            0x21 | (stamp >> 30 & 7) << 1,
            stamp >> 22 & 0xFF,
            0x01 | (stamp >> 15 & 0x7F) << 1,
            stamp >> 7 & 0xFF,
            0x01 | (stamp & 0x7F) << 1,
        )
    )


def frame(stamp=None, *, flags=0x80, payload=b"\0\0\1\x65picture", code=0xE0):
    """Return a PES packet of video, with a time stamp if one is given."""
    head = bytes((flags, 0x80 if stamp is not None else 0, 5 if stamp is not None else 0))
    body = head + (stamp_bytes(stamp) if stamp is not None else b"") + payload
    return b"\0\0\1" + bytes((code,)) + len(body).to_bytes(2, "big") + body


PACK = b"\0\0\1\xba\x44" + bytes(8) + b"\xf8"
MPEG1_PACK = b"\0\0\1\xba\x21" + bytes(7)


# -- sniff


@pytest.mark.parametrize(("codec", "expected"), [("h264", Codec.H264), ("h265", Codec.H265)])
def test_imkh_header_names_the_codec(codec, expected):
    """The header is the reliable source of the codec; a demuxer has to begin at it."""
    head = _walk.sniff(sample(codec, audio="g711a")[:4096])

    assert _walk.Head(container="mpeg-ps", start=0, pack=40, codec=expected, audio=0x7111) == head


def test_envelope_is_passed_over():
    """DS-9632NI-M8 V5.04.081 puts 64 bytes in front, with the header inside."""
    head = _walk.sniff(sample(header="envelope")[:4096])

    assert (64, Codec.H264) == (head.pack, head.codec)
    assert 0 < head.start < 64


def test_program_stream_without_header_is_fine():
    """Cameras' own files may begin with the first pack."""
    assert _walk.Head(container="mpeg-ps") == _walk.sniff(sample(header="none")[:4096])


def test_cut_imkh_header_says_nothing():
    """Four letters are not a header: the codec is not read from what follows by chance."""
    assert Codec.UNKNOWN is _walk.sniff(b"IMKH\0\0\0" + PACK[:4]).codec


def test_unknown_codec_number_is_unknown():
    """A number that nobody knows is not an error: the stream map may know."""
    header = b"IMKH" + struct.pack("<HHHHH", 1, 1, 2, 99, 0) + bytes(26)

    assert Codec.UNKNOWN is _walk.sniff(header + PACK).codec


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (b"\0\0\0\x20ftypisom" + bytes(100), "mp4"),
        (b"\0\0\0\x20stypmsdh" + bytes(100), "mp4"),
        ((b"\x47" + bytes(187)) * 4, "mpeg-ts"),
        ((b"\x47" + bytes(187)) * 2, "mpeg-ts"),
    ],
)
def test_other_containers_are_recognised(data, container):
    """What is MP4 or a transport stream already is accepted as such."""
    assert container == _walk.sniff(data).container


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0"?><ResponseStatus><statusCode>3</statusCode></ResponseStatus>',
        b"\xef\xbb\xbf  \r\n<html><body>busy</body></html>",
        b"<",
    ],
)
def test_text_is_not_video(data):
    """Recorders send error documents with status 200."""
    with pytest.raises(CorruptMediaError, match="text document"):
        _walk.sniff(data)


def test_message_names_the_document():
    """A user can tell an error of the recorder from a login page."""
    with pytest.raises(CorruptMediaError, match="<ResponseStatus>"):
        _walk.sniff(b'<?xml version="1.0"?>\n<ResponseStatus version="1.0"/>')


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"\x47" * 100, b"G" + bytes(300), b"{}"])
def test_unknown_bytes_are_refused(data):
    """Bytes that are no container are no recording."""
    with pytest.raises(CorruptMediaError, match="no video that is known"):
        _walk.sniff(data)


def test_first_pack_must_be_near():
    """A start code far into the file is a coincidence."""
    with pytest.raises(CorruptMediaError):
        _walk.sniff(b"\1" * 4096 + PACK)


@given(data=st.binary(max_size=400))
def test_sniff_bears_anything(data):
    """Random bytes give a container or one kind of error."""
    try:
        assert _walk.sniff(data).container in {"mpeg-ps", "mpeg-ts", "mp4"}
    except CorruptMediaError as error:
        assert error.message  # noqa: PT017 - either is right


# -- stream map


def test_stream_map_repeats_what_the_header_says():
    """It is written as recorders write it, for streams that lack one."""
    data = sample("h265", audio="g711u", with_map=False)
    head = _walk.sniff(data[:4096])
    summary = walk(data)
    mapped = walk(data[: head.pack] + PACK + _walk.stream_map(head) + data[head.pack :])

    assert (False, True) == (summary.mapped, mapped.mapped)
    assert Codec.H265 is mapped.codec
    assert b"\x24\xe0\0\0\x91\xc0\0\0" in _walk.stream_map(head)


def test_no_stream_map_for_an_unknown_codec():
    """Nothing is made up."""
    assert b"" == _walk.stream_map(_walk.Head(container="mpeg-ps"))


def test_stream_map_leaves_out_unknown_sound():
    """G.722.1 has no stream type that FFmpeg knows."""
    head = _walk.Head(container="mpeg-ps", codec=Codec.H264, audio=0x7221)

    assert b"\x1b\xe0\0\0" in _walk.stream_map(head)
    assert b"\xc0" not in _walk.stream_map(head)


# -- program stream


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("header", ["imkh", "envelope", "none"])
def test_walk_measures_a_recording(codec, header):
    """Frames, length and codec are found without a media library."""
    summary = walk(sample(codec, 4.0, header=header, audio="g711a", end_code=True))

    assert Codec(codec) is summary.codec
    assert 100 == summary.frames
    assert pytest.approx(4.0) == summary.seconds
    assert (0, False, 0, 0.0) == (
        summary.garbage,
        summary.truncated,
        summary.scrambled,
        summary.gaps,
    )
    assert summary.audio > 10


def test_padding_is_no_garbage():
    """Recorders fill up with padding packets, or with zeros."""
    data = sample(bitrate=3_000_000)

    assert 0 == walk(data).garbage
    assert 0 == walk(data + bytes(200_000)).garbage


def test_cut_recording_is_shorter_and_says_so():
    """A connection that ends early leaves a part of a packet behind."""
    data = sample(seconds=4.0)
    summary = walk(data[: len(data) // 2])

    assert summary.truncated
    assert 1.0 < summary.seconds < 3.0


@pytest.mark.parametrize("rest", [1, 3, 4, 5, 8, 12])
def test_cut_in_the_middle_of_a_header_is_noticed(rest):
    """Only a rest that is too short for a start code stays unnoticed."""
    data = PACK + frame(0) + frame(3600)

    for piece in (PACK, frame(7200)):
        assert (rest >= 4) is walk(data + piece[:rest]).truncated


def test_garbage_is_counted_and_borne():
    """A hole in the recording does not lose what stands behind it."""
    data = sample(seconds=4.0)
    clean = walk(data)
    middle = data.index(_walk.PACK, len(data) // 2)
    summary = walk(data[:middle] + b"\xff" * 5000 + data[middle:])

    assert 5000 == summary.garbage
    assert clean.seconds == summary.seconds


def test_too_much_garbage_is_corrupt():
    """What is mostly not a program stream is not a recording."""
    with pytest.raises(CorruptMediaError, match="no MPEG program stream"):
        walk(sample() + b"\xff" * 300_000)


def test_no_video_is_corrupt():
    """Sound alone is not what was announced."""
    with pytest.raises(CorruptMediaError, match="no video"):
        walk(PACK + frame(0, code=0xC0) * 3)


def test_scrambled_video_is_corrupt():
    """The packets say themselves that they are encrypted."""
    with pytest.raises(CorruptMediaError, match="encrypted"):
        walk(PACK + b"".join(frame(3600 * each, flags=0x90) for each in range(5)))


def test_scrambled_pieces_of_a_picture_count():
    """Most packets of a picture have no time stamp, and say all the same that they are encrypted."""
    summary = walk(PACK + frame(0) + frame() * 4 + frame(flags=0x90) + frame(3600) + frame())

    assert (8, 1, 2) == (summary.video, summary.scrambled, summary.frames)


def test_time_stamps_wrap():
    """The 33-bit clock starts over every 26.5 hours; the recording goes on."""
    first = 2**33 - 3600 * 10
    data = PACK + b"".join(frame((first + 3600 * each) % 2**33) for each in range(50))

    assert pytest.approx(2.0) == walk(data).seconds


def test_jump_forward_is_a_gap():
    """Ten minutes missing in the time stamps are told apart from ten minutes of video."""
    stamps = [3600 * each for each in range(50)]
    stamps += [each + 600 * 90_000 for each in stamps]
    summary = walk(PACK + b"".join(map(frame, stamps)))

    assert pytest.approx(4.0, abs=0.1) == summary.seconds
    assert pytest.approx(598, abs=0.1) == summary.gaps


def test_jump_back_is_no_gap():
    """A clock that was set back takes nothing away."""
    stamps = [3600 * each + 600 * 90_000 for each in range(50)]
    stamps += [3600 * each for each in range(50)]
    summary = walk(PACK + b"".join(map(frame, stamps)))

    assert pytest.approx(4.0, abs=0.1) == summary.seconds
    assert 0.0 == summary.gaps


def test_reordered_frames_do_not_shorten():
    """With B-frames the presentation times go back and forth."""
    stamps = [3600 * each for each in (0, 2, 1, 4, 3, 6, 5, 7)]
    summary = walk(PACK + b"".join(map(frame, stamps)))

    assert pytest.approx(8 / 25) == summary.seconds


def test_slices_with_the_same_time_are_one_frame():
    """Some encoders repeat the time stamp on every packet of a frame."""
    stamps = [3600 * (each // 3) for each in range(30)]
    summary = walk(PACK + b"".join(map(frame, stamps)))

    assert 10 == summary.frames
    assert pytest.approx(10 / 25) == summary.seconds


@pytest.mark.parametrize("stamps", [[], [5]])
def test_length_needs_two_frames(stamps):
    """One time stamp or none says nothing about the length."""
    summary = walk(PACK + frame(None) + b"".join(map(frame, stamps)))

    assert len(stamps) == summary.frames
    assert 0.0 == summary.seconds


def test_mpeg1_packs_are_walked():
    """An old pack header has another length."""
    summary = walk(MPEG1_PACK + frame(0) + MPEG1_PACK + frame(3600))

    assert (2, 0) == (summary.frames, summary.garbage)


def test_mpeg1_packets_have_no_time_stamps_for_us():
    """What is not MPEG-2 is counted and not read."""
    assert 0 == walk(PACK + frame(0, flags=0x0F)).frames


def test_pack_of_no_version_is_garbage():
    """A start code in the middle of something else is not believed."""
    summary = walk(PACK + frame(0) + b"\0\0\1\xba\xff" + b"\xff" * 20 + PACK + frame(3600))

    assert (2, 23) == (summary.frames, summary.garbage)


def test_packet_without_length_ends_at_the_next_pack():
    """Not allowed, but written; what is in it is video all the same."""
    endless = b"\0\0\1\xe0\0\0\x80\x80\5" + stamp_bytes(3600) + b"\xff" * 100_000
    summary = walk(PACK + frame(0) + PACK + endless + PACK + frame(7200))

    assert (3, 0, False) == (summary.frames, summary.garbage, summary.truncated)


def test_bare_video_start_codes_are_garbage():
    """Slices outside of packets belong to nothing."""
    summary = walk(PACK + frame(0) + b"\0\0\1\x65" + b"\xff" * 10 + PACK + frame(3600))

    assert 2 == summary.frames
    assert summary.garbage > 9


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xe0\xff\0\0",
        b"\xe0\xff\xff\xff\0\4\x1b\xe0\0\0",
        b"\xe0\xff\0\0\xff\xff\x1b\xe0\0",
        b"\xe0\xff\0\0\0\4\x90\xc0\0\0",
    ],
)
def test_odd_stream_maps_map_no_video(body):
    """A map that is cut, lies about its lengths, or holds sound only is harmless."""
    broken = b"\0\0\1\xbc" + len(body).to_bytes(2, "big") + body
    summary = walk(PACK + broken + PACK + frame(0) + frame(3600))

    assert (False, Codec.UNKNOWN) == (summary.mapped, summary.codec)


def test_unknown_stream_type_leaves_the_codec_to_the_header():
    """The map is there, but says nothing that we know."""
    table = b"\x1b\xc0\0\0\x42\xe0\0\0"
    body = b"\xe0\xff\0\0" + len(table).to_bytes(2, "big") + table + bytes(4)
    data = PACK + b"\0\0\1\xbc" + len(body).to_bytes(2, "big") + body + frame(0)

    assert (True, Codec.UNKNOWN) == (walk(data).mapped, walk(data).codec)


class Counting(io.BytesIO):
    """A file that remembers the largest read and the number of bytes read."""

    largest = total = 0

    def read(self, size=-1):
        data = super().read(size)
        self.largest, self.total = max(self.largest, len(data)), self.total + len(data)
        return data


def test_walk_reads_in_windows():
    """Memory does not grow with the file, and nothing is read many times over."""
    data = sample(bitrate=20_000_000)
    file = Counting(data)
    _walk.walk_ps(file, _walk.sniff(data[:4096]))

    assert len(data) > 4_000_000
    assert file.largest <= 1 << 20
    assert file.total < len(data) * 1.2


@given(
    parts=st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.just(PACK),
            st.just(MPEG1_PACK),
            st.integers(0, 2**33 - 1).map(frame),
            st.binary(max_size=30).map(lambda body: b"\0\0\1\xbc\0\x20" + body),
            st.integers(0, 255).map(lambda code: b"\0\0\1" + bytes((code,))),
        ),
        max_size=30,
    )
)
def test_walk_bears_anything(parts):
    """Any mixture of packets and rubbish gives a summary or one kind of error, and ends."""
    try:
        summary = walk(PACK + b"".join(parts))
    except CorruptMediaError as error:
        assert error.message  # noqa: PT017 - either is right
    else:
        assert summary.video > 0
        assert summary.seconds >= 0
