"""Is a recording at its destination already? And does a name belong to something else?

camsync marks its MP4 files with a digest of the recording's key in the comment, so that neither
the hour that clocks repeat in autumn nor a second recorder with a camera 1 can be mistaken for
it. Files without the mark are judged by start and length. The bytes of an original cannot be
marked: there the digest is a part of the file's name. Its size proves nothing, because recorders
cut their files at a fixed size; under a name that the caller has chosen, nothing does.

Who keeps a catalogue knows more: see `Former`.
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Iterator
from pathlib import Path

import attrs

from .._cancel import CancelToken
from .._checksum import digest_of
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
class Former:
    """A file that was complete once: what somebody who kept book of it knows.

    Mark, size and length do not show that a file was damaged. So one that has its name counts only
    if it is that file, byte for byte, as far as its digest is known; or, where the recording has
    become longer, only if it is larger: then a run was killed before it could note it.

    Attributes:
        size: The bytes that it had, or None.
        sha256: Its digest, or empty when it was never read.
        short: The recording has become longer since.
        replace: What stands there is known to be short or damaged, and may be replaced whatever it
            looks like.
    """

    path: Path
    size: int | None
    sha256: str = ""
    short: bool = False
    replace: bool = False


@attrs.frozen(kw_only=True)
class Shelf:
    """The places for one recording, and what stands there.

    Attributes:
        extension: The extension that the container asks for.
        as_mp4: Whether MP4 files of our own are looked for, or originals.
        former: What is known of a file that was fetched before, if anything is.
        cancel: Ends the reading of a large file.
    """

    recording: Recording
    names: Names
    extension: str
    as_mp4: bool
    former: Former | None = None
    cancel: CancelToken | None = None

    def find(self) -> Downloaded | None:
        """Return the file that holds this whole recording, if one does."""
        for path in self._places():
            found = self.complete(path)
            if found is not None:
                return found
        return None

    def complete(self, path: Path) -> Downloaded | None:
        """Describe the file at *path* if it holds all of this very recording.

        Raises:
            DestinationError: The file cannot be read.
            CancelledError: The run is to end.
        """
        found = self.recognise(path)
        return self._trusted(found) if found is not None and self.is_whole(found) else None

    def may_replace(self, path: Path) -> bool:
        """Whether the file at *path* is some of this recording, or what has become of it.

        Raises:
            DestinationError: The file cannot be read.
        """
        former = self.former
        spoilt = former is not None and former.replace and former.path == path
        return spoilt or self.recognise(path) is not None

    def _trusted(self, found: Downloaded) -> Downloaded | None:
        """Compare a file with what is known of it: return it, with its digest if it was read."""
        former = self.former
        if former is None or former.path != found.path:
            return found
        if former.short:
            larger = former.size is not None and found.size > former.size
            return attrs.evolve(found, sha256=self._digest(found.path)) if larger else None
        if found.size != former.size:
            return None
        if former.sha256 and self._digest(found.path) != former.sha256:
            return None
        return attrs.evolve(found, sha256=former.sha256)

    def _digest(self, path: Path) -> str:
        with disk_errors(path), path.open("rb") as file:
            return digest_of(file, self.cancel)

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
