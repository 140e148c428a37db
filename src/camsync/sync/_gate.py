"""A provider whose streams go through a gate: see `Gate` for what that does."""

from __future__ import annotations

import contextlib
import threading
import time

from collections.abc import Callable, Collection, Iterator, Sequence
from types import TracebackType
from typing import Any, ClassVar

from .._cancel import CancelToken
from .._time import TimeSpan
from ..download import Limiter
from ..errors import DeviceBusyError, DeviceTimeoutError, UnreachableError
from ..models import Capability, Channel, Device, Recording, RecordingKind, Volume
from ..provider import ByteStream, Provider
from ._turns import LONGEST_WISH, Gate, GateFigures, Slot


__all__ = ["Gate", "GateFigures", "Gated", "GatedStream"]

_PATIENCE = 8
"""Refusals of one stream that are the gate's own matter; the next one is the recording's."""


class _Stop:
    """A token that is set when the caller's is, or when the stream was broken off."""

    def __init__(self, cancel: CancelToken | None) -> None:
        self._cancel = cancel
        self.aborted = threading.Event()

    def is_set(self) -> bool:
        return self.aborted.is_set() or (self._cancel is not None and self._cancel.is_set())


class GatedStream:
    """A stream that counts what it moves (a `camsync.provider.ByteStream`)."""

    def __init__(
        self,
        stream: ByteStream,
        gate: Gate,
        slot: Slot,
        limiter: Limiter | None,
        cancel: CancelToken | None,
    ) -> None:
        self._stream = stream
        self._gate = gate
        self._slot = slot
        self._limiter = limiter
        self._stop = _Stop(cancel)
        self._well = True

    @property
    def size(self) -> int | None:
        """Bytes that the device promises from here to the end."""
        return self._stream.size

    @property
    def offset(self) -> int:
        """The offset in the recording at which the bytes begin."""
        return self._stream.offset

    @property
    def container(self) -> str:
        """The container of the bytes as they come."""
        return self._stream.container

    def readinto(self, buffer: memoryview) -> int:
        """Fill *buffer*; see `camsync.provider.ByteStream.readinto`.

        Raises:
            CancelledError: The caller's token was set while the limit held bytes back.
        """
        try:
            count = self._stream.readinto(buffer)
        except (DeviceBusyError, DeviceTimeoutError, UnreachableError):
            if self._well and not self._stop.is_set():
                self._gate.broke(self._slot)
            self._well = False
            raise
        held = bool(count) and self._limiter is not None and self._limiter.take(count, self._stop)
        self._gate.moved(count, throttled=held)
        return count

    def abort(self) -> None:
        """Break off from any thread."""
        self._stop.aborted.set()
        self._stream.abort()


def _nothing() -> None:
    """Check nothing."""


class Gated:
    """A provider whose streams go through a gate; everything else is the provider's own.

    Args:
        provider: What is wrapped. Closing this closes it.
        gate: The gate of its device; several wrappers may share one.
        limiter: Holds back the bytes of all streams that share it.
        check: Called when it is a stream's turn, before the device is asked; what it raises is
            raised by `open`. A turn may come long after a recording was prepared.
    """

    name: ClassVar[str] = "gated"

    def __init__(
        self,
        provider: Provider,
        gate: Gate,
        limiter: Limiter | None = None,
        *,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.provider = provider
        self._check = check or _nothing
        self.gate = gate
        self._limiter = limiter
        self._times = threading.local()
        vars(self)["name"] = provider.name

    @contextlib.contextmanager
    def open(
        self, recording: Recording, *, offset: int = 0, cancel: CancelToken | None = None
    ) -> Iterator[ByteStream]:
        """Open the bytes of *recording* as soon as there is a place for one more stream.

        A device that has no room is asked again here, so that a recording does not pay for the
        number of its neighbours.

        Raises:
            CancelledError: *cancel* was set while waiting.
            CamsyncError: What the provider says; `DeviceBusyError` after many refusals.
        """
        with contextlib.ExitStack() as stack:
            slot, stream = self._admit(stack, recording, offset, cancel)
            yield GatedStream(stream, self.gate, slot, self._limiter, cancel)

    def _admit(
        self,
        stack: contextlib.ExitStack,
        recording: Recording,
        offset: int,
        cancel: CancelToken | None,
    ) -> tuple[Slot, ByteStream]:
        refusals = 0
        while True:
            slot = self._take(cancel, first=refusals > 0)
            stack.callback(self.gate.give_back, slot)
            self._check()
            try:
                stream = stack.enter_context(
                    self.provider.open(recording, offset=offset, cancel=cancel)
                )
            except DeviceBusyError as error:
                refusals += 1
                self.gate.refused(slot, error.retry_after)
                wish = error.retry_after or 0.0
                if refusals > _PATIENCE or wish > LONGEST_WISH or not error.retryable:
                    raise
            except (DeviceTimeoutError, UnreachableError):
                self.gate.broke(slot)
                raise
            else:
                self.gate.opened(slot)
                return slot, stream

    def _take(self, cancel: CancelToken | None, *, first: bool) -> Slot:
        begun = time.monotonic()
        try:
            return self.gate.take(cancel, first=first)
        finally:
            self._times.waited = self.waited() + time.monotonic() - begun

    def waited(self) -> float:
        """Return the seconds that this thread has waited for its turns: no fault of the device."""
        return float(getattr(self._times, "waited", 0.0))

    def search(
        self,
        channel: Channel,
        span: TimeSpan,
        *,
        kinds: Collection[RecordingKind] | None = None,
    ) -> Iterator[Recording]:
        """Yield what the provider finds, while no other search is under way."""
        with self.gate.searching():
            yield from self.provider.search(channel, span, kinds=kinds)

    @property
    def capabilities(self) -> Capability:
        """What the device or account can do."""
        return self.provider.capabilities

    def devices(self) -> Sequence[Device]:
        """List the devices."""
        return self.provider.devices()

    def channels(self, device: Device | None = None) -> Sequence[Channel]:
        """List the channels."""
        return self.provider.channels(device)

    def storage(self, device: Device | None = None) -> Sequence[Volume]:
        """List the disks."""
        return self.provider.storage(device)

    def close(self) -> None:
        """Close the provider."""
        self.provider.close()

    def __enter__(self) -> Gated:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if (
            name.startswith("_") or name == "provider"
        ):  # while it is being made, copied or unpickled
            raise AttributeError(name)
        return getattr(self.provider, name)

    def __repr__(self) -> str:
        return f"<Gated {self.provider!r}, {self.gate!r}>"
