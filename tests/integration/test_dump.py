"""Dumps: what is asked, that nobody can be recognised in them, and that they can be played."""

from __future__ import annotations

import json

from importlib import metadata

import attrs
import pytest

from camsync import (
    AccountLockedError,
    AuthenticationError,
    HikvisionISAPI,
    RetryPolicy,
    TimeSpan,
    UnreachableError,
)
from camsync._scrub import Scrubber
from camsync._secret import Secret
from camsync.providers.hikvision._client import IsapiClient
from camsync.providers.hikvision._dump import PATHS, make_dump
from camsync.testing import PERSONALITIES, RecorderSimulator
from camsync.testing.recorder._replies import Reply
from camsync.transport import Address, TLSPolicy, Transport


ONCE = RetryPolicy(attempts=1)
BUSY = {"hours": 25, "segment_seconds": 600, "codec": "mixed"}


def _provider(sim: RecorderSimulator, password: str | None = None) -> HikvisionISAPI:
    return HikvisionISAPI(
        "127.0.0.1", sim.username, password or sim.password, port=sim.port, retry=ONCE
    )


def _client(sim: RecorderSimulator, **options) -> IsapiClient:
    transport = Transport(
        Address.of("127.0.0.1", sim.port),
        sim.username,
        Secret(sim.password),
        tls=TLSPolicy.of(verify=True),
        **options,
    )
    return IsapiClient(transport, ONCE)


def _dump(sim: RecorderSimulator, **options) -> dict:
    client = _client(sim, **options)
    try:
        return make_dump(client, scrubber=Scrubber(), observed={}, search=None)
    finally:
        client.transport.close()


def _seen(provider: HikvisionISAPI) -> object:
    names = ("id", "codec", "resolution", "fps", "online", "source", "tracks", "model")
    disks = ("id", "capacity", "free", "state", "kind", "writable")
    (device,) = provider.devices()
    return (
        (device.model, device.firmware, device.kind),
        [tuple(getattr(one, name) for name in names) for one in provider.channels()],
        [tuple(getattr(one, name) for name in disks) for one in provider.storage()],
        provider.learnt.get("search"),
        provider.capabilities,
    )


def _endings(dump: dict) -> dict:
    return {
        name: (answer["status"], answer["content_type"], len(answer["body"]) // 100)
        for name, answer in dump["endpoints"].items()
        if "System/time" not in name and "search" not in name and "status" not in name
    }


@pytest.mark.parametrize("model", PERSONALITIES)
def test_a_played_dump_is_the_device(model, caplog):
    """Camsync sees the same device, channels, disks, meaning of Z and dialect; and dumps the same."""
    with RecorderSimulator(model=model, **BUSY) as sim, _provider(sim) as provider:
        dump = provider.dump()
        before = _seen(provider)
    dump = json.loads(json.dumps(dump))
    with RecorderSimulator(dump=dump, **BUSY) as sim, _provider(sim) as provider:
        again = provider.dump()
        after = _seen(provider)

    assert before == after
    assert (dump["camsync_dump"], dump["model"], dump["made"][-1]) == (1, model, "Z")
    assert _endings(dump) == _endings(again)
    for fact in ("search", "z_means", "zone"):
        assert dump["observed"][fact] == again["observed"][fact]


@pytest.mark.parametrize("model", ["DS-7616NI-K2", "DS-9632NI-M8"])
def test_downloads_from_a_played_dump(model):
    """Search and download stay alive: a played device hands out footage."""
    with RecorderSimulator(model=model, hours=1) as sim, _provider(sim) as provider:
        dump = provider.dump()
    with RecorderSimulator(dump=dump, hours=1) as sim, _provider(sim) as provider:
        found = list(provider.search(provider.channels()[0], TimeSpan.last(hours=1)))
        with provider.open(found[0]) as stream:
            buffer = memoryview(bytearray(1 << 16))
            total = 0
            while count := stream.readinto(buffer):
                total += count

    assert found[0].size == total


PLANTED = (
    "Tiệm bánh Ánh Dương",
    "Cửa hàng <Số 9> & kho",
    "10.77.66.55",
    "kamera-user",
    "44:19:b6:aa:bb:cc",
    "DS-7616NI-K21620180312CCRRC98765432WCVU",
    "98765432",
    "pw-Planted-77",
    "dev-loc-planted",
)


def test_nobody_can_be_recognised():
    """Planted names, addresses, accounts, serial numbers and secrets are nowhere in a dump."""
    name, channel, address, user, mac, serial, _, secret, place = PLANTED
    who = attrs.evolve(PERSONALITIES["DS-7616NI-K2"], device_name=name)
    with RecorderSimulator(model=who, username=user, hours=1) as sim, _provider(sim) as provider:
        escaped = channel.replace("&", "&amp;").replace("<", "&lt;")
        extra = (
            f"<x><serialNumber>{serial}</serialNumber><macAddress>{mac}</macAddress>"
            f"<password>{secret}</password><deviceLocation>{place}</deviceLocation>"
            f"<channelName>{escaped}</channelName><ipAddress>{address}</ipAddress>"
            f"<note>{serial} {name} {place} {address}</note></x>"
        )
        sim._device.static = {
            "GET /ISAPI/System/capabilities": Reply(body=extra.encode()),
            "GET /ISAPI/Security/adminAccesses": Reply(
                status=403, body=f"no: {channel} {user}".encode()
            ),
        }
        scrubber = Scrubber()
        dump = provider.dump(scrubber=scrubber)
    text = json.dumps(dump, ensure_ascii=False) + json.dumps(dump)

    assert [] == [one for one in PLANTED if one in text or json.dumps(one)[1:-1] in text]
    assert [] == [
        one
        for one in ("127.0.0.1", "192.168.254", "Front door", "Số 9")
        if one in text.replace("127.0.0.1/", "")
    ]
    assert {"name", "user name", "secret", "serial number", "address"} <= set(scrubber.counts)


def test_everything_is_asked_once_and_only_read():
    """A fixed list of questions; refusals are recorded like answers, headers are not."""
    with RecorderSimulator(model="DS-7616NI-K2", hours=1) as sim:
        dump = _dump(sim)
        asked = [(line.method, line.path) for line in sim.requests_log]

    endpoints = dump["endpoints"]
    assert [f"GET /ISAPI/{path}" for path in PATHS] == list(endpoints)
    assert len(PATHS) + 1 == len(asked)
    assert {"GET"} == {method for method, _ in asked}
    assert endpoints["GET /ISAPI/System/Video/inputs/channels"]["status"] == 403
    assert {"status", "content_type", "body"} == set().union(*endpoints.values())


def test_a_wrong_password_costs_one_try():
    """A refused login ends the dump at once, and says why."""
    with RecorderSimulator(hours=1, failed_logins_allowed=1) as sim:
        with _provider(sim, "wrong-password") as provider, pytest.raises(AccountLockedError):
            provider.dump()

        assert sim.logins_failed == 1


def test_a_login_that_ends_midway():
    """When the password stops working in between, no half dump comes out."""
    with RecorderSimulator(hours=1) as sim:
        client = _client(sim)
        client.get("System/deviceInfo")
        sim.enable("unauthorized-midway")
        with pytest.raises(AuthenticationError):
            make_dump(client, scrubber=Scrubber(), observed={}, search=None)
        client.transport.close()

        # The login that had worked, and one with a fresh nonce, in case only the nonce was old.
        assert sim.logins_failed == 2


def test_single_endpoints_may_fail():
    """A broken answer is recorded as such, the others are asked all the same; it can be played."""
    with RecorderSimulator(hours=1) as sim:
        sim._device.static = {
            "GET /ISAPI/System/deviceInfo": Reply(body=b"no xml"),
            "GET /ISAPI/System/capabilities": Reply(reset=True),
            "GET /ISAPI/ContentMgmt/record/tracks": Reply(body=b"x" * (5 << 20)),
        }
        dump = _dump(sim)
    endpoints = dump["endpoints"]

    assert (dump["model"], dump["firmware"]) == ("", "")
    assert endpoints["GET /ISAPI/System/capabilities"] == {"error": "network: UnreachableError"}
    assert endpoints["GET /ISAPI/ContentMgmt/record/tracks"] == {"error": "protocol: ProtocolError"}
    assert endpoints["GET /ISAPI/ContentMgmt/Storage"]["status"] == 200

    del endpoints["GET /ISAPI/System/deviceInfo"]
    with RecorderSimulator(dump=dump, hours=1) as sim, _provider(sim) as provider:
        assert len(provider.channels()) == 4
        played = _dump(sim)["endpoints"]
    assert played["GET /ISAPI/System/capabilities"] == {"error": "network: UnreachableError"}
    assert played["GET /ISAPI/ContentMgmt/record/tracks"]["status"] == 500


def test_a_device_that_falls_silent_is_not_asked_on():
    """After three questions without an answer the rest is not asked."""
    with RecorderSimulator(hours=1) as sim:
        silent = {f"GET /ISAPI/{path}": Reply(reset=True) for path in PATHS[1:]}
        sim._device.static = silent
        dump = _dump(sim)

    said = [answer.get("error") for answer in dump["endpoints"].values() if "error" in answer]
    assert 3 == said.count("network: UnreachableError")
    assert {"not asked: the device had stopped answering", "network: UnreachableError"} == set(said)


def test_a_device_that_cannot_be_reached():
    """Without any answer there is no dump but the error."""
    with RecorderSimulator(hours=1) as sim:
        client = _client(sim)
    with pytest.raises(UnreachableError):
        make_dump(client, scrubber=Scrubber(), observed={}, search=None)


def test_the_search_is_recorded_with_its_question():
    """One search in the device's dialect: what was asked stands beside the answer."""
    with RecorderSimulator(model="DS-7616NXI-K2", hours=1) as sim, _provider(sim) as provider:
        entry = provider.dump()["endpoints"]["POST /ISAPI/ContentMgmt/search"]

    assert (entry["status"], "<trackID>101</trackID>" in entry["request"]) == (200, True)
    assert "matchList" in entry["body"]


def test_a_device_that_cannot_search_can_be_dumped():
    """What camsync could not make out is named by its kind, without the device's own words."""
    faults = ["error-500-search"]
    with RecorderSimulator(channels=1, hours=0.5, faults=faults) as sim, _provider(sim) as provider:
        dump = provider.dump(scrubber=Scrubber())

    assert {"clock_error": "DeviceFaultError"} == dump["observed"]
    assert "GET /ISAPI/System/deviceInfo" in dump["endpoints"]
    assert not any("search" in name and name.startswith("POST") for name in dump["endpoints"])


def test_a_refused_login_ends_the_dump_of_a_provider():
    """There is nothing to report that a connection test would not say better."""
    with RecorderSimulator(channels=1, hours=0.5) as sim:
        with _provider(sim, "wrong") as provider, pytest.raises(AuthenticationError):
            provider.dump()

        assert 1 == sim.logins_failed


@pytest.mark.parametrize("installed", [True, False])
def test_a_dump_says_which_camsync_made_it(monkeypatch, installed):
    """A checkout that is not installed has no version, and says so."""

    def version(name: str) -> str:
        if not installed:
            raise metadata.PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr("camsync.providers.hikvision._dump.metadata.version", version)
    with RecorderSimulator(channels=1, hours=0.5) as sim:
        dump = _dump(sim)

    assert ("1.2.3" if installed else "unknown") == dump["camsync"]


def test_the_head_of_a_dump_is_scrubbed_too():
    """What somebody typed into the model or the version is nowhere in it, types of content neither."""
    serial = "DS-7616NI-K2/16P1620190101CCRR123456789WCVU"
    body = (
        f"<DeviceInfo><deviceName>Villa Aurora</deviceName><model>DS-7616NI-K2/16P {serial}</model>"
        f"<serialNumber>{serial}</serialNumber><firmwareVersion>V4.0 Miller-FW</firmwareVersion>"
        "</DeviceInfo>"
    )
    with RecorderSimulator(channels=1, hours=0.5) as sim:
        sim._device.static = {
            "GET /ISAPI/System/deviceInfo": Reply(
                body=body.encode(), content_type='application/xml; name="Villa Aurora"'
            )
        }
        dump = _dump(sim)
    text = json.dumps(dump)

    assert [] == [one for one in ("123456789", "Miller", "Villa", "CCRR") if one in text]
    assert dump["model"].startswith("DS-7616NI-K2/16P ")
    assert dump["firmware"].startswith("V4.0 ")
    assert "application/xml" in dump["endpoints"]["GET /ISAPI/System/deviceInfo"]["content_type"]
