"""The pytest plugin: ``pytest_plugins = ["camsync.testing.plugin"]`` in the top ``conftest.py``.

.. code-block:: python

    def test_lists_recordings(recorder_simulator):
        sim = recorder_simulator(model="DS-9632NI-M8", faults=["length-missing"])
        client = MyClient(sim.url, sim.username, sim.password)
        ...
"""

from __future__ import annotations

import contextlib

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .imou.simulator import ImouSimulator
from .recorder.simulator import RecorderSimulator


@pytest.fixture
def recorder_simulator() -> Iterator[Callable[..., RecorderSimulator]]:
    """A function that starts a `RecorderSimulator` with its arguments; all stop with the test."""
    with contextlib.ExitStack() as running:

        def start(**options: Any) -> RecorderSimulator:
            return running.enter_context(RecorderSimulator(**options))

        yield start


@pytest.fixture
def imou_simulator() -> Iterator[Callable[..., ImouSimulator]]:
    """A function that starts an `ImouSimulator` with its arguments; all stop with the test."""
    with contextlib.ExitStack() as running:

        def start(**options: Any) -> ImouSimulator:
            return running.enter_context(ImouSimulator(**options))

        yield start
