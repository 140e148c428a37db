"""Cassettes of the Imou cloud: recorded once against the simulator, replayed without any server.

``nox -s record`` records them again; everything else replays them and reaches no socket.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vcr
import yaml

from vcr.errors import CannotOverwriteExistingCassetteException

from camsync import AuthenticationError, ImouClient, RetryPolicy, TimeSpan, VolumeState
from camsync._time import UTC
from camsync.testing import ImouSimulator, scrub
from camsync.transport import _web


FOLDER = Path(__file__).parents[1] / "cassettes" / "imou"
RECORD = os.environ.get("CAMSYNC_RECORD_CASSETTES") == "1"
NOW = dt.datetime(2026, 3, 3, 12, 0, 30, tzinfo=UTC)
APP_ID = "lccassette00000001"
APP_SECRET = "Cassette-1-app-secret"
SIGNS = ("md5", "hmac")
KINDS = ("camera", "no-card", "offline")
_LOGIN = frozenset({"token", "sign"})


def _asked(request: Any) -> object:
    """What a call asks for: without time, nonce, id, signature and token, which are always new."""
    if not request.body:
        return None
    params = json.loads(request.body).get("params", {})
    return {name: value for name, value in params.items() if name not in _LOGIN}


def imou_body(first: Any, second: Any) -> None:
    """Compare what two calls ask for (a vcrpy matcher)."""
    assert _asked(first) == _asked(second)


def _recorder(record_mode: str) -> vcr.VCR:
    options = scrub.vcr_options(record_mode)
    wanted = ["imou_body" if name == "isapi_body" else name for name in options["match_on"]]
    recorder = vcr.VCR(**{**options, "match_on": wanted})
    recorder.register_matcher("imou_body", imou_body)
    return recorder


def _client(port: int) -> ImouClient:
    client = ImouClient(
        APP_ID,
        APP_SECRET,
        base_url=f"http://127.0.0.1:{port}",
        retry=RetryPolicy(attempts=1),
    )
    client._wire._caller._now = lambda: NOW  # type: ignore[attr-defined]
    return client


class _Line:
    """What stands in for the socket of a tape: the check of the peer's address wants to see one."""

    def getpeername(self) -> tuple[str, int]:
        """Where the tape says that it leads."""
        return ("127.0.0.1", 80)

    def settimeout(self, seconds: float) -> None:
        """A tape is never late."""


@pytest.fixture(autouse=True)
def _fixed_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camsync.providers.imou._search.utcnow", lambda: NOW)


@pytest.fixture(autouse=True)
def _lines_of_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = _web._Lines._connect

    def connected(self: _web._Lines) -> Any:
        connection = connect(self)
        connection._sock = _Line()  # vcrpy has none until something is sent
        return connection

    monkeypatch.setattr(_web._Lines, "_connect", connected)
    monkeypatch.setattr(_web._Lines, "_take", lambda _: None)  # a tape cannot be waited for


@pytest.fixture(params=SIGNS)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImouClient]:
    """Return a client on a cassette; when recording, on a simulator with a fixed clock."""
    name = request.function.__name__.removeprefix("test_")
    cassette = FOLDER / f"{request.param}_{name}.yaml"
    short = "bytes" in name  # a few seconds of video are enough for a tape
    simulator = ImouSimulator(
        app_id=APP_ID,
        app_secret=APP_SECRET,
        devices=KINDS,
        hours=0.05 if short else 1,
        segment_seconds=8 if short else 60,
        sign=request.param,
        clock=lambda: NOW,
    )
    port = simulator.start().port if RECORD else 80
    if not RECORD:
        monkeypatch.setattr(socket.socket, "connect", _unreachable)
    try:
        tape_of = _recorder("all" if RECORD else "none").use_cassette
        with tape_of(str(cassette)) as tape, _client(port) as client:
            yield client
            assert RECORD or tape.all_played
    finally:
        simulator.stop()


def _unreachable(*_: object) -> None:
    pytest.fail("a replayed cassette reached for a socket")


def test_inventory(client: ImouClient):
    """Login, devices, plan and cards from recorded answers, whichever signature the cloud wants."""
    devices = client.devices()
    channels = client.channels()

    assert ["Camera 1", "No card 2", "Offline 3"] == [device.name for device in devices]
    assert [True, True, False] == [channel.online for channel in channels]
    assert "active" == client.plan(channels[0])
    states = [volume.state for volume in client.storage()]
    assert [VolumeState.OK, VolumeState.MISSING, VolumeState.OFFLINE] == states
    assert client.learnt["sign"] in SIGNS


def test_search(client: ImouClient):
    """Cloud and card of one camera, pages included: each page is another request, by its body."""
    span = TimeSpan(NOW - dt.timedelta(hours=1), NOW)

    recordings = list(client.search(client.channels()[0], span))

    assert {"cloud", "sd"} == {one.key.stream for one in recordings}
    assert len([one for one in recordings if one.key.stream == "sd"]) >= 60
    assert [one.start for one in recordings] == sorted(one.start for one in recordings)


def test_first_bytes(client: ImouClient):
    """Playlist and segments are on the tape, and what they hold is a transport stream."""
    span = TimeSpan(NOW - dt.timedelta(minutes=2), NOW)
    channel = client.channels()[0]
    recording = next(client.search(channel, span, storage="cloud"))
    buffer = memoryview(bytearray(1 << 16))
    with client.open(recording) as stream:
        count = stream.readinto(buffer)
        first = bytes(buffer[:count])
        while stream.readinto(buffer):
            pass

    assert b"\x47" == first[:1] == first[188:189]
    assert "yes" == client.can_download(recording).level


def test_a_tape_does_not_answer_what_was_not_asked():
    """With record_mode none an unknown call is an error, never a request to the cloud."""
    cassette = str(FOLDER / f"{SIGNS[0]}_inventory.yaml")
    with _recorder("none").use_cassette(cassette), _client(80) as client:
        channel = client.channels()[0]
        span = TimeSpan(NOW - dt.timedelta(hours=1), NOW)
        with pytest.raises(CannotOverwriteExistingCassetteException):
            list(client.search(channel, span))


def _strings(value: object) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with the key that it stands under."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                yield key, inner
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _bodies() -> Iterator[dict[str, Any]]:
    """What was asked and answered, without playlists and footage."""
    for file in sorted(FOLDER.glob("*.yaml")):
        for one in yaml.safe_load(file.read_text())["interactions"]:
            if "/openapi/" in one["request"]["uri"]:
                yield json.loads(one["request"]["body"])
                yield json.loads(one["response"]["body"]["string"])


def test_cassettes_hold_no_secrets():
    """No app secret, token, signature or signed URL is on any tape."""
    files = sorted(FOLDER.glob("*.yaml"))
    secret_keys = {"sign", "token", "accessToken", "kitToken"}

    assert len(files) == 3 * len(SIGNS)
    assert [] == [found for file in files for found in scrub.scan([file])]
    assert [] == [file for file in files if APP_SECRET in file.read_text()]
    signed = [text for body in _bodies() for key, text in _strings(body) if key in secret_keys]
    assert {scrub.SCRUBBED} == set(signed)
    assert all("sign=" not in text.replace("sign=scrubbed", "") for text in map(_text, files))


def _text(file: Path) -> str:
    return file.read_text()


def test_a_refused_login_leaves_nothing_behind():
    """The scrubber works on failures too: neither secret nor signature of a refused login is kept."""
    simulator = ImouSimulator(app_id=APP_ID, app_secret=APP_SECRET, devices=1, clock=lambda: NOW)
    with simulator, _recorder("all").use_cassette("unused.yaml") as tape:
        tape._save = lambda force=False: None  # noqa: ARG005 - nothing is to be written
        wrong = "wrong-app-secret"
        with ImouClient(APP_ID, wrong, base_url=simulator.base_url) as client:
            client._wire._caller._now = lambda: NOW  # type: ignore[attr-defined]
            with pytest.raises(AuthenticationError):
                client.devices()

        bodies = [json.loads(one.body) for one in tape.requests]
        assert {scrub.SCRUBBED} == {body["system"]["sign"] for body in bodies}
