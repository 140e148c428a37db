"""Cassettes: what goes over the wire, recorded once and replayed without any server.

They were recorded against the simulator, not against a device, and say so in their folder's
README. ``nox -s record`` records them again; everything else replays them and reaches no socket.
"""

from __future__ import annotations

import datetime as dt
import os

from collections.abc import Iterator
from pathlib import Path

import pytest
import vcr

from vcr.errors import CannotOverwriteExistingCassetteException

from camsync import AuthenticationError, HikvisionISAPI, RetryPolicy, TimeSpan
from camsync._time import UTC
from camsync.testing import RecorderSimulator, scrub


FOLDER = Path(__file__).parents[1] / "cassettes" / "hikvision"
RECORD = os.environ.get("CAMSYNC_RECORD_CASSETTES") == "1"
NOW = dt.datetime(2026, 3, 3, 12, 0, 30, tzinfo=UTC)
MODELS = ("DS-7616NI-K2", "DS-7616NXI-K2", "DS-2CD2185FWD-I")
PASSWORD = "Cassette-1-password"


def _recorder() -> vcr.VCR:
    recorder = vcr.VCR(**scrub.vcr_options("all" if RECORD else "none"))
    recorder.register_matcher("isapi_body", scrub.isapi_body)
    return recorder


@pytest.fixture(autouse=True)
def _fixed_now(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("_clock", "_provider"):
        monkeypatch.setattr(f"camsync.providers.hikvision.{module}.utcnow", lambda: NOW)


@pytest.fixture(params=MODELS)
def provider(request: pytest.FixtureRequest) -> Iterator[HikvisionISAPI]:
    """Return a provider on a cassette; when recording, on a simulator with a fixed clock."""
    name = request.function.__name__.removeprefix("test_")
    cassette = FOLDER / f"{request.param}_{name}.yaml"
    short = "bytes" in name  # a few seconds of video are enough for a tape
    simulator = RecorderSimulator(
        model=request.param,
        channels=2,
        hours=0.05 if short else 2,
        segment_seconds=4 if short else 120,
        password=PASSWORD,
        clock=lambda: NOW,
    )
    port = simulator.start().port if RECORD else 80
    try:
        with (
            _recorder().use_cassette(str(cassette)) as tape,
            HikvisionISAPI(
                "127.0.0.1", "admin", PASSWORD, port=port, retry=RetryPolicy(attempts=1)
            ) as provider,
        ):
            yield provider
            assert RECORD or tape.all_played
    finally:
        simulator.stop()


def test_inventory(provider: HikvisionISAPI):
    """Device, channels, disks and clock from recorded answers."""
    (device,) = provider.devices()
    channels = provider.channels()
    volumes = provider.storage()

    assert device.model in MODELS
    assert channels[0].tracks[0] == "101"
    assert all(volume.capacity >= volume.free for volume in volumes)


def test_search(provider: HikvisionISAPI):
    """Two pages of one search: the second is another request, by its body alone."""
    span = TimeSpan(NOW - dt.timedelta(hours=2), NOW)

    recordings = list(provider.search(provider.channels()[0], span))

    assert len(recordings) >= 60
    assert [one.key for one in recordings] == sorted({one.key for one in recordings})
    assert recordings[-1].in_progress
    assert recordings[-1].start <= NOW


def test_first_bytes(provider: HikvisionISAPI):
    """A download on the tape: the bulk path is recorded too, and begins with its header."""
    span = TimeSpan(NOW - dt.timedelta(hours=1), NOW)
    recording = next(provider.search(provider.channels()[0], span))
    total = 0
    buffer = memoryview(bytearray(1 << 16))
    with provider.open(recording) as stream:
        head = bytes(stream.head[:4])
        while count := stream.readinto(buffer):
            total += count

    assert head == b"IMKH"
    assert total == recording.size


def test_a_tape_does_not_answer_what_was_not_asked():
    """With record_mode none an unknown request is an error, never a call to a device."""
    cassette = str(FOLDER / f"{MODELS[0]}_inventory.yaml")
    with (
        _recorder().use_cassette(cassette, record_mode="none"),
        HikvisionISAPI("127.0.0.1", "admin", "x", retry=RetryPolicy(attempts=1)) as provider,
        pytest.raises(CannotOverwriteExistingCassetteException),
    ):
        provider.days_with_recordings(provider.channels()[0], NOW.date())


def test_cassettes_hold_no_secrets():
    """Neither a login nor the password itself is on any tape."""
    files = sorted(FOLDER.glob("*.yaml"))

    assert len(files) == 3 * len(MODELS)
    assert [found for file in files for found in scrub.scan([file])] == []
    assert [file for file in files if PASSWORD in file.read_text()] == []
    assert not any("username=" in file.read_text() for file in files)


def test_a_wrong_login_is_never_recorded():
    """The scrubber works on failures too: the refused login leaves nothing behind."""
    simulator = RecorderSimulator(channels=1, password=PASSWORD)
    with simulator, _recorder().use_cassette("unused.yaml", record_mode="all") as tape:
        tape._save = lambda force=False: None  # noqa: ARG005 - nothing is to be written
        with (
            HikvisionISAPI("127.0.0.1", "admin", "wrong-secret", port=simulator.port) as provider,
            pytest.raises(AuthenticationError),
        ):
            provider.devices()

        assert tape.requests
        assert all("authorization" not in {*map(str.lower, one.headers)} for one in tape.requests)
