"""What ``camsync doctor --bundle`` gives away of a cloud account: nothing that it has listed."""

from __future__ import annotations

import datetime as dt
import json
import zipfile

import pytest

from camsync import Profile, Profiles
from camsync.cli import main
from camsync.testing import ImouSimulator
from camsync.testing.imou import SimulatedChannel, SimulatedDevice


APP = "lcf00dfeed77"
SERIALS = ("8L0DF93PAZ55667", "6C04B1EPAJ9F2A1")
NAMES = ("Granny's bedroom", "Haus Sonnenschein", "Den", "WC", "Sepp")
ZONE = dt.timezone(dt.timedelta(hours=8))


def _device(serial, name, *channels, **fields):
    rooms = tuple(
        SimulatedChannel(id=str(number), name=text) for number, text in enumerate(channels)
    )
    return SimulatedDevice(id=serial, name=name, channels=rooms, zone=ZONE, **fields)


@pytest.fixture
def home(monkeypatch):
    """The profile of an account whose names and numbers look like those of people."""
    devices = [
        _device(SERIALS[0], NAMES[0], NAMES[2], plan="expired"),
        _device(SERIALS[1], NAMES[1], NAMES[3], NAMES[4], status="offline"),
    ]
    with ImouSimulator(app_id=APP, devices=devices, hours=0.1) as simulator:
        Profiles().set(
            Profile(
                name="home", provider="imou", host="127.0.0.1", port=simulator.port, username=APP
            )
        )
        monkeypatch.setenv("CAMSYNC_IMOU_HOME_USERNAME", APP)
        monkeypatch.setenv("CAMSYNC_IMOU_HOME_SECRET", simulator.app_secret)
        yield simulator


def bundle_of(capsys, tmp_path, *, name="home"):
    """Run the doctor; return what it printed as JSON, and the files of the bundle."""
    path = tmp_path / "report.zip"
    main(["doctor", name, "--bundle", str(path), "--json"])
    shown = json.loads(capsys.readouterr().out)
    with zipfile.ZipFile(path) as archive:
        return shown, {each: archive.read(each).decode() for each in archive.namelist()}


def test_a_bundle_of_an_account_names_nobody(home, capsys, tmp_path):
    """Serial numbers, names of any length and the app id have stand-ins; the meaning stays."""
    shown, files = bundle_of(capsys, tmp_path)
    everything = "\n".join(files.values())
    seen = json.dumps(shown, ensure_ascii=False)

    assert [] == [one for one in (APP, "home", *SERIALS, *NAMES) if one in everything]
    assert all(name in seen for name in ("Granny's bedroom", "WC", "Den")), (
        "the terminal shows them"
    )
    assert "expired" in files["doctor.txt"]
    assert "There is no dump.json" in files["README.txt"]
    assert "could not be listed" not in files["README.txt"]


def test_the_bundle_costs_one_call(home, capsys, tmp_path):
    """The names are asked for once more, the channels are not: they are known from the test."""
    bundle_of(capsys, tmp_path)
    main(["usage", "home", "--json"])
    (counted,) = json.loads(capsys.readouterr().out)["accounts"]

    assert 2 == counted["by_method"]["listDeviceDetailsByPage"]


def test_a_bundle_says_what_it_could_not_learn(home, capsys, tmp_path, monkeypatch):
    """When the login is refused nothing was listed; the app id is known all the same."""
    monkeypatch.setenv("CAMSYNC_IMOU_HOME_SECRET", "wrong-app-secret")
    _, files = bundle_of(capsys, tmp_path)

    assert "The cameras could not be listed" in files["README.txt"]
    assert APP not in "".join(files.values())


def test_the_data_centre_is_not_hidden():
    """Everybody shares it, and it is the first thing to look at."""
    from camsync import registry
    from camsync.cli._bundle import _prepared
    from camsync.cli._link import Link

    place = registry.resolve("imou://lcapp77@sg")
    scrubber = _prepared(Link(provider=None, place=place, username="lcapp77"))

    assert "lcapp77" not in scrubber.text("imou://lcapp77@sg")
    assert "in sg now" == scrubber.text("in sg now")
