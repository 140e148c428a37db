"""Values as text for people: sizes, lengths, times. Pure."""

from __future__ import annotations

import datetime as dt

from .. import _words
from .._time import to_utc


size_text = _words.size_text
_STRANGER = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """Return *text* on one line and without control characters.

    Names come from devices: an escape sequence in a camera's name must not reach the terminal.
    """
    return "".join(_harmless(character) for character in text)


def _harmless(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else _STRANGER


def rate_text(rate: float) -> str:
    """Return ``4.5 MiB/s``; nothing while it is unknown."""
    return f"{size_text(rate)}/s" if rate > 0 else ""


def length_text(seconds: float | None) -> str:
    """Return ``1:02:03`` or ``2:03``; nothing when unknown."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def utc_text(moment: dt.datetime) -> str:
    """Return ``2026-09-26 00:13:39Z``."""
    return f"{to_utc(moment):%Y-%m-%d %H:%M:%S}Z"


def local_text(moment: dt.datetime) -> str:
    """Return ``2026-09-26 08:13:39+08:00``: a wall clock with its offset."""
    return moment.isoformat(" ", "seconds")


def fps_text(fps: float | None) -> str:
    """Return ``25`` or ``12.5``; nothing when unknown."""
    return "" if fps is None else f"{fps:g}"


def count_text(number: int, noun: str) -> str:
    """Return ``1 file`` or ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
