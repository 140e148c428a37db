"""Small parts of the simulator: faults, bandwidth, XML, channels, wire times, lazy names."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import subprocess
import sys
import threading
import time

from pathlib import Path

import attrs
import pytest

from camsync import testing
from camsync._zone import DeviceZone
from camsync.errors import ConfigurationError, MissingExtraError
from camsync.testing import FAULTS, PERSONALITIES, Personality, RecorderSimulator
from camsync.testing.recorder import _tls
from camsync.testing.recorder._channels import layout
from camsync.testing.recorder._faults import Faults
from camsync.testing.recorder._personality import find
from camsync.testing.recorder._throttle import Throttle
from camsync.testing.recorder._wire import Wire, http_date, local_time
from camsync.testing.recorder._xmlout import Element, document, leaf, node, rooted


NVR = PERSONALITIES["DS-7616NI-K2"]
CAMERA = PERSONALITIES["DS-2CD2185FWD-I"]
BERLIN = DeviceZone.parse("CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00")
SUMMER = dt.datetime(2026, 7, 1, 12, 0, 0, 700, tzinfo=dt.timezone.utc)
WINTER = dt.datetime(2026, 1, 1, 12, 0, 0, tzinfo=dt.timezone.utc)


# -- Faults --------------------------------------------------------------------------------------


def test_a_fault_strikes_as_often_as_asked():
    """With times it ends by itself; each stroke is counted."""
    faults = Faults()
    faults.enable("busy-503", times=2)
    assert {"busy-503": 2} == faults.snapshot()
    assert [True, True, False] == [faults.take("busy-503") for _ in range(3)]
    assert {"busy-503": 2} == faults.hits()
    faults.forget_hits()
    assert {} == faults.hits()


def test_a_fault_stays_until_it_is_switched_off():
    """Without times it strikes for good; switching off twice is fine."""
    faults = Faults(["error-500"])
    assert all(faults.take("error-500") for _ in range(10))
    faults.disable("error-500")
    faults.disable("error-500")
    assert not faults.take("error-500")


def test_only_the_first_fault_of_several_strikes():
    """Faults that exclude each other do not use each other up."""
    faults = Faults(["busy-403", "error-500"])
    assert "error-500" == faults.first("busy-503", "error-500", "busy-403")
    assert {"error-500": 1} == faults.hits()


@pytest.mark.parametrize(
    ("name", "times"), [("no-such-fault", None), ("busy-503", 0), ("basic-only", 2)]
)
def test_a_fault_must_make_sense(name, times):
    """Unknown names, no times at all, and counted ways to log in are refused."""
    with pytest.raises(ConfigurationError):
        Faults().enable(name, times)


def test_every_fault_is_described_in_one_line():
    """The descriptions feed the command line and the reference."""
    assert all(text and "\n" not in text for text in FAULTS.values())


# -- Bandwidth -----------------------------------------------------------------------------------


def test_the_throttle_keeps_the_rate():
    """A hundred kilobytes at a megabyte a second take about a tenth of a second."""
    throttle, stopped = Throttle(1_000_000), threading.Event()
    began = time.monotonic()
    for _ in range(6):
        assert throttle.wait(throttle.piece, stopped)
    assert 0.15 < time.monotonic() - began < 2.0


def test_the_throttle_ends_with_the_simulator():
    """A wait of hours ends at once when the simulator stops."""
    throttle, stopped = Throttle(1), threading.Event()
    threading.Timer(0.05, stopped.set).start()
    began = time.monotonic()
    assert not throttle.wait(100_000, stopped)
    assert 5.0 > time.monotonic() - began


def test_no_bandwidth_at_all_is_refused():
    """Zero would hang for ever."""
    with pytest.raises(ConfigurationError):
        Throttle(0)


# -- XML -----------------------------------------------------------------------------------------


def test_recorders_and_cameras_write_xml_in_their_own_way():
    """One element a line, no indent; a recorder's blank before ?> and LF, a camera's CRLF."""
    root = node("a", leaf("b", "x & y"), node("c"), Element("d", blank=True), leaf("e", value=True))
    lines = ["<a>", "<b>x &amp; y</b>", "<c></c>", "<d>", "</d>", "<e>true</e>", "</a>", ""]
    head = '<?xml version="1.0" encoding="UTF-8"'
    assert "\n".join([f"{head} ?>", *lines]).encode() == document(NVR, root)
    assert "\r\n".join([f"{head}?>", *lines]).encode() == document(CAMERA, root)


def test_a_device_may_have_no_namespace():
    """Old firmware and error bodies come without one."""
    bare = attrs.evolve(NVR, namespace=None)
    assert ['<a version="1.0">', "</a>"] == list(
        attrs.evolve(rooted(bare, "a", ()), blank=True).lines()
    )


# -- Channels and personalities ------------------------------------------------------------------


def test_every_personality_can_be_cast():
    """Each model has room for its channels, and is found in any case."""
    for name, who in PERSONALITIES.items():
        assert who is find(name.lower())
        assert layout(who, 1, "h264")


def test_a_personality_of_ones_own():
    """Tests can invent a device."""
    mine = Personality(model="X", firmware="V0")
    assert mine is find(mine)


def test_an_unknown_model_names_the_known_ones():
    """The error is the list of models."""
    with pytest.raises(ConfigurationError, match="DS-7616NI-K2"):
        find("DS-0000")


@pytest.mark.parametrize(("model", "count"), [("DS-7804N-R2", 5), ("DS-7616NI-K2", 0)])
def test_channels_must_fit(model, count):
    """A four-channel recorder has no fifth channel; none at all is nonsense."""
    with pytest.raises(ConfigurationError):
        layout(find(model), count, "h264")


def test_channel_numbers():
    """Sparse ones on a DS-9632NI-M8; inputs first on a hybrid; a camera has one anyway."""
    assert [1, 2, 4, 5, 7] == [c.number for c in layout(find("DS-9632NI-M8"), 5, "h264")]
    hybrid = layout(find("iDS-7204HUHI-M1"), 6, "mixed")
    assert [True] * 4 + [False] * 2 == [c.analog for c in hybrid]
    assert [True, False, True, False, True, True] == [c.records for c in hybrid]
    assert ["h264", "h265"] * 3 == [c.codec for c in hybrid]
    assert 1 == len(layout(CAMERA, 9, "h264"))
    assert "Camera 09" == layout(NVR, 9, "h264")[-1].name


def test_the_last_of_four_network_channels_is_offline():
    """Smaller recorders have all cameras online."""
    assert [True, True, True, False] == [c.online for c in layout(NVR, 4, "h264")]
    assert all(c.online for c in layout(NVR, 3, "h264"))


# -- Time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z_means", "std", "summer", "winter"),
    [
        ("local", False, "2026-07-01T14:00:00Z", "2026-01-01T13:00:00Z"),
        ("utc", False, "2026-07-01T12:00:00Z", "2026-01-01T12:00:00Z"),
        ("local", True, "2026-07-01T13:00:00Z", "2026-01-01T12:00:00Z"),
    ],
)
def test_what_z_means(z_means, std, summer, winter):
    """Local, UTC, and timeType=STD, which is one hour late in summer."""
    wire = Wire(zone=BERLIN, z_means=z_means, std=std)
    assert (summer, winter) == (wire.long(SUMMER), wire.long(WINTER))
    assert summer.replace("-", "").replace(":", "") == wire.short(SUMMER)
    expected = WINTER.replace(microsecond=0)
    assert expected == wire.read(winter)


def test_a_real_offset_is_honoured():
    """A client that writes +05:30 means it."""
    wire = Wire(zone=BERLIN, z_means="local")
    assert WINTER == wire.read("2026-01-01T17:30:00+05:30")


def test_local_time_and_the_date_header():
    """The suffix can be the standard one in summer; Date is the wall clock labelled GMT."""
    assert "2026-07-01T14:00:00+02:00" == local_time(NVR, BERLIN, SUMMER)
    odd = PERSONALITIES["DS-7616NXI-K2"]
    assert "2026-07-01T14:00:00+01:00" == local_time(odd, BERLIN, SUMMER)
    assert "Wed, 01 Jul 2026 14:00:00 GMT" == http_date(BERLIN, SUMMER)


# -- Names ---------------------------------------------------------------------------------------


def test_the_package_offers_its_names():
    """All names resolve, others do not."""
    assert all(hasattr(testing, name) for name in testing.__all__)
    assert set(testing.__all__) <= set(dir(testing))
    with pytest.raises(AttributeError, match="nothing"):
        _ = testing.nothing


def test_importing_the_simulator_is_light():
    """The simulator needs neither requests nor lxml nor PyAV nor cryptography."""
    code = (
        "import sys; from camsync.testing import RecorderSimulator; RecorderSimulator();"
        "print([n for n in ('requests', 'lxml', 'av', 'cryptography', 'click') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "[]" == done.stdout.strip()


def test_tls_without_cryptography_says_what_is_missing(monkeypatch):
    """The error carries the pip command."""
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError, match="pip install cryptography"):
        _tls.self_signed("127.0.0.1")


def test_the_certificate_names_its_host():
    """An address becomes an IP entry, a name a DNS entry."""
    from cryptography import x509

    for host, kind in (("127.0.0.1", x509.IPAddress), ("localhost", x509.DNSName)):
        pem = _tls.self_signed(host).certificate.encode()
        names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        assert [host] == [str(name) for name in names.value.get_values_for_type(kind)]


# -- The reference page --------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "simulator.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not beside the tests")
@pytest.mark.parametrize(
    ("heading", "names"), [("## Faults", list(FAULTS)), ("## Models", list(PERSONALITIES))]
)
def test_the_reference_page_lists_everything(heading, names):
    """The tables of faults and models are complete and in order."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    assert names == re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE)
    for name in set(names) & set(FAULTS):
        assert f"| `{name}` | {FAULTS[name]} |" in section


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not beside the tests")
def test_the_reference_page_tells_the_firmware():
    """The table of models names each firmware, and the options are those of the constructor."""
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{name}` | {who.firmware} |" in text for name, who in PERSONALITIES.items())
    options = text.partition("\n## Options\n")[2].partition("\n## ")[0]
    documented = {
        name
        for line in options.splitlines()
        for name in re.findall(r"`(\w+)`", line.split("|")[1] if line.startswith("| `") else "")
    }
    assert set(inspect.signature(RecorderSimulator).parameters) == documented
