"""Files that are there already, made ready for cutting. Needs PyAV, as `media` does."""

from __future__ import annotations

import contextlib

from pathlib import Path
from typing import BinaryIO

from .._cancel import CancelToken
from ..models import Recording
from ._boxes import read_mp4
from ._existing import _MARK
from ._verify import verify
from .media import Plan, _media_errors, remux


_UNREADABLE = "the file cannot be read"


def is_film(path: Path) -> bool:
    """Whether a complete file is an MP4 of ours, whose time stamps and sound are in order.

    Raises:
        CorruptMediaError: It cannot be read, or begins like an MP4 file and is no complete one.
    """
    with _media_errors(_UNREADABLE), path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            return False
        return read_mp4(file).comment.startswith(_MARK)


def make_film(
    path: Path, recording: Recording, target: BinaryIO, cancel: CancelToken | None
) -> None:
    """Put the bytes of *recording*, as a device sends them, from *path* into MP4.

    Raises:
        DownloadError: They are not all there, or not the recording, or cannot be written.
    """
    with contextlib.ExitStack() as stack:
        with _media_errors(_UNREADABLE):
            file = stack.enter_context(path.open("rb"))
            verdict = verify(file, recording, None)
        plan = Plan(
            head=verdict.head,
            mapped=verdict.mapped,
            sound=verdict.sound,
            created=recording.start,
            close_gaps=verdict.close_gaps,
        )
        remux(file, target, plan, cancel=cancel)
