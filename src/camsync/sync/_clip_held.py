"""Files of recordings that are on disk already: which may stand in for a download."""

from __future__ import annotations

import hashlib
import os

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import attrs

from .._cancel import CancelToken, check_cancelled
from .._time import TimeSpan
from ..download._existing import Shelf
from ..download._paths import key8, names
from ..download._verify import is_long_enough
from ..errors import CamsyncError, ConfigurationError
from ..models import Channel, Downloaded, Recording, RecordingKey


_BLOCK = 1 << 20
_VERIFIED = "verified"

Held = Sequence["Downloaded | str | os.PathLike[str]"]


class Holder(Protocol):
    """What knows the files of a destination: `camsync.catalogue.Holdings`, or your own."""

    @property
    def dest(self) -> Path:
        """The folder that the paths of the entries are relative to."""
        ...

    def entries(self, *, channel: Any, span: TimeSpan) -> Iterable[Any]:
        """Yield entries with ``key``, ``state``, ``path``, ``file_size``, ``sha256``."""
        ...


@attrs.frozen(kw_only=True)
class _Candidate:
    path: Path
    size: int | None = None
    sha256: str = ""
    duration: float | None = None


class Shelves:
    """The files that were named, by recording.

    Args:
        held: Files, as paths or as what `camsync.download` returned.
        holdings: What knows more of them, or None.
    """

    def __init__(
        self, held: Held | None, holdings: Holder | None, channel: Channel, span: TimeSpan
    ) -> None:
        self._known: dict[RecordingKey, list[_Candidate]] = {}
        self._paths: list[Path] = []
        for each in _checked(held):
            if isinstance(each, Downloaded):
                self._add(each.recording.key, _of_download(each))
            else:
                self._paths.append(Path(each))
        if holdings is not None:
            self._read(holdings, channel, span)

    def _add(self, key: RecordingKey, candidate: _Candidate) -> None:
        self._known.setdefault(key, []).append(candidate)

    def _read(self, holdings: Holder, channel: Channel, span: TimeSpan) -> None:
        for entry in holdings.entries(channel=(channel.device, channel.id), span=span):
            if entry.path is not None and getattr(entry.state, "value", "") == _VERIFIED:
                candidate = _Candidate(
                    path=Path(holdings.dest) / entry.path,
                    size=entry.file_size,
                    sha256=entry.sha256,
                    duration=entry.duration,
                )
                self._add(entry.key, candidate)

    def find(self, recording: Recording, cancel: CancelToken | None) -> Path | None:
        """Return a file that holds all of *recording* and is as it was when it was written.

        What is still being written has no such file.
        """
        if recording.in_progress:
            return None
        for candidate in self._known.get(recording.key, ()):
            if _is_whole(candidate, recording) and _is_unchanged(candidate, cancel):
                return candidate.path
        return next((path for path in self._paths if _holds(path, recording)), None)


def _checked(held: Any) -> Held:
    if held is None:
        return ()
    plain = isinstance(held, (str, os.PathLike, Downloaded)) or not isinstance(held, Iterable)
    files: Sequence[Any] = () if plain else tuple(held)
    if plain or not all(isinstance(each, (str, os.PathLike, Downloaded)) for each in files):
        msg = "held must be a list of paths, or of what download() returned"
        raise ConfigurationError(msg)
    return files


def _of_download(file: Downloaded) -> _Candidate:
    return _Candidate(
        path=file.path,
        size=file.size,
        sha256=file.sha256,
        duration=file.duration,
    )


def _is_whole(candidate: _Candidate, recording: Recording) -> bool:
    return candidate.duration is None or is_long_enough(candidate.duration, recording)


def _is_unchanged(candidate: _Candidate, cancel: CancelToken | None) -> bool:
    try:
        with candidate.path.open("rb") as file:
            if candidate.size not in {None, file.seek(0, 2)}:
                return False
            return not candidate.sha256 or _digest(file, cancel) == candidate.sha256
    except OSError:
        return False  # gone or unreadable: it is fetched instead


def _holds(path: Path, recording: Recording) -> bool:
    """Whether the file at *path* says that it is this recording, and is all there."""
    mp4 = path.suffix.lower() == ".mp4"
    if not mp4 and not path.stem.endswith(f"_{key8(recording)}"):
        return False
    try:
        shelf = Shelf(
            recording=recording,
            names=names(recording, path.parent, "mp4" if mp4 else "original"),
            extension=path.suffix,
            as_mp4=mp4,
        )
        found = shelf.recognise(path)
    except CamsyncError:
        return False  # unreadable: it is fetched instead
    return found is not None and shelf.is_whole(found)


def _digest(file: BinaryIO, cancel: CancelToken | None) -> str:
    """Return the SHA-256 of all of *file* as hexadecimal digits.

    Raises:
        CancelledError: *cancel* was set.
    """
    file.seek(0)
    found = hashlib.sha256()
    while block := file.read(_BLOCK):
        check_cancelled(cancel)
        found.update(block)
    return found.hexdigest()
