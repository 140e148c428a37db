"""`SyncLedger`: what a sync needs of a host that keeps a table of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from ..models import Channel, Downloaded, Recording, RecordingKey


@runtime_checkable
class SyncLedger(Protocol):
    """The host's own list of what it has. Called by one thread at a time.

    What a method raises, of whatever class, ends the run and comes out of `sync` as it is. Files that
    are complete stay, and the next run tells the host of them.
    """

    def has(self, key: RecordingKey) -> bool:
        """Whether the host has the recording, or had it and does not want it again.

        Of what has no file below the destination the host has the last word: once it says no, the
        recording is fetched.
        """
        ...

    def add(self, recording: Recording, file: Downloaded) -> None:
        """Note a file that is complete and under its final name. Adding it twice is fine."""
        ...

    def watermark(self, channel: Channel) -> datetime | None:
        """Return the moment (aware) before which nothing is left to do, or None.

        It is what `advance` was told last. One in the future says nothing: a clock was ahead.
        """
        ...

    def advance(self, channel: Channel, moment: datetime) -> None:
        """Note that before *moment* (aware) nothing is left to do.

        It can lie before the last one, if something has turned up that is still to be fetched.
        """
        ...
