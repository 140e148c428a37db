"""The provider in memory passes the provider contract: what is tested with it, holds elsewhere."""

from __future__ import annotations

import datetime as dt

import pytest

from camsync.models import RecordingKind
from camsync.testing import MemoryProvider
from camsync.testing.contract import ProviderContract


class TestMemoryProvider(ProviderContract):
    hours = 2

    @pytest.fixture
    def provider(self):
        now = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
        with MemoryProvider(channels=2) as provider:
            for number in range(5):
                kind = RecordingKind.MOTION if number % 2 else RecordingKind.CONTINUOUS
                provider.record("2", now - dt.timedelta(minutes=10 + number), kind=kind)
            provider.record("2", now, in_progress=True, size=None)
            yield provider
