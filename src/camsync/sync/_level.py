"""How many streams one device may have open: a rule that sees only numbers and moments.

Additive rise, multiplicative fall (AIMD), with a memory. One more stream is tried when all were in
use for a while and the total rate did not suffer. What the device refuses, breaks, or gets slower
by is taken back, and the number that worked is a ceiling which is tried again only after minutes:
first after one, after each failure twice as long, and seldom enough that refusals stay the
exception. It has neither lock nor clock nor thread; `camsync.sync._turns` brings those.
"""

from __future__ import annotations

from collections import deque

import attrs


WINDOW = 2.0
"""Seconds over which the total rate is measured."""

_SOON = 0.5
"""Seconds after which a window may end early, because the last stream that was added clearly pays:
a first run shall not spend its time with looking."""

_PAYS = 0.5
"""Share of what one stream more should bring that counts as "clearly pays"."""

_BORNE = 0.95
"""Share of the allowed streams that must have flowed to say that the device bears so many: of one
too many, there is a moment now and then when another one has just ended."""

_BLOCK = 1 << 20
"""Bytes come in blocks of this size. Of n streams, 2 n^1.5 blocks make it unlikely (two standard
deviations) that chance looks like half a stream."""

_FULL = 0.9, 1.1
"""Share of the allowed streams that must have been open for a window to say anything."""

_KEPT = 0.95
"""Share of the best rate with fewer streams that counts as "did not fall"."""

_FELL = 0.85
"""Share below which it has clearly fallen."""

_BAD_WINDOWS, _POOR_WINDOWS = 2, 3
"""Windows in a row that prove a clear or a slight fall: one alone may be chance."""

_FRESH = 60.0
"""Seconds after which a measured rate proves nothing any more."""

_HOLD, _LONGEST_HOLD = 60.0, 600.0
"""Seconds until a ceiling is tried again: at first, and at the most."""

_OPENS = 100
"""Streams that open before a ceiling that was learnt by a refusal is tried again, unless it has
waited for `_LONGEST_HOLD`: so that less than a hundredth of the requests is refused."""

_LATE, _EXCUSES = 2.0, 2
"""Seconds for which a device may still count a stream that has ended. A refusal within them is put
down to that, so often in `_FRESH` seconds: somebody else's stream looks the same."""

_QUIET, _LONGEST_QUIET = 1.0, 30.0
"""Seconds without a new request after an unexpected refusal; doubles each time in a row."""


@attrs.define
class _Window:
    """What has happened since *begun*: bytes, seconds times streams, the most that flowed.

    Streams that are still being opened do not flow.
    """

    begun: float
    peak: int
    bytes: int = 0
    stream_seconds: float = 0.0
    flow_seconds: float = 0.0
    throttled: bool = False


class Level:
    """The number of streams for one device, and what is known about it.

    Args:
        cap: The most there may ever be.
        start: How many to begin with.
        minimum: The fewest.
        ceiling: What an earlier run has found to be the most, or None.
        now: The moment; all moments are seconds that never go back.

    Attributes:
        limit: How many streams may be open.
        ceiling: The number beyond which there was trouble, or None.
        epoch: Rises when the limit falls: trouble of streams from before has been dealt with.
        rate: Bytes a second in the last whole window.
    """

    def __init__(
        self, *, cap: int, start: int, minimum: int, ceiling: int | None = None, now: float = 0.0
    ) -> None:
        self._cap = cap
        self._minimum = minimum
        self.ceiling = ceiling
        self.limit = max(min(start, cap, ceiling or cap), minimum)
        self.epoch = 0
        self.rate = 0.0
        self._hold = _HOLD
        self._lowered = now
        self._opens, self._enough = 0, _OPENS
        self._proven = 0
        self._streak = 0
        self._ended = now - _LATE
        self._excused: deque[float] = deque(maxlen=_EXCUSES)
        self._rates: dict[int, tuple[float, float]] = {}
        self._bad = self._poor = 0
        self._used, self._flowing, self._since = 0, 0, now
        self._window = _Window(now, 0)

    # -- What happens

    def use(self, streams: int, flowing: int, now: float) -> None:
        """Note that so many *streams* are there from *now* on, and how many are *flowing*.

        The others are still being opened.
        """
        self._integrate(now)
        if flowing < self._flowing:
            self._ended = now
        self._used, self._flowing = streams, flowing
        self._window.peak = max(self._window.peak, flowing)

    def moved(self, count: int) -> None:
        """Note that *count* bytes have come, on any stream."""
        self._window.bytes += count

    def throttled(self) -> None:
        """Note that it is this side that holds the bytes back: the rate says nothing now."""
        self._window.throttled = True

    def opened(self) -> None:
        """Note that the device has accepted a stream."""
        self._streak = 0
        self._opens += 1

    def refused(self, streams: int, now: float) -> float:
        """Note that the device had no room for the last of *streams*; return how long to wait.

        One more than it has borne for a while was a try: it is taken back, and those that are
        open go on. A refusal of what it has borne means that it is busy with something else, or
        that it has not noticed yet that a stream has ended.
        """
        others = streams - 1
        self._streak += 1
        tried = streams > self._proven
        if not tried and self._is_late(now):
            self._excused.append(now)
            return _QUIET
        # Without others of ours it is busy anyway: that says nothing about how many it can bear.
        ceiling = others or self.ceiling
        self._lower(others if tried else streams // 2, ceiling, now, enough=_OPENS)
        if tried and others:
            return 0.0
        return float(min(_QUIET * 2 ** min(self._streak - 1, 10), _LONGEST_QUIET))

    def broke(self, streams: int, now: float) -> None:
        """Note that one of *streams* was reset, or has fallen silent."""
        if streams > 1:
            self._lower(streams // 2, streams - 1, now)

    def tick(self, now: float) -> bool:
        """Judge the last window, if it is over; say whether the limit has risen."""
        window, before = self._window, self.limit
        seconds = now - window.begun
        if seconds < _SOON:
            return False
        self._integrate(now)
        share = window.stream_seconds / (seconds * before)
        full = _FULL[0] <= share <= _FULL[1] and window.peak >= before
        tells = full and not window.throttled
        borne = tells and window.flow_seconds >= _BORNE * seconds * before
        if seconds < WINDOW and not (borne and self._pays(seconds, now)):
            return False
        self._window = _Window(now, self._flowing)
        self.rate = window.bytes / seconds
        if borne:
            self._proven = max(self._proven, before)
        if tells:
            self._judge(self.rate, now)
        return self.limit > before

    # -- What follows from it

    def _is_late(self, now: float) -> bool:
        """Whether a refusal may be due to a stream that has ended here, and not there yet."""
        enough = len(self._excused) == _EXCUSES and now - self._excused[0] < _FRESH
        return now - self._ended < _LATE and not enough

    def _integrate(self, now: float) -> None:
        self._window.stream_seconds += self._used * (now - self._since)
        self._window.flow_seconds += self._flowing * (now - self._since)
        self._since = now

    def _pays(self, seconds: float, now: float) -> bool:
        """Whether it is clear already that more streams bring more, while nothing speaks against it."""
        moved = self._window.bytes
        if self.ceiling is not None or moved < 2 * self.limit**1.5 * _BLOCK:
            return False
        better = 1 + _PAYS / max(self.limit - 1, 1)
        return moved / seconds >= better * self._best_with_fewer(now)

    def _judge(self, rate: float, now: float) -> None:
        best = self._best_with_fewer(now)
        self._rates[self.limit] = rate, now
        self._bad = self._bad + 1 if rate < _FELL * best else 0
        self._poor = self._poor + 1 if rate < _KEPT * best else 0
        if self._bad >= _BAD_WINDOWS:
            self._lower(self.limit // 2, self.limit - 1, now)
        elif self._poor >= _POOR_WINDOWS:
            self._lower(self.limit - 1, self.limit - 1, now)
        elif not self._poor:
            self._rise(now)

    def _best_with_fewer(self, now: float) -> float:
        return max(
            (
                rate
                for level, (rate, seen) in self._rates.items()
                if level < self.limit and now - seen <= _FRESH
            ),
            default=0.0,
        )

    def _rise(self, now: float) -> None:
        if self.ceiling is not None and self.limit > self.ceiling:
            # It was tried again, and now it works.
            self.ceiling, self._hold = None, _HOLD
        if self.limit >= self._cap:
            return
        if self.ceiling is None or self.limit < self.ceiling or self._may_try(now):
            self.limit += 1

    def _may_try(self, now: float) -> bool:
        waited = now - self._lowered
        hold = self._hold if self._opens >= self._enough else _LONGEST_HOLD
        return waited >= hold

    def _lower(self, limit: int, ceiling: int | None, now: float, *, enough: int = 0) -> None:
        if ceiling is not None:
            ceiling = max(ceiling, self._minimum)
            again = self.ceiling is not None and ceiling <= self.ceiling
            self._hold = min(self._hold * 2, _LONGEST_HOLD) if again else _HOLD
        self.ceiling, self._enough = ceiling, enough
        self.limit = max(min(limit, self.limit), self._minimum)
        self._proven = min(self._proven, self.limit)
        self._lowered, self._opens = now, 0
        self._rates.clear()
        self._bad = self._poor = 0
        self.epoch += 1
        self._integrate(now)
        self._window = _Window(now, self._flowing)
