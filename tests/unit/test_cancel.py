"""Breaking off what waits for a silent device."""

from __future__ import annotations

import socket
import threading

import pytest

from camsync import CancelledError, HikvisionISAPI, UnreachableError
from camsync._cancel import BreakOff, cancelled_by, pause
from camsync.download._engine import _next_block


BROKEN = UnreachableError("broken")


def test_without_a_token_nothing_is_watched():
    """No cancel, no thread."""
    before = threading.active_count()
    with BreakOff(None, lambda: pytest.fail("nobody asked for it")):
        assert threading.active_count() == before


def test_abort_is_called_soon_after_cancel():
    """What the abort causes comes out as cancelled, with the real error behind it."""
    cancel, aborted = threading.Event(), threading.Event()
    threading.Timer(0.05, cancel.set).start()

    def work() -> None:
        with BreakOff(cancel, aborted.set):
            assert aborted.wait(5)
            raise BROKEN

    with pytest.raises(CancelledError) as caught:
        work()

    assert isinstance(caught.value.__context__, UnreachableError)


def test_a_token_around_is_as_good_as_one_handed_on():
    """Waits and calls that take no token look at the one of the block; after it they do not."""
    cancel = threading.Event()
    cancel.set()
    with cancelled_by(cancel):
        with pytest.raises(CancelledError):
            pause(60)
        with cancelled_by(None):
            pause(0)

    pause(0)


def test_a_small_call_to_a_silent_device_is_broken_off():
    """A search of a device that has fallen silent does not take its whole timeout."""
    cancel = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        threading.Timer(0.1, cancel.set).start()
        port = silent.getsockname()[1]
        with (
            HikvisionISAPI("127.0.0.1", "admin", "a-password", port=port) as recorder,
            cancelled_by(cancel),
            pytest.raises(CancelledError),
        ):
            recorder.channels()


def test_errors_before_cancel_stay_what_they_are():
    """An error that nobody asked for is not called cancelled, and the watch ends."""
    before = threading.active_count()
    with pytest.raises(UnreachableError), BreakOff(threading.Event(), lambda: None):
        raise BROKEN

    assert threading.active_count() == before


def _cancelled_and(error, cancel):
    cancel.set()
    raise error


def test_ctrl_c_passes():
    """KeyboardInterrupt stays itself, even when cancel is set."""
    cancel = threading.Event()

    with pytest.raises(KeyboardInterrupt), BreakOff(cancel, lambda: None):
        _cancelled_and(KeyboardInterrupt(), cancel)


def test_what_is_cancelled_does_not_begin():
    """Nothing is sent any more, however many pages a search still had."""
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(CancelledError), BreakOff(cancel, lambda: None):
        pytest.fail("it has begun")


def test_a_cancelled_block_is_not_wrapped_again():
    """CancelledError from inside is handed on as it is."""
    cancel = threading.Event()
    inside = CancelledError("inside")

    with pytest.raises(CancelledError) as caught, BreakOff(cancel, lambda: None):
        _cancelled_and(inside, cancel)

    assert caught.value is inside


@pytest.mark.parametrize(
    ("block", "seconds", "expected"),
    [
        (1 << 16, 0.01, 1 << 17),
        (1 << 20, 0.01, 1 << 20),
        (1 << 18, 0.2, 1 << 18),
        (1 << 18, 1.0, 1 << 17),
        (1 << 16, 9.0, 1 << 16),
    ],
)
def test_reads_grow_with_the_line(block: int, seconds: float, expected: int):
    """Fast lines get large reads, slow ones small, so that progress is seen on both."""
    assert _next_block(block, seconds) == expected
