"""Every kind of recorder that the simulator plays passes the provider contract."""

from __future__ import annotations

import pytest

from camsync import HikvisionISAPI
from camsync.testing import RecorderSimulator
from camsync.testing.contract import ProviderContract


PASSWORD = "Contract-1-password"
MODELS = ("DS-7616NI-K2", "DS-7616NXI-K2", "iDS-7204HUHI-M1", "DS-2CD2143G2-I")


@pytest.fixture(scope="module", params=MODELS)
def simulator(request):
    """Play one model for the whole suite."""
    with RecorderSimulator(
        model=request.param, channels=2, hours=3, segment_seconds=300, password=PASSWORD
    ) as simulator:
        yield simulator


class TestHikvisionISAPI(ProviderContract):
    hours = 2
    secrets = (PASSWORD,)

    @pytest.fixture
    def provider(self, simulator):
        with HikvisionISAPI(
            simulator.host, simulator.username, simulator.password, port=simulator.port
        ) as provider:
            yield provider
