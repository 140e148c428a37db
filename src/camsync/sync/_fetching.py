"""The fetching half of a device's run: a queue, and workers that empty it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future

from .._cancel import cancelled_by, check_cancelled
from ..download import require_space, writable
from ..errors import (
    CamsyncError,
    CancelledError,
    CatalogueError,
    Category,
    ConfigurationError,
    DestinationError,
    DiskFullError,
    RecordingInProgressError,
)
from ..models import Channel, Downloaded, Progress, Recording, RecordingKey
from ..provider import Provider
from ._books import LEASE
from ._context import Context
from ._job import Job, fetch
from ._search import OF_THE_ACCOUNT


_POLL = 0.2
_GIVE_UP = 3
"""Failures of the line in a row after which a device is left alone until the next run."""

_ORDINARY = 256 << 20
"""Bytes of an ordinary recording: while there is room for one, the disk is not what is wrong."""

_OF_THE_LINE = frozenset({Category.NETWORK, Category.BUSY, Category.OFFLINE, Category.TLS})


class Fetching:
    """Fetches what is due of one device, several at a time.

    A worker more than there are streams keeps the line busy while others verify, remux and write:
    how many streams are open is the gate's matter, not that of the workers.

    Args:
        context: What all parts of the run share.
        label: The device, for messages.
        provider: A gated provider, or the URL of one for workers elsewhere.
        workers: How many.
    """

    def __init__(
        self, context: Context, label: str, provider: Provider | str, *, workers: int
    ) -> None:
        self._context = context
        self._label = label
        self._provider = provider
        self._workers = workers
        self._queue: deque[tuple[Channel, Recording]] = deque()
        self._lock = threading.Condition()
        self._busy = 0
        self._over = False
        self._in_a_row = 0
        self._fetched = 0
        self._unlucky: list[RecordingKey] = []

    def run(self, due: Iterable[tuple[Channel, Recording]]) -> None:
        """Fetch, until the queue is empty or the device is given up."""
        self._queue.extend(due)
        self._context.books.planned([recording.key for _, recording in self._queue])
        count = min(self._workers, len(self._queue))
        names = (f"camsync-{self._label}-{number}" for number in range(count))
        threads = [threading.Thread(target=self._work, name=name) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._judge_the_unlucky()

    def _work(self) -> None:
        try:
            with cancelled_by(self._context.halt):
                while (task := self._next()) is not None:
                    try:
                        self._one(*task)
                    finally:
                        with self._lock:
                            self._busy -= 1
                            self._lock.notify_all()
        except BaseException as error:  # noqa: BLE001 - a bug ends the run in the caller's thread
            self._context.halt.stop("an internal error")
            self._context.events.put(error)

    def _next(self) -> tuple[Channel, Recording] | None:
        """Take the next that fits into what may still be fetched; what is too large for it is left.

        What others are fetching may fail, or be here already, and then gives back what it took.
        """
        allowance, halt = self._context.allowance, self._context.halt
        with self._lock:
            while self._queue and not self._over and not halt.is_set():
                recording = self._queue[0][1]
                objection = allowance.take(recording)
                if not objection:
                    self._busy += 1
                    return self._queue.popleft()
                may_fit = allowance.may_fit_later(recording)
                if may_fit and self._busy:
                    self._lock.wait(_POLL)
                    continue
                allowance.reason = objection
                if may_fit:
                    return None
                self._queue.popleft()
        return None

    def _one(self, channel: Channel, recording: Recording) -> None:
        context, key = self._context, recording.key
        if not context.books.lease(key):
            context.elsewhere(key)
            context.allowance.settle(recording, None)
            return
        context.begun(key)
        size: int | None = None
        try:
            context.tree.check()
            file = self._fetch(channel, recording)
            context.tree.check()
            size = None if file.existing else file.size
            context.books.verified(file)
            context.done(file)
            self._lucky()
        except CancelledError:
            context.books.release(key)
            context.back(key)
        except CamsyncError as error:
            self._failed(recording, error)
        finally:
            context.allowance.settle(recording, size)

    def _fetch(self, channel: Channel, recording: Recording) -> Downloaded:
        context, options = self._context, self._context.options
        layout = options.download.layout
        job = Job(
            provider=self._provider,
            recording=recording,
            dest=options.dest,
            camera=context.books.folder(channel, recording),
            layout=None if layout is None else layout.template,
            container=options.download.container,
            timezone=options.download.timezone,
            retry=options.download.retry,
            min_free=options.download.min_free,
            entry=context.books.holdings.find([recording.key]).get(recording.key),
        )
        if options.executor is None:
            return fetch(job, _Pulse(context), context.halt)
        try:
            return self._elsewhere(options.executor.submit(fetch, job))
        except RuntimeError as error:  # shut down, or broken: a worker was killed
            raise _gone(str(error) or type(error).__name__) from error

    def _elsewhere(self, future: Future[Downloaded]) -> Downloaded:
        """Wait for a worker that cannot tell how it goes; one that has begun cannot be stopped."""
        pulse = _Pulse(self._context)
        while not future.done():
            # Not wait(): of a future that the executor has dropped it never hears.
            with contextlib.suppress(
                concurrent.futures.TimeoutError, concurrent.futures.CancelledError
            ):
                future.exception(_POLL)
            pulse.beat()
            if self._context.halt.is_set() and future.cancel():
                check_cancelled(self._context.halt)
        try:
            return future.result()
        except concurrent.futures.CancelledError as error:
            reason = "it has dropped what it was given"
            raise _gone(reason) from error

    def _failed(self, recording: Recording, error: CamsyncError) -> None:
        """Decide whose fault it was: the recording's, the device's, the account's, or the disk's."""
        context, key = self._context, recording.key
        if isinstance(error, CatalogueError):
            raise error  # no fault of the recording: the run ends with it
        if self._ends_the_run(error):
            context.halt.stop(error.message, error)
            context.books.failed(
                key, error
            )  # with room again, others come first: it may be too large
            context.back(key)
        elif isinstance(error, OF_THE_ACCOUNT):
            self._give_up(error)
            self._give_back(key)
        elif isinstance(error, RecordingInProgressError):
            self._give_back(key)
        else:
            context.books.failed(key, error)
            context.failed(recording, error)
            self._unlucky_one(key, error)

    def _give_back(self, key: RecordingKey) -> None:
        """Leave a recording for the next run, as if it had not been begun."""
        self._context.books.release(key)
        self._context.back(key)

    def _ends_the_run(self, error: CamsyncError) -> bool:
        """Whether all others would fail as well.

        A single name can be taken or too long, and a single recording larger than the disk.
        """
        if isinstance(error, _ExecutorGoneError):
            return True
        if not isinstance(error, (DestinationError, DiskFullError)):
            return False
        if isinstance(error, DiskFullError) and error.needed is None:
            return True  # nobody has compared sizes: a write was refused, by a quota perhaps
        options = self._context.options
        try:
            self._context.tree.check()
            writable(options.dest)
            require_space(options.dest, _ORDINARY, options.download.min_free)
        except (DestinationError, DiskFullError):
            return True
        return False

    def _lucky(self) -> None:
        with self._lock:
            self._in_a_row = 0
            self._fetched += 1

    def _unlucky_one(self, key: RecordingKey, error: CamsyncError) -> None:
        of_the_line = error.category in _OF_THE_LINE
        with self._lock:
            self._in_a_row += of_the_line
            self._unlucky.append(key)
            enough = self._in_a_row >= _GIVE_UP
        if enough:
            self._give_up(error)

    def _give_up(self, error: CamsyncError) -> None:
        """Leave the device alone until the next run."""
        with self._lock:
            first, self._over = not self._over, True
        if first:
            self._context.problem(self._label, error)

    def _judge_the_unlucky(self) -> None:
        """Count failures against the recordings if the device was fine otherwise.

        A bad sector on a recorder's disk breaks the connection, always at the same place: that
        must not be tried for ever. A recorder that delivers garbage until it is restarted must not
        cost its recordings one of their chances.
        """
        if self._fetched:
            self._context.books.holdings.quarantine(self._unlucky)


class _ExecutorGoneError(ConfigurationError):
    """The caller's executor takes no more work, or has lost its workers."""


def _gone(reason: str) -> _ExecutorGoneError:
    msg = f"the executor cannot be used any more: {reason}"
    return _ExecutorGoneError(msg, next_step="make a new one and sync again")


class _Pulse:
    """Passes progress on, and renews the leases while something moves."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next = time.monotonic() + LEASE / 3

    def __call__(self, progress: Progress) -> None:
        self._context.progressed(progress)
        self.beat()

    def beat(self) -> None:
        """Renew the leases, when it is time to."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LEASE / 3
            self._context.books.renew()
