"""Reading MP4 boxes without a media library: what is this file, and is all of it there?

It answers, for a file that stands at the destination already, whether it is the recording that is
to be fetched. Layouts are those of ISO 14496-12 and, for the comment, of iTunes' metadata list.
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator
from typing import BinaryIO, NoReturn

import attrs

from .._time import UTC
from ..errors import CorruptMediaError
from ..models import Codec


_EPOCH = dt.datetime(1904, 1, 1, tzinfo=UTC)
_MOST_BOXES = 10_000
_LONGEST_TEXT = 1024
_CODECS = {
    b"avc1": Codec.H264,
    b"avc3": Codec.H264,
    b"hvc1": Codec.H265,
    b"hev1": Codec.H265,
    b"mp4v": Codec.MPEG4,
}


@attrs.frozen(kw_only=True)
class Mp4Summary:
    """What the boxes of an MP4 file say about its first video track.

    Attributes:
        created: ``creation_time`` of the whole file.
        seconds: Length of the video.
        comment: The comment, which holds the mark of the recording in camsync's files.
    """

    created: dt.datetime
    seconds: float
    codec: Codec
    width: int
    height: int
    fps: float | None
    comment: str = ""


@attrs.frozen
class _Box:
    kind: bytes
    start: int
    end: int


def read_mp4(file: BinaryIO) -> Mp4Summary:
    """Read the boxes of *file*.

    Raises:
        CorruptMediaError: It is no MP4 file, not all of it is there, or it holds no video.
    """
    return _Reader(file).summary()


def _refuse(reason: str) -> NoReturn:
    msg = f"no complete MP4 file: {reason}"
    raise CorruptMediaError(msg)


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _MOST_BOXES

    def summary(self) -> Mp4Summary:
        top = {box.kind: box for box in self._boxes(_Box(b"", 0, self._file.seek(0, 2)))}
        if b"mdat" not in top or b"moov" not in top:
            _refuse("it holds no film")
        movie = top[b"moov"]
        created, _ = self._times(self._find(movie, b"mvhd"))
        track = self._video_track(movie)
        _, seconds = self._times(self._find(track, b"mdia", b"mdhd"))
        table = self._find(track, b"mdia", b"minf", b"stbl")
        entry = self._read(self._find(table, b"stsd"), 48)
        samples = int.from_bytes(self._read(self._find(table, b"stsz"), 12)[8:12], "big")
        return Mp4Summary(
            created=created,
            seconds=seconds,
            codec=_CODECS.get(entry[12:16], Codec.UNKNOWN),
            width=int.from_bytes(entry[40:42], "big"),
            height=int.from_bytes(entry[42:44], "big"),
            fps=samples / seconds if seconds else None,
            comment=self._comment(movie),
        )

    def _boxes(self, parent: _Box) -> Iterator[_Box]:
        at = parent.start
        while at < parent.end:
            self._left -= 1
            head = self._read(_Box(b"", at, parent.end), 8)
            size, kind, body = int.from_bytes(head[:4], "big"), head[4:8], at + 8
            if size == 1:
                size = int.from_bytes(self._read(_Box(kind, body, parent.end), 8), "big")
                body += 8
            end = parent.end if size == 0 else at + size
            if self._left < 0 or not body <= end <= parent.end:
                _refuse(f"the box at {at} does not fit")
            yield _Box(kind, body, end)
            at = end

    def _read(self, box: _Box, count: int) -> bytes:
        self._file.seek(box.start)
        data = self._file.read(min(count, box.end - box.start))
        if len(data) < count:
            _refuse(f"the box at {box.start} is cut short")
        return data

    def _find(self, box: _Box, *path: bytes) -> _Box:
        for kind in path:
            found = next((child for child in self._boxes(box) if child.kind == kind), None)
            if found is None:
                _refuse(f"there is no box {kind.decode('latin-1')!r}")
            box = found
        return box

    def _times(self, header: _Box) -> tuple[dt.datetime, float]:
        """Read creation time and length from a ``mvhd`` or ``mdhd`` box of either version."""
        width = 8 if self._read(header, 1) == b"\1" else 4
        data = self._read(header, 4 + 3 * width + 4)[4:]
        created = int.from_bytes(data[:width], "big")
        scale = int.from_bytes(data[2 * width : 2 * width + 4], "big")
        length = int.from_bytes(data[2 * width + 4 :], "big")
        try:
            return _EPOCH + dt.timedelta(seconds=created), length / scale
        except (OverflowError, ZeroDivisionError):
            _refuse("its times make no sense")

    def _video_track(self, movie: _Box) -> _Box:
        for box in self._boxes(movie):
            if box.kind == b"trak":
                handler = self._read(self._find(box, b"mdia", b"hdlr"), 12)
                if handler[8:12] == b"vide":
                    return box
        _refuse("it holds no video")

    def _comment(self, movie: _Box) -> str:
        """Read the comment, or nothing: many files have none."""
        try:
            meta = self._find(movie, b"udta", b"meta")
            # a full box: four bytes of version and flags stand before its children
            children = _Box(b"meta", meta.start + 4, meta.end)
            data = self._find(children, b"ilst", b"\xa9cmt", b"data")
            size = min(data.end - data.start, _LONGEST_TEXT)
            return self._read(data, size)[8:].decode("utf-8", "replace")
        except CorruptMediaError:
            return ""
