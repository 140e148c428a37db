"""The fetching half of a device's run: a queue, and workers that empty it."""

from __future__ import annotations

import threading
import time

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, wait

from .._cancel import check_cancelled
from ..download import writable
from ..errors import (
    CamsyncError,
    CancelledError,
    Category,
    DestinationError,
    DiskFullError,
    RecordingInProgressError,
    RecordingNotFoundError,
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
        self._lock = threading.Lock()
        self._over = False
        self._in_a_row = 0
        self._fetched = 0
        self._unlucky: list[tuple[RecordingKey, CamsyncError]] = []

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
            while (task := self._next()) is not None:
                self._one(*task)
        except BaseException as error:  # noqa: BLE001 - a bug ends the run in the caller's thread
            self._context.halt.stop("an internal error")
            self._context.events.put(error)

    def _next(self) -> tuple[Channel, Recording] | None:
        with self._lock:
            if self._over or not self._queue or self._context.halt.is_set():
                return None
            task = self._queue.popleft()
        if self._context.allowance.take(task[1]):
            return task
        return None

    def _one(self, channel: Channel, recording: Recording) -> None:
        context, key = self._context, recording.key
        if not context.books.lease(key):
            context.elsewhere(key)
            return
        context.begun(key)
        size: int | None = None
        try:
            file = self._fetch(channel, recording)
            size = 0 if file.existing else file.size
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
        )
        if options.executor is None:
            return fetch(job, _Pulse(context), context.halt)
        return self._elsewhere(options.executor.submit(fetch, job))

    def _elsewhere(self, future: Future[Downloaded]) -> Downloaded:
        """Wait for a worker that cannot tell how it goes; one that has begun cannot be stopped."""
        pulse = _Pulse(self._context)
        while not wait([future], timeout=_POLL).done:
            pulse.beat()
            if self._context.halt.is_set() and future.cancel():
                check_cancelled(self._context.halt)
        return future.result()

    def _failed(self, recording: Recording, error: CamsyncError) -> None:
        """Decide whose fault it was: the recording's, the line's, the account's, or the disk's."""
        context, key = self._context, recording.key
        if isinstance(error, RecordingNotFoundError):
            context.books.gone([key])
            context.vanished(recording)
            return
        if isinstance(error, RecordingInProgressError):
            context.books.release(key)
            context.back(key)
            return
        if isinstance(error, OF_THE_ACCOUNT):
            self._give_up(error)
        if self._is_of_the_disk(error):
            context.books.release(key)
            context.halt.stop(error.message)
        elif error.category in _OF_THE_LINE or isinstance(error, OF_THE_ACCOUNT):
            context.books.release(key)
            self._unlucky_one(key, error)
        else:
            context.books.failed(key, error)
        context.failed(recording, error)

    def _is_of_the_disk(self, error: CamsyncError) -> bool:
        """Whether all others would fail as well; a single name can be taken or too long."""
        if isinstance(error, DestinationError):
            try:
                writable(self._context.options.dest)
            except (DestinationError, DiskFullError):
                return True
            return False
        return isinstance(error, DiskFullError)

    def _lucky(self) -> None:
        with self._lock:
            self._in_a_row = 0
            self._fetched += 1

    def _unlucky_one(self, key: RecordingKey, error: CamsyncError) -> None:
        with self._lock:
            self._in_a_row += 1
            self._unlucky.append((key, error))
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
        """Count a broken line against the recording if the device was fine otherwise.

        A bad sector on a recorder's disk breaks the connection, always at the same place: that
        must not be tried for ever. A recorder that is switched off must not cost its recordings
        one of their chances.
        """
        if self._fetched and not self._over:
            for key, error in self._unlucky:
                self._context.books.failed(key, error)


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
