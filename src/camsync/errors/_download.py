"""What goes wrong with footage on its way to the disk."""

from __future__ import annotations

from typing import Any

from .._category import Category
from ._base import CamsyncError


class DownloadError(CamsyncError):
    """A download failed; nothing stands under the final name."""

    category = Category.MEDIA


class ShortReadError(DownloadError, EOFError):
    """Less arrived than was announced.

    Attributes:
        expected: Bytes (or seconds of video) that were announced.
        received: Bytes (or seconds of video) that arrived.
    """

    retryable = True
    default_next_step = "try again; if it stays, the recording is damaged where it is stored"

    def __init__(
        self, message: str, *, expected: float | None = None, received: float | None = None
    ) -> None:
        super().__init__(message)
        self.expected = expected
        self.received = received


class CorruptMediaError(DownloadError):
    """The bytes are not the video that was announced."""

    default_next_step = (
        "fetch it with container='original' to look at the bytes; "
        "an encrypted stream must be decrypted where it is recorded"
    )


class DiskFullError(DownloadError, OSError):
    """The destination has no room.

    Attributes:
        needed: Bytes needed, if known.
        free: Bytes free when it was noticed, if known.
    """

    category = Category.DISK
    default_next_step = "free some space, or choose another destination"

    def __init__(self, message: str, *, needed: int | None = None, free: int | None = None) -> None:
        super().__init__(message)
        self.needed = needed
        self.free = free


class DestinationError(DownloadError, OSError):
    """The destination cannot be created or written."""

    category = Category.DISK
    default_next_step = "check that the folder exists and that you may write to it"


class CancelledError(DownloadError):
    """The caller's *cancel* was set. Nothing stands under the final name."""

    category = Category.CANCELLED


class FootageGapError(DownloadError):
    """The footage is not one continuous piece: time is missing, or its format changes.

    Attributes:
        gaps: The missing spans of time (`TimeSpan`), oldest first; empty when only the format
            changes.
    """

    category = Category.NOT_FOUND
    default_next_step = "use gaps='split' for one file per continuous piece"

    def __init__(
        self, message: str, *, gaps: tuple[Any, ...] = (), next_step: str | None = None
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.gaps = gaps
