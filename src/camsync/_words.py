"""Figures and kinds of things as words for people. Pure."""

from __future__ import annotations


_STEP = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB")


def size_text(size: float | None) -> str:
    """Return ``12.3 MiB``; nothing for an unknown size."""
    if size is None:
        return ""
    if size < _STEP:
        return f"{size:.0f} B"
    power = min((int(size).bit_length() - 1) // 10, len(_UNITS))
    return f"{size / _STEP**power:.1f} {_UNITS[power - 1]}"


def kind_of(value: object) -> str:
    """Return what somebody has handed in, for a message that says what is needed instead."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
