"""From a recording to a complete, verified, playable file."""

from __future__ import annotations

from ._files import require_space, sweep_tree, writable
from ._limiter import Limiter
from ._options import MIN_FREE
from ._paths import camera_name
from ._run import download, download_many


__all__ = [
    "MIN_FREE",
    "Limiter",
    "camera_name",
    "download",
    "download_many",
    "require_space",
    "sweep_tree",
    "writable",
]
