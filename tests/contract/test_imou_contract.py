"""The Imou client passes the provider contract, for cloud, memory card and both together."""

from __future__ import annotations

import pytest

from camsync.providers.imou import ImouClient
from camsync.testing.contract import ProviderContract
from camsync.testing.imou.simulator import ImouSimulator


SECRET = "Contract-1-app-secret"


@pytest.fixture(scope="module")
def simulator():
    """Play an account for the whole suite; it takes the second signature that is tried."""
    with ImouSimulator(
        app_secret=SECRET, devices=2, hours=2, segment_seconds=90, sign="hmac"
    ) as simulator:
        yield simulator


def _client(simulator: ImouSimulator, **options) -> ImouClient:
    return ImouClient(
        simulator.app_id, simulator.app_secret, base_url=simulator.base_url, **options
    )


class TestCloud(ProviderContract):
    hours = 1
    secrets = (SECRET,)

    @pytest.fixture
    def provider(self, simulator):
        with _client(simulator, storage="cloud") as provider:
            yield provider


class TestCard(ProviderContract):
    hours = 1
    secrets = (SECRET,)

    @pytest.fixture
    def provider(self, simulator):
        with _client(simulator, storage="sd", timezone="+08:00") as provider:
            yield provider


class TestBoth(ProviderContract):
    hours = 1
    secrets = (SECRET,)

    @pytest.fixture
    def provider(self, simulator):
        with _client(simulator) as provider:
            yield provider

    def test_search_is_ordered_and_unique(self, provider, channel, span):
        """Recordings of both places come oldest first and never twice."""
        found = list(provider.search(channel, span))

        assert sorted(one.start for one in found) == [one.start for one in found]
        assert len(found) == len({one.key for one in found})
        assert {"cloud", "sd"} == {one.key.stream for one in found}
