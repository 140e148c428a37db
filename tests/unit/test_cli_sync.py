"""``camsync sync`` and its relatives against recorders in memory."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import os
import re
import signal
import sys
import threading

from pathlib import PurePosixPath

import attrs
import pytest


pytest.importorskip("sqlalchemy")

from camsync import TimeSpan, errors, registry
from camsync.catalogue import (
    Catalogue,
    ChannelMark,
    Entry,
    Holdings,
    KnownChannel,
    Reconciliation,
)
from camsync.cli import main
from camsync.cli._exit import FAILED
from camsync.cli._flags import flags_of
from camsync.cli._log_file import logging_into
from camsync.cli._output import Output, console_for
from camsync.cli._place import said_at
from camsync.cli._spending import Spending
from camsync.cli._sync_show import Bars, Lines, event_line, totals_text
from camsync.cli._watch import in_time, watch
from camsync.models import Progress, Stage
from camsync.profiles import Profile, Profiles
from camsync.sync import Clip, EventKind, SyncEvent, Totals
from camsync.testing import MemoryProvider


UTC = dt.timezone.utc
URL = "hikvision://admin@{}"


def _ago(minutes):
    now = dt.datetime.now(UTC).replace(microsecond=0)
    return now - dt.timedelta(minutes=minutes)


@pytest.fixture
def shops(monkeypatch):
    """Two recorders, ``a.test`` and ``b.test``, with two recordings each; all have one password."""
    found = {}
    for number, name in enumerate(("a.test", "b.test")):
        provider = found[name] = MemoryProvider(f"SHOP-{number}", channels=2)
        provider.logins = []
        provider.host = name
        provider.record("1", _ago(30), item=name)
        provider.record("2", _ago(20), item=name)

    def connect(target, *, password, **options):
        provider = found[target.url.host]
        provider.logins.append((password.reveal(), options))
        return provider

    monkeypatch.setattr(registry, "connect_to", connect)
    monkeypatch.setenv("CAMSYNC_PASSWORD", "right")
    return found


def _urls(*names):
    return [URL.format(name) for name in names]


def _lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _config(folder, text, name="camsync.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def _both(folder, more=""):
    sources = "".join(f'[[source]]\nurl = "{url}"\n' for url in _urls("a.test", "b.test"))
    return _config(folder, f'dest = "footage"\ncontainer = "original"\n{more}\n{sources}')


def test_two_recorders_and_a_second_run(shops, tmp_path, capsys):
    """All is fetched, then nothing; each run asks for the password where it is."""
    to = ("--to", str(tmp_path / "f"), "--container", "original")
    code = main(["sync", *_urls(*shops), *to])
    first = capsys.readouterr()
    again = main(["sync", *_urls(*shops), *to, "--timeout", "5"])
    second = capsys.readouterr()

    assert 0 == code == again
    assert f"{tmp_path / 'f'}: 4 fetched" in first.out
    assert "0 fetched (0 B), 4 held already" in second.out
    assert [("right", {}), ("right", {"timeout": (5.0, 5.0)})] == shops["a.test"].logins
    assert 2 == shops["a.test"].closed


def test_json_is_a_line_for_each_event(shops, tmp_path, capsys):
    """From started to the run's own line, with the same names everywhere."""
    provider = shops["b.test"]
    provider.trouble[provider.listed["1"][0].key] = errors.ProtocolError("odd")
    args = ["--to", str(tmp_path), "--container", "original", "--json"]
    code = main(["sync", *_urls(*shops), *args])
    lines = _lines(capsys)

    kinds = [line["event"] for line in lines]
    assert FAILED == code
    assert ("started", "run") == (kinds[0], kinds[-1])
    assert {"searched", "progress", "fetched", "failed", "finished"} <= set(kinds)
    (failed,) = [line for line in lines if line["event"] == "failed"]
    assert "protocol" == failed["error"]["category"]
    assert ("SHOP-1", "1") == (failed["device"], failed["channel"])
    last = lines[-1]
    assert (False, 1, [], []) == tuple(
        last[name] for name in ("complete", "code", "problems", "errors")
    )
    assert 3 == last["reports"][0]["downloaded"]


def test_quiet_says_nothing_unless_something_failed(shops, tmp_path, capsys):
    """For cron, which mails what is printed."""
    args = ["--to", str(tmp_path), "--container", "original", "--quiet"]
    assert 0 == main(["sync", *_urls(*shops), *args])
    fine = capsys.readouterr()
    provider = shops["b.test"]
    late = provider.record("1", _ago(10), item="late")
    provider.trouble[late.key] = errors.ProtocolError("odd")
    provider.blind["2"] = errors.DeviceBusyError("busy")
    assert 1 == main(["sync", *_urls(*shops), *args])
    bad = capsys.readouterr()

    assert ("", "") == (fine.out, fine.err)
    assert "" == bad.out
    assert "failed: Camera 1" in bad.err
    assert "problem: SHOP-1 channel 2: busy" in bad.err


@pytest.mark.parametrize("as_json", [False, True])
def test_one_source_that_cannot_be_used_does_not_stop_the_other(
    shops, tmp_path, monkeypatch, capsys, as_json
):
    """It is in the report and in the events; alone, its error is the exit code."""
    wrong = "hikvision://other@b.test"
    json_flag = ["--json"] if as_json else []
    monkeypatch.delenv("CAMSYNC_PASSWORD")
    monkeypatch.setenv("CAMSYNC_HIKVISION_A__2E__TEST_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_A__2E__TEST_SECRET", "right")
    args = ["--to", str(tmp_path), "--container", "original", "--store", "env", *json_flag]
    several = main(["sync", *_urls("a.test"), wrong, *args])
    shown = capsys.readouterr()
    alone = main(["sync", wrong, *args])
    only = capsys.readouterr()

    assert (1, 2) == (several, alone)
    if as_json:
        lines = [json.loads(line) for line in shown.out.splitlines()]
        (problem,) = [line for line in lines if line["event"] == "problem"]
        assert wrong == problem["device"] == lines[-1]["problems"][0]["device"]
        (line,) = only.out.splitlines()
        assert ("error", 2) == (json.loads(line)["event"], json.loads(line)["code"])
    else:
        assert f"problem: {wrong}: no password" in shown.err
        assert "2 fetched" in shown.out
        assert "error: no password" in only.err


def test_a_refused_login_is_the_exit_code(shops, tmp_path, capsys):
    """Where nothing else happened; with a second recorder it is one problem among others."""
    shops["a.test"].refusal = errors.AuthenticationError("refused")
    to = ["--to", str(tmp_path), "--container", "original"]

    assert 6 == main(["sync", *_urls("a.test"), *to])
    assert "problem: hikvision://admin@a.test: refused" in capsys.readouterr().err
    assert 1 == main(["sync", *_urls(*shops), *to])
    assert 6 == main(["plan", *_urls("a.test"), *to])
    assert "refused" in capsys.readouterr().err


def test_a_destination_that_cannot_be_used_stops_only_its_task(shops, tmp_path, capsys):
    """The other sources have another one; if all fail, it is the exit code."""
    (tmp_path / "file").touch()
    text = 'container = "original"\n'
    for url, dest in zip(_urls(*shops), ("file/x", "good"), strict=True):
        text += f'[[source]]\nurl = "{url}"\ndest = "{dest}"\n'
    path = _config(tmp_path, text)
    code = main(["sync", "--config", str(path), "--json"])
    last = _lines(capsys)[-1]

    assert 1 == code
    assert ["disk"] == [each["error"]["category"] for each in last["errors"]]
    assert 2 == last["reports"][0]["downloaded"]
    assert 15 == main(["sync", "--config", str(path), *_urls("a.test")])
    assert f"error: {tmp_path / 'file' / 'x'}" in capsys.readouterr().err


def test_the_file_is_enough(shops, tmp_path, monkeypatch, capsys):
    """Sources, destination, hooks, figures and log: nothing has to be typed."""
    path = _both(
        tmp_path,
        f"""
log = "logs/camsync.log"
catalogue = "held.sqlite3"
[metrics]
file = "metrics/camsync.prom"
[hooks]
finished = ["{sys.executable}", "-c", "open('{tmp_path / "told"}', 'a').write('x')"]
""",
    )
    monkeypatch.chdir(tmp_path)
    assert 0 == main(["sync", "-v"])
    capsys.readouterr()

    assert "x" == (tmp_path / "told").read_text()
    assert "camsync_run_complete 1.0" in (tmp_path / "metrics" / "camsync.prom").read_text()
    log = (tmp_path / "logs" / "camsync.log").read_text()
    assert "INFO camsync.sync" in log
    assert (tmp_path / "held.sqlite3").exists()
    assert 0 == main(["status", "--json"])
    status = json.loads(capsys.readouterr().out)
    assert str(tmp_path / "held.sqlite3") == status["catalogue"]
    assert 0 == main(["sync", *_urls("a.test"), "--config", str(path)])
    assert "2 held already" in capsys.readouterr().out


def test_limits_hold_for_the_whole_run(shops, tmp_path, capsys):
    """What the first task has fetched is not there for the second; a source's own are its own."""
    text = 'container = "original"\nmax_files = 1\n'
    for url, more in zip(_urls(*shops), ('dest = "a"', 'dest = "b"'), strict=True):
        text += f'[[source]]\nurl = "{url}"\n{more}\n'
    code = main(["sync", "--config", str(_config(tmp_path, text)), "--json"])
    last = _lines(capsys)[-1]

    assert 1 == code
    assert ["as much was fetched as the limits allow"] == [last["stopped"]]
    assert [1] == [report["downloaded"] for report in last["reports"]]
    for name in ("a", "b"):
        shops[f"{name}.test"].record("1", _ago(9), item="more")
    assert 1 == main(["sync", "--config", str(tmp_path / "camsync.toml")])
    assert "not begun: as much was fetched" in capsys.readouterr().err
    own = _config(tmp_path, text + "max_files = 2\n")
    assert 1 == main(["sync", "--config", str(own)])
    shown = capsys.readouterr()
    assert "b: 2 fetched" in shown.out
    assert "not begun" not in shown.err
    assert 1 == main(["sync", "--config", str(_both(tmp_path)), "--max-bytes", "1"])


def test_what_cannot_be_typed(shops, tmp_path, capsys):
    """Each with what to do instead; nothing is sent."""
    to = ["--to", str(tmp_path)]
    secret = tmp_path / "pw"
    secret.write_text("right")
    secret.chmod(0o600)
    for arguments, message in (
        (["sync"], "there is no"),
        (["sync", *_urls("a.test")], "where the footage of"),
        (["sync", *_urls(*shops), *to, "--password-file", str(secret)], "one password"),
        (["sync", "hikvision://a:pw@b.test", *to], "password"),
        (["sync", *_urls("a.test"), *to, "--since", "x"], "--since: 'x' is no time"),
        (["sync", *_urls("a.test"), *to, "--channel", ""], "--channel: expected"),
        (["sync", *_urls("a.test"), *to, "--watch", "0s"], "--watch must be at least a second"),
        (["sync", *_urls("a.test"), *to, "--watch", "soon"], "no length of time"),
        (["sync", *_urls("a.test"), *to, "--catalogue", "postgresql://a:b@c/d"], "password"),
    ):
        assert 2 == main(arguments), arguments
        assert message in capsys.readouterr().err, arguments

    assert [] == shops["a.test"].logins == shops["b.test"].logins
    assert 0 == main(
        ["sync", *_urls("a.test"), *to, "--password-file", str(secret), "--span", "2h", "1h"]
    )


def test_without_its_extra_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    """As one line of JSON, like everything else that it says then."""

    class Missing:
        def __getattr__(self, name):
            extra = "sync"
            raise errors.MissingExtraError.for_extra(extra, "the catalogue")

    monkeypatch.setitem(sys.modules, "camsync.cli._sync_job", Missing())

    assert 3 == main(["sync", *_urls("a.test"), "--to", str(tmp_path), "--json"])
    (line,) = _lines(capsys)
    assert ("error", "setup") == (line["event"], line["error"]["category"])


@pytest.fixture
def account(shops, monkeypatch):
    """An account with one camera, as a profile ``home``; it has learnt something."""
    monkeypatch.setenv("CAMSYNC_IMOU_HOME_USERNAME", "app")
    monkeypatch.setenv("CAMSYNC_IMOU_HOME_SECRET", "right")
    Profiles().set(Profile(name="home", provider="imou", host="sg", username="app"))
    provider = shops["home"] = MemoryProvider("CAM-1")
    provider.logins, provider.host = [], "sg"
    provider.record("1", _ago(30))
    provider.learnt = {"sign": "md5"}
    return provider


_SAID = ("--storage", "cloud", "--wake", "--max-calls", "0", "--max-traffic", "1G")
_MEANT = {"storage": "cloud", "wake": True, "max_calls": 0, "max_bytes": 1024**3}


@pytest.mark.parametrize("command", ["sync", "plan", "clip"])
def test_the_options_of_an_account(account, tmp_path, capsys, command):
    """Typed, they reach its provider; what it has learnt is kept in the profile."""
    places = {"clip": ["1", "2h", "1h", str(tmp_path / "x.mp4")]}
    arguments = places.get(command, ["--to", str(tmp_path / "f"), "--container", "original"])
    code = main([command, "home", *arguments, *_SAID])

    assert (12 if command == "clip" else 0) == code
    assert [("right", _MEANT)] == account.logins
    assert {"sign": "md5"} == Profiles().get("home").learnt


def test_the_options_of_an_account_in_the_file(account, shops, tmp_path, capsys):
    """A source's own; the command line may say others, of the accounts that it names."""
    text = (
        f'dest = "f"\ncontainer = "original"\n[[source]]\nprofile = "home"\nstorage = "sd"\n'
        f'[[source]]\nurl = "{_urls("a.test")[0]}"\n'
    )
    path = str(_config(tmp_path, text))
    assert 0 == main(["sync", "--config", path])
    assert 0 == main(["sync", "--config", path, "home", "--storage", "both"])
    assert 2 == main(["sync", "--config", path, "--storage", "both"])
    shown = capsys.readouterr().err

    assert [{"storage": "sd"}, {"storage": "both"}] == [options for _, options in account.logins]
    assert [{}] == [options for _, options in shops["a.test"].logins]
    assert "--storage makes no sense for hikvision://admin@a.test - a recorder" in shown
    assert "leave --storage out, or name only the accounts" in shown


@pytest.mark.parametrize(
    ("key", "flag"),
    [
        ('storage = "sd"', "--storage=sd"),
        ("wake = true", "--wake"),
        ("max_calls = 9", "--max-calls=9"),
        ('max_traffic = "1G"', "--max-traffic=1G"),
    ],
)
def test_what_makes_no_sense_for_a_recorder(shops, tmp_path, capsys, key, flag):
    """It is named as it was said, and nothing is sent."""
    (url,) = _urls("a.test")
    text = f'dest = "f"\n[[source]]\nurl = "{url}"\n{key}\n'
    name = key.partition(" ")[0]
    assert 2 == main(["plan", "--config", str(_config(tmp_path, text))])
    in_the_file = capsys.readouterr().err
    assert 2 == main(["sync", url, "--to", str(tmp_path / "f"), flag])
    typed = capsys.readouterr().err
    assert 2 == main(["clip", url, "1", "2h", "1h", flag])
    cut = capsys.readouterr().err

    where = "camsync.toml, line 4, [[source]] 1"
    assert f"{where}: {name} makes no sense for hikvision:// - " in in_the_file
    assert "next step: leave it out\n" in in_the_file
    for said in (typed, cut):
        assert f"{flag.partition('=')[0]} makes no sense for hikvision:// - " in said
    assert [] == shops["a.test"].logins


def test_a_source_that_is_nothing_is_found_by_the_run(account, shops, tmp_path, capsys):
    """Whether its options make sense nobody can say; the others go on."""
    text = (
        'dest = "f"\ncontainer = "original"\n[[source]]\nprofile = "gone"\nstorage = "sd"\n'
        '[[source]]\nprofile = "home"\n'
    )
    assert 1 == main(["sync", "--config", str(_config(tmp_path, text))])
    shown = capsys.readouterr()

    assert (
        "problem: gone: camsync.toml, line 4, [[source]] 1: there is no profile of that name, and"
        in shown.err
    )
    assert "1 fetched" in shown.out


def test_limits_that_cannot_be_used(account, tmp_path, capsys):
    """By the name of the option, also where there is no file at all."""
    assert 2 == main(["clip", "home", "1", "2h", "1h", "--max-traffic", "much"])
    assert "--max-traffic: " in capsys.readouterr().err


def test_a_configured_password_file_is_for_one_source(shops, tmp_path, capsys):
    """Also when the sources come from the file."""
    assert 2 == main(["sync", "--config", str(_both(tmp_path)), "--password-file", "x"])
    assert "holds one password" in capsys.readouterr().err


def test_a_plan_says_what_would_be_done(shops, tmp_path, capsys):
    """And changes nothing; what is held is shown on demand."""
    provider = shops["a.test"]
    provider.record("1", _ago(1), item="now", in_progress=True, size=None)
    arguments = [*_urls("a.test"), "--to", str(tmp_path / "f"), "--container", "original"]
    assert 0 == main(["plan", *arguments, "--order", "newest", "--max-files", "1"])
    before = capsys.readouterr().out
    assert not provider.opened
    assert 0 == main(["sync", *arguments])
    capsys.readouterr()
    assert 0 == main(["plan", *arguments, "--all"])
    everything = capsys.readouterr().out
    assert 0 == main(["plan", *arguments, "--json"])
    (plan,) = json.loads(capsys.readouterr().out)["plans"]

    assert re.search(r"2 (to )?fetch.*, 1 in progress", before)
    assert before.index("in progress") < before.index("fetch")
    assert 2 == everything.count("held        ")
    verdicts = sorted(item["verdict"] for item in plan["items"])
    assert ["held", "held", "in progress"] == verdicts


def test_a_plan_of_a_recorder_that_cannot_be_searched(shops, tmp_path, capsys):
    """It is a problem among others, in words and in JSON."""
    shops["a.test"].blind["1"] = errors.DeviceBusyError("busy")
    arguments = [*_urls(*shops), "--to", str(tmp_path)]

    assert 1 == main(["plan", *arguments])
    assert "problem: SHOP-0 channel 1: busy" in capsys.readouterr().err
    (tmp_path / "x").touch()
    assert 1 == main(["plan", *arguments, "--json"])
    assert "SHOP-0" == json.loads(capsys.readouterr().out)["plans"][0]["problems"][0]["device"]


def test_a_plan_goes_on_without_what_cannot_be_used(shops, tmp_path, capsys, monkeypatch):
    """A source without a password, and a destination without a catalogue."""
    monkeypatch.delenv("CAMSYNC_PASSWORD")
    arguments = [*_urls(*shops), "--to", str(tmp_path), "--store", "env"]

    assert 2 == main(["plan", *arguments])
    assert f"problem: {_urls('b.test')[0]}: no password" in capsys.readouterr().err
    assert 0 == len(shops["a.test"].searched["1"])


def test_what_a_plan_knows_of_what_is_gone(shops, tmp_path, monkeypatch, capsys):
    """The device does not list it any more: there is a key, and no more."""
    provider = shops["a.test"]
    arguments = [*_urls("a.test"), "--to", str(tmp_path), "--container", "original"]
    provider.trouble[provider.listed["1"][0].key] = errors.ProtocolError("odd")
    main(["sync", *arguments])
    provider.listed["1"].clear()
    main(["sync", *arguments])
    monkeypatch.setattr(sys.modules[Entry.__module__], "MISSED_FOR", dt.timedelta(0))
    capsys.readouterr()
    assert 0 == main(["plan", *arguments])
    shown = capsys.readouterr().out
    assert 0 == main(["plan", *arguments, "--json"])
    (item,) = [
        each
        for each in json.loads(capsys.readouterr().out)["plans"][0]["items"]
        if each["verdict"] == "gone"
    ]

    assert "gone " in shown
    assert "end" not in item


def test_status_knows_without_asking(shops, tmp_path, capsys):
    """A row and a bar for each channel; held, missing, gone and in progress in the right hours."""
    provider = shops["a.test"]
    bad = provider.record("1", _ago(25), item="bad")
    provider.trouble[bad.key] = errors.ProtocolError("odd")
    provider.record("1", _ago(1), item="now", in_progress=True)
    to = str(tmp_path / "f")
    assert 0 == main(["status"])
    empty = capsys.readouterr().out
    main(["sync", *_urls(*shops), "--to", to, "--container", "original"])
    capsys.readouterr()
    for shop in shops.values():
        shop.refusal = errors.DeviceBusyError("nobody may ask")
    assert 0 == main(["status", to, "--days", "2"])
    shown = capsys.readouterr().out
    assert 0 == main(["status", "--json"])
    (dest,) = json.loads(capsys.readouterr().out)["destinations"]
    assert 2 == main(["status", str(tmp_path / "g")])

    assert "nothing was ever synced" in empty
    assert ["SHOP-0 1 Camera 1", "SHOP-0 2 Camera 2"] == [
        line
        for line in shown.splitlines()
        if line.startswith("SHOP-0 ") and "Camera" in line and ":" not in line
    ]
    channels = {(each["device"], each["channel"]): each for each in dest["channels"]}
    assert 4 == len(channels)
    first = channels["SHOP-0", "1"]
    assert {"held": 2, "missing": 2, "in_progress": 2} == {
        name: round(first["seconds"][name]) for name in ("held", "missing", "in_progress")
    }
    assert bad.start.isoformat().replace("+00:00", "Z") == first["watermark"]
    assert 7 == len(first["days"])
    assert "-" in "".join(day["hours"] for day in first["days"])
    hours = "".join(day["hours"] for day in channels["SHOP-1", "2"]["days"])
    assert {"#", "?"} < set(hours) <= {".", "#", "?", " "}
    assert 5 * 24 * "?" == hours[: 5 * 24]
    assert 1 < sum(line.endswith(("#", ".")) for line in shown.splitlines()) <= 8


def test_one_recorder_needs_no_column_for_itself(shops, tmp_path, capsys):
    """Its serial number would say nothing; a channel that never had a search says never."""
    main(["sync", *_urls("a.test"), "--to", str(tmp_path), "--container", "original", "-c", "1"])
    with Catalogue() as catalogue:
        channel = shops["a.test"].cameras["2"]
        catalogue.at(tmp_path).folder_of(channel, "Cam02")
    capsys.readouterr()
    assert 0 == main(["status"])

    shown = capsys.readouterr().out
    assert "SHOP-0" not in shown
    assert "never" in shown
    assert "2 Cam02" in shown


def test_status_shows_a_camera_that_never_recorded(shops, tmp_path, capsys):
    """It was searched, and has nothing: nobody else would notice."""
    shops["a.test"].listed["2"].clear()
    main(["sync", *_urls("a.test"), "--to", str(tmp_path / "f"), "--container", "original"])
    capsys.readouterr()
    assert 0 == main(["status"])
    shown = capsys.readouterr().out
    assert 0 == main(["status", "--json"])
    (dest,) = json.loads(capsys.readouterr().out)["destinations"]

    assert "  ! no footage was ever found: is it recording?\n" in shown
    first, dead = dest["channels"]
    assert [] == first["flags"]
    assert ["no_footage"] == [each["flag"] for each in dead["flags"]]
    assert dead["searched_until"] is not None
    assert (None, "2") == (dead["newest"], dead["channel"])
    assert ("last run " in shown, 1, []) == (True, dest["last_run"]["files"], first["trouble"])


def test_status_names_what_fails_and_why(shops, tmp_path, capsys):
    """Each recording with its cause, up to a handful; all of them for programs."""
    provider = shops["a.test"]
    for number in range(7):
        bad = provider.record("1", _ago(40 + number), item=f"bad{number}")
        provider.trouble[bad.key] = errors.CorruptMediaError("raise max_calls")
    main(["sync", *_urls("a.test"), "--to", str(tmp_path), "--container", "original"])
    with Catalogue() as catalogue:
        holdings = catalogue.at(tmp_path)
        holdings.failed(bad.key, errors.CorruptMediaError("raise max_calls"), quarantine_after=1)
    capsys.readouterr()
    assert 0 == main(["status"])
    shown = capsys.readouterr().out
    assert 0 == main(["status", "--json"])
    (dest,) = json.loads(capsys.readouterr().out)["destinations"]
    trouble = dest["channels"][0]["trouble"]

    assert ": 2 files (" in shown
    assert " fetched, 7 failures\n" in shown
    once = f"at once after 'camsync rearm {tmp_path}'\n"
    assert f"  ! 6 recordings failed, and will be tried again: {once}" in shown
    assert f"  ! 1 recording failed too often, and will be tried once a week: {once}" in shown
    assert (
        f"quarantined: {bad.start:%Y-%m-%d %H:%M:%S}Z, in 2 runs: raise --max-calls; next" in shown
    )
    assert "; next try 20" in shown
    assert "  and 2 more: see --json\n" in shown
    assert 7 == len(trouble)
    assert ("quarantined", "media", "CorruptMediaError") == tuple(
        trouble[0][name] for name in ("state", "category", "type")
    )


def test_status_names_what_went_wrong_in_the_last_run(shops, tmp_path, capsys):
    """What could not be looked at, as far as the run has noted it; or that it has not ended."""
    with Catalogue() as catalogue:
        holdings = catalogue.at(tmp_path)
        problem = {"device": "CAM1", "channel": "2", "message": "max_calls is reached"}
        batch = holdings.begin_batch()
        holdings.end_batch(batch, problems=[problem, {**problem, "channel": ""}])
        catalogue.at(tmp_path / "other").begin_batch()
        catalogue.at(tmp_path / "never")
    assert 0 == main(["status"])
    shown = capsys.readouterr().out
    assert 0 == main(["status", "--json"])
    runs = [each["last_run"] for each in json.loads(capsys.readouterr().out)["destinations"]]

    assert "  ! CAM1 channel 2: --max-calls is reached\n  ! CAM1: --max-calls" in shown
    assert 1 == shown.count("it goes on, or was killed")
    assert "watermark" not in shown
    assert 1 == runs.count(None)
    assert [problem, {**problem, "channel": ""}] in [run and run["problems"] for run in runs]


def _known(*, searched=None, newest=None):
    mark = ChannelMark(searched_until=None if searched is None else NOW - searched)
    newest = None if newest is None else NOW - newest
    return KnownChannel(device="D", channel="1", mark=mark, newest=newest)


NOW = dt.datetime(2026, 9, 26, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("times", "flags"),
    [
        ({}, ["it was never searched to the end"]),
        ({"newest": HOUR}, ["it was never searched to the end"]),
        (
            {"newest": 30 * HOUR},
            ["it was never searched to the end", "no footage for 30 hours: is it alive?"],
        ),
        ({"searched": HOUR}, ["no footage was ever found: is it recording?"]),
        ({"searched": HOUR, "newest": HOUR}, []),
        ({"searched": HOUR, "newest": 25 * HOUR}, []),
        ({"searched": HOUR, "newest": 73 * HOUR}, ["no footage for 3 days: is it alive?"]),
        ({"searched": 72 * HOUR, "newest": 80 * HOUR}, ["it was not searched for 3 days"]),
        (
            {"searched": HOUR, "newest": -48 * HOUR},
            ["its newest footage is in the future: is its clock right?"],
        ),
    ],
)
def test_what_is_flagged(times, flags):
    """Measured against the last search: where nobody has looked, no camera is to blame."""
    found = flags_of(_known(**times), (), NOW, 24 * HOUR, dest="/f")

    assert flags == [flag.text for flag in found]


def test_how_long_is_long(shops, tmp_path, capsys):
    """Up to the user: a camera that records only motion may have a quiet week."""
    main(["sync", *_urls("a.test"), "--to", str(tmp_path), "--container", "original"])
    capsys.readouterr()
    assert 0 == main(["status", "--stale", "10m"])
    assert 2 == len(re.findall("  ! no footage for [12]\\d minutes: ", capsys.readouterr().out))
    assert 2 == main(["status", "--stale", "long"])


def test_catalogue_and_disk_are_compared(shops, tmp_path, capsys):
    """Missing, changed, moved and unknown files are named; the exit code says whether all is well."""
    dest = tmp_path / "f"
    main(["sync", *_urls(*shops), "--to", str(dest), "--container", "original"])
    capsys.readouterr()
    assert 0 == main(["reconcile", str(dest)])
    assert "4 files checked, all well" in capsys.readouterr().out
    files = sorted(
        path for path in dest.rglob("*") if path.is_file() and not path.name.startswith(".")
    )
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes() + b"x")
    files[2].rename(files[2].with_name("moved" + files[2].suffix))
    (dest / "foreign.mp4").write_bytes(b"x")
    assert 1 == main(["reconcile", str(dest)])
    first = capsys.readouterr().out
    assert 1 == main(["reconcile", str(dest), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert 1 == main(["reconcile", str(dest), "--repair", "--deep"])
    shown = capsys.readouterr().out

    assert "moved: found again" in first
    assert "missing: fetched again by the next run" in first
    assert "changed: --repair has them fetched again" in first

    assert [0, 1, 1] == [len(found[name]) for name in ("missing", "changed", "unknown")]
    assert "changed: are fetched again" in shown
    assert "unknown: foreign.mp4" in shown


def test_what_a_comparison_could_not_look_at_is_named(shops, tmp_path, monkeypatch, capsys):
    """And parts that nobody has written to for long."""
    main(["sync", *_urls("a.test"), "--to", str(tmp_path), "--container", "original"])
    parts = {"parts": (PurePosixPath("old.part"),), "unreadable": (PurePosixPath("dark"),)}
    found = Reconciliation(checked=1, **parts)
    monkeypatch.setattr(Holdings, "reconcile", lambda *_, **__: found)
    capsys.readouterr()

    assert 1 == main(["reconcile", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "left over: old.part\nunreadable: dark\n1 file checked\n" == shown


def test_old_footage_is_deleted_only_on_a_yes(shops, tmp_path, capsys):
    """First it says what it would do; what somebody has changed is kept, with the reason."""
    dest = tmp_path / "f"
    main(["sync", *_urls(*shops), "--to", str(dest), "--container", "original"])
    capsys.readouterr()
    files = sorted(path for path in dest.rglob("Cam*/*") if path.is_file())
    files[0].write_bytes(b"changed")
    assert 0 == main(["prune", str(dest), "--keep", "1m"])
    planned = capsys.readouterr().out
    assert 4 == sum(path.exists() for path in files)
    assert 1 == main(["prune", str(dest), "--max-bytes", "0", "--yes", "--json"])
    done = json.loads(capsys.readouterr().out)
    assert 2 == main(["prune", str(dest)])

    assert "would be deleted" in planned
    assert "nothing was deleted: --yes does it" in planned
    assert "kept, it " in planned
    assert (False, 3, 1) == (done["dry_run"], len(done["deleted"]), len(done["kept"]))
    assert 1 == sum(path.exists() for path in files)


def test_what_has_failed_is_tried_again_on_demand(shops, tmp_path, capsys):
    """Instead of waiting for its time."""
    provider = shops["a.test"]
    key = provider.listed["1"][0].key
    provider.trouble[key] = errors.ProtocolError("odd")
    arguments = ["sync", *_urls("a.test"), "--to", str(tmp_path), "--container", "original"]
    assert 1 == main(arguments)
    provider.trouble.clear()
    assert 1 == main(arguments)
    assert 0 == main(["rearm", str(tmp_path)])
    assert 0 == main(arguments)

    shown = capsys.readouterr().out
    assert "1 waiting for another try" in shown
    assert "1 recording will be tried again" in shown


def test_the_catalogue_comes_from_the_variable(shops, tmp_path, monkeypatch, capsys):
    """Where it may hold a password; the option beats it."""
    monkeypatch.setenv("CAMSYNC_CATALOGUE", str(tmp_path / "c.sqlite3"))
    main(["sync", *_urls("a.test"), "--to", str(tmp_path / "f"), "--container", "original"])
    capsys.readouterr()
    assert 0 == main(["status"])
    assert "Camera 1" in capsys.readouterr().out
    assert 2 == main(["status", "--catalogue", str(tmp_path / "other.sqlite3")])
    assert "there is no catalogue" in capsys.readouterr().err


def test_figures_that_cannot_be_written_stop_nothing(shops, tmp_path, capsys):
    """It is a warning; a run that could not even begin is in the figures, too."""
    (tmp_path / "file").touch()
    to = ["--to", str(tmp_path / "f"), "--container", "original"]
    assert 0 == main(["sync", *_urls("a.test"), *to, "--metrics", str(tmp_path / "file" / "x")])
    assert "warning: " in capsys.readouterr().err
    (tmp_path / "c.sqlite3").write_text("no catalogue at all, but long enough to be looked at")
    bad = ["--catalogue", str(tmp_path / "c.sqlite3"), "--metrics", str(tmp_path / "m.prom")]
    assert 15 == main(["sync", *_urls("a.test"), *to, *bad])

    assert "camsync_run_complete 0.0" in (tmp_path / "m.prom").read_text()
    assert 15 == main(["sync", *_urls("a.test"), *to, "--log", str(tmp_path / "file" / "x")])


@pytest.mark.parametrize("asked", [True, False])
def test_a_clip_that_is_cancelled(shops, tmp_path, monkeypatch, capsys, asked):
    """By a signal: its exit code. By anything else: an error like any other."""
    pytest.importorskip("av")
    from camsync.cli import _clip_job

    def cut(*_, **__):
        if asked:
            os.kill(os.getpid(), signal.SIGTERM)
        msg = "cancelled by the caller"
        raise errors.CancelledError(msg)

    monkeypatch.setattr(_clip_job, "cut", cut)

    code = 143 if asked else 130
    assert code == main(["clip", *_urls("a.test"), "SHOP-0/1", "2h", "1h", str(tmp_path)])
    assert "cancelled: cancelled by the caller" in capsys.readouterr().err


# -- What users run into ------------------------------------------------------------------------------


def test_a_profile_with_a_typing_error(account, tmp_path, capsys):
    """It is named, with the line in the file, and with what may be meant."""
    lines = 'dest = "f"\n\n[[source]]\nprofile = "hom"\n'
    alone = _config(tmp_path, lines)
    assert 2 == main(["sync", "--config", str(alone)])
    in_the_file = capsys.readouterr().err
    _config(tmp_path, lines + '[[source]]\nprofile = "home"\n')
    assert 1 == main(["plan", "--config", str(alone)])
    one_of_two = capsys.readouterr().err
    assert 2 == main(["sync", "hom", "--to", str(tmp_path)])
    typed = capsys.readouterr().err
    assert 2 == main(["sync", "Home", "--to", str(tmp_path)])
    large = capsys.readouterr().err

    wrong = "there is no profile 'hom', and without a scheme it is no URL\n"
    where = "camsync.toml, line 4, [[source]] 1: "
    assert in_the_file.startswith(f"error: {where}{wrong}")
    assert f"problem: hom: {where}{wrong}" in one_of_two
    assert typed.startswith(f"error: {wrong}")
    assert 4 == (in_the_file + one_of_two + typed + large).count("did you mean 'home'; or ")
    assert large.startswith("error: there is no profile 'Home', and")


def test_an_extra_that_is_missing_is_no_mistake_in_the_file():
    """It keeps its own exit code."""
    extra = "keyring"
    with pytest.raises(errors.MissingExtraError), said_at("camsync.toml, line 1: "):
        raise errors.MissingExtraError.for_extra(extra, "the keyring")


def test_a_missing_password_names_the_line_too(shops, tmp_path, monkeypatch, capsys):
    """In the words of the command line, although it is said of the file."""
    monkeypatch.delenv("CAMSYNC_PASSWORD")
    monkeypatch.setenv("CAMSYNC_STORE", "env")
    (url,) = _urls("a.test")
    path = _config(tmp_path, f'dest = "f"\n[[source]]\nurl = "{url}"\n')
    assert 2 == main(["sync", "--config", str(path)])

    shown = capsys.readouterr().err
    assert "camsync.toml, line 3, [[source]] 1: no password" in shown
    assert "store=" not in shown


def test_another_run_at_work_is_no_news(shops, tmp_path, capsys):
    """Quiet says nothing, exit code and figures are those of a run that is not needed."""
    metrics = tmp_path / "m.prom"
    both = [*_urls("a.test"), "--container", "original", "--metrics", str(metrics)]
    here = [*both, "--to", str(tmp_path / "f")]
    assert 0 == main(["sync", *here])
    before = metrics.read_text()
    capsys.readouterr()
    with Catalogue() as catalogue, catalogue.at(tmp_path / "f").lock():
        assert 8 == main(["sync", *here, "--quiet"])
        quiet = capsys.readouterr()
        assert 8 == main(["sync", *here])
        loud = capsys.readouterr()
        after = metrics.read_text()
        text = f'container = "original"\n[metrics]\nfile = "{metrics}"\n'
        for dest in ("f", "g"):
            text += f'[[source]]\nurl = "{_urls("a.test")[0]}"\ndest = "{dest}"\n'
        path = str(_config(tmp_path, text))
        assert 8 == main(["sync", "--quiet", "--config", path])
        silent = capsys.readouterr()
        shops["a.test"].blind["2"] = errors.DeviceBusyError("busy")
        assert 1 == main(["sync", "--quiet", "--config", path])
        failed = capsys.readouterr().err

    assert ("", "") == (quiet.out, quiet.err) == (silent.out, silent.err)
    assert "is in use by process" in loud.err
    assert before == after
    assert 'camsync_problems_total{device="",channel="",profile=""} 0\n' in metrics.read_text()
    assert "busy" in failed
    assert "is in use by" not in failed


def test_a_full_disk_is_said_once(shops, tmp_path, capsys):
    """As what it is, with its own exit code, and sizes that people can read."""
    arguments = [*_urls("a.test"), "--container", "original", "--min-free", "100000T", "--to"]
    assert 15 == main(["sync", *arguments, str(tmp_path / "f")])
    shown = capsys.readouterr()
    assert 15 == main(["sync", *arguments, str(tmp_path / "g"), "--quiet"])
    quiet = capsys.readouterr()
    assert 15 == main(["sync", *arguments, str(tmp_path / "h"), "--json"])
    last = _lines(capsys)[-1]

    assert 1 == (shown.out + shown.err).count("kept in reserve")
    assert f"stopped: {tmp_path / 'f'}: " in shown.err
    assert "and 100000.0 TiB kept in reserve" in shown.err
    assert "2 left for the next run" in shown.out
    assert 1 == quiet.err.count("kept in reserve")
    (report,) = last["reports"]
    assert (15, "disk", 2) == (last["code"], report["stopped_by"]["category"], report["left"])


def test_what_fails_is_said_once(shops, tmp_path, capsys):
    """When it happens, with what to do; the end has the counts."""
    provider = shops["a.test"]
    provider.trouble[provider.listed["1"][0].key] = errors.ProtocolError("odd", next_step="look")
    provider.blind["2"] = errors.DeviceBusyError("busy")
    main(["sync", *_urls("a.test"), "--to", str(tmp_path), "--container", "original"])

    shown = capsys.readouterr().err
    assert ["failed: Camera 1", "problem: SHOP-0 channel 2: busy"] == [
        line[: 16 if line.startswith("failed") else None]
        for line in sorted(shown.splitlines())
        if not line.startswith(" ")
    ]
    assert 1 == shown.count("next step: look")


def test_the_log_has_a_line_for_each_file(shops, tmp_path, capsys):
    """What came, and what did not, long after the screen is gone."""
    provider = shops["a.test"]
    provider.trouble[provider.listed["1"][0].key] = errors.ProtocolError("odd")
    to = ["--to", str(tmp_path / "f"), "--container", "original"]
    main(["sync", *_urls("a.test"), *to, "--log", str(tmp_path / "x.log")])

    lines = (tmp_path / "x.log").read_text().splitlines()
    (fetched,) = [line for line in lines if " INFO camsync.cli: fetched: Camera 2 " in line]
    (path,) = (tmp_path / "f").rglob("Cam02*/*")
    assert fetched.endswith(f": {path}")
    assert 1 == sum(" WARNING camsync.cli: failed: Camera 1 " in line for line in lines)


def test_words_that_other_programs_have(shops, tmp_path, capsys):
    """The options of rsync and of 'camsync download' do what is meant, or say what does."""
    dest = tmp_path / "f"
    here = [*_urls("a.test"), "-d", str(dest)]
    assert 0 == main(["sync", *here, "-n"])
    dry = capsys.readouterr().out
    assert 0 == main(["plan", *_urls("a.test"), "--dest", str(dest)])
    planned = capsys.readouterr().out
    assert 2 == main(["sync", *here, "-n", "--watch", "10m"])
    assert "leave one of them out" in capsys.readouterr().err
    assert 2 == main(["sync", *here, "--limit", "5"])
    assert "write --max-files" in capsys.readouterr().err
    assert 2 == main(["sync", *here, "--kind", "motions"])
    kinds = capsys.readouterr().err
    assert 2 == main(["sync", *here, "--since", "0h"])
    since = capsys.readouterr().err
    assert 2 == main(["sync", *here, "--since", "1h", "--span", "2h", "1h"])
    clash = capsys.readouterr().err
    assert 0 == main(["sync", "--help"])
    usage = capsys.readouterr().out

    assert dry == planned
    assert not dest.exists()
    assert "'continuous', 'motion'" in kinds
    assert "--since: '0h' is not between" in since
    assert "next step: write 24h, 7d or " in since
    assert "--since and --span contradict each other" in clash
    assert "--limit" not in usage
    assert "one document on a line" in " ".join(usage.split())


def test_a_plan_of_what_is_still_written(shops, tmp_path, capsys):
    """Its length is that of now, and grows."""
    provider = shops["a.test"]
    provider.record("1", _ago(1), item="now", in_progress=True)
    assert 0 == main(["plan", *_urls("a.test"), "--to", str(tmp_path)])
    (line,) = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("in progress")
    ]

    assert "+" in line


def test_a_disk_that_is_gone_for_good(shops, tmp_path, capsys):
    """Only when it is said so, everything is fetched again."""
    dest = tmp_path / "f"
    arguments = ["sync", *_urls("a.test"), "--to", str(dest), "--container", "original"]
    main(arguments)
    dest.rename(tmp_path / "old")
    dest.mkdir()
    assert 15 == main(["reconcile", str(dest)])
    capsys.readouterr()
    assert 1 == main(["reconcile", str(dest), "--forget"])
    assert 2 == capsys.readouterr().out.count("missing: fetched again by the next run")
    assert 0 == main(arguments)
    assert "2 fetched" in capsys.readouterr().out


def test_a_clip_has_one_destination(capsys):
    """As an argument, or as the option that sync has."""
    assert 2 == main(["clip", *_urls("a.test"), "1", "2h", "1h", "x.mp4", "--to", "y.mp4"])
    assert "leave out --dest" in capsys.readouterr().err


def test_pieces_that_a_clip_lacks(shops, tmp_path, monkeypatch, capsys):
    """One line each, and the same for programs."""
    pytest.importorskip("av")
    from camsync.cli import _clip_job

    (channel, *_) = shops["a.test"].channels()
    gaps = tuple(TimeSpan(NOW + n * HOUR, NOW + n * HOUR + HOUR / 2) for n in range(2))
    made = Clip(channel=channel, span=TimeSpan(NOW, NOW + 2 * HOUR), parts=(), gaps=gaps)
    monkeypatch.setattr(_clip_job, "cut", lambda *_, **__: made)
    arguments = ["clip", *_urls("a.test"), "1", "2h", "1h", "--dest", str(tmp_path)]
    assert 0 == main([*arguments, "--gaps", "split"])
    shown = capsys.readouterr().out
    assert 0 == main([*arguments, "--gaps", "split", "--quiet"])
    assert "" == capsys.readouterr().out
    assert 0 == main([*arguments, "--json"])

    assert "missing: 2026-09-26 00:00:00Z to 2026-09-26 00:30:00Z (30:00)\n" in shown
    assert 2 == shown.count("missing: ")
    assert ["2026-09-26T00:00:00Z", "2026-09-26T01:00:00Z"] == [
        gap["start"] for gap in json.loads(capsys.readouterr().out)["gaps"]
    ]


def test_a_search_without_an_answer_is_a_search():
    """A camera that saw nothing for days was looked at all the same."""
    mark = ChannelMark(
        searched_from=NOW - 90 * HOUR, searched_until=NOW - 72 * HOUR, last_search=NOW - HOUR
    )
    known = KnownChannel(device="D", channel="1", mark=mark, newest=NOW - 80 * HOUR)

    assert ["no footage for 3 days: is it alive?"] == [
        flag.text for flag in flags_of(known, (), NOW, 24 * HOUR, dest="/f")
    ]


# -- Again and again ---------------------------------------------------------------------------------


class _After:
    """A cancel token that is set after so many runs."""

    def __init__(self, runs):
        self.left = runs

    def is_set(self):
        return self.left <= 0


def test_watching_survives_whatever_a_run_does(quick):
    """It goes on at the interval, a little earlier or later, and says when."""
    token, said, failures = _After(3), [], []

    def run():
        token.left -= 1
        if token.left == 1:
            msg = "out of memory"
            raise MemoryError(msg)

    ranges = []

    def jitter(low, high):
        ranges.append((low, high))
        return 0.0

    watch(
        run,
        dt.timedelta(seconds=1),
        token,
        announce=said.append,
        failed=failures.append,
        jitter=jitter,
    )

    assert 0 == token.left
    assert [MemoryError] == [type(error) for error in failures]
    assert 2 == len(said)
    assert {(0.95, 1.05)} == set(ranges)


@pytest.fixture
def quick(monkeypatch):
    """No second between two runs."""
    module = sys.modules[watch.__module__]
    monkeypatch.setattr(module, "_LEAST", 0.01)
    monkeypatch.setattr(watch, "__kwdefaults__", {**watch.__kwdefaults__, "jitter": lambda *_: 0.0})


def _at_run(monkeypatch, numbered):
    """Have something happen when the run of that number opens its catalogue."""
    from camsync.cli import _sync_job

    usual, count = _sync_job.Catalogue, [0]

    def opened(where):
        count[0] += 1
        numbered.get(count[0], lambda: None)()
        return usual(where)

    monkeypatch.setattr(_sync_job, "Catalogue", opened)
    return count


def _signal(number=signal.SIGTERM):
    return lambda: os.kill(os.getpid(), number)


def test_a_changed_file_is_read_again(shops, tmp_path, monkeypatch, capsys, quick):
    """A broken one is named, and the last good one used; SIGTERM ends with its own code."""
    path = _both(tmp_path)
    new = f'dest = "other"\ncontainer = "original"\n[[source]]\nurl = "{_urls("a.test")[0]}"\n'
    count = _at_run(
        monkeypatch,
        {
            1: lambda: path.write_text("nonsense"),
            2: lambda: path.write_text(new),
            4: _signal(),
        },
    )
    code = main(["sync", "--config", str(path), "--watch", "1s"])
    shown = capsys.readouterr()

    assert 143 == code
    assert 4 == count[0]
    assert "error: " in shown.err
    assert "is no TOML" in shown.err
    assert "the configuration has changed, and was read again" in shown.err
    assert "next run " in shown.err
    assert (tmp_path / "footage").is_dir()
    assert (tmp_path / "other").is_dir()


@pytest.mark.parametrize("form", ["--json", "--quiet", "-vv"])
def test_a_run_that_dies_is_not_the_last_one(shops, tmp_path, monkeypatch, capsys, quick, form):
    """Errors of ours and others: said, in each form, and the next run begins."""

    def die():
        msg = "no idea"
        raise RuntimeError(msg)

    def full():
        msg = "full"
        raise errors.DiskFullError(msg)

    path = _both(tmp_path)

    def change():
        _both(tmp_path, "max_files = 9")

    count = _at_run(monkeypatch, {1: die, 2: full, 3: change, 4: _signal(signal.SIGINT)})
    arguments = ["sync", "--config", str(path), "--watch", "1s", form]

    assert 130 == main(arguments)
    assert 4 == count[0]
    shown = capsys.readouterr()
    if form == "--json":
        lines = [json.loads(line) for line in shown.out.splitlines()]
        assert ["CamsyncError", "DiskFullError"] == [
            line["error"]["type"] for line in lines if line["event"] == "error"
        ]
        assert "next" in [line["event"] for line in lines]
    else:
        assert "error: unexpected RuntimeError: no idea" in shown.err
        assert ("next run" in shown.err) is (form == "-vv")


def test_a_refused_login_is_not_tried_again(shops, tmp_path, monkeypatch, capsys, quick):
    """Until the store has another password: a run every ten minutes must not lock the account."""
    provider = shops["a.test"]

    def other():
        provider.refusal = None
        monkeypatch.setenv("CAMSYNC_PASSWORD", "new")

    provider.refusal = errors.AuthenticationError("refused")
    _at_run(monkeypatch, {3: other, 4: _signal()})
    to = ["--to", str(tmp_path), "--container", "original"]
    assert 143 == main(["sync", *_urls("a.test"), *to, "--watch", "1s"])

    assert ["right", "new"] == [password for password, _ in provider.logins]


def test_a_store_may_have_the_new_password(shops, tmp_path, monkeypatch, capsys, quick):
    """Nobody is asked; a store without one changes nothing."""
    provider = shops["a.test"]
    monkeypatch.delenv("CAMSYNC_PASSWORD")
    monkeypatch.setenv("CAMSYNC_HIKVISION_A__2E__TEST_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_A__2E__TEST_SECRET", "right")
    provider.refusal = errors.AuthenticationError("refused")

    def none():
        monkeypatch.delenv("CAMSYNC_HIKVISION_A__2E__TEST_SECRET")

    def other():
        provider.refusal = None
        monkeypatch.setenv("CAMSYNC_HIKVISION_A__2E__TEST_SECRET", "new")

    _at_run(monkeypatch, {2: none, 3: other, 4: _signal()})
    to = ["--to", str(tmp_path), "--container", "original", "--store", "env"]
    assert 143 == main(["sync", *_urls("a.test"), *to, "--watch", "1s"])

    assert ["right", "new"] == [password for password, _ in provider.logins]


@attrs.frozen
class _Usage:
    calls: int
    max_calls: int | None = None


class _Account:
    def __init__(self, usage):
        self.usage = usage


def _spent(interval, *usages):
    spending = Spending(interval)
    return [
        list(spending.after_run([("home", _Account(usage)), ("shop", MemoryProvider())]))
        for usage in usages
    ]


def test_an_account_that_a_watch_would_use_up():
    """Said once, after two runs that only looked, with an interval that would do."""
    calls = [_Usage(count, 25_000) for count in (300, 900, 942, 984)]
    *before, third, fourth = _spent(dt.timedelta(minutes=10), *calls)

    assert [[], [], []] == [*before, fourth]
    (text,) = third
    assert "home: a run took 42 calls, about 181,440 a month, and 25,000 are allowed: " in text
    assert text.endswith(": --watch 73m would keep within")


@pytest.mark.parametrize(
    ("usages", "text"),
    [
        ((_Usage(0), _Usage(8), _Usage(16)), "30,000 are reported to be free: --watch 12m would"),
        ((_Usage(0), _Usage(6), _Usage(99)), ""),
        ((_Usage(90), _Usage(3), _Usage(99)), ""),
        ((_Usage(0, 0), _Usage(9, 0), _Usage(18, 0)), "and 0 are allowed"),
    ],
)
def test_what_a_watch_costs(usages, text):
    """Nothing is said of what is free, of a new month, and no interval where nothing is allowed."""
    *_, said = _spent(dt.timedelta(minutes=10), *usages)

    assert bool(text) == bool(said)
    assert text in "".join(said)
    assert "".join(said).endswith(text.rpartition(" ")[2] if "would" not in text else "within")


@pytest.mark.parametrize("more", [[], ["--quiet"]])
def test_a_watch_says_what_it_costs(account, tmp_path, monkeypatch, capsys, quick, more):
    """As a warning, while there is time to change it; what was learnt is kept after each run."""
    account.usage = _Usage(0, 100)
    kept = []

    def count():
        account.usage = _Usage(account.usage.calls + 5, 100)
        kept.append(dict(Profiles().get("home").learnt))

    _at_run(monkeypatch, {1: count, 2: count, 3: count, 4: _signal()})
    to = ["--to", str(tmp_path), "--container", "original"]
    log = tmp_path / "x.log"
    assert 143 == main(["sync", "home", *to, "--watch", "10m", "--log", str(log), *more])
    shown = capsys.readouterr().err

    said = "home: a run took 5 calls, about 21,600 a month"
    assert (0 if more else 1) == shown.count(f"warning: {said}")
    assert 1 == log.read_text(encoding="utf-8").count(f"WARNING camsync.cli: {said}")
    assert [{}, *[{"sign": "md5"}] * 2] == kept


def test_a_work_that_does_not_end_is_ended(capsys):
    """Soon after the signal, with its exit code; one that ends in time is left alone."""

    class Caught:
        code = 143

        def __init__(self):
            self.event = threading.Event()

        def is_set(self):
            return self.event.is_set()

    codes, left, stop = [], threading.Event(), Caught()

    def leave(code):
        codes.append(code)
        left.set()

    with in_time(stop, grace=0.01, leave=leave):
        stop.event.set()
        assert left.wait(10)
    with in_time(stop, grace=30, leave=leave):
        pass
    with in_time(Caught(), leave=leave):
        pass

    assert [143] == codes


# -- What is shown -----------------------------------------------------------------------------------


RECORDING = MemoryProvider().record("1", dt.datetime(2026, 9, 26, tzinfo=UTC))


def _event(kind=EventKind.PROGRESS, **fields):
    return SyncEvent(kind=kind, at=dt.datetime.now(UTC), **fields)


def _progress(stage=Stage.DOWNLOAD, recording=RECORDING, **fields):
    return Progress(stage=stage, recording=recording, **{"bytes_done": 512, **fields})


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def _output(stream):
    environ = {"TERM": "xterm", "COLUMNS": "120"}
    return Output(False, console_for(stream, environ), console_for(stream, environ))


def test_plain_lines_come_now_and_then():
    """The state of the run and the file at hand; what has failed comes at once."""
    stream, moments = io.StringIO(), iter([0.0, 1.0, 4.0, 4.0, 9.0])
    lines = Lines(_output(stream), clock=lambda: next(moments))
    totals = Totals(
        files_done=1, files_total=3, bytes_done=1024, bytes_total=4096, rate=512.0, eta=6
    )
    lines(_event(progress=_progress(), totals=totals))
    lines(_event(progress=_progress(), totals=totals))
    lines(_event(EventKind.GONE, device="DS1", channel="2", message="gone"))

    first, second = stream.getvalue().splitlines()
    assert first.startswith("1/3 files, 1.0 KiB of 4.0 KiB, 512 B/s, ETA 0:06; Camera 1 2026-09-26")
    assert "gone: DS1 channel 2: gone" == second


def test_totals_without_sizes():
    """Unknown figures are left out."""
    assert "0/2 files, 0 B" == totals_text(Totals(files_total=2, bytes_total=None))
    assert "problem: DS1: x" == event_line(_event(EventKind.PROBLEM, device="DS1", message="x"))


def test_bars_come_and_go():
    """One for each download, up to a dozen, and one for the run; retries and failures stay."""
    stream = _Terminal()
    bars = Bars(_output(stream))
    others = [
        attrs.evolve(RECORDING, key=attrs.evolve(RECORDING.key, item=str(n))) for n in range(14)
    ]
    with bars.running() as show:
        show(_event(EventKind.STARTED))
        for other in others:
            show(_event(progress=_progress(recording=other), recording=other))
        assert 12 == len(bars._bars)
        show(
            _event(progress=_progress(Stage.RETRY, others[0], message="busy"), recording=others[0])
        )
        show(_event(progress=_progress(Stage.DONE, others[0]), recording=others[0]))
        show(_event(EventKind.FETCHED, recording=others[0], totals=Totals(files_total=14)))
        show(_event(EventKind.FETCHED, recording=others[13]))
        show(_event(EventKind.FAILED, recording=others[1], message="odd"))
        show(_event(EventKind.FOUND))
        assert 10 == len(bars._bars)

    shown = stream.getvalue()
    assert "searching" in shown
    assert "Camera 1 2026-09-26 00:00:00: busy" in shown
    assert "failed: Camera 1 2026-09-26 00:00:00: odd" in shown


def test_the_live_view_is_for_terminals(shops, tmp_path, monkeypatch):
    """A whole run at a terminal, with bars that are gone at the end."""
    stream = _Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    arguments = [*_urls("a.test"), "--to", str(tmp_path), "--container", "original"]

    assert 0 == main(["sync", *arguments])
    assert "all" in stream.getvalue()


def test_a_log_file_gets_what_the_screen_does_not(tmp_path, capsys):
    """INFO goes into the file with its details, and the screen shows what it did before."""
    logger = logging.getLogger("camsync")
    screen = logging.StreamHandler(io.StringIO())
    logger.addHandler(screen)
    try:
        with logging_into(tmp_path / "logs" / "x.log"):
            logger.info("for the file", extra={"camsync_device": "DS1"})
            try:
                msg = "inner"
                raise ValueError(msg)
            except ValueError:
                logger.exception("for both")
    finally:
        logger.removeHandler(screen)
    text = (tmp_path / "logs" / "x.log").read_text()

    assert "INFO camsync: for the file device=DS1\n" in text
    assert "ERROR camsync: for both\nTraceback" in text
    assert "for the file" not in screen.stream.getvalue()
    assert logging.NOTSET == screen.level
