"""All targets: importing this module registers them."""

from __future__ import annotations

from fuzz import (
    targets_files,
    targets_imou,
    targets_isapi,
    targets_media,
    targets_transport,
    targets_typed,
)
from fuzz.registry import TARGETS


FAMILIES = (
    targets_files,
    targets_imou,
    targets_isapi,
    targets_media,
    targets_transport,
    targets_typed,
)
__all__ = ["FAMILIES", "TARGETS"]
