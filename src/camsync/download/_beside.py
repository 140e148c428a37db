"""Work that the system does while this thread has something else to do."""

from __future__ import annotations

import contextlib
import threading

from collections.abc import Callable, Iterator


@contextlib.contextmanager
def beside(*tasks: Callable[[], object]) -> Iterator[None]:
    """Run *tasks* on threads of their own while the block runs, and wait for them at its end.

    Raises:
        Exception: What the block, or else the first task that failed, has raised.
    """
    started = [_Started(task) for task in tasks]
    try:
        yield
    finally:
        for each in started:
            each.wait()
    for each in started:
        if each.failure is not None:
            raise each.failure


class _Started:
    """A task at work, or done at once where the system has no thread to give."""

    def __init__(self, task: Callable[[], object]) -> None:
        self.failure: Exception | None = None
        self._task = task
        self._thread = threading.Thread(target=self._run, name="camsync-beside", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._run()

    def _run(self) -> None:
        try:
            self._task()
        except Exception as error:  # noqa: BLE001 - whatever it is, `beside` raises it again
            self.failure = error

    def wait(self) -> None:
        """Wait until it is done."""
        if self._thread.ident is not None:
            self._thread.join()
