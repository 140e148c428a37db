"""What people type for a moment: one place reads it, for the command line and for files."""

from __future__ import annotations

from .._typed import parse_moment


__all__ = ["parse_moment"]
