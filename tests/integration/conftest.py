"""What the integration tests share: a plain HTTP client for the simulator."""

from __future__ import annotations

import contextlib

from collections.abc import Callable, Iterator

import pytest
import requests

from requests.auth import HTTPDigestAuth

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
