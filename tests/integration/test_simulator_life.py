"""The simulator's life: logins over HTTP, counters, TLS, dumps, redirects, start and stop."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import socket
import ssl
import threading
import time
import xml.etree.ElementTree as ET

import pytest
import requests

from requests.auth import HTTPDigestAuth

from camsync.errors import ConfigurationError
from camsync.testing import FAULTS, PERSONALITIES, RecorderSimulator
from camsync.testing.recorder import _server


def _user_check(reply: requests.Response) -> dict[str, str]:
    root = ET.fromstring(reply.content)
    assert root.tag.endswith("userCheck")
    return {item.tag.rpartition("}")[2]: item.text or "" for item in root}


# -- Login ---------------------------------------------------------------------------------------


def test_a_hundred_calls_cost_a_hundred_and_one_requests(connect):
    """One nonce serves them all."""
    client = connect()
    for _ in range(100):
        assert 200 == client.ask("System/deviceInfo").status_code
    assert (101, 1, 0) == (client.sim.requests, client.sim.unauthorized, client.sim.logins_failed)
    assert ("GET", "/ISAPI/System/deviceInfo", 200) == client.sim.requests_log[-1]
    client.sim.reset_counters()
    assert (0, 0, 0) == (client.sim.requests, client.sim.unauthorized, len(client.sim.requests_log))


def test_the_lock(connect):
    """Failed logins count down, then the account is locked for the right password as well."""
    client = connect(failed_logins_allowed=2)
    good, client.session.auth = client.session.auth, HTTPDigestAuth("admin", "guess")
    assert 401 == client.ask("System/deviceInfo").status_code
    assert (1, False) == (client.sim.logins_failed, client.sim.locked)
    client.session.auth = None
    left = _user_check(client.ask("Security/userCheck"))
    assert ("unlock", "0", "1") == (left["lockStatus"], left["unlockTime"], left["retryLoginTime"])
    client.session.auth = HTTPDigestAuth("admin", "guess")
    client.ask("System/deviceInfo")
    assert (2, True) == (client.sim.logins_failed, client.sim.locked)
    client.session.auth = good
    reply = client.ask("System/deviceInfo")
    state = _user_check(reply)
    assert (401, "401", "lock", "0") == (
        reply.status_code,
        state["statusValue"],
        state["lockStatus"],
        state["retryLoginTime"],
    )
    assert 1_790 <= int(state["unlockTime"]) <= 1_800
    client.sim.unlock()
    assert 200 == client.ask("System/deviceInfo").status_code
    assert "200" == _user_check(client.ask("Security/userCheck"))["statusValue"]


def test_cameras_say_401_with_a_web_page(connect):
    """Unless they are asked for the lock, or locked."""
    client = connect(model="DS-2CD2185FWD-I", failed_logins_allowed=1)
    client.session.auth = None
    reply = client.ask("System/deviceInfo")
    assert (401, "text/html") == (reply.status_code, reply.headers["Content-Type"])
    assert "unlock" == _user_check(client.ask("Security/userCheck"))["lockStatus"]
    client.session.auth = HTTPDigestAuth("admin", "guess")
    client.ask("System/deviceInfo")
    assert "lock" == _user_check(client.ask("System/deviceInfo"))["lockStatus"]


@pytest.mark.parametrize(
    "fault",
    [
        "stale-nonce",
        "nonce-once",
        "nonce-per-url",
        "sha256-only",
        "digest-no-qop",
        "nonce-strict-order",
    ],
)
def test_requests_copes_with_odd_digests(connect, fault):
    """A usual client gets through each of them, at no failed login."""
    client = connect(faults=[fault])
    for path in ("System/deviceInfo", "System/time") * 4:
        assert 200 == client.ask(path).status_code
    assert 0 == client.sim.logins_failed


def test_basic_and_two_challenges_on_the_wire(connect):
    """Several WWW-Authenticate headers in one 401."""
    client = connect(faults=["two-challenges", "digest-and-basic"])
    client.session.auth = None
    header = client.ask("System/deviceInfo").raw.headers.getlist("WWW-Authenticate")
    assert ["Digest", "Digest", "Basic"] == [text.split(" ")[0] for text in header]
    client.session.auth = ("admin", client.sim.password)
    assert 200 == client.ask("System/deviceInfo").status_code


# -- Other faults --------------------------------------------------------------------------------


def test_redirects_and_strangers(connect):
    """To HTTPS, to elsewhere, or no recorder at all; before any login."""
    client = connect()
    for fault, status, location in (
        ("redirect-https", 302, "https://127.0.0.1:443/ISAPI/System/time?a=b"),
        ("redirect-elsewhere", 302, "http://recorder.invalid/ISAPI/System/time?a=b"),
        ("html-404", 404, None),
    ):
        client.sim.enable(fault, times=1)
        reply = client.ask("System/time?a=b")
        assert (status, location) == (reply.status_code, reply.headers.get("Location"))
        assert "text/html" == reply.headers["Content-Type"]
    assert 0 == client.sim.unauthorized


@pytest.mark.parametrize("tls", [False, True])
def test_a_reset_connection(connect, tls):
    """The client sees a reset, and the next request works."""
    client = connect(faults=["reset-connection"], tls=tls)
    client.session.verify = False
    with pytest.warns(match="Unverified") if tls else contextlib.nullcontext():
        with pytest.raises(requests.ConnectionError):
            client.ask("System/time")
        client.sim.disable("reset-connection")
        assert 200 == client.ask("System/time").status_code


def test_every_fault_can_be_switched_on_from_the_start():
    """The constructor takes any names of FAULTS."""
    sim = RecorderSimulator(faults=FAULTS)
    assert dict.fromkeys(FAULTS) == dict(sim.faults)
    assert sim.FAULTS is FAULTS


# -- HTTP ----------------------------------------------------------------------------------------


def _talk(sim: RecorderSimulator, data: bytes) -> bytes:
    """Send raw bytes and read until the device closes or falls silent."""
    answer = bytearray()
    with socket.create_connection((sim.host, sim.port), timeout=5) as sock:
        sock.sendall(data)
        sock.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            while chunk := sock.recv(65_536):
                answer += chunk
    return bytes(answer)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"PATCH / HTTP/1.1\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", b"413"),
    ],
)
def test_broken_requests(recorder_simulator, request_, status):
    """Each gets a plain HTTP error, and the connection closes."""
    assert status in _talk(recorder_simulator(), request_).split(b"\r\n")[0]


def test_a_connection_is_kept_or_closed_as_asked(recorder_simulator):
    """Two requests on one connection; Connection: close closes; a client may just leave."""
    sim = recorder_simulator()
    one = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
    assert 2 == _talk(sim, one * 2).count(b"HTTP/1.1 401")
    last = _talk(sim, one.replace(b"Host", b"Connection: close\r\nHost") * 2)
    assert 1 == last.count(b"HTTP/1.1 401")
    assert b"Connection: close" in last
    with socket.create_connection((sim.host, sim.port), timeout=5) as sock:
        sock.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
    assert sim.unauthorized == 3


# -- TLS -----------------------------------------------------------------------------------------


def test_tls_with_the_simulators_own_certificate(connect, tmp_path):
    """The certificate verifies as its own CA, and the fingerprint is the server's."""
    client = connect(tls=True)
    path = tmp_path / "ca.pem"
    path.write_text(client.sim.certificate)
    client.session.verify = str(path)
    assert client.sim.url.startswith("https://127.0.0.1:")
    assert 200 == client.ask("System/deviceInfo").status_code
    pem = ssl.get_server_certificate((client.sim.host, client.sim.port))
    assert client.sim.certificate.strip() == pem.strip()
    assert re.fullmatch("sha256:[0-9a-f]{64}", client.sim.fingerprint)


def test_clients_that_do_not_trust_it_do_no_harm(connect):
    """A refused certificate and a plain HTTP client leave the server standing."""
    client = connect(tls=True)
    with pytest.raises(requests.exceptions.SSLError):
        client.ask("System/deviceInfo")
    _talk(client.sim, b"GET / HTTP/1.1\r\n\r\n")
    assert 0 == client.sim.requests
    with socket.create_connection((client.sim.host, client.sim.port), timeout=5):
        began = time.monotonic()
        client.sim.stop()
        assert time.monotonic() - began < 2


# -- Life ----------------------------------------------------------------------------------------


def test_stop_with_idle_connections(connect):
    """Kept connections are broken; stopping twice is fine; the port can be had again."""
    client = connect()
    client.ask("System/deviceInfo")
    with socket.create_connection((client.sim.host, client.sim.port), timeout=5):
        time.sleep(0.05)
        began = time.monotonic()
        client.sim.stop()
        assert time.monotonic() - began < 2
    client.sim.stop()
    with pytest.raises(requests.ConnectionError):
        client.ask("System/deviceInfo")
    again = RecorderSimulator(port=client.sim.port)
    with again:
        assert client.sim.port == again.port


def test_breaking_a_connection_that_is_gone():
    """A connection that ended by itself while the simulator stops is no error."""
    with socket.socket() as gone:
        assert _server._break(gone) is None


def test_it_can_start_again(recorder_simulator):
    """A stopped simulator serves again, on a new port, with the same history."""
    sim = recorder_simulator(hours=1, clock=lambda: dt.datetime(2026, 7, 1, tzinfo=dt.timezone.utc))
    before = sim.recordings()
    sim.stop()
    assert "stopped" in repr(sim)
    sim.start()
    assert "running" in repr(sim)
    assert 401 == requests.get(f"{sim.url}/ISAPI/System/time", timeout=5).status_code
    assert before == sim.recordings()


def test_it_says_where_it_is():
    """The addresses for HTTP clients and for camsync.connect; the password is not shown."""
    with RecorderSimulator(password="Hidden-77") as sim:
        assert f"http://127.0.0.1:{sim.port}" == sim.url
        assert f"hikvision://admin@127.0.0.1:{sim.port}" == sim.connect_url
        assert (None, None) == (sim.certificate, sim.fingerprint)
        assert "Hidden-77" not in repr(sim)
        assert sim.personality is PERSONALITIES["DS-7616NI-K2"]
    assert RecorderSimulator(tls=True).connect_url.startswith("hikvisions://")


def test_it_starts_once_and_on_a_free_port(recorder_simulator):
    """A second start and a taken port are ConfigurationErrors."""
    sim = recorder_simulator()
    with pytest.raises(ConfigurationError):
        sim.start()
    with pytest.raises(ConfigurationError, match=str(sim.port)):
        RecorderSimulator(port=sim.port).start()


@pytest.mark.parametrize(
    "options",
    [
        {"model": "DS-0"},
        {"codec": "mpeg4"},
        {"audio": "aac"},
        {"z_means": "gmt"},
        {"hours": 0},
        {"segment_seconds": -1},
        {"bitrate": 0},
        {"page_cap": 0},
        {"timezone": "Europe/Berlin"},
        {"faults": ["nonsense"]},
        {"clock": lambda: dt.datetime(2026, 7, 1)},
    ],
)
def test_settings_that_make_no_sense(options):
    """Each is refused before anything listens."""
    with pytest.raises(ConfigurationError):
        RecorderSimulator(**options)


def test_recordings_by_channel(recorder_simulator):
    """All, or one channel's."""
    sim = recorder_simulator(channels=3, hours=0.5)
    assert {1, 2, 3} == {item.channel for item in sim.recordings()}
    assert {2} == {item.channel for item in sim.recordings(2)}
    assert [] == sim.recordings(9)


def test_an_error_in_the_simulator_is_seen(monkeypatch):
    """A bug in the server is not swallowed like a lost connection."""
    seen: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_value))
    with RecorderSimulator() as sim:
        monkeypatch.setattr(sim._router, "_before", lambda _: 1 / 0)
        assert b"" == _talk(sim, b"GET / HTTP/1.1\r\n\r\n")
    assert [ZeroDivisionError] == [type(error) for error in seen]


# -- Dumps ---------------------------------------------------------------------------------------


def _xml(text: str, status: int = 200) -> dict[str, object]:
    return {"status": status, "content_type": "application/xml", "body": text}


NS = 'xmlns="http://www.isapi.org/ver20/XMLSchema"'
INFO = _xml(
    f"<DeviceInfo {NS}><deviceName>Hall</deviceName><model>DS-9999X</model>"
    "<firmwareVersion>V9.9.9</firmwareVersion><deviceType>NVR</deviceType></DeviceInfo>"
)
PROXY = _xml(
    f'<InputProxyChannelList {NS} size="3"><InputProxyChannel><id>2</id><name>Yard</name>'
    "</InputProxyChannel><InputProxyChannel><id>7</id><name>Door</name></InputProxyChannel>"
    "<InputProxyChannel><id>odd</id></InputProxyChannel></InputProxyChannelList>"
)
INPUTS = _xml(
    f"<VideoInputChannelList {NS}><VideoInputChannel><id>1</id><name>Bay</name>"
    "</VideoInputChannel><VideoInputChannel><id>2</id><resDesc>NO VIDEO</resDesc>"
    "</VideoInputChannel></VideoInputChannelList>"
)
TIME = _xml(f"<Time {NS}><localTime>x</localTime><timeZone>CST+3:00:00</timeZone></Time>")
FORBIDDEN = _xml("<ResponseStatus/>", 403)
_DEVICE, _PROXY, _VIDEO = (
    "GET /ISAPI/System/deviceInfo",
    "GET /ISAPI/ContentMgmt/InputProxy/channels",
    "GET /ISAPI/System/Video/inputs/channels",
)


def _dump(**endpoints) -> dict[str, object]:
    names = {"info": _DEVICE, "proxy": _PROXY, "video": _VIDEO, "time": "GET /ISAPI/System/time"}
    return {
        "camsync_dump": 1,
        "model": "said by the dump",
        "endpoints": {names.get(name, name): answer for name, answer in endpoints.items()},
    }


def test_a_dump_is_played(connect, tmp_path):
    """Recorded answers come as they are; search and download are simulated for its channels."""
    path = tmp_path / "dump.json"
    search = {"POST /ISAPI/ContentMgmt/search": _xml("<frozen/>")}
    data = _dump(info=INFO, proxy=PROXY, video=FORBIDDEN, time=TIME, **search)
    path.write_text(json.dumps(data), encoding="utf-8")
    client = connect(dump=path, hours=1, codec="mixed")
    assert INFO["body"] == client.ask("System/deviceInfo").text
    assert PROXY["body"] == client.ask("ContentMgmt/InputProxy/channels").text
    assert 403 == client.ask("System/Video/inputs/channels").status_code
    assert "CST+3:00:00" in client.ask("System/time").text
    assert {2: "h264", 7: "h265"} == {item.channel: item.codec for item in client.sim.recordings()}
    who = client.sim.personality
    assert ("DS-9999X", "V9.9.9", "Hall", 5, "nvr") == (
        who.model,
        who.firmware,
        who.device_name,
        who.slots,
        who.kind,
    )
    assert "frozen" not in client.ask("ContentMgmt/search", "<x/>").text
    assert "<size>" not in client.ask("Streaming/channels/201").text


def test_who_plays_a_dump():
    """The model if known, else the channel endpoint that answered, else what was asked for."""

    def kind(**endpoints) -> str:
        return RecorderSimulator(dump=_dump(**endpoints)).personality.kind

    assert "nvr" == kind(info=INFO, proxy=PROXY, video=FORBIDDEN)
    assert "ipc" == kind(info=INFO, video=INPUTS, proxy=FORBIDDEN)
    assert "dvr" == kind(info=INFO, video=INPUTS, proxy=PROXY)
    asked = RecorderSimulator(dump=_dump(info=INFO), model="DS-7804N-R2", channels=2)
    assert 30 == asked.personality.page_cap
    assert {1, 2} == {item.channel for item in asked.recordings()}
    known = _xml("<DeviceInfo><model>iDS-7204HUHI-M1/E</model></DeviceInfo>")
    twin = RecorderSimulator(dump=_dump(info=known, video=INPUTS), page_cap=9)
    assert ("iDS-7204HUHI-M1/E", 9) == (twin.personality.model, twin.personality.page_cap)
    assert {1} == {item.channel for item in twin.recordings()}


def test_a_dump_without_answers_still_names_the_model():
    """The names at the top count when deviceInfo is missing, or was refused with 401."""
    for info in ({}, {"info": _xml("", 401)}):
        sim = RecorderSimulator(dump=_dump(**info))
        assert "said by the dump" == sim.personality.model


def test_strange_status_codes_are_played(connect):
    """A device's own status needs no name."""
    client = connect(dump=_dump(**{"GET /ISAPI/Odd": {"status": 499, "body": "odd"}}))
    assert (499, "odd") == (client.ask("Odd").status_code, client.ask("Odd").text)


@pytest.mark.parametrize(
    "dump",
    [
        {},
        {"camsync_dump": 2, "endpoints": {}},
        {"camsync_dump": 1},
        {"camsync_dump": 1, "endpoints": {"deviceInfo": {}}},
        {"camsync_dump": 1, "endpoints": {"GET /x": "text"}},
        _dump(info=_xml("no xml")),
        _dump(time=_xml("<Time><timeZone>Mars</timeZone></Time>")),
    ],
)
def test_broken_dumps(dump):
    """Each is a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        RecorderSimulator(dump=dump)


@pytest.mark.parametrize("text", ["no json", "[]", None])
def test_broken_dump_files(tmp_path, text):
    """No JSON, no object, no file."""
    path = tmp_path / "dump.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError):
        RecorderSimulator(dump=str(path))


def test_half_a_request_gets_no_answer():
    """A client that leaves in the middle has not asked for anything."""
    head = b"POST /ISAPI/ContentMgmt/search HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<CM"
    with (
        RecorderSimulator() as sim,
        socket.create_connection((sim.host, sim.port), timeout=10) as client,
    ):
        client.sendall(head)
        client.shutdown(socket.SHUT_WR)

        assert b"" == client.recv(1000)
        assert 0 == sim.requests
