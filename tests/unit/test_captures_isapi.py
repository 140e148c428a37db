"""Every captured answer of a real device is parsed and checked against what is known of it.

The captures lie beside the project and are not part of it: some have no licence. Where they are
absent these tests are skipped; the shapes themselves are tested in test_isapi_documents.py.
"""

from __future__ import annotations

import datetime as dt
import json

from pathlib import Path

import pytest

from camsync import ChannelSource, Codec, DeviceKind, VolumeState
from camsync.providers.hikvision import _xml
from camsync.providers.hikvision._clock import read_time
from camsync.providers.hikvision._errors import read_login_state, read_status
from camsync.providers.hikvision._inventory import (
    Lists,
    read_channels,
    read_device,
    read_volumes,
)
from camsync.providers.hikvision._matches import read_page
from camsync.transport._digest import parse_challenges


ROOT = Path(__file__).parents[3] / "shared" / "captures" / "isapi"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="the captures are not beside the project")
FILES = sorted(path for path in ROOT.rglob("*") if path.is_file()) if ROOT.is_dir() else []
DEVICES = sorted((ROOT / "devices").iterdir()) if ROOT.is_dir() else []


def _load(path: Path) -> _xml.Element | None:
    return _xml.parse(path.read_bytes(), path.name) if path.exists() else None


def _lists(folder: Path) -> Lists:
    return Lists(
        inputs=_load(folder / "System_Video_inputs_channels.xml"),
        proxies=_load(folder / "ContentMgmt_InputProxy_channels.xml"),
        status=None,
        streams=_load(folder / "Streaming_channels.xml"),
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_is_read(path: Path):
    """XML parses and flattens, JSON loads, header files hold challenges or headers."""
    if path.suffix == ".xml":
        root = _xml.parse(path.read_bytes(), path.name)
        assert _xml.local(root)
        assert isinstance(_xml.to_dict(root), dict)
    elif path.suffix == ".json":
        assert json.loads(path.read_text())
    else:
        assert path.read_text("utf-8").strip()


KINDS = {
    "DS-2CD2146G2-ISU": (DeviceKind.CAMERA, 1, "V5.7.17"),
    "DS-2CD2346G2-ISU": (DeviceKind.CAMERA, 1, "V5.7.18"),
    "DS-2CD2443G0-IW": (DeviceKind.CAMERA, 1, "V5.6.5"),
    "DS-2CD2532F-IWS": (DeviceKind.CAMERA, 1, "V5.2.0"),
    "DS-2TD1228-2-QA": (DeviceKind.CAMERA, 2, "V5.5.98"),
    "DS-7608NXI-I2": (DeviceKind.NVR, 4, "V4.62.210"),
    "DS-7616NI-K2": (DeviceKind.NVR, 6, "V4.74.210"),
    "DS-7732NI-M4": (DeviceKind.NVR, 18, "V5.03.020"),
    "iDS-7204HUHI-M1": (DeviceKind.DVR, 4, "V4.75.011"),
}


@pytest.mark.parametrize("folder", DEVICES, ids=lambda path: path.name)
def test_devices(folder: Path):
    """Kind, firmware and number of channels are those that PROVENANCE names."""
    kind, count, firmware = KINDS[folder.name]
    lists = _lists(folder)
    root = _load(folder / "System_deviceInfo.xml")
    assert root is not None

    device = read_device(root, lists.kind)
    channels = read_channels(lists, device.id)

    assert (device.kind, len(channels)) == (kind, count)
    assert device.firmware.startswith(firmware)
    assert [int(one.id) for one in channels] == list(range(1, count + 1))
    assert all(one.tracks == (f"{one.id}01",) for one in channels)


def test_free_slots_are_not_channels():
    """The list of the DS-7616NI-K2 says size 10 and has 6 channels: 16 slots, 10 of them free."""
    root = _load(ROOT / "devices" / "DS-7616NI-K2" / "ContentMgmt_InputProxy_channels.xml")
    assert root is not None

    assert root.get("size") == "10"
    assert len(list(_xml.children(root, "InputProxyChannel"))) == 6


def test_a_recorder_with_eighteen_channels():
    """DS-7732NI-M4: codecs, sizes and rates of its main streams; channel 18 is track 1801."""
    channels = read_channels(_lists(ROOT / "devices" / "DS-7732NI-M4"), "SN")  # type: ignore[arg-type]

    first, last = channels[0], channels[-1]
    assert (first.codec, first.resolution, first.fps) == (Codec.H265, "3072x2048", 10.0)
    assert (last.tracks, last.codec) == (("1801",), Codec.H265)
    assert {one.source for one in channels} == {ChannelSource.NETWORK}


def test_a_hybrid_recorder_with_dead_wires():
    """iDS-7204HUHI-M1: two of four wires carry no video."""
    channels = read_channels(_lists(ROOT / "devices" / "iDS-7204HUHI-M1"), "SN")  # type: ignore[arg-type]

    assert [one.online for one in channels] == [True, False, True, False]
    assert {one.source for one in channels} == {ChannelSource.ANALOG}


@pytest.mark.parametrize(
    ("folder", "terabytes", "state"),
    [
        ("DS-7616NI-K2", 8.0, VolumeState.OK),
        ("DS-7608NXI-I2", 2.0, VolumeState.OK),
        ("DS-7732NI-M4", 6.0, VolumeState.OK),
        ("DS-2CD2346G2-ISU", 0.128, VolumeState.OK),
        ("DS-2CD2146G2-ISU", 0.0, VolumeState.OFFLINE),
    ],
)
def test_disks_have_the_size_that_they_were_sold_with(folder, terabytes, state):
    """In MiB the capacities are those of disks and cards in shops."""
    root = _load(ROOT / "devices" / folder / "ContentMgmt_Storage.xml")
    assert root is not None

    (volume,) = read_volumes(root, "SN")  # type: ignore[arg-type]

    assert volume.capacity / 1e12 == pytest.approx(terabytes, rel=0.005)
    assert volume.state is state


def test_search_answers():
    """V4.84.031: 30 items of 68 and MORE; V4.1.18: NO MATCHES without a list; the guide's one."""
    folder = ROOT / "search" / "DS-7804N-R2_V4.84.031"
    names = ("1440min", "30min", "overflow_3ch")
    long, short, three = (
        read_page(_load(next(folder.glob(f"*{name}.xml"))))
        for name in names  # type: ignore[arg-type]
    )
    empty = read_page(_load(next((ROOT / "search").rglob("*exact_8ch*"))))  # type: ignore[arg-type]
    guide = read_page(_load(next((ROOT / "guide").glob("search*response.body.xml"))))  # type: ignore[arg-type]

    assert (len(long.matches), long.more, long.total) == (30, True, 68)
    assert (len(short.matches), short.more, len(three.matches)) == (4, False, 4)
    assert (len(empty.matches), empty.more, empty.total) == (0, False, 0)
    assert guide.matches[0].name == "00000004667000100"
    assert {match.track for match in long.matches} == {"101", "201"}
    assert all("size=" in match.uri and match.content == "video" for match in long.matches)


def test_the_lock():
    """The locked account: half an hour, no tries left."""
    state = read_login_state((ROOT / "issues" / "userCheck_locked.xml").read_bytes())

    assert state is not None
    assert (state.locked, state.unlock_after, state.tries_left) == (
        True,
        dt.timedelta(minutes=30),
        0,
    )


def test_an_error_body():
    """A real ResponseStatus."""
    status = read_status((ROOT / "other/evercam/responses/error.xml").read_bytes())

    assert status is not None
    assert (status.code, status.sub_code) == ("4", "methodNotAllowed")


def test_a_time_with_daylight_saving():
    """The zone that crashed a peer: line ends around it, and rules in it."""
    root = _load(ROOT / "issues" / "qb60_hikvision-downloader_5_System_time_dst.xml")
    assert root is not None

    reading = read_time(root)

    assert reading.wall == dt.datetime(2022, 3, 2, 17, 8, 16)
    assert str(reading.zone) == "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"


def test_real_challenges():
    """The Digest challenges of a recorder and of a camera, as captured."""
    text = (ROOT / "issues" / "hikvision_next_50_ERI-K104-P4_401.headers.txt").read_text("utf-8")
    (challenge,) = parse_challenges([text.partition(":")[2]])

    assert challenge.usable
    assert challenge.params["opaque"] == ""
    assert challenge.params["domain"] == "::"
