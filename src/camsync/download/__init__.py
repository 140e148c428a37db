"""From a recording to a complete, verified, playable file."""

from __future__ import annotations

from ._run import download, download_many


__all__ = ["download", "download_many"]
