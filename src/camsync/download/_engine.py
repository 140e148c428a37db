"""From a provider's stream to the part file: every byte once, in constant memory.

One attempt is open, read to the end, verify. What may work the second time is tried again by the
one retrying layer; a recorder sends no ranges, so a new attempt begins at the first byte, unless
the provider has `Capability.RANGE` and the stream says that it really begins elsewhere.
"""

from __future__ import annotations

import time

from collections.abc import Callable
from typing import TypeVar

from .. import _retry
from .._cancel import BreakOff, CancelToken, check_cancelled
from .._retry import RetryPolicy
from ..errors import CamsyncError, ProtocolError
from ..models import Capability, Recording, Stage
from ..provider import ByteStream, Provider
from ._files import PartFile, require_space
from ._progress import Reporter


T = TypeVar("T")

_BUFFER = 1 << 20
_SMALLEST_READ = 1 << 16
_QUICK, _SLOW = 0.1, 0.4
"""Seconds in which a read should end: a slow camera must not look stalled between two events."""

_SPACE_EVERY = 64 << 20
"""Bytes between two looks at the free space."""

_HEADWAY = 1 << 20
"""Bytes that a resumed download must gain to deserve a new set of attempts."""


class Fetch:
    """Brings the bytes of one recording into one part file."""

    def __init__(
        self,
        provider: Provider,
        recording: Recording,
        part: PartFile,
        reporter: Reporter,
        *,
        policy: RetryPolicy,
        cancel: CancelToken | None,
        reserve: int,
    ) -> None:
        self._provider = provider
        self._recording = recording
        self._part = part
        self._reporter = reporter
        self._policy = policy
        self._cancel = cancel
        self._reserve = reserve
        self._flowing = 0.0
        self._waited: Callable[[], float] = getattr(provider, "waited", lambda: 0.0)
        self.promised: int | None = None
        """Bytes of the whole recording, as the last stream has promised them."""

    def run(self, verify: Callable[[], T]) -> T:
        """Fetch until *verify*, called on the complete part file, is content; return its answer.

        The policy's total time counts only time in which nothing comes: an hour of steady bytes
        does not use it up, nor does waiting for one's turn (``waited()`` of a provider that has
        turns). Its attempts begin anew only after headway that is not lost again.

        Raises:
            CamsyncError: The last error, when trying again is pointless or used up.
        """
        while True:
            held = self._part.size
            try:
                return _retry.call(
                    self._policy,
                    lambda: self._attempt(verify),
                    cancel=self._cancel,
                    on_retry=self._note_retry,
                    clock=lambda: time.monotonic() - self._flowing - self._waited(),
                )
            except CamsyncError as error:
                headway = self._part.size - held >= _HEADWAY and self._can_resume
                if not headway or not error.retryable or error.retry_after is not None:
                    raise
                self._note_retry(error, 0.0)

    @property
    def _can_resume(self) -> bool:
        return Capability.RANGE in self._provider.capabilities

    def _note_retry(self, error: CamsyncError, wait: float) -> None:
        self._reporter.tell(Stage.RETRY, f"{error.message}; trying again in {wait:.1f} s")

    def _attempt(self, verify: Callable[[], T]) -> T:
        check_cancelled(self._cancel)
        offset = self._part.size if self._can_resume else 0
        with self._provider.open(self._recording, offset=offset, cancel=self._cancel) as stream:
            self._align(stream)
            with BreakOff(self._cancel, stream.abort):
                self._pump(stream)
        try:
            return verify()
        except CamsyncError:
            # What has been judged bad is not worth resuming.
            self._part.truncate(0)
            raise

    def _align(self, stream: ByteStream) -> None:
        """Make the part file end where the stream begins."""
        if stream.offset > self._part.size:
            msg = f"the stream begins at byte {stream.offset}, but only {self._part.size} are here"
            raise ProtocolError(msg)
        self._part.truncate(stream.offset)
        self.promised = None if stream.size is None else stream.offset + stream.size

    def _pump(self, stream: ByteStream) -> None:
        total = self.promised if self.promised is not None else self._recording.size
        part = self._part
        block = _SMALLEST_READ
        begun = time.monotonic()
        next_look = part.size + _SPACE_EVERY
        self._reporter.advance(Stage.DOWNLOAD, part.size, total)
        while True:
            check_cancelled(self._cancel)
            if not part.receive(stream.readinto, block):
                break
            now = time.monotonic()
            block = _next_block(block, now - begun)
            self._flowing += now - begun
            begun = now
            self._reporter.advance(Stage.DOWNLOAD, part.size, total)
            if part.size >= next_look:
                next_look = part.size + _SPACE_EVERY
                require_space(part.final.parent, 0, self._reserve)
        check_cancelled(self._cancel)


def _next_block(block: int, seconds: float) -> int:
    """Return how much to ask for next, after a read of *block* bytes took so long."""
    if seconds < _QUICK:
        return min(block * 2, _BUFFER)
    return max(block // 2, _SMALLEST_READ) if seconds > _SLOW else block
