"""The contract suite says clearly when a provider gives it nothing to test."""

from __future__ import annotations

import pytest


MODULE = """
import datetime as dt
import pytest
from camsync import Channel, Recording, RecordingKey
from camsync.testing.contract import ProviderContract

NOW = dt.datetime.now(dt.timezone.utc)
KEY = RecordingKey(provider="x", device="D", channel="1", start=NOW)
LIVE = Recording(
    key=KEY, channel_name="", start=NOW, end=NOW + dt.timedelta(hours=1), in_progress=True
)


class Empty:
    found = []

    def channels(self):
        return [Channel(device="D", id="1", name="a"), Channel(device="D", id="2", name="b")]

    def search(self, channel, span):
        return iter(self.found if channel.id == "2" else [])


class OnlyLive(Empty):
    found = [LIVE, LIVE]


class TestEmpty(ProviderContract):
    @pytest.fixture
    def provider(self):
        return Empty()


class TestOnlyLive(ProviderContract):
    @pytest.fixture
    def provider(self):
        return OnlyLive()
"""


def test_nothing_to_test_is_said(pytester: pytest.Pytester):
    """Without recordings, or with unfinished ones only, the suite fails with the reason."""
    pytester.makepyfile(test_it=MODULE)

    result = pytester.runpytest_inprocess("-p", "no:randomly", "-k", "keys_can_be_written")

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*no channel with recordings*", "*no finished recording*"])
