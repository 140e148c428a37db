"""The contract between a vendor's backend and everything above it.

Implement these two protocols to bring a new kind of camera; there is no base class to inherit.
`camsync.testing.contract.ProviderContract` is the test suite that says whether it is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from ._cancel import CancelToken


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from ._time import TimeSpan
    from .models import Capability, Channel, Device, Recording, RecordingKind, Volume


P = TypeVar("P")


class ByteStream(Protocol):
    """The open bytes of one recording."""

    @property
    def size(self) -> int | None:
        """Bytes that the device promises from here to the end, or None if it does not say."""
        ...

    @property
    def offset(self) -> int:
        """The offset in the recording at which the bytes really begin (0 if resuming failed)."""
        ...

    @property
    def container(self) -> str:
        """The container of the bytes as they come: ``"mpeg-ps"``, ``"mpeg-ts"`` or ``"mp4"``."""
        ...

    def readinto(self, buffer: memoryview) -> int:
        """Fill *buffer* with the next bytes and return how many; 0 means complete.

        Raises:
            ShortReadError: The stream ended before everything announced had come.
            UnreachableError: The connection broke.
            DeviceTimeoutError: The device stopped sending.
        """
        ...

    def abort(self) -> None:
        """Break off from any thread: a blocked `readinto` returns or raises soon."""
        ...


class Provider(Protocol):
    """One account on one device or cloud.

    Thread-safe: several threads may search and download with one provider.
    Every method raises only `CamsyncError` leaves.
    """

    name: ClassVar[str]

    @property
    def capabilities(self) -> Capability:
        """What this device or account can do, as far as is known or was measured."""
        ...

    def devices(self) -> Sequence[Device]:
        """List the devices (one for a recorder, many for a cloud account)."""
        ...

    def channels(self, device: Device | None = None) -> Sequence[Channel]:
        """List the channels of *device*, or of all devices, offline ones included."""
        ...

    def search(
        self,
        channel: Channel,
        span: TimeSpan,
        *,
        kinds: Collection[RecordingKind] | None = None,
    ) -> Iterator[Recording]:
        """Yield the recordings that overlap *span*: lazily, oldest first, without duplicates."""
        ...

    def open(
        self, recording: Recording, *, offset: int = 0, cancel: CancelToken | None = None
    ) -> AbstractContextManager[ByteStream]:
        """Open the bytes of *recording*; the stream's ``offset`` says where they really begin.

        *cancel* ends the wait for a silent device with `CancelledError`. Once the stream is
        there, its ``abort`` does.
        """
        ...

    def storage(self, device: Device | None = None) -> Sequence[Volume]:
        """List the disks, cards and network volumes with their state."""
        ...

    def close(self) -> None:
        """Release connections. Calling it twice is fine."""
        ...

    def __enter__(self: P) -> P:
        """Return the provider itself; `close` is called at the end of the ``with`` block."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...
