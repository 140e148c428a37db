"""Retrying: how often, how long, and when not at all."""

from __future__ import annotations

import threading
import time

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import AuthenticationError, CancelledError, DeviceBusyError, RetryPolicy
from camsync._cancel import check_cancelled, pause
from camsync._retry import call


class Flaky:
    """Fails with the errors that it was given, one a call, then returns "done"."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float, _cancel: object) -> None:
        """Pretend to sleep."""
        self.sleeps.append(seconds)
        self.now += seconds


def run(policy: RetryPolicy, function: Flaky, **options) -> tuple[str, Clock]:
    """Call with the clock that does not make tests wait."""
    clock = Clock()
    return call(policy, function, sleep=clock.sleep, clock=clock, **options), clock


def busy(count: int, **options) -> list[DeviceBusyError]:
    """As many errors that may pass."""
    return [DeviceBusyError(f"busy {number}", **options) for number in range(count)]


STEADY = RetryPolicy(attempts=4, total=100, initial=1, maximum=30, jitter=0)


def test_success_is_returned_at_once():
    """What works is called once."""
    function = Flaky()

    result, clock = run(STEADY, function)

    assert ("done", 1, []) == (result, function.calls, clock.sleeps)


def test_waits_double():
    """The device gets more and more time to recover."""
    function = Flaky(*busy(3))

    result, clock = run(STEADY, function)

    assert ("done", 4, [1, 2, 4]) == (result, function.calls, clock.sleeps)


def test_attempts_are_counted_with_the_first():
    """``attempts=4`` means four calls, and the last error comes out unchanged."""
    errors = busy(5)
    function = Flaky(*errors)

    with pytest.raises(DeviceBusyError) as caught:
        run(STEADY, function)

    assert errors[3] is caught.value
    assert 4 == function.calls


def test_the_first_refused_login_is_the_last():
    """Recorders lock accounts: an authentication error is never tried again."""
    function = Flaky(AuthenticationError("no"))

    with pytest.raises(AuthenticationError):
        run(STEADY, function)

    assert 1 == function.calls


def test_foreign_errors_pass_through():
    """A bug is not something to try again."""
    function = Flaky(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        run(STEADY, function)

    assert 1 == function.calls


def test_no_try_begins_after_the_total_time():
    """A caller who allows two minutes gets an answer in two minutes."""
    policy = RetryPolicy(attempts=100, total=10, initial=4, maximum=4, jitter=0)
    function = Flaky(*busy(100))

    with pytest.raises(DeviceBusyError):
        run(policy, function)

    assert 3 == function.calls


def test_the_devices_own_wish_wins():
    """``Retry-After`` is waited out even when the policy would be faster."""
    _result, clock = run(STEADY, Flaky(*busy(1, retry_after=20)))

    assert [20] == clock.sleeps


def test_a_wish_beyond_the_longest_wait_ends_the_tries():
    """Half an hour of silence is for the caller to decide."""
    function = Flaky(*busy(1, retry_after=34))

    with pytest.raises(DeviceBusyError):
        run(STEADY, function)

    assert 1 == function.calls


def test_on_retry_hears_of_every_wait():
    """Progress displays can say why nothing moves."""
    heard = []
    errors = busy(2)

    run(STEADY, Flaky(*errors), on_retry=lambda error, wait: heard.append((error, wait)))

    assert [(errors[0], 1), (errors[1], 2)] == heard


@given(
    attempt=st.integers(1, 60),
    jitter=st.floats(0, 1),
    initial=st.floats(0, 10),
    maximum=st.floats(0, 60),
)
def test_delay_stays_within_bounds(attempt, jitter, initial, maximum):
    """Never negative, never more than the maximum, however many tries."""
    policy = RetryPolicy(initial=initial, maximum=maximum, jitter=jitter)

    delay = policy.delay(attempt)

    assert 0 <= delay <= maximum


@given(asked=st.floats(0, 3600), jitter=st.floats(0, 1))
def test_delay_never_cuts_an_asked_wait_short(asked, jitter):
    """The jitter only stretches what the device asked for, and only a little."""
    delay = RetryPolicy(jitter=jitter).delay(1, asked)

    assert asked <= delay <= asked * 1.1 + 1e-9


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0},
        {"total": 0},
        {"initial": -1},
        {"maximum": -1},
        {"jitter": 2},
        {"jitter": -1},
    ],
)
def test_impossible_policies_are_refused(options):
    """A policy that makes no sense does not get as far as the device."""
    with pytest.raises(ValueError, match=next(iter(options))):
        RetryPolicy(**options)


def test_pause_waits_as_long_as_asked():
    """Without a cancel token it simply sleeps."""
    begun = time.monotonic()

    pause(0.02)

    assert time.monotonic() - begun >= 0.02


def test_pause_with_an_unset_token_ends_by_itself():
    """A token that nobody sets changes nothing."""
    begun = time.monotonic()

    pause(0.02, threading.Event())

    assert time.monotonic() - begun >= 0.02


def test_pause_wakes_up_for_cancel():
    """Ctrl-C in a long back-off is answered within a moment."""
    cancel = threading.Event()
    timer = threading.Timer(0.05, cancel.set)
    timer.start()
    begun = time.monotonic()

    with pytest.raises(CancelledError, match="cancelled by the caller"):
        pause(30, cancel)

    timer.join()
    assert time.monotonic() - begun < 5


def test_call_is_cancelled_while_waiting():
    """The real pause is used unless a test brings its own."""
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(CancelledError):
        call(STEADY, Flaky(*busy(1)), cancel=cancel)


def test_check_cancelled_is_silent_until_set():
    """No token and an unset token both mean go on."""
    cancel = threading.Event()

    check_cancelled(None)
    check_cancelled(cancel)
    cancel.set()

    with pytest.raises(CancelledError):
        check_cancelled(cancel)
