"""Ctrl-C and SIGTERM as a cancel token."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import click
import pytest

from camsync import CancelToken
from camsync.cli import _signals
from camsync.cli._output import Output
from camsync.cli._signals import Stop, terminable


@pytest.fixture
def output():
    """The output to the captured streams."""
    return Output.standard(json=False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_sets_the_token(output, capfd, number, code):
    """The work is asked to stop, and the exit code says by what."""
    with Stop(output, "stopping") as stop:
        before = stop.is_set(), stop.code
        signal.raise_signal(number)

        assert (False, 0) == before
        assert (True, code) == (stop.is_set(), stop.code)

    assert "\nstopping\n" == capfd.readouterr().err


def test_the_token_is_a_cancel_token(output):
    """Downloads take it as it is."""
    assert isinstance(Stop(output), CancelToken)


def test_the_handlers_before_are_restored(output):
    """A program that calls main() keeps its own handlers."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with Stop(output):
        inside = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert before != inside


@pytest.mark.parametrize("terminal", [False, True])
def test_the_second_signal_ends_the_process(output, monkeypatch, capfd, terminal):
    """Nobody waits for work that hangs; the cursor that a live display hid comes back."""
    ended = []
    monkeypatch.setattr(_signals.os, "_exit", ended.append)
    output.err._force_terminal = terminal

    with Stop(output):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    assert [130] == ended
    assert ("\x1b[?25h" if terminal else "") == capfd.readouterr().err


def test_sigterm_ends_a_question(capfd):
    """It unwinds what hides the echo; a second one must not interrupt that."""
    before, during = signal.getsignal(signal.SIGTERM), []

    @contextlib.contextmanager
    def echo_off():
        try:
            yield
        finally:
            during.append(signal.getsignal(signal.SIGTERM))
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(click.exceptions.Exit) as caught, terminable(), echo_off():
        signal.raise_signal(signal.SIGTERM)

    assert (143, [signal.SIG_IGN]) == (caught.value.exit_code, during)
    assert before == signal.getsignal(signal.SIGTERM)
    assert "\nstopped by SIGTERM\n" == capfd.readouterr().err


def test_a_question_in_another_thread_changes_no_handler():
    """Only the main thread may."""
    seen = []

    def ask():
        with terminable():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()

    assert [signal.getsignal(signal.SIGTERM)] == seen


def test_who_was_started_to_ignore_sigterm_goes_on_doing_so():
    """Somebody chose that."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with terminable():
            signal.raise_signal(signal.SIGTERM)

        assert signal.SIG_IGN == signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_closed_stderr_does_not_keep_it_from_stopping(output, monkeypatch):
    """The advice is a courtesy; stopping is not."""

    def write(*_arguments):
        raise OSError

    monkeypatch.setattr(os, "write", write)
    with Stop(output, "stopping") as stop:
        signal.raise_signal(signal.SIGINT)

        assert stop.is_set()
