"""One retrying layer per kind of failure: attempts, total time, jitter, the device's own wish."""

from __future__ import annotations

import random
import time

from collections.abc import Callable
from typing import TypeVar

import attrs

from ._cancel import CancelToken, pause
from .errors import CamsyncError, ConfigurationError


T = TypeVar("T")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how long to try again. Only errors with ``retryable`` set are tried again.

    Attributes:
        attempts: Tries in all, the first one included.
        total: Seconds after which no further try begins.
        initial: Seconds before the second try; doubles each time.
        maximum: The longest wait; a longer wish of the device ends the tries.
        jitter: Share of the wait that is random (0 to 1), so that clients do not march in step.
    """

    attempts: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    total: float = attrs.field(default=120.0, validator=attrs.validators.gt(0))
    initial: float = attrs.field(default=0.5, validator=attrs.validators.ge(0))
    maximum: float = attrs.field(default=30.0, validator=attrs.validators.ge(0))
    jitter: float = attrs.field(
        default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)]
    )

    def delay(self, attempt: int, asked: float | None = None) -> float:
        """Return the seconds to wait after failed try number *attempt* (from 1).

        A wait that the device *asked* for is never cut short, only stretched by the jitter.
        """
        if asked is not None:
            return asked * (1 + self.jitter * random.random() * 0.1)  # noqa: S311 - no secret
        wait = min(self.initial * 2.0 ** (attempt - 1), self.maximum)
        return wait * (1 - self.jitter * random.random())  # noqa: S311 - no secret


def as_policy(value: object, usual: RetryPolicy) -> RetryPolicy:
    """Return what was given as a policy, or the *usual* one for None.

    Raises:
        ConfigurationError: It is none.
    """
    if value is None:
        return usual
    if isinstance(value, RetryPolicy):
        return value
    msg = f"retry must be a RetryPolicy, not {value!r}"
    raise ConfigurationError(msg, next_step="for example RetryPolicy(attempts=3)")


def call(
    policy: RetryPolicy,
    function: Callable[[], T],
    *,
    cancel: CancelToken | None = None,
    on_retry: Callable[[CamsyncError, float], None] | None = None,
    sleep: Callable[[float, CancelToken | None], None] = pause,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Call *function* until it succeeds, fails for good, or *policy* is used up.

    Raises:
        CamsyncError: The last error, unchanged.
        CancelledError: *cancel* was set while waiting.
    """
    begun = clock()
    attempt = 0
    while True:
        attempt += 1
        try:
            return function()
        except CamsyncError as error:
            wait = policy.delay(attempt, error.retry_after)
            late = clock() - begun + wait > policy.total
            if not error.retryable or attempt >= policy.attempts or late or wait > _ceiling(policy):
                raise
            if on_retry is not None:
                on_retry(error, wait)
            sleep(wait, cancel)


def _ceiling(policy: RetryPolicy) -> float:
    return max(policy.maximum, policy.initial) * 1.1
