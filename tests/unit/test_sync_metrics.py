"""Figures for monitoring: strict OpenMetrics, counters that go on, and a file that is always whole."""

from __future__ import annotations

import datetime as dt
import re
import sys

from pathlib import Path

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st


pytest.importorskip("sqlalchemy")

from camsync import errors
from camsync.models import Downloaded, Failed, RecordingKey
from camsync.sync import Problem, SyncReport
from camsync.sync._metrics import FAMILIES, Metrics, Standing
from camsync.testing import MemoryProvider


NOW = dt.datetime(2026, 9, 26, 12, 0, tzinfo=dt.timezone.utc)
EARLIER = NOW - dt.timedelta(minutes=3)
RECORDING = MemoryProvider("DS1").record("1", EARLIER)
ERROR = errors.DeviceBusyError("busy")

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")


def parse(text):
    """Read OpenMetrics as strictly as its rules are; return the samples."""
    assert text.endswith("# EOF\n")
    lines = text.removesuffix("# EOF\n").split("\n")
    assert "" == lines.pop()
    families, samples, current = {}, {}, None
    for line in lines:
        assert line, "empty lines are not allowed"
        if line.startswith("# "):
            word, name, rest = re.fullmatch(rf"# (TYPE|UNIT|HELP) ({_NAME}) (.+)", line).groups()
            if word == "TYPE":
                assert name not in families, "a family stands in one place"
                assert rest in {"counter", "gauge"}
                families[name], current = {"TYPE": rest}, name
            assert name == current
            if word == "UNIT":
                assert name.endswith(f"_{rest}")
            assert word == "TYPE" or word not in families[name]
            families[name][word] = rest
            continue
        name, labels, value = _SAMPLE.fullmatch(line).groups()
        suffix = "_total" if families[current]["TYPE"] == "counter" else ""
        assert name == current + suffix
        key = name, tuple(_labels(labels))
        assert key not in samples, "a sample stands there once"
        samples[key] = float(value)
    return samples


def _labels(text):
    position = 0
    while text and position < len(text):
        match = _LABEL.match(text, position)
        assert match is not None, text
        yield match[2].replace(r"\n", "\n").replace(r"\"", '"').replace(r"\\", "\\")
        position = match.end()


def _report(**fields):
    channel = RECORDING.key.device, RECORDING.key.channel
    usual = {
        "id": "b",
        "dest": Path("/f"),
        "started": EARLIER,
        "finished": NOW,
        "marks": {channel: EARLIER},
    }
    return SyncReport(**{**usual, **fields})


def _file(size=100):
    return Downloaded(
        recording=RECORDING, path=Path("/x"), size=size, container="mp4", start=NOW, end=NOW
    )


def _metrics(tmp_path):
    return Metrics(tmp_path / "sub" / "camsync.prom", clock=lambda: NOW)


def _key(item):
    return attrs.evolve(RECORDING.key, item=item)


def test_a_run_in_figures(tmp_path):
    """Per device and channel, and of the run."""
    metrics = _metrics(tmp_path)
    report = _report(
        downloaded=(_file(), _file(50)),
        failed=(Failed(recording=RECORDING, error=ERROR),),
        problems=(
            Problem(device="DS1", channel="2", error=ERROR),
            Problem(device="x", error=ERROR),
        ),
        gone=(_key("g"),),
        waiting=(_key("w"), _key("v")),
        quarantined=(_key("q"),),
        marks={(RECORDING.key.device, "1"): EARLIER, (RECORDING.key.device, "3"): None},
    )
    metrics.update([report], problems=1)
    found = parse(metrics.text())

    one, three = ("DS1", "1", ""), ("DS1", "3", "")
    assert 2 == found["camsync_files_total", one]
    assert 150 == found["camsync_fetched_bytes_total", one]
    assert 1 == found["camsync_failed_total", one]
    assert 1 == found["camsync_gone_total", one]
    assert 2 == found["camsync_waiting", one]
    assert 1 == found["camsync_quarantined", one]
    assert 180 == found["camsync_lag_seconds", one]
    assert ("camsync_last_success_timestamp_seconds", one) not in found
    assert NOW.timestamp() == found["camsync_last_success_timestamp_seconds", three]
    assert 0 == found["camsync_files_total", three] == found["camsync_quarantined", three]
    assert ("camsync_lag_seconds", three) not in found
    assert [1, 1, 1] == [
        found["camsync_problems_total", where]
        for where in (("DS1", "2", ""), ("", "", "x"), ("", "", ""))
    ]
    assert NOW.timestamp() == found["camsync_run_timestamp_seconds", ()]
    assert 180 == found["camsync_run_duration_seconds", ()]
    assert 0 == found["camsync_run_complete", ()]


SUCCESS = "camsync_last_success_timestamp_seconds"


@pytest.mark.parametrize(
    ("fields", "done"),
    [
        ({}, {"1", "2", "3"}),
        ({"left": 2, "channels_left": (("DS1", "1"), ("DS1", "3"))}, {"2"}),
        ({"waiting": (RECORDING.key,)}, {"2", "3"}),
        ({"failed": (Failed(recording=RECORDING, error=ERROR),)}, {"2", "3"}),
        ({"problems": (Problem(device="DS1", channel="3", error=ERROR),)}, {"1", "2"}),
        ({"quarantined": (RECORDING.key,), "in_progress": 1}, {"1", "2", "3"}),
    ],
)
def test_success_is_when_nothing_is_left(tmp_path, fields, done):
    """A run that has stopped early has finished only the channels of which nothing is left."""
    metrics = _metrics(tmp_path)
    marks = {("DS1", "1"): EARLIER - dt.timedelta(hours=1), ("DS1", "2"): EARLIER}
    metrics.update([_report(**fields, marks={**marks, ("DS1", "3"): None})])

    found = parse(metrics.text())
    assert done == {labels[1] for name, labels in found if name == SUCCESS}


def test_another_run_keeps_its_figures(tmp_path):
    """What says how things stand is forgotten only of the channels that were looked at."""
    first = _metrics(tmp_path)
    marks = {("DS1", "1"): EARLIER, ("DS1", "2"): EARLIER}
    first.update([_report(waiting=(_key("w"), _key("x")), marks=marks)])
    first.write()
    second = _metrics(tmp_path)
    second.update([_report(waiting=(_key("w"),), marks={})], elsewhere=True)

    found = parse(second.text())
    assert 1 == found["camsync_waiting", ("DS1", "1", "")]
    assert 0 == found["camsync_waiting", ("DS1", "2", "")]
    assert 180 == found["camsync_lag_seconds", ("DS1", "2", "")]
    assert ("camsync_lag_seconds", ("DS1", "1", "")) not in found


def test_counters_go_on_in_the_next_process(tmp_path):
    """They are read back from the file; what says how things stand is not."""
    first = _metrics(tmp_path)
    first.update([_report(downloaded=(_file(),), waiting=(_key("w"),), problems=())])
    first.write()
    second = _metrics(tmp_path)
    second.update([_report(downloaded=(_file(7),))])
    second.write()
    second.update([])
    text = first.path.read_text(encoding="utf-8")

    found = parse(text)
    assert 2 == found["camsync_files_total", ("DS1", "1", "")]
    assert 107 == found["camsync_fetched_bytes_total", ("DS1", "1", "")]
    assert 0 == found["camsync_waiting", ("DS1", "1", "")]
    assert 1 == found["camsync_run_complete", ()]
    assert {family.help for family in FAMILIES} >= set(re.findall(r"# HELP \w+ (.+)", text))
    last = parse(second.text())
    assert 2 == last["camsync_files_total", ("DS1", "1", "")]
    assert ("camsync_waiting", ("DS1", "1", "")) not in last


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'camsync_files_total{device="DS1",channel="1"} 7\n',
        b"\xff\xfe# EOF\n",
        b'camsync_files_total{device="DS1",channel="1"} -7\n# EOF\n',
        b'camsync_files_total{device="DS1",channel="1"} 7x\n# EOF\n',
        b'camsync_files_total{device="DS1",channel="1"} 1.0e999\n# EOF\n',
        b'other_total{device="DS1",channel="1"} 7\nnonsense\n# EOF\n',
        b'camsync_waiting{device="DS1",channel="1"} 7\n# EOF\n',
    ],
)
def test_another_file_begins_at_zero(tmp_path, content):
    """Half a file, another program's, or nonsense is no reason to fail."""
    metrics = _metrics(tmp_path)
    metrics.path.parent.mkdir()
    metrics.path.write_bytes(content)
    again = _metrics(tmp_path)
    again.update([_report()])

    assert 0 == parse(again.text())["camsync_files_total", ("DS1", "1", "")]


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    """It cannot be ours."""
    monkeypatch.setattr(sys.modules[Metrics.__module__], "_LONGEST", 10)
    metrics = _metrics(tmp_path)
    metrics.update([_report(downloaded=(_file(),))])
    metrics.write()
    again = _metrics(tmp_path)
    again.update([_report()])

    assert 0 == parse(again.text())["camsync_files_total", ("DS1", "1", "")]


@given(device=st.text(min_size=1, max_size=12), channel=st.text(min_size=1, max_size=12))
def test_whatever_a_device_calls_itself(tmp_path_factory, device, channel):
    """Quotes, line ends and backslashes survive; the text is valid, and so is it after a round."""
    folder = tmp_path_factory.mktemp("metrics")
    key = RecordingKey(provider="x", device=device, channel=channel, start=NOW)
    metrics = Metrics(folder / "a.prom")
    metrics.update([_report(gone=(key,), marks={(device, channel): NOW})])
    metrics.write()
    text = metrics.path.read_bytes().decode()
    again = Metrics(folder / "a.prom")
    again.update([_report(gone=(key,), marks={})])

    assert 1 == sum(value for name, value in parse(text).items() if name[0] == "camsync_gone_total")
    total = sum(
        value for name, value in parse(again.text()).items() if name[0] == "camsync_gone_total"
    )
    assert 2 == total


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    """The error says so, and nothing is left over."""
    metrics = _metrics(tmp_path)
    metrics.path.mkdir(parents=True)
    (metrics.path / "in the way").touch()
    with pytest.raises(errors.DestinationError, match=r"camsync\.prom cannot be written"):
        metrics.write()
    blocked = Metrics(tmp_path / "sub" / "camsync.prom" / "in the way" / "x.prom")
    with pytest.raises(errors.DestinationError):
        blocked.write()

    assert ["camsync.prom"] == [path.name for path in metrics.path.parent.iterdir()]


ONE, TWO = ("DS1", "1", ""), ("DS1", "2", "")
LAG, WAITING = "camsync_lag_seconds", "camsync_waiting"


def _later(tmp_path, minutes):
    return Metrics(
        tmp_path / "sub" / "camsync.prom", clock=lambda: NOW + dt.timedelta(minutes=minutes)
    )


def _off(label="shop", *, minutes=0):
    later = NOW + dt.timedelta(minutes=minutes)
    return _report(problems=(Problem(device=label, error=ERROR),), marks={}, finished=later)


def test_a_recorder_that_is_off_falls_behind(tmp_path):
    """Its figures stay, and its lag grows: by the catalogue, or, without one, by the clock."""
    first = _metrics(tmp_path)
    marks = {("DS1", "1"): EARLIER, ("DS1", "2"): EARLIER, ("DS1", "3"): None}
    first.update([_report(waiting=(_key("w"),), marks=marks)])
    first.write()
    second = _later(tmp_path, 10)
    standing = {("DS1", "1"): Standing(watermark=NOW, waiting=4, quarantined=2)}
    second.update([_off(minutes=10)], standing={**standing, ("DS9", "1"): Standing(watermark=NOW)})
    found = parse(second.text())

    assert (600, 4, 2) == (
        found[LAG, ONE],
        found[WAITING, ONE],
        found["camsync_quarantined", ONE],
    )
    assert (780, 0) == (found[LAG, TWO], found[WAITING, TWO])
    assert (LAG, ("DS1", "3", "")) not in found
    assert (LAG, ("DS9", "1", "")) not in found, "nobody wants it any more"
    second.write()
    third = _later(tmp_path, 20)
    third.update([], problems=1)
    assert 1380 == parse(third.text())[LAG, TWO]
    third.update([_report(marks={("DS1", "1"): NOW})])
    assert (LAG, TWO) not in parse(third.text()), "all is well, and nobody has looked at it"


def test_figures_that_begin_with_a_recorder_that_is_off(tmp_path):
    """The catalogue knows how things stand; a channel in two folders is as bad as the worse one."""
    one = Standing(watermark=NOW, waiting=1)
    both = one.joined(Standing(watermark=EARLIER, quarantined=1)).joined(None)
    metrics = _metrics(tmp_path)
    metrics.update(
        [],
        untried=["shop"],
        standing={("DS1", "1"): both, ("DS1", "2"): Standing(watermark=None)},
    )
    found = parse(metrics.text())

    assert (180, 1, 1) == (found[LAG, ONE], found[WAITING, ONE], found["camsync_quarantined", ONE])
    assert ((LAG, TWO) in found, 0) == (False, found[WAITING, TWO])
    assert 0 == found["camsync_run_complete", ()]


def test_one_device_has_one_label(tmp_path):
    """Its serial number, with its profile beside it; while nobody knows it, what it is called."""
    devices = {"shop": "DS1", "zz": "DS1", "hikvision://a@b": "DS1"}
    metrics = _metrics(tmp_path)
    metrics.update([_report(), _off(), _off("hikvision://a@b")], untried=["x"], devices=devices)
    metrics.write()
    again = _metrics(tmp_path)
    again.update([_off()], untried=["x"], devices=devices)
    found = parse(again.text())

    assert 0 == found["camsync_files_total", ("DS1", "1", "shop")]
    assert 3 == found["camsync_problems_total", ("DS1", "", "shop")]
    assert 2 == found["camsync_problems_total", ("", "", "x")]


def test_figures_of_an_older_camsync_go_on(tmp_path):
    """They had no profile, and called a source what the user had called it."""
    metrics = _metrics(tmp_path)
    metrics.path.parent.mkdir()
    metrics.path.write_text(
        'camsync_files_total{device="DS1",channel="1"} 7\n'
        'camsync_problems_total{device="shop",channel=""} 3\n# EOF\n'
    )
    again = _metrics(tmp_path)
    again.update([_report(), _off()])
    found = parse(again.text())

    assert 7 == found["camsync_files_total", ONE]
    assert 4 == found["camsync_problems_total", ("", "", "shop")]
