"""Bandwidth: a token bucket per connection, and one for the whole device."""

from __future__ import annotations

import threading
import time

from camsync.errors import ConfigurationError


class Throttle:
    """Lets through *rate* bytes a second on average; one tenth of a second may come at once.

    Raises:
        ConfigurationError: *rate* is not positive.
    """

    def __init__(self, rate: float) -> None:
        if rate <= 0:
            msg = f"a bandwidth of {rate} bytes/s lets nothing through"
            raise ConfigurationError(msg)
        self._rate = rate
        self._lock = threading.Lock()
        self._due = time.monotonic()

    @property
    def piece(self) -> int:
        """How many bytes to hand in at once, so that the flow stays even."""
        return max(int(self._rate / 20), 1)

    def wait(self, size: int, stopped: threading.Event) -> bool:
        """Wait until *size* bytes may go; False when *stopped* was set meanwhile."""
        with self._lock:
            now = time.monotonic()
            self._due = max(self._due, now - 0.1) + size / self._rate
            pause = self._due - now
        return not (stopped.wait(pause) if pause > 0 else stopped.is_set())
