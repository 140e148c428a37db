"""Where clips are put together, and how they get their names."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import tempfile
import time

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from .._time import UTC
from ..download import camera_name
from ..download._boxes import read_mp4
from ..download._files import PartFile, disk_errors, make_folder, sweep
from ..download._paths import is_file_name, safe_join, time_text
from ..errors import ConfigurationError, CorruptMediaError, DestinationError
from ..models import Recording


_WORKSHOP = ".camsync-clip-"
_LOCK = "in-use"
_PART = "camsync-clip.mp4"
_VIDEOS = frozenset(
    (
        *(".264", ".265", ".h264", ".h265", ".hevc", ".mpe", ".mpeg", ".mpg", ".ps", ".ts", ".vob"),
        *(".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mts", ".ogv", ".webm"),
        *(".dav", ".wmv"),
    )
)
"""What names a file of another kind."""

_OLD = 60.0
"""Seconds after which a workshop without a lock is not one that is just being made."""


@attrs.frozen(kw_only=True)
class Made:
    """A part of a clip that has no name yet.

    Attributes:
        part: The complete file.
        first: The first recording in it.
        last: The last recording in it.
        start: When it begins, as far as that was asked for.
        end: When it ends, as far as that was asked for.
        created: The whole second that its ``creation_time`` says.
    """

    part: PartFile
    first: Recording
    last: Recording
    start: dt.datetime
    end: dt.datetime
    created: dt.datetime


@attrs.frozen(kw_only=True)
class Place:
    """The destination of a clip.

    Attributes:
        dest: A folder, or the file itself.
        is_file: Which of both.
        timezone: The zone of the times in names; None for the device's wall clock.
    """

    dest: Path
    is_file: bool
    timezone: dt.tzinfo | None

    @classmethod
    def of(cls, dest: Path, timezone: dt.tzinfo | None) -> Place:
        """Look at *dest* before anything is fetched.

        Raises:
            ConfigurationError: It is a file of another kind: nobody means a folder ``x.avi``.
            DestinationError: The file exists already.
        """
        place = cls(dest=dest, is_file=is_file_name(dest, "mp4"), timezone=timezone)
        if place.is_file and os.path.lexists(dest):
            raise _taken(dest)
        if not place.is_file and dest.suffix.lower() in _VIDEOS and not dest.is_dir():
            msg = f"a clip is written as .mp4, not as {dest.suffix}"
            step = f"name it {dest.with_suffix('.mp4').name}, or name a folder"
            raise ConfigurationError(msg, next_step=step)
        return place

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return self.dest.parent if self.is_file else self.dest

    @contextlib.contextmanager
    def workshop(self) -> Iterator[Path]:
        """Make a hidden folder for what is fetched; it is gone when the block ends.

        What a run has left behind that was killed is removed, too.
        """
        make_folder(self.folder)
        sweep(self.folder / _PART)
        _sweep_workshops(self.folder)
        with disk_errors(self.folder / _PART):
            made = Path(tempfile.mkdtemp(prefix=_WORKSHOP, dir=self.folder))
        try:
            with PartFile(made / _LOCK):
                yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def part(self) -> PartFile:
        """Make a hidden file in the folder that the clip will stand in."""
        return PartFile(self.folder / _PART)

    def name(self, made: Sequence[Made]) -> list[Path]:
        """Give all parts their names: all of them, or none.

        Raises:
            DestinationError: A name is taken.
        """
        paths: list[Path] = []
        try:
            for number, each in enumerate(made, 1):
                path = self._path(each, number, len(made))
                _place(each.part, path)
                paths.append(path)
        except BaseException:
            for path in paths:
                with contextlib.suppress(OSError):  # the error that counts is the first one
                    path.unlink()
            raise
        return paths

    def _path(self, made: Made, number: int, count: int) -> Path:
        if self.is_file:
            stem = self.dest.stem if count == 1 else f"{self.dest.stem}_{number}"
            return self.dest.with_name(f"{stem}{self.dest.suffix}")
        stem = f"{camera_name(made.first)}_{self._local(made)}"
        path = safe_join(self.dest, f"{stem}.mp4")
        if not os.path.lexists(path) or _begins(path) == made.created:
            return path
        # the hour that clocks repeat in autumn, or another recorder's camera of this name
        return safe_join(self.dest, f"{stem}_{time_text(made.created)}Z.mp4")

    def _local(self, made: Made) -> str:
        """Say from when to when, as the clocks showed it: they may be changed in between."""
        begin = self._digits(made.start, made.first)
        return f"{begin}-{self._digits(made.end, made.last)}"

    def _digits(self, moment: dt.datetime, recording: Recording) -> str:
        offset = dt.timezone(recording.utc_offset or dt.timedelta(0))
        zone = offset if self.timezone is None else self.timezone
        return time_text(_rounded(moment).astimezone(zone))


def _rounded(moment: dt.datetime) -> dt.datetime:
    return (moment + dt.timedelta(milliseconds=500)).replace(microsecond=0)


def _begins(path: Path) -> dt.datetime | None:
    """Return the creation time of a film that has the wanted name; None if it is none."""
    try:
        with disk_errors(path), path.open("rb") as file:
            return read_mp4(file).created.astimezone(UTC)
    except (CorruptMediaError, DestinationError):
        return None


def _place(part: PartFile, path: Path) -> None:
    try:
        part.place(path)
    except FileExistsError as error:
        raise _taken(path) from error


def _taken(path: Path) -> DestinationError:
    msg = f"{path} exists already"
    return DestinationError(msg, next_step="move it away, or choose another destination")


def _sweep_workshops(folder: Path) -> None:
    """Remove the workshops in *folder* that nobody works in any more."""
    with disk_errors(folder / _PART):
        left = [path for path in folder.iterdir() if path.name.startswith(_WORKSHOP)]
    for path in left:
        # somebody else may have been faster, or own it: then it is theirs to remove
        with contextlib.suppress(OSError):
            made = _is_locked(path) or time.time() - path.stat().st_mtime > _OLD
            sweep(path / _LOCK)
            if made and not _is_locked(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_locked(workshop: Path) -> bool:
    return any(workshop.glob(f".{_LOCK}.*"))
