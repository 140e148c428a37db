"""What `clip` gives back."""

from __future__ import annotations

import datetime as dt

from pathlib import Path

import attrs

from .._time import TimeSpan, aware
from ..errors import FootageGapError
from ..models import Channel, Codec, RecordingKey


@attrs.frozen(kw_only=True)
class ClipPart:
    """One file of a clip.

    Attributes:
        path: The file.
        start: When its first picture was taken: a key frame at or before what was asked for.
        end: When its last picture ends.
        duration: Seconds of video.
        size: Bytes.
        sha256: Of the whole file, as hexadecimal digits.
        sources: The recordings that it was cut from.
        codec: The video codec.
        pictures: How many pictures it holds.
        notes: What was left out on the way.
    """

    path: Path
    start: dt.datetime = attrs.field(validator=aware)
    end: dt.datetime = attrs.field(validator=aware)
    duration: float
    size: int
    sha256: str
    sources: tuple[RecordingKey, ...]
    codec: Codec = Codec.UNKNOWN
    width: int | None = None
    height: int | None = None
    pictures: int = 0
    notes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Clip:
    """The footage of one channel between two instants.

    Attributes:
        channel: Whose.
        span: What was asked for.
        parts: The files, oldest first; more than one only with ``gaps="split"``.
        gaps: What of the span none of them shows, oldest first; nothing without ``gaps="split"``.
    """

    channel: Channel
    span: TimeSpan
    parts: tuple[ClipPart, ...]
    gaps: tuple[TimeSpan, ...] = ()

    @property
    def path(self) -> Path:
        """The only file.

        Raises:
            FootageGapError: There are several: look at `parts`.
        """
        if len(self.parts) == 1:
            return self.parts[0].path
        between = zip(self.parts, self.parts[1:], strict=False)
        msg = f"the clip consists of {len(self.parts)} files"
        gaps = tuple(TimeSpan(a.end, b.start) for a, b in between if b.start > a.end)
        raise FootageGapError(msg, gaps=gaps, next_step="look at clip.parts")
