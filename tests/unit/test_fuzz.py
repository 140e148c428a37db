"""Hostile input: the seeds of the fuzz targets, a short run of each, and what longer ones found."""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import importlib.util
import json
import random
import subprocess
import sys

from pathlib import Path

import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camsync import CamsyncError, ConfigurationError, ProtocolError, RecordingKey
from camsync._time import UTC, DeviceClock, ZMeaning
from camsync._typed import parse_moment
from camsync._zone import DeviceZone, parse_timezone
from camsync.download._limiter import Timetable, parse_rate
from camsync.providers.imou import _parse
from camsync.sync._config import SyncConfig
from camsync.testing.imou import _dump as imou_dump
from camsync.testing.imou._cast import Defaults
from camsync.transport import TLSPolicy


ROOT = Path(__file__).parents[2]


def _load(name):
    """Return a module of the folder ``fuzz``, which is no part of what is installed."""
    if "fuzz" not in sys.modules:
        folder = ROOT / "fuzz"
        spec = importlib.util.spec_from_file_location(
            "fuzz", folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["fuzz"] = module
        spec.loader.exec_module(module)
    return importlib.import_module(f"fuzz.{name}")


registry, mutate, bombs = _load("registry"), _load("mutate"), _load("bombs")
TARGETS = _load("targets").TARGETS


@functools.cache
def _seeds(name):
    """Return what a target starts from; some are megabytes, and collecting tests needs none."""
    return TARGETS[name].seeds(huge=False)


def _check(name, data):
    """Run a target once, and raise what it found; say whether it accepts *data*."""
    finding, refused = registry.execute(TARGETS[name], data)
    if finding is not None:
        raise finding
    return refused is None


# -- The targets


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_our_own_errors_leaves_a_parser(name):
    """Seeds and a few mutations of each target, the same in every run."""
    target, seeds = TARGETS[name], _seeds(name)
    mutator = mutate.Mutator(seeds, target.tokens, random.Random(name), target.longest)

    accepted = sum(_check(name, data) for data in seeds)
    for _ in range(10):
        _check(name, mutator.make())

    assert accepted > 0, "a target that refuses all of its seeds tests nothing"


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(sorted(TARGETS)), number=st.integers(0, 1 << 32), more=st.binary())
def test_other_mutations_in_every_run(name, number, more):
    """What hypothesis makes up, and a mutation that it chooses."""
    target = TARGETS[name]
    mutator = mutate.Mutator(
        [*_seeds(name), more], target.tokens, random.Random(number), target.longest
    )

    _check(name, more)
    _check(name, mutator.make())


# -- The tools


def test_mutations_are_repeatable_and_bounded():
    """The same seed makes the same inputs, and none is longer than allowed."""

    def made(seed):
        mutator = mutate.Mutator([b"<a>12</a>", b""], [b"<b>"], random.Random(seed), 100)
        mutator.keep(b"kept", most=1)
        mutator.keep(b"kept in its place", most=1)
        return [mutator.make() for _ in range(200)]

    first = made(1)

    assert first == made(1)
    assert first != made(2)
    assert max(map(len, first)) <= 100


def _planted(data):
    if b"7" in data:
        raise ConfigurationError("x" * 5000)
    if b"8" in data:
        raise KeyError(data)


@pytest.mark.parametrize(("data", "kind"), [(b"7", "TooLongError"), (b"8", "KeyError")])
def test_findings(data, kind):
    """An error that is not ours is a finding, and so is one that fills the terminal."""
    target = registry.Target("planted", _planted, lambda: [b"1"], [], 100, 0.0)
    finding, _ = registry.execute(target, data)

    assert kind == type(finding).__name__
    assert registry.execute(target, b"1") == (None, None)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are those of POSIX")
def test_the_engine_keeps_one_finding_of_each_kind(tmp_path, monkeypatch, capsys):
    """What was found is saved, with the command that runs it again."""
    engines = _load("engines")
    monkeypatch.setattr(engines, "FINDINGS", tmp_path / "findings")
    target = registry.Target("planted", _planted, lambda: [b"1", b"12"], [b"7", b"8"], 100, 0.0)
    report = engines.own(target, engines.Limits(300, None, 5.0), 1)

    assert {"KeyError", "TooLongError"} == {label.split(" ")[0] for label in report.findings}
    assert {b"7", b"8"} == {
        bytes({byte for byte in path.read_bytes() if byte in b"78"})[:1]
        for path in report.findings.values()
    }
    assert report.found > 2
    assert "python -m fuzz --reproduce" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is bounded on Linux")
def test_a_run_in_a_process_of_its_own():
    """One target, with bounded memory; what is said at the end is how often it was run."""
    words = ["--child", "--target", "typed-length", "--runs", "100"]
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("typed-length ")
    assert " 100 executions " in done.stdout


# -- What was found


def test_a_key_with_escapes_that_are_no_text():
    """``%ff`` is no UTF-8: the key is refused, and the codec's error stays inside."""
    with pytest.raises(ConfigurationError, match="is not a recording key"):
        RecordingKey.parse("hik://%ff/101/20240101T100000Z/x")


@pytest.mark.parametrize(
    "text", ["hik://" + "x" * 9999, "hik:///101/20240101T100000Z/" + "x" * 9999]
)
def test_a_wrong_key_is_not_repeated_in_full(text):
    """An error fits on a screen, however long what was given."""
    with pytest.raises(ConfigurationError) as caught:
        RecordingKey.parse(text)

    assert len(str(caught.value)) < 500


def test_a_wrong_time_is_not_repeated_in_full():
    """An error fits on a screen, however long what was typed."""
    with pytest.raises(ConfigurationError) as caught:
        parse_moment("9" * 100_000, dt.datetime(2026, 1, 1, tzinfo=UTC))

    assert len(str(caught.value)) < 500


def test_a_zone_with_thousands_of_folders():
    """The zone database is looked up as modules, one inside the other: recursion without end."""
    with pytest.raises(ConfigurationError, match="is not a time zone"):
        parse_timezone("a/" * 5000 + "b")


def test_a_zone_whose_summer_time_is_longer_than_a_day():
    """Python refuses such a zone when it formats a time, far from where it was read."""
    with pytest.raises(ProtocolError, match="impossible time zone"):
        DeviceZone.parse("CST+20:00:00DST30:00:00,M3.5.0,M10.5.0")


def test_the_longest_summer_time_that_is_a_zone():
    """Just below a day, times can be formatted in summer too."""
    zone = DeviceZone.parse("CST+12:00:00DST23:59:59,M1.1.0,M12.5.0")
    clock = DeviceClock(zone=zone, z_means=ZMeaning.LOCAL)

    assert clock.to_wire(dt.datetime(2026, 7, 1, 12, tzinfo=UTC)) == "2026-07-01T23:59:59Z"


def test_a_zone_of_blanks():
    """A million blanks are refused at once: the time that takes does not grow with their square."""
    with pytest.raises(CamsyncError, match="makes no sense"):
        DeviceZone.parse(" " * 1_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "dest = " + "{a = " * 500 + "1" + "}" * 500,
        "since = 0001-01-01",
        "since = 0001-01-01T00:00:00",
        'dest = "~nobody-has-this-name/footage"',
        'log = "a\\u0000b"',
    ],
)
def test_settings_that_cannot_be_used(tmp_path, text):
    """Tables in tables, the first day of the calendar, paths that are none."""
    path = tmp_path / "camsync.toml"
    path.write_text(f'{text}\n[[source]]\nurl = "hikvision://h"\n')
    path.chmod(0o600)

    with pytest.raises(ConfigurationError):
        SyncConfig.load(path)


@pytest.mark.parametrize("read", [parse_rate, Timetable.parse])
@pytest.mark.parametrize("text", ["x" * 100_000, "08:00," + "x" * 100_000, "0" * 18])
def test_a_wrong_rate_is_not_repeated_in_full(read, text):
    """An error fits on a screen, however long what was typed."""
    with pytest.raises(ConfigurationError) as caught:
        read(text)

    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("verify", ["x" * 5000, "a\0b"])
def test_a_file_of_authorities_that_no_disk_can_have(verify):
    """A name that is too long is as good as none, and not an error of the operating system."""
    with pytest.raises(ConfigurationError, match="there is no CA file"):
        TLSPolicy.of(verify)


_DEVICES = "POST /openapi/deviceBaseDetailList"


def _imou(tmp_path, text):
    path = tmp_path / "dump.json"
    path.write_text(text)
    return imou_dump.load(path, Defaults(seed=1, codec="h264", zone="+08:00"))


@pytest.mark.parametrize(
    "devices", [[1], ["x"], {"a": 1}, "text", 1, [{"deviceId": 1}], [{}], [[]], [None]]
)
def test_a_dump_whose_devices_are_none(tmp_path, devices):
    """What stands in the place of devices may be any JSON."""
    answer = {"body": {"result": {"data": {"deviceList": devices}}}}

    with pytest.raises(ConfigurationError, match="is not what that call answers"):
        _imou(tmp_path, json.dumps({"camsync_dump": 1, "endpoints": {_DEVICES: answer}}))


@pytest.mark.parametrize("data", [[1], "text", 1, None])
def test_a_dump_without_devices(tmp_path, data):
    """What stands in the place of the data may be any JSON."""
    answer = {"body": {"result": {"data": data}}}

    with pytest.raises(ConfigurationError, match="has no devices"):
        _imou(tmp_path, json.dumps({"camsync_dump": 1, "endpoints": {_DEVICES: answer}}))


@pytest.mark.parametrize("channels", [[1], "text", {"a": 1}, [None], 7])
def test_a_dump_whose_channels_are_none(tmp_path, channels):
    """A device without channels that can be read has the usual one."""
    device = {"deviceId": "8L0D", "channels": channels}
    answers = {
        _DEVICES: {"body": {"result": {"data": {"deviceList": [device]}}}},
        "POST /openapi/deviceStorage?deviceId=8L0D": {
            "body": {"result": {"code": "0", "data": []}}
        },
    }
    (made,) = _imou(tmp_path, json.dumps({"camsync_dump": 1, "endpoints": answers}))

    assert ["0"] == [channel.id for channel in made.channels]
    assert "unformatted" == made.card


def test_a_dump_that_is_nested_deeply(tmp_path):
    """The recursion ends inside, in the file and in an answer that is a text."""
    deep = "[" * 100_000
    with pytest.raises(ConfigurationError, match="no JSON"):
        _imou(tmp_path, deep)
    with pytest.raises(ConfigurationError, match="is not what that call answers"):
        _imou(tmp_path, json.dumps({"camsync_dump": 1, "endpoints": {_DEVICES: {"body": deep}}}))


def test_secret_fields_inside_of_each_other_are_walked_once(monkeypatch):
    """The work grows with the answer and not with the square of its depth."""
    walked = []
    wrap = _parse._secret
    monkeypatch.setattr(_parse, "_secret", lambda value: walked.append(1) or wrap(value))
    deep = b'{"token":[' * 100 + b'{"url":{"a":"b"}}' + b"]}" * 100
    found = _parse.read_result(b'{"result":{"code":"0","data":' + deep + b"}}", "listDevices")

    assert isinstance(found.data["token"][0], dict)
    assert len(walked) < 1000
