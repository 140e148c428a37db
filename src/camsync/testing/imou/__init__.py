"""The Imou cloud for tests: `ImouSimulator` plays the Open Platform with cameras and video."""

from __future__ import annotations

from ._cast import KINDS, SimulatedChannel, SimulatedDevice
from ._faults import FAULTS
from ._history import SimulatedClip
from .simulator import Expected, ImouSimulator


__all__ = [
    "FAULTS",
    "KINDS",
    "Expected",
    "ImouSimulator",
    "SimulatedChannel",
    "SimulatedClip",
    "SimulatedDevice",
]
