"""What runs by itself, and what somebody looks at later: against recorders in memory."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
import logging
import os
import re
import signal
import sys

from pathlib import Path

import attrs
import pytest


pytest.importorskip("sqlalchemy")

from camsync import RetryPolicy, errors, registry
from camsync.catalogue import Catalogue, ChannelMark, Holdings, KnownChannel
from camsync.cli import main
from camsync.cli._flags import flags_of
from camsync.cli._log_file import logging_into
from camsync.cli._names import Names
from camsync.cli._output import Output, console_for, logging_to
from camsync.cli._status_job import last_run, newest_of
from camsync.cli._sync_run import Outcome
from camsync.cli._sync_show import Lines, report_outcome, showing
from camsync.cli._watch import watch
from camsync.models import Failed, Progress, Stage
from camsync.profiles import Profile, Profiles
from camsync.sync import EventKind, Problem, Source, SyncEvent, SyncReport
from camsync.sync._options import read_options
from camsync.sync._wishes import Wishes
from camsync.testing import MemoryProvider


UTC = dt.timezone.utc
URL = "hikvision://admin@{}"
NOW = dt.datetime(2026, 9, 26, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)
BUSY = errors.DeviceBusyError("busy")


def _ago(minutes):
    now = dt.datetime.now(UTC).replace(microsecond=0)
    return now - dt.timedelta(minutes=minutes)


@pytest.fixture
def shops(monkeypatch):
    """Two recorders, ``a.test`` and ``b.test``, with two recordings each; all have one password."""
    found = {}
    for number, name in enumerate(("a.test", "b.test")):
        provider = found[name] = MemoryProvider(f"SHOP-{number}", channels=2)
        provider.host = name
        provider.record("1", _ago(30), item=name)
        provider.record("2", _ago(20), item=name)
    monkeypatch.setattr(registry, "connect_to", lambda target, **_: found[target.url.host])
    monkeypatch.setenv("CAMSYNC_PASSWORD", "right")
    return found


@pytest.fixture
def named():
    """A profile for the first of them, with its serial number."""
    profile = Profile(
        name="front-shop", provider="hikvision", host="a.test", username="admin", device="SHOP-0"
    )
    Profiles().set(profile)
    return profile


def _urls(*names):
    return [URL.format(name) for name in names]


def _to(folder):
    return ["--to", str(folder), "--container", "original"]


def _config(folder, text):
    path = folder / "camsync.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def _both(folder, more=""):
    sources = "".join(f'[[source]]\nurl = "{url}"\n' for url in _urls("a.test", "b.test"))
    return _config(folder, f'dest = "footage"\ncontainer = "original"\n{more}\n{sources}')


# -- Deleting ----------------------------------------------------------------------------------------


@pytest.fixture
def full(shops, tmp_path, capsys):
    """A folder with 24 files."""
    for number in range(22):
        shops["a.test"].record("1", _ago(100 + number), item=str(number))
    assert 0 == main(["sync", *_urls("a.test"), *_to(tmp_path / "f")])
    capsys.readouterr()
    return tmp_path / "f"


def _files(folder):
    return sorted(path for path in folder.rglob("Cam*/*") if path.is_file())


def test_most_of_all_files_is_not_deleted_by_a_slip(full, capsys):
    """The numbers are named, and the option that allows it; a dry run says so, too."""
    everything = ["prune", str(full), "--max-bytes", "0"]
    assert 0 == main(everything)
    planned = capsys.readouterr().out
    assert 2 == main([*everything, "--yes"])
    refused = capsys.readouterr().err
    assert 2 == main([*everything, "--yes", "--max-delete", "99%"])
    assert "more than --max-delete allows" in capsys.readouterr().err
    assert 2 == main([*everything, "--yes", "--max-delete", "23"])
    assert 2 == main([*everything, "--yes", "--max-delete", "many"])
    assert "write 500, or 60%" in capsys.readouterr().err
    assert 24 == len(_files(full))
    assert 0 == main([*everything, "--yes", "--max-delete", "100%"])

    assert "that is much of 24 files: it needs --max-delete, too" in planned
    assert "24 of 24 files would be deleted, more than half: none was" in refused
    assert "add --max-delete 24, or --max-delete 100%" in refused
    assert [] == _files(full)


def test_a_few_files_go_without_a_question(full):
    """Up to twenty of them, or half."""
    size = sum(path.stat().st_size for path in _files(full))
    assert 0 == main(["prune", str(full), "--max-bytes", str(size // 5), "--yes"])

    assert 0 < len(_files(full)) < 12


def test_a_month_is_not_a_minute(full, capsys):
    """Whoever means a month must not lose it."""
    assert 2 == main(["prune", str(full), "--keep", "1M", "--yes"])
    shown = capsys.readouterr().err

    assert "'1M' may mean months: m is minutes" in shown
    assert "write 30d for months" in shown
    assert 24 == len(_files(full))


def test_what_is_pinned_stays(full, capsys):
    """By file, by path in the folder, or by key, until it is not pinned any more."""
    first, second, *_ = _files(full)
    arguments = ["pin", str(full), str(first), str(second.relative_to(full))]
    assert 0 == main([*arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    prune = ["prune", str(full), "--max-bytes", "0", "--yes", "--max-delete", "100%"]
    assert 1 == main(prune)
    assert [first, second] == _files(full)
    keys = [each["key"] for each in document["recordings"]]
    assert 0 == main(["pin", str(full), *keys, "--off"])
    assert 2 == capsys.readouterr().out.count(": not pinned any more\n")
    assert 0 == main(prune)

    assert (True, 2) == (document["pinned"], len(keys))
    assert [] == _files(full)


def test_what_cannot_be_pinned(full, tmp_path, capsys):
    """A file that nobody knows, one elsewhere, and a key of nothing."""
    key = "hik://NONE/101/20240101T100000Z/x"
    assert 2 == main(["pin", str(full), key, "none.mp4", str(tmp_path / "x.mp4")])

    shown = capsys.readouterr().err
    assert f"the catalogue has no {key}, none.mp4, {tmp_path / 'x.mp4'} of {full}" in shown


def test_a_folder_that_was_a_slip_is_forgotten(full, tmp_path, capsys):
    """As long as nothing was synced to it; one with recordings is not forgotten."""
    slip = tmp_path / "slip"
    with Catalogue() as catalogue:
        catalogue.at(slip)
    assert 0 == main(["status", str(slip)])
    assert f"{slip}\nnothing was synced to it yet\n" in capsys.readouterr().out
    assert 0 == main(["forget", str(slip)])
    assert f"{slip}: forgotten\n" == capsys.readouterr().out
    assert 0 == main(["status"])
    assert str(slip) not in capsys.readouterr().out
    assert 2 == main(["forget", str(full)])
    assert "it is not forgotten" in capsys.readouterr().err


@pytest.mark.parametrize("signalled", [True, False])
@pytest.mark.parametrize("command", ["reconcile", "prune"])
def test_a_signal_ends_with_its_own_code(full, monkeypatch, capsys, command, signalled):
    """143 for SIGTERM, as everywhere; a cancellation without one is an error like any other."""

    def stopped(*_, **__):
        if signalled:
            os.kill(os.getpid(), signal.SIGTERM)
        msg = "cancelled"
        raise errors.CancelledError(msg)

    monkeypatch.setattr(Holdings, command, stopped)
    more = ["--keep", "1d"] if command == "prune" else []

    assert (143 if signalled else 130) == main([command, str(full), *more])
    assert "cancelled: " in capsys.readouterr().err


# -- Looking -----------------------------------------------------------------------------------------


def test_all_groups_of_the_last_run_are_shown(tmp_path, capsys):
    """Sources with other options are a run of their own in the catalogue."""
    moments = (NOW + number * HOUR for number in itertools.count())
    with Catalogue(clock=lambda: next(moments)) as catalogue:
        holdings = catalogue.at(tmp_path)
        for number, name in enumerate(("a", "b", "a", "b")):
            batch = holdings.begin_batch(sources=[name])
            holdings.end_batch(batch, files=number, bytes=0)
        found = last_run(holdings.batches())
    assert 0 == main(["status"])
    shown = capsys.readouterr().out
    assert 0 == main(["status", "--json"])
    (dest,) = json.loads(capsys.readouterr().out)["destinations"]

    assert {("a",), ("b",)} == {tuple(batch.facts["sources"]) for batch in found}
    assert 2 == len(found) == shown.count("last run ")
    assert "Z (a): 2 files (" in shown
    assert "Z (b): 3 files (" in shown
    assert 2 == len(dest["last_runs"])
    assert dest["last_run"] == dest["last_runs"][0]


def test_recorders_have_the_names_that_the_user_gave(shops, named, tmp_path, capsys):
    """With the serial number beside it; where no profile has it, the number alone."""
    shops["a.test"].blind["2"] = BUSY
    main(["sync", *_urls(*shops), *_to(tmp_path)])
    capsys.readouterr()
    assert 0 == main(["status"])
    shown = capsys.readouterr().out
    assert 0 == main(["status", "--json"])
    (dest,) = json.loads(capsys.readouterr().out)["destinations"]

    assert "front-shop (SHOP-0) 1 Camera 1\n" in shown
    assert "\nSHOP-1 1 Camera 1\n" in shown
    assert "  ! front-shop channel 2: busy\n" in shown
    assert ["front-shop", "front-shop", None, None] == [
        each["profile"] for each in dest["channels"]
    ]


def test_names_need_no_profiles(monkeypatch):
    """A file that cannot be read is no reason to show nothing."""
    path = Profiles().path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("nonsense")
    path.chmod(0o600)

    assert "DS1" == Names.known().full("DS1")
    assert {} == Names.known().devices(["x", "hikvision://a.test"])


def test_the_devices_of_places(named):
    """By the name of the profile, and by the URL that leads to it."""
    wanted = {"front-shop": "SHOP-0", "hikvision://admin@a.test": "SHOP-0"}

    assert wanted == Names.known().devices(["front-shop", *_urls("a.test", "b.test"), "odd one"])


def test_some_channels_only(shops, tmp_path, capsys):
    """Chosen as for a sync; one that nobody knows is an error."""
    main(["sync", *_urls(*shops), *_to(tmp_path)])
    capsys.readouterr()
    for choice, number in (("01", 2), ("1-2", 4), ("SHOP-1/2", 1), ("Camera 2", 2), ("201", 2)):
        assert 0 == main(["status", "-c", choice, "--json"])
        (dest,) = json.loads(capsys.readouterr().out)["destinations"]
        assert number == len(dest["channels"]), choice
    assert 2 == main(["status", "-c", "camera 3"])
    shown = capsys.readouterr().err

    assert "the catalogue knows no channel camera 3" in shown
    assert "did you mean 'Camera " in shown


def test_a_look_makes_no_catalogue(shops, tmp_path, capsys):
    """Not where it would be, and not where a slip says it is."""
    typo = tmp_path / "typo.sqlite3"
    for command in (["status"], ["rearm", "f"], ["reconcile", "f"], ["forget", "f"]):
        assert 2 == main([*command, "--catalogue", str(typo)])
        assert f"there is no catalogue {typo}" in capsys.readouterr().err
    assert 0 == main(["status"])
    shown = capsys.readouterr().out
    assert 2 == main(["rearm", "f"])

    assert re.search(r"nothing was ever synced: .*catalogue\.sqlite3 is empty", shown)
    assert not typo.exists()
    assert not list(tmp_path.rglob("catalogue.sqlite3"))


@pytest.mark.parametrize(
    ("newest", "shown"), [(None, None), (-HOUR, -HOUR), (HOUR, 0 * HOUR), (48 * HOUR, 48 * HOUR)]
)
def test_what_is_still_being_written_ends_now(newest, shown):
    """Its announced end lies ahead; further ahead lies what has the time of a wrong clock."""
    known = KnownChannel(device="D", channel="1", newest=None if newest is None else NOW + newest)

    assert (None if shown is None else NOW + shown) == newest_of(known, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2, "2 seconds"), (0.2, "1 second"), (90, "1 minute"), (7300, "2 hours")]
)
def test_how_long_ago_is_not_rounded_up(seconds, text):
    """A second is no hour."""
    moment = NOW - dt.timedelta(seconds=seconds)
    mark = ChannelMark(searched_until=moment, last_search=moment)
    known = KnownChannel(device="D", channel="1", mark=mark, newest=moment)
    (flag,) = flags_of(known, (), NOW, dt.timedelta(seconds=0.1), dest="/f")

    assert f"it was not searched for {text}" == flag.text


# -- Choosing channels -------------------------------------------------------------------------------


def _wishes(wanted, *sources):
    options = read_options(
        sources,
        "f",
        since=None,
        span=None,
        channels=wanted,
        kinds=None,
        settle=dt.timedelta(0),
        order="oldest",
        cancel=None,
        max_files=None,
        max_bytes=None,
        concurrency=1,
        bandwidth=None,
        executor=None,
        on_event=None,
        layout=None,
        container="original",
        timezone=None,
        min_free=0,
        retry=RetryPolicy(),
    )
    return Wishes(options), options.sources


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (None, "123"),
        (["1,3"], "13"),
        (["2-3"], "23"),
        (["02"], "2"),
        (["301"], "3"),
        (["Camera 2", "DS1/1"], "12"),
        (lambda channel: channel.id == "2", "2"),
    ],
)
def test_channels_that_are_chosen(wanted, ids):
    """As people type them."""
    provider = MemoryProvider("DS1", channels=3)
    wishes, (source,) = _wishes(wanted, Source(provider=provider))
    found = wishes.chosen(source, provider.channels())

    assert ids == "".join(str(channel.id) for channel in found)
    assert [] == wishes.unknown()


def test_channels_that_nobody_has():
    """They are named, and the one that may have been meant."""
    provider = MemoryProvider("DS1", channels=3)
    wishes, (source,) = _wishes(["1,7", "camera2"], Source(provider=provider))
    assert ["1"] == [str(each.id) for each in wishes.chosen(source, provider.channels())]
    ((_, error),) = wishes.unknown()

    assert "there is no channel '7', 'camera2'" == error.message
    wishes, (source,) = _wishes(["camera2"], Source(provider=provider))
    wishes.chosen(source, provider.channels())
    ((_, error),) = wishes.unknown()
    assert error.next_step.startswith("did you mean 'Camera 2'? there are: 1 (Camera 1), ")


# -- Nobody is looking -------------------------------------------------------------------------------


def test_quiet_is_silent_about_limits_and_about_what_waits(shops, tmp_path, capsys):
    """They are no failures; the exit code says that there is more."""
    arguments = ["sync", *_urls(*shops), *_to(tmp_path), "--quiet"]
    codes = [main([*arguments, "--max-files", "1"])]
    provider = shops["a.test"]
    bad = provider.record("1", _ago(10), item="bad")
    provider.trouble[bad.key] = errors.ProtocolError("odd")
    limited = capsys.readouterr()
    codes.append(main(arguments))
    failed = capsys.readouterr()
    codes.append(main(arguments))
    waiting = capsys.readouterr()

    assert [1, 1, 1] == codes
    assert ("", "") == (limited.out, limited.err) == (waiting.out, waiting.err)
    assert "odd" in failed.err


def test_quiet_says_nothing_of_what_was_not_begun():
    """A limit that was used up by the sources before is the user's own wish."""
    outcome = Outcome(stopped="as much was fetched as the limits allow")
    failed = Outcome(stopped="enough", problems=[Problem(device="x", error=BUSY)])
    texts = []
    for each, quiet in ((outcome, True), (outcome, False), (failed, True)):
        stream = io.StringIO()
        report_outcome(_output(stream), each, code=1, quiet=quiet)
        texts.append(stream.getvalue())

    assert ("", True) == (texts[0], "not begun: " in texts[1])
    assert ("problem: x: busy" in texts[2], "not begun" in texts[2]) == (True, False)


def test_a_retry_that_succeeds_is_no_news(capsys):
    """The log's warnings are for those who look; a hook that fails is a failure."""
    output = Output.standard(json=False)
    output.quiet = True
    with logging_to(output):
        logging.getLogger("camsync.sync").warning("trying again")
        logging.getLogger("camsync.sync.hooks").warning("the hook failed")
        logging.getLogger("camsync.sync").error("a defect")
        quiet = capsys.readouterr().err
        output.verbosity = 1
        logging.getLogger("camsync.sync").warning("trying again")

    assert ["the hook failed", "a defect"] == re.findall(r": ([^:]+)\n", quiet)
    assert "trying again" in capsys.readouterr().err


@pytest.mark.parametrize("closed", [("stdout",), ("stderr",), ("stdout", "stderr")])
def test_closed_outputs(shops, tmp_path, monkeypatch, closed):
    """As after ``>&-``, and under pythonw."""
    for name in closed:
        monkeypatch.setattr(sys, name, None)

    assert 0 == main(["sync", *_urls("a.test"), *_to(tmp_path)])
    assert 0 == main(["status"])
    assert 2 == main(["status", "nothing"])


def test_no_file_gets_the_number_of_a_closed_output(monkeypatch):
    """What is written to standard error must not end up in somebody's footage."""
    given, usual = [], os.fstat

    def look(number):
        if number == 2:
            raise OSError
        return usual(number)

    module = sys.modules["camsync.cli._app"]
    monkeypatch.setattr(module.os, "fstat", look)
    monkeypatch.setattr(module.os, "open", lambda path, _: given.append(path))
    module._fill_gaps()

    assert [os.devnull] == given


def _report(**fields):
    usual = {"id": "b", "dest": Path("/f"), "started": NOW, "finished": NOW}
    return SyncReport(**{**usual, "marks": {("DS1", "1"): NOW}, **fields})


RECORDING = MemoryProvider("DS1").record("1", NOW)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"failed": (Failed(recording=RECORDING, error=BUSY),)}, 8),
        ({"problems": (Problem(device="x", error=BUSY),), "left": 3}, 8),
        ({"problems": (Problem(device="x", error=errors.ProtocolError("odd")),)}, 1),
        (
            {
                "problems": (Problem(device="x", error=BUSY),),
                "marks": {("DS1", "1"): NOW, ("DS2", "1"): NOW},
            },
            1,
        ),
        ({"left": 3, "stopped": "enough"}, 1),
    ],
)
def test_the_only_recorder_is_busy(report, code):
    """Nothing is amiss, whether it refuses the search or every download."""
    assert code == Outcome(reports=[_report(**report)]).code()


class _Heard:
    """In the place of the hooks: what they are told."""

    def __init__(self):
        self.events = []

    def __call__(self, hooks, **_):
        return self

    def __enter__(self):
        return self.events.append

    def __exit__(self, *_):
        pass


@pytest.fixture
def heard(monkeypatch):
    """Everything that hooks would be told."""
    from camsync.cli import _sync_job

    found = _Heard()
    monkeypatch.setattr(_sync_job, "Hooks", found)
    return found.events


def _kinds(events):
    wanted = {EventKind.STARTED, EventKind.PROBLEM, EventKind.FINISHED}
    return [event.kind.value for event in events if event.kind in wanted]


def test_hooks_hear_of_a_folder_that_cannot_be_written(shops, heard, tmp_path, capsys):
    """A run has not begun; the screen says it once; JSON has a line for it."""
    (tmp_path / "file").touch()
    assert 15 == main(["sync", *_urls("a.test"), *_to(tmp_path / "file" / "x")])
    shown = capsys.readouterr()

    assert ["problem"] == _kinds(heard)
    assert isinstance(heard[-1].error, errors.DestinationError)
    assert "" == heard[-1].device
    assert 1 == (shown.out + shown.err).count("error: ")
    assert "problem: " not in shown.err


def test_hooks_hear_of_a_full_disk(shops, heard, tmp_path, capsys):
    """The run ends, and what has ended it is a problem."""
    assert 15 == main(["sync", *_urls("a.test"), *_to(tmp_path), "--min-free", "100000T"])

    assert ["started", "finished", "problem"] == _kinds(heard)
    assert "disk" == heard[-1].error.category.value
    assert 1 == capsys.readouterr().err.count("kept in reserve")


def test_hooks_hear_of_a_catalogue_that_is_gone(shops, heard, tmp_path, monkeypatch, capsys):
    """Before a run, and in the middle of one, which has an end then."""
    bad = tmp_path / "c.sqlite3"
    bad.write_text("no catalogue at all, but long enough to be looked at")
    assert 15 == main(["sync", *_urls("a.test"), *_to(tmp_path / "f"), "--catalogue", str(bad)])
    before = _kinds(heard)
    heard.clear()

    def broken(*_, **__):
        msg = "the catalogue is gone"
        raise errors.CatalogueUnavailableError(msg)

    monkeypatch.setattr(Holdings, "end_batch", broken)
    assert 15 == main(["sync", *_urls("a.test"), *_to(tmp_path / "f")])

    assert ["problem"] == before
    assert ["started", "problem", "finished"] == _kinds(heard)
    assert (None, "the catalogue is gone") == (heard[-1].report, heard[-1].error.message)


def test_another_run_is_no_problem_for_hooks(shops, heard, tmp_path):
    """That one brings what is new."""
    with Catalogue() as catalogue, catalogue.at(tmp_path).lock():
        assert 8 == main(["sync", *_urls("a.test"), *_to(tmp_path)])

    assert [] == heard


def test_what_went_wrong_stands_out_in_the_log(shops, tmp_path, capsys):
    """A refused login, a failure: warnings, in UTC; the screen says each in its own words, once."""
    shops["b.test"].refusal = errors.AuthenticationError("refused")
    provider = shops["a.test"]
    provider.trouble[provider.listed["1"][0].key] = errors.ProtocolError("odd")
    log = tmp_path / "x.log"
    assert 1 == main(["sync", *_urls(*shops), *_to(tmp_path / "f"), "--log", str(log)])
    shown = capsys.readouterr().err
    lines = log.read_text(encoding="utf-8").splitlines()
    text = "\n".join(lines)

    assert re.search(r"WARNING camsync\.cli: problem: hikvision://admin@b\.test: refused", text)
    assert re.search(r"WARNING camsync\.cli: failed: SHOP-0 Camera 1 .*: odd", text)
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ ", line) for line in lines)
    assert "warning: " not in shown


def test_the_time_of_a_log_may_be_asked_for_in_another_form(tmp_path):
    """It stays that of UTC."""
    with logging_into(tmp_path / "x.log"):
        handler = logging.getLogger("camsync").handlers[-1]
        record = logging.makeLogRecord({"created": 0.0, "msecs": 7.0})

        assert "1970.007Z" == handler.formatter.formatTime(record, "%Y")


@pytest.fixture
def quick(monkeypatch):
    """No second between two runs."""
    monkeypatch.setattr(sys.modules[watch.__module__], "_LEAST", 0.01)
    monkeypatch.setattr(watch, "__kwdefaults__", {**watch.__kwdefaults__, "jitter": lambda *_: 0.0})


def test_a_broken_file_needs_no_traceback(shops, tmp_path, monkeypatch, capsys, quick):
    """Its error says all; a defect of camsync has one. The next run is named in UTC."""
    from camsync.cli import _sync_job

    path, usual, count = _both(tmp_path, 'log = "x.log"'), _sync_job.Catalogue, []

    def opened(where):
        count.append(where)
        if len(count) == 1:
            path.write_text("nonsense")
        if len(count) == 2:
            msg = "no idea"
            raise RuntimeError(msg)
        if len(count) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return usual(where)

    monkeypatch.setattr(_sync_job, "Catalogue", opened)
    assert 143 == main(["sync", "--config", str(path), "--watch", "1s"])
    text = (tmp_path / "x.log").read_text(encoding="utf-8")

    assert re.search(r"WARNING camsync\.cli: .*is no TOML", text)
    assert 1 == text.count("Traceback")
    assert "ERROR camsync.cli: a run failed\nTraceback" in text
    assert re.search(r"next run \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\n", capsys.readouterr().err)


def test_figures_of_a_recorder_that_is_off(shops, named, tmp_path):
    """Its lag stays, so that an alert fires; it has its name beside its number."""
    metrics = tmp_path / "m.prom"
    arguments = ["sync", "front-shop", *_urls("b.test"), *_to(tmp_path / "f")]
    arguments += ["--store", "env", "--metrics", str(metrics)]
    profile = attrs.evolve(named)
    Profiles().set(profile)
    os.environ["CAMSYNC_HIKVISION_FRONT__2D__SHOP_USERNAME"] = "admin"
    assert 0 == main(arguments[:1] + _urls(*shops) + arguments[3:5] + arguments[5:])
    shops["a.test"].refusal = errors.UnreachableError("no route")
    assert 1 == main(arguments[:1] + _urls(*shops) + arguments[3:5] + arguments[5:])
    text = metrics.read_text(encoding="utf-8")

    for number in ("1", "2"):
        labels = f'{{device="SHOP-0",channel="{number}",profile="front-shop"}}'
        assert f"camsync_lag_seconds{labels} " in text
        assert f"camsync_waiting{labels} 0\n" in text
    assert 'camsync_problems_total{device="SHOP-0",channel="",profile="front-shop"} 1\n' in text


# -- What is shown -----------------------------------------------------------------------------------


def _output(stream):
    environ = {"TERM": "xterm", "COLUMNS": "120"}
    return Output(False, console_for(stream, environ), console_for(stream, environ))


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def _event(stage=Stage.DOWNLOAD, kind=EventKind.PROGRESS, **fields):
    progress = Progress(stage=stage, recording=RECORDING, bytes_done=512, **fields)
    return SyncEvent(kind=kind, at=NOW, recording=RECORDING, progress=progress)


def test_lines_name_the_recorder_where_there_are_several():
    """Cameras of two shops have the same names."""
    stream, moments = io.StringIO(), iter([0.0, 9.0, 9.0])
    lines = Lines(_output(stream), {"DS1": "front-shop"}.get, clock=lambda: next(moments))
    lines(_event())

    assert "; front-shop Camera 1 2026-09-26 00:00:00: 512 B" in stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_given_up_has_not_failed(monkeypatch, terminal):
    """After a signal no file is shown as failed; other news still is."""

    class Stopped:
        now = False

        def is_set(self):
            return self.now

    stream, stop = _Terminal() if terminal else io.StringIO(), Stopped()
    output = _output(stream)
    with showing(output, quiet=False, cancel=stop) as show:
        show(_event(Stage.RETRY, message="busy"))
        stop.now = True
        show(_event(Stage.FAILED, message="cancelled"))
        show(_event(Stage.RETRY, message="again"))
        show(SyncEvent(kind=EventKind.GONE, at=NOW, device="DS1", message="lost"))

    shown = stream.getvalue()
    assert ("busy" in shown, "lost" in shown) == (True, True)
    assert "again" not in shown
    assert "failed" not in shown


def test_a_clip_says_how_it_goes_on():
    """Each step on a terminal, a line every three seconds in a file, and nothing if asked to."""
    pytest.importorskip("av")
    from camsync.cli._clip_job import Steps

    events = [_event().progress, _event().progress, _event(Stage.REMUX).progress]
    texts = []
    for stream, quiet in ((_Terminal(), False), (io.StringIO(), False), (io.StringIO(), True)):
        moments = iter([0.0, 1.0, 4.0, 4.0, 9.0, 9.0])
        output = _output(stream)
        output.quiet = quiet
        steps = Steps(output, clock=lambda moments=moments: next(moments))
        for event in events:
            steps(event)
        texts.append(re.sub("\x1b[^m]*m", "", stream.getvalue()).splitlines())

    name = "Camera 1 2026-09-26 00:00:00: "
    assert [[f"{name}fetching", f"{name}cutting"], [f"{name}512 B", f"{name}cutting"], []] == texts
