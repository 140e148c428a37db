"""The client for linked Imou accounts passes the provider contract; its surface is only modelled."""

from __future__ import annotations

import pytest

from camsync import MemoryStore
from camsync.models import Capability
from camsync.providers.imou.oauth import ImouLink, linked
from camsync.testing.contract import ProviderContract
from camsync.testing.imou.simulator import ImouSimulator


pytest.importorskip("av")  # the simulated gateway makes its MP4 files with it
pytest.importorskip("oauthlib")

SECRET = "Contract-2-app-secret"


@pytest.fixture(scope="module")
def simulator():
    """Play an account for the whole suite."""
    with ImouSimulator(
        app_secret=SECRET, devices=["camera", "nvr"], hours=2, segment_seconds=90
    ) as simulator:
        yield simulator


@pytest.fixture
def client(simulator):
    """Link the account, and return a client for it; then the tokens must not be shown."""
    link = ImouLink(simulator.base_url, simulator.app_id, SECRET, "http://localhost:8080/callback")
    tokens = link.finish(simulator.gateway.agree(link.begin().authorize_url))
    store = MemoryStore()
    store.set("imou", "shop", tokens.credential())

    def make(**options):
        return linked(link, store, "shop", timezone="+08:00", **options)

    make.tokens = tokens
    return make


class TestLinked(ProviderContract):
    hours = 1
    secrets = (SECRET,)

    @pytest.fixture
    def provider(self, client):
        with client() as provider:
            yield provider
            shown = repr(provider) + repr(provider._wire) + repr(vars(provider))
            assert client.tokens.access.reveal() not in shown
            assert client.tokens.refresh.reveal() not in shown

    def test_files_are_mp4(self, provider, recording):
        """The listing, the stream and the first bytes say the same, and ranges are offered."""
        with provider.open(recording) as stream:
            head = bytearray(12)
            stream.readinto(memoryview(head))
            rest = memoryview(bytearray(1 << 20))
            while stream.readinto(rest):
                pass

        assert b"ftyp" == bytes(head[4:8])
        assert "mp4" == recording.container == stream.container
        assert Capability.RANGE in provider.capabilities
        assert "yes" == provider.can_download(recording).level
