"""What the integration tests share: a plain HTTP client for the simulator, and a clock to set."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys

from collections.abc import Callable, Iterator

import pytest
import requests

from requests.auth import HTTPDigestAuth

from camsync import _time
from camsync.testing import RecorderSimulator


class Client:
    """A plain HTTP client with Digest, as any integrator would write it."""

    def __init__(self, sim: RecorderSimulator) -> None:
        self.sim = sim
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = HTTPDigestAuth(sim.username, sim.password)

    def ask(self, path: str, body: str | None = None, method: str | None = None, **options):
        """Send a request below /ISAPI/ with a time-out."""
        verb = method or ("GET" if body is None else "POST")
        options = {"timeout": 10, "allow_redirects": False, **options}
        data = None if body is None else body.encode()
        return self.session.request(verb, f"{self.sim.url}/ISAPI/{path}", data=data, **options)


@pytest.fixture
def connect(recorder_simulator) -> Iterator[Callable[..., Client]]:
    """A function that starts a simulator and returns a client for it."""
    with contextlib.ExitStack() as stack:

        def start(**options) -> Client:
            client = Client(recorder_simulator(**options))
            stack.callback(client.session.close)
            return client

        yield start


class World:
    """True time, and the clock of this computer, which shows something else at times."""

    def __init__(self, now: dt.datetime) -> None:
        self.true = now
        self.wrong = dt.timedelta(0)

    def __call__(self) -> dt.datetime:
        return self.true + self.wrong

    def pass_by(self, length: dt.timedelta) -> None:
        """Let time go by; it stands still otherwise."""
        self.true += length


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    """The clock of all parts of camsync in this process, but not that of simulated devices.

    It starts at the ``NOW`` of the test's module.
    """
    world = World(request.module.NOW)
    for name, module in list(sys.modules.items()):
        mine = name.startswith("camsync") and not name.startswith("camsync.testing")
        # Where it comes from it stays: what is imported meanwhile would keep this one for good.
        if mine and module is not _time and hasattr(module, "utcnow"):
            monkeypatch.setattr(module, "utcnow", world)
    return world
