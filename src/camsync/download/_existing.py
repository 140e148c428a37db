"""Is a recording at its destination already? And does a name belong to something else?

camsync marks its MP4 files with a digest of the recording's key in the comment, so that neither
the hour that clocks repeat in autumn nor a second recorder with a camera 1 can be mistaken for
it. Files without the mark are judged by start and length. The bytes of an original cannot be
marked: there the digest is a part of the file's name. Its size proves nothing, because recorders
cut their files at a fixed size; under a name that the caller has chosen, nothing does.
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator
from pathlib import Path

import attrs

from ..errors import CorruptMediaError
from ..models import Downloaded, Recording
from ._boxes import read_mp4
from ._files import disk_errors
from ._paths import EXTENSIONS, Names, key_digest
from ._verify import is_long_enough, is_too_long, measure
from ._walk import HEAD, sniff


_MARK = "camsync:"
_SAME_START = dt.timedelta(seconds=1)


def mark(recording: Recording) -> str:
    """Return the comment of a recording's MP4 file: tells recordings apart, and nothing else."""
    return f"{_MARK}{key_digest(recording)[:32]}"


@attrs.frozen(kw_only=True)
class Shelf:
    """The places for one recording, and what stands there.

    Attributes:
        extension: The extension that the container asks for.
        as_mp4: Whether MP4 files of our own are looked for, or originals.
    """

    recording: Recording
    names: Names
    extension: str
    as_mp4: bool

    def find(self) -> Downloaded | None:
        """Return the file that holds this whole recording, if one does."""
        for path in self._places():
            found = self.recognise(path)
            if found is not None and self.is_whole(found):
                return found
        return None

    def choose(self, extension: str) -> Iterator[Path]:
        """Yield the paths that may be used for this recording, best first."""
        names = self.names
        yield names.path(names.stem, extension)
        for spare in (names.spare, names.last):
            if spare is not None:
                yield names.path(spare, extension)

    def is_whole(self, found: Downloaded) -> bool:
        """Whether an existing file is all of it, not what was there while it was being written."""
        return found.duration is None or is_long_enough(found.duration, self.recording)

    def recognise(self, path: Path) -> Downloaded | None:
        """Describe the file at *path* if it holds this very recording, or some of it.

        Args:
            path: One of the places of this recording; there may be no file.

        Raises:
            DestinationError: The file cannot be read.
        """
        with disk_errors(path):
            if not path.is_file():
                return None
            try:
                if self.as_mp4:
                    return self._film(path)
                return self._original(path) if self.names.telling else None
            except CorruptMediaError:
                return None

    def _places(self) -> Iterator[Path]:
        """Yield where the recording may be; the bytes may not be what was announced."""
        yield from self.choose(self.extension)
        if self.names.telling:
            for extension in sorted({*EXTENSIONS.values()} - {self.extension}):
                yield from self.choose(extension)

    def _film(self, path: Path) -> Downloaded | None:
        recording = self.recording
        with path.open("rb") as file:
            size = file.seek(0, 2)
            found = read_mp4(file)
        if found.comment.startswith(_MARK):
            same = found.comment == mark(recording)
        else:
            near = abs(found.created - recording.start) <= _SAME_START
            long = is_long_enough(found.seconds, recording)
            same = near and long and not is_too_long(found.seconds, recording)
        if not same:
            return None
        return Downloaded(
            recording=recording,
            path=path,
            size=size,
            container="mp4",
            start=recording.start,
            end=end_of(recording, found.seconds),
            duration=found.seconds,
            codec=found.codec,
            width=found.width,
            height=found.height,
            fps=found.fps,
            existing=True,
        )

    def _original(self, path: Path) -> Downloaded:
        recording, seconds = self.recording, None
        with path.open("rb") as file:
            head = sniff(file.read(HEAD))
            size = file.seek(0, 2)
            # an hour of video need not be read again to learn that all of it is there
            if size != recording.size or recording.in_progress:
                seconds = measure(file, recording, head)
        return Downloaded(
            recording=recording,
            path=path,
            size=size,
            container=head.container,
            start=recording.start,
            end=end_of(recording, seconds),
            duration=seconds,
            codec=head.codec,
            existing=True,
        )


def end_of(recording: Recording, duration: float | None) -> dt.datetime:
    """Return the end of what was fetched: as announced, unless it was still being written."""
    if recording.in_progress and duration is not None:
        return recording.start + dt.timedelta(seconds=duration)
    return recording.end
