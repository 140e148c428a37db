"""Tools for testing against recorders without having one.

`RecorderSimulator` plays a Hikvision recorder on loopback: a real HTTP server with Digest login,
search, and downloads of real video, in the manner of a chosen model and firmware, with faults that
are switched on by name. The pytest plugin ``camsync.testing.plugin`` offers it as a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _lazy


if TYPE_CHECKING:
    from .imou import ImouSimulator
    from .memory import MemoryProvider
    from .recorder._faults import FAULTS
    from .recorder._personality import PERSONALITIES, Personality
    from .recorder._server import Answered
    from .recorder._timeline import SimulatedRecording
    from .recorder.simulator import RecorderSimulator

__all__ = [
    "FAULTS",
    "PERSONALITIES",
    "Answered",
    "ImouSimulator",
    "MemoryProvider",
    "Personality",
    "RecorderSimulator",
    "SimulatedRecording",
]

__getattr__ = _lazy.named(
    __name__,
    {
        "FAULTS": ".recorder._faults",
        "PERSONALITIES": ".recorder._personality",
        "Answered": ".recorder._server",
        "ImouSimulator": ".imou.simulator",
        "MemoryProvider": ".memory",
        "Personality": ".recorder._personality",
        "RecorderSimulator": ".recorder.simulator",
        "SimulatedRecording": ".recorder._timeline",
    },
)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
