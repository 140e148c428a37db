"""Reading containers without a media library: first bytes, program stream walk, MP4 boxes.

Everything here takes bytes from a device or from a disk, trusts none of them, and runs in constant
memory: lengths are followed, payloads are not read. Offsets and layouts are those of ISO 13818-1
(program stream) and ISO 14496-12 (MP4); the 40-byte ``IMKH`` header is Hikvision's own
``HIK_MEDIAINFO`` and stands in front of every download seen so far, on DS-9632NI-M8 V5.04.081
inside an envelope of 64 bytes.
"""

from __future__ import annotations

import re
import struct

from typing import BinaryIO

import attrs

from ..errors import CorruptMediaError
from ..models import Codec
from ._stream import CLOCK, StreamSummary, Ticks, time_stamp
from ._window import FileWindow, Window


HEAD = 4096
"""Bytes from the start of a file that `sniff` wants to see."""

PACK = b"\0\0\1\xba"
_WINDOW = 1 << 20

_IMKH_CODECS = {1: Codec.H264, 3: Codec.MPEG4, 4: Codec.MJPEG, 5: Codec.H265, 0x100: Codec.H264}
_MAP_CODECS = {0x10: Codec.MPEG4, 0x1B: Codec.H264, 0x24: Codec.H265}
_MAP_TYPES = {codec: kind for kind, codec in _MAP_CODECS.items()}
_MAP_AUDIO = {0x7110: 0x91, 0x7111: 0x90, 0x2001: 0x0F}
"""IMKH audio formats (G.711 µ-law, A-law, AAC) and the stream types that mean the same."""

_PIECE = struct.Struct(">IHBB")
"""Start code, length, and the two bytes of flags of a packet."""

_OPEN_ENDED = -1
"""A packet that states no length: not allowed in a program stream, but the next pack ends it."""


# -- First bytes ---------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Head:
    """What the first bytes of a file say.

    Attributes:
        container: ``"mpeg-ps"``, ``"mpeg-ts"`` or ``"mp4"``.
        start: Where a demuxer should begin: at the ``IMKH`` header, which tells FFmpeg how to
            read the sound, else at the first pack.
        pack: Where the first pack (or the file) begins.
        codec: The video codec that the ``IMKH`` header names.
        audio: The audio format as the ``IMKH`` header numbers it; 0 without one.
    """

    container: str
    start: int = 0
    pack: int = 0
    codec: Codec = Codec.UNKNOWN
    audio: int = 0


def sniff(head: bytes) -> Head:
    """Tell the container from the first `HEAD` bytes of a file.

    Raises:
        CorruptMediaError: It is text (an error message with HTTP status 200), or nothing known.
    """
    _refuse_text(head)
    if head[4:8] in {b"ftyp", b"styp"}:
        return Head(container="mp4")
    if len(head) > 188 and all(byte == 0x47 for byte in head[: 188 * 3 : 188]):  # noqa: PLR2004
        return Head(container="mpeg-ts")
    pack = head.find(PACK, 0, HEAD)
    if pack < 0:
        msg = f"the device sent no video that is known: the first bytes are {head[:8].hex(' ')}"
        raise CorruptMediaError(msg)
    start = head.find(b"IMKH", 0, pack)
    if start < 0 or start + 14 > len(head):
        return Head(container="mpeg-ps", start=pack, pack=pack)
    video, audio = struct.unpack_from("<HH", head, start + 10)
    return Head(
        container="mpeg-ps",
        start=start,
        pack=pack,
        codec=_IMKH_CODECS.get(video, Codec.UNKNOWN),
        audio=audio,
    )


def _refuse_text(head: bytes) -> None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"<"):
        return
    root = re.search(rb"<([A-Za-z][\w.:-]{0,40})", text)
    name = root.group(1).decode("ascii", "replace") if root else "?"
    msg = f"the device sent a text document (<{name}>) instead of video"
    raise CorruptMediaError(msg, next_step="try again; run 'camsync doctor' if it stays")


def stream_map(head: Head) -> bytes:
    """Return a program stream map that says what the ``IMKH`` header says, or nothing.

    For streams that come without one: FFmpeg must guess then, took µ-law for A-law here and
    video for MP3 elsewhere.
    """
    kind = _MAP_TYPES.get(head.codec)
    if kind is None:
        return b""
    streams = bytes((kind, 0xE0, 0, 0))
    if head.audio in _MAP_AUDIO:
        streams += bytes((_MAP_AUDIO[head.audio], 0xC0, 0, 0))
    body = b"\xe0\xff\0\0" + len(streams).to_bytes(2, "big") + streams
    # Demuxers read the checksum's four bytes and do not check them.
    return b"\0\0\1\xbc" + (len(body) + 4).to_bytes(2, "big") + body + bytes(4)


# -- MPEG program stream -------------------------------------------------------------------------


class PsSummary(StreamSummary):
    """What a walk through a whole program stream has found."""


def walk_ps(source: BinaryIO | Window, head: Head) -> PsSummary:
    """Walk from packet to packet through *source*, a file or what is still coming.

    Raises:
        CorruptMediaError: There is no video, it is encrypted, or much of the file is no stream.
    """
    window = source if isinstance(source, Window) else FileWindow(source, _WINDOW)
    walk = _PsWalk(window, head)
    walk.run()
    summary = walk.summary()
    advice = "switch off stream encryption on the recorder, or decrypt it there"
    summary.check(walk.position, kind="program", encrypted=advice)
    return summary


class _PsWalk:
    def __init__(self, window: Window, head: Head) -> None:
        self._window = window
        self._codec = head.codec
        self._mapped = False
        self._video = self._audio = self._scrambled = self._garbage = 0
        self._stamps = Ticks()
        self._end = 0
        self.position = head.pack

    def run(self) -> None:
        """Walk to the end."""
        while len(head := self._next()) >= 4:  # noqa: PLR2004 - a start code
            length = self._packet(head) if head[:3] == b"\0\0\1" else 0
            if length > 0:
                self.position += length
            else:
                self._resync(harmless=length == _OPEN_ENDED)
        self._end = self._window.end

    def _next(self) -> bytes:
        """Return the begin of the next packet that says more than that a picture goes on.

        Of eight packets, seven are the next piece of a picture, and no more.
        """
        data, begin = self._window.shown(self.position)
        at, last = begin, len(data) - _PIECE.size
        while at <= last:
            code, length, kind, flags = _PIECE.unpack_from(data, at)
            # of video, with a length, MPEG-2 and not scrambled, without a time stamp
            if code & ~15 != 0x1E0 or not length or kind & 0xF0 != 0x80 or flags & 0x80:  # noqa: PLR2004
                break
            self._video += 1
            at += 6 + length
        self.position += at - begin
        return self._window.at(self.position, 19)

    def _packet(self, head: bytes) -> int:
        """Take note of the packet that begins with *head*; return its length, 0 if it is none.

        A packet that the end of the file cuts short keeps its full length.
        """
        code = head[3]
        if code == 0xBA:  # noqa: PLR2004 - pack header
            return _pack_length(head)
        if code == 0xB9:  # noqa: PLR2004 - end of the stream
            return 4
        if code < 0xBB:  # noqa: PLR2004 - the inside of a video stream, not a packet
            return 0
        length = int.from_bytes(head[4:6], "big")
        if 0xE0 <= code <= 0xEF:  # noqa: PLR2004 - video
            self._note_video(head)
        elif 0xC0 <= code <= 0xDF:  # noqa: PLR2004 - sound
            self._audio += 1
        elif code == 0xBC:  # noqa: PLR2004 - program stream map
            self._note_map(self._window.at(self.position, 6 + min(length, 1018))[6:])
        return 6 + length if length or len(head) < 6 else _OPEN_ENDED  # noqa: PLR2004

    def _note_video(self, head: bytes) -> None:
        self._video += 1
        if len(head) < 14 or head[6] >> 6 != 2:  # noqa: PLR2004 - MPEG-1, without what follows
            return
        self._scrambled += (head[6] >> 4 & 3) != 0
        if head[7] & 0x80:
            self._stamps.add(time_stamp(head[9:14]))

    def _note_map(self, body: bytes) -> None:
        if len(body) < 6:  # noqa: PLR2004 - up to the length of the first list
            return
        at = 6 + int.from_bytes(body[2:4], "big")
        stop = min(len(body), at + int.from_bytes(body[at - 2 : at], "big"))
        while at + 4 <= stop:
            kind, stream = body[at], body[at + 1]
            if 0xE0 <= stream <= 0xEF:  # noqa: PLR2004 - video
                self._mapped = True
                self._codec = _MAP_CODECS.get(kind, self._codec)
            at += 4 + int.from_bytes(body[at + 2 : at + 4], "big")

    def _resync(self, *, harmless: bool) -> None:
        """Go on at the next pack. Zeros in between are padding, everything else is garbage."""
        at = self.position
        while chunk := self._window.at(at, 64 * 1024):
            # not the start code here, which begins no pack; the last three bytes may begin one
            found = chunk.find(PACK, int(at == self.position))
            skipped = found if found >= 0 else max(len(chunk) - 3, 1)
            if not harmless:
                self._garbage += skipped - chunk.count(0, 0, skipped)
            at += skipped
            if found >= 0:
                break
        self.position = at

    def summary(self) -> PsSummary:
        """Return what was found so far."""
        return PsSummary(
            codec=self._codec,
            mapped=self._mapped,
            video=self._video,
            audio=self._audio,
            frames=self._stamps.count,
            seconds=self._stamps.seconds,
            gaps=self._stamps.gaps / CLOCK,
            garbage=self._garbage,
            truncated=self.position > self._end,
            scrambled=self._scrambled,
        )


def _pack_length(head: bytes) -> int:
    if len(head) < 14:  # noqa: PLR2004 - cut short
        return 14
    if head[4] >> 6 == 1:
        return 14 + (head[13] & 7)
    return 12 if head[4] >> 4 == 2 else 0  # noqa: PLR2004 - MPEG-1
