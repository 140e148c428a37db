"""`SyncLedger`: what a sync needs of a host that keeps a table of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from ..models import Channel, Downloaded, Recording, RecordingKey


@runtime_checkable
class SyncLedger(Protocol):
    """The host's own list of what it has. Called by one thread at a time."""

    def has(self, key: RecordingKey) -> bool:
        """Whether the host has the recording, or had it and does not want it again."""
        ...

    def add(self, recording: Recording, file: Downloaded) -> None:
        """Note a file that is complete and under its final name. Adding it twice is fine."""
        ...

    def watermark(self, channel: Channel) -> datetime | None:
        """Return the moment (aware) before which nothing is left to do, or None."""
        ...

    def advance(self, channel: Channel, moment: datetime) -> None:
        """Note that before *moment* (aware) nothing is left to do."""
        ...
