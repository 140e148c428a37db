"""Ctrl-C and SIGTERM as a cancel token."""

from __future__ import annotations

import os
import signal

import pytest

from camsync import CancelToken
from camsync.cli import _signals
from camsync.cli._output import Output
from camsync.cli._signals import Stop


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


def test_a_closed_stderr_does_not_keep_it_from_stopping(output, monkeypatch):
    """The advice is a courtesy; stopping is not."""

    def write(*_arguments):
        raise OSError

    monkeypatch.setattr(os, "write", write)
    with Stop(output, "stopping") as stop:
        signal.raise_signal(signal.SIGINT)

        assert stop.is_set()
