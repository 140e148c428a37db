"""The simulator's inventory over HTTP: documents, byte style, errors, and how captures look."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET

from pathlib import Path

import pytest
import requests

from urllib3.exceptions import InsecureRequestWarning

from camsync.testing import PERSONALITIES


CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "isapi"
NVRS = [name for name, who in PERSONALITIES.items() if who.kind == "nvr"]
CAMERAS = [name for name, who in PERSONALITIES.items() if who.kind == "ipc"]
DVRS = [name for name, who in PERSONALITIES.items() if who.kind == "dvr"]
GETS = [
    "System/deviceInfo",
    "System/time",
    "System/status",
    "System/capabilities",
    "Security/adminAccesses",
    "Security/userCheck",
    "Streaming/channels",
    "Streaming/channels/101",
    "ContentMgmt/Storage",
    "ContentMgmt/capabilities",
    "ContentMgmt/record/tracks",
    "ContentMgmt/record/tracks/101",
    "ContentMgmt/search/profile",
    "ContentMgmt/download/capabilities",
]


def _root(reply: requests.Response) -> ET.Element:
    """Parse a good answer, without namespaces."""
    assert 200 == reply.status_code, reply.text
    return _stripped(ET.fromstring(reply.content))


def _stripped(root: ET.Element) -> ET.Element:
    for item in root.iter():
        item.tag = item.tag.rpartition("}")[2]
    return root


def _problem(reply: requests.Response) -> tuple[int, str | None, str | None]:
    root = _stripped(ET.fromstring(reply.content))
    assert "ResponseStatus" == root.tag
    return reply.status_code, root.findtext("statusCode"), root.findtext("subStatusCode")


NOT_SUPPORTED = (403, "4", "notSupport")


@pytest.mark.parametrize("model", PERSONALITIES)
def test_every_personality_answers(connect, model):
    """Each document parses, in the model's namespace and byte style."""
    client = connect(model=model, channels=2)
    who = client.sim.personality
    for path in GETS:
        reply = client.ask(path)
        assert 200 == reply.status_code
        namespace = re.match(r"(?:\{(.*)\})?", ET.fromstring(reply.content).tag)[1]
        assert who.namespace == namespace
        assert reply.content.endswith(b">\r\n" if who.is_camera else b">\n")
        head = b'"UTF-8"?>\r\n' if who.is_camera else b'"UTF-8" ?>\n'
        assert head in reply.content[:60]
    info = _root(client.ask("System/deviceInfo"))
    assert (model, who.firmware) == (info.findtext("model"), info.findtext("firmwareVersion"))
    assert who.server == reply.headers.get("Server")


@pytest.mark.parametrize("model", NVRS)
def test_a_network_recorder_has_no_inputs(connect, model):
    """403 notSupport on the inputs; IP channels with the number of free slots as size."""
    client = connect(model=model, channels=3)
    who = client.sim.personality
    assert NOT_SUPPORTED == _problem(client.ask("System/Video/inputs/channels"))
    channels = _root(client.ask("ContentMgmt/InputProxy/channels"))
    assert 3 == len(channels)
    assert str(who.slots - 3) == channels.get("size")
    assert who.details == (channels.find(".//model") is not None)
    assert who.details != (channels.find(".//connectionStatus") is not None)
    assert channels.find(".//enabled") is None
    states = _root(client.ask("ContentMgmt/InputProxy/channels/status"))
    assert ["true"] * 3 == [item.findtext("online") for item in states]


@pytest.mark.parametrize("model", CAMERAS)
def test_a_camera_has_inputs_only(connect, model):
    """One input without resDesc, 403 on the IP channels, paths in any case."""
    client = connect(model=model)
    inputs = _root(client.ask("System/Video/inputs/channels"))
    assert ["1"] == [item.findtext("id") for item in inputs]
    assert inputs.find(".//resDesc") is None
    assert NOT_SUPPORTED == _problem(client.ask("ContentMgmt/InputProxy/channels"))
    assert NOT_SUPPORTED == _problem(client.ask("ContentMgmt/InputProxy/channels/status"))
    assert "DeviceInfo" == _root(client.ask("System/deviceinfo")).tag
    assert "StreamingChannel" == _root(client.ask("streaming/Channels/101")).tag
    assert "Track" == _root(client.ask("contentMgmt/Record/Tracks/101")).tag


@pytest.mark.parametrize("model", DVRS)
def test_a_hybrid_recorder_has_both(connect, model):
    """Inputs first, IP channels after them, and the free slots count both."""
    client = connect(model=model, channels=2)
    who = client.sim.personality
    empty = _root(client.ask("ContentMgmt/InputProxy/channels"))
    assert (0, str(who.slots - who.inputs)) == (len(empty), empty.get("size"))
    mixed = connect(model=model, channels=who.inputs + 1)
    proxies = _root(mixed.ask("ContentMgmt/InputProxy/channels"))
    assert [str(who.inputs + 1)] == [item.findtext("id") for item in proxies]
    assert str(who.slots - who.inputs - 1) == proxies.get("size")
    assert who.inputs == len(_root(mixed.ask("System/Video/inputs/channels")))


def test_an_input_without_a_signal_says_so(connect):
    """iDS-7204HUHI-M1: NO VIDEO on 2 and 4, and no recordings there."""
    client = connect(model="iDS-7204HUHI-M1", channels=4, hours=1)
    inputs = _root(client.ask("System/Video/inputs/channels"))
    seen = {item.findtext("id"): item.findtext("resDesc") == "NO VIDEO" for item in inputs}
    assert {"1": False, "2": True, "3": False, "4": True} == seen
    assert {1, 3} == {item.channel for item in client.sim.recordings()}


def test_one_channel_is_offline(connect):
    """With four channels the last is offline, and has recordings all the same."""
    client = connect(channels=4, hours=1)
    states = _root(client.ask("ContentMgmt/InputProxy/channels/status"))
    assert ["true", "true", "true", "false"] == [item.findtext("online") for item in states]
    assert ["connect"] * 3 + ["netUnreachable"] == [
        item.findtext("chanDetectResult") for item in states
    ]
    assert client.sim.recordings(4)


def test_streams(connect):
    """Ids are channel * 100 + stream; the transcoded one only where the device has it."""
    old = connect(channels=2, codec="mixed", audio="g711a")
    assert ["101", "102", "201", "202"] == [
        item.findtext("id") for item in _root(old.ask("Streaming/channels"))
    ]
    stream = _root(old.ask("Streaming/channels/201"))
    assert ("H.265", "2500", "640", "G.711alaw") == tuple(
        stream.findtext(f".//{tag}")
        for tag in (
            "videoCodecType",
            "maxFrameRate",
            "videoResolutionWidth",
            "audioCompressionType",
        )
    )
    assert "0" == _root(old.ask("Streaming/channels/101")).findtext(".//maxFrameRate")
    assert NOT_SUPPORTED == _problem(old.ask("Streaming/channels/103"))
    new = connect(model="DS-7732NI-M4", channels=1)
    found = _root(new.ask("Streaming/channels"))
    assert ["101", "102", "104"] == [item.findtext("id") for item in found]
    assert found.find(".//dynVideoInputChannelID") is not None
    hybrid = connect(model="iDS-7204HUHI-M1")
    assert 400 == hybrid.ask("Streaming/channels/103").status_code


def test_tracks(connect):
    """A track that does not exist is 400 Invalid track id."""
    client = connect(channels=1)
    assert "101" == _root(client.ask("ContentMgmt/record/tracks/101")).findtext("id")
    reply = client.ask("ContentMgmt/record/tracks/901")
    assert (400, "6", "badParameters") == _problem(reply)
    assert "Invalid track id." in reply.text


def test_unknown_documents_and_wrong_methods(connect):
    """403 notSupport below /ISAPI/, 404 with a web page elsewhere, 403 for another verb."""
    client = connect(model="DS-7732NI-M4")
    unknown = client.ask("Event/triggers")
    assert NOT_SUPPORTED == _problem(unknown)
    assert "1073741825" == _stripped(ET.fromstring(unknown.content)).findtext("errorCode")
    assert (403, "4", "methodNotAllowed") == _problem(
        client.ask("System/deviceInfo", method="DELETE")
    )
    missing = client.ask("../doc/page/login.asp")
    assert (404, "text/html") == (missing.status_code, missing.headers["Content-Type"])
    head = client.ask("System/deviceInfo", method="HEAD")
    assert (403, b"") == (head.status_code, head.content)


def test_time_and_its_header(connect):
    """The local time follows zone and clock, a zone with saving has line ends; Date is no GMT."""
    now = dt.datetime(2026, 7, 1, 12, 0, tzinfo=dt.timezone.utc)
    zone = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"
    client = connect(clock=lambda: now, timezone=zone)
    reply = client.ask("System/time")
    assert "2026-07-01T14:00:00+02:00" == _root(reply).findtext("localTime")
    assert f"\n{zone}\n" == _root(reply).findtext("timeZone")
    assert "Wed, 01 Jul 2026 14:00:00 GMT" == reply.headers["Date"]
    assert "bytes" == reply.headers["Accept-Ranges"]
    status = _root(client.ask("System/status"))
    assert "2026-07-01T14:00:00+02:00" == status.findtext("currentDeviceTime")
    plain = connect(timezone="CST+5:00:00")
    assert "CST+5:00:00" == _root(plain.ask("System/time")).findtext("timeZone")


def test_ports(connect):
    """HTTP is where it listens, or HTTPS; RTSP moved on newer recorders."""

    def ports(client, **options) -> dict[str, str]:
        found = _root(client.ask("Security/adminAccesses", **options))
        return {item.findtext("protocol"): item.findtext("portNo") for item in found}

    plain = connect()
    assert (str(plain.sim.port), "554") == tuple(map(ports(plain).get, ("HTTP", "RTSP")))
    secure = connect(tls=True, model="DS-7732NI-M4")
    with pytest.warns(InsecureRequestWarning):
        found = ports(secure, verify=False)
    assert ("80", str(secure.sim.port), "10554") == tuple(map(found.get, ("HTTP", "HTTPS", "RTSP")))


def test_storage_is_in_mebibytes(connect):
    """An 8 TB disk and an empty bay; a camera has a card."""
    disks = _root(connect().ask("ContentMgmt/Storage"))
    assert [("7630885", "ok"), ("0", "notexist")] == [
        (item.findtext("capacity"), item.findtext("status")) for item in disks.iter("hdd")
    ]
    card = _root(connect(model="DS-2CD2185FWD-I").ask("ContentMgmt/Storage"))
    assert ["30436"] == [item.findtext("capacity") for item in card.iter("hdd")]


def test_capabilities(connect):
    """The documents agree with the behaviour of the personality."""
    client = connect(model="DS-9632NI-M8", page_cap=7)
    who = client.sim.personality
    racm = _root(client.ask("ContentMgmt/capabilities"))
    assert str(who.slots) == racm.findtext("inputProxyNums")
    assert racm.find("recordSearchType").get("opt").startswith("CMR,")
    inside = _root(client.ask("System/capabilities")).find("RacmCap")
    assert racm.findtext("isSupportMainAndSubRecord") == inside.findtext(
        "isSupportMainAndSubRecord"
    )
    profile = _root(client.ask("ContentMgmt/search/profile"))
    assert ("7", "1") == (
        profile.findtext("maxSearchMatchResults"),
        profile.findtext("maxConcurrentSearches"),
    )
    download = _root(client.ask("ContentMgmt/download/capabilities"))
    assert "true" == download.findtext("isSupportDownloadbyTime")


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures of real devices are not here")
@pytest.mark.parametrize("model", ["DS-7616NI-K2", "DS-7732NI-M4", "iDS-7204HUHI-M1"])
def test_documents_have_the_shape_of_the_captures(connect, model):
    """Every element of ours is in the capture of the same model, below the same parent."""
    client = connect(model=model, channels=4)
    compared = 0
    for path in (
        "System/deviceInfo",
        "ContentMgmt/Storage",
        "System/Video/inputs/channels",
        "ContentMgmt/InputProxy/channels",
        "Streaming/channels/101",
        "Security/adminAccesses",
    ):
        capture = CAPTURES / "devices" / model / f"{path.replace('/', '_')}.xml"
        reply = client.ask(path)
        if capture.is_file() and reply.status_code == 200:
            real = _shape(_stripped(ET.fromstring(capture.read_bytes())))
            assert set() == _shape(_root(reply)) - real - NOT_IN_EVERY_CAPTURE
            compared += 1
    assert compared >= 4


NOT_IN_EVERY_CAPTURE = {
    "Video/GovLength",
    "Video/dynVideoInputChannelID",
    "StreamingChannel/Audio",
    "Audio/enabled",
    "Audio/audioInputChannelID",
    "Audio/audioCompressionType",
    "Video/videoInputChannelID",
}


def _shape(root: ET.Element) -> set[str]:
    return {f"{parent.tag}/{child.tag}" for parent in root.iter() for child in parent}
