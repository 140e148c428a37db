"""Hooks: what they are told, and that nothing that they do is felt by a sync."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import threading
import time

from pathlib import Path

import pytest


pytest.importorskip("sqlalchemy")

from camsync import errors
from camsync.models import Downloaded, Progress, Stage
from camsync.sync import EventKind, Problem, SyncEvent, SyncReport
from camsync.sync._describe import event_json
from camsync.sync._hooks import Hook, Hooks
from camsync.testing import MemoryProvider


NOW = dt.datetime(2026, 9, 26, tzinfo=dt.timezone.utc)
RECORDING = MemoryProvider().record("1", NOW)


def _event(kind=EventKind.FAILED, **fields):
    return SyncEvent(kind=kind, at=NOW, device="DS1", channel="2", message="it broke", **fields)


def _python(code, *arguments, **options):
    command = (sys.executable, "-c", code, *map(str, arguments))
    return Hook(kinds={EventKind.FAILED, EventKind.FETCHED}, command=command, **options)


_TELL = """
import json, os, sys
told = {name: value for name, value in os.environ.items() if name != "LC_CTYPE"}
with open(sys.argv[1], "w") as file:
    json.dump([json.load(sys.stdin), told], file)
"""


def test_a_command_is_told_what_has_happened(tmp_path, monkeypatch):
    """JSON on standard input, and variables; no shell looks at its arguments; no secret is there."""
    monkeypatch.setenv("CAMSYNC_PASSWORD", "hunter2-x")
    monkeypatch.setenv("PGPASSWORD", "hunter2-x")
    monkeypatch.setenv("MAILHOST", "mail.test")
    out = tmp_path / "out; $(touch here).json"
    file = Downloaded(
        recording=RECORDING, path=Path("/f/x.mp4"), size=5, container="mp4", start=NOW, end=NOW
    )
    event = _event(EventKind.FETCHED, recording=RECORDING, file=file)
    with Hooks([_python(_TELL, out, environment=("MAILHOST",))]) as hooks:
        hooks(event)
    document, environ = json.loads(out.read_text())

    assert event_json(event) == document
    assert "/f/x.mp4" == environ["CAMSYNC_PATH"]
    assert {
        "CAMSYNC_EVENT": "fetched",
        "CAMSYNC_DEVICE": "DS1",
        "CAMSYNC_CHANNEL": "2",
        "CAMSYNC_RECORDING": RECORDING.key.uri,
        "CAMSYNC_PATH": "/f/x.mp4",
        "CAMSYNC_MESSAGE": "it broke",
    } == {name: value for name, value in environ.items() if name.startswith("CAMSYNC_")}
    assert "mail.test" == environ["MAILHOST"]
    assert "hunter2-x" not in str(environ)
    assert "PATH" in environ


def test_a_function_gets_the_event():
    """In a thread of its own, one after the other, and only for the kinds that it is for."""
    seen = []
    hook = Hook(
        kinds=[EventKind.FAILED], call=lambda event: seen.append((event, threading.get_ident()))
    )
    first, second = _event(), _event()
    with Hooks([hook]) as hooks:
        hooks(first)
        hooks(_event(EventKind.FETCHED))
        time.sleep(0.2)  # longer than the thread waits for more
        hooks(second)

    assert [first, second] == [event for event, _ in seen]
    assert threading.get_ident() not in {thread for _, thread in seen}


def _warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_fails_is_logged_and_nothing_else(tmp_path, caplog):
    """A function that raises, a command that is not there, one that ends with a code."""

    def burst(event):
        msg = "no mail today"
        raise RuntimeError(msg)

    hooks = [
        Hook(kinds=[EventKind.FAILED], call=burst),
        Hook(kinds=[EventKind.FAILED], command=[str(tmp_path / "none")]),
        _python("raise SystemExit(3)"),
        _python("import sys; print('x' * 1_000_000); print('y' * 1_000_000, file=sys.stderr)"),
    ]
    with Hooks(hooks, patience=30) as run:
        run(_event())

    function, missing, code = _warnings(caplog)
    assert "the hook burst failed: RuntimeError: no mail today" == function
    assert "none failed: FileNotFoundError" in missing
    assert code.endswith("ended with 3")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path, caplog):
    """Whatever it has started ends with it."""
    mark = tmp_path / "mark"
    command = ["/bin/sh", "-c", 'sleep 60 & echo $! > "$0"; wait', str(mark)]
    hook = Hook(kinds=[EventKind.FAILED], command=command, timeout=1.0)
    with Hooks([hook], patience=30) as hooks:
        hooks(_event())

    assert ["the hook /bin/sh took longer than 1 s"] == _warnings(caplog)
    assert not _runs(int(mark.read_text()))


def _runs(pid):
    """Whether a process runs; one that nobody has buried yet does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2]
    except OSError:
        return False


def test_the_end_does_not_wait_for_ever(caplog):
    """A command is killed, a function is left behind, what waits is dropped; the log counts it."""
    block = threading.Event()
    hanging = Hook(kinds=[EventKind.FAILED], call=lambda _: block.wait(30))
    with Hooks([hanging], patience=0.1) as hooks:
        for _ in range(3):
            hooks(_event())
    block.set()
    hooks._worker.join()
    with Hooks([_python("import time; time.sleep(30)")], patience=0.2) as hooks:
        for _ in range(3):
            hooks(_event())

    assert "2 calls of hooks were dropped: there were too many, or no time" == _warnings(caplog)[0]
    assert "was still running at the end" in _warnings(caplog)[1]
    assert _warnings(caplog)[2].startswith("2 calls of hooks were dropped")


def test_a_cancelled_run_hurries(caplog):
    """Half a second is all that hooks get when the user wants to stop."""
    cancel, block = threading.Event(), threading.Event()
    hook = Hook(kinds=[EventKind.FAILED], call=lambda _: block.wait(30))
    cancel.set()
    begun = time.monotonic()
    with Hooks([hook], patience=20, cancel=cancel) as hooks:
        hooks(_event())
    passed = time.monotonic() - begun
    block.set()

    assert passed < 15


def test_a_flood_is_dropped(caplog):
    """More than may wait are too many: calling never blocks."""
    block = threading.Event()
    hook = Hook(kinds=[EventKind.FAILED], call=lambda _: block.wait(30))
    with Hooks([hook], most=2) as hooks:
        for _ in range(50):
            hooks(_event())
        block.set()

    dropped = int(_warnings(caplog)[0].split()[0])
    assert 47 <= dropped <= 48


def test_without_hooks_there_is_no_thread():
    """Nothing is started for nothing."""
    before = threading.active_count()
    with Hooks([]) as hooks:
        hooks(_event())

        assert before == threading.active_count()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kinds": [], "command": ["x"]}, "no hooks for nothing"),
        ({"kinds": [EventKind.PROGRESS], "command": ["x"]}, "no hooks for progress"),
        ({"kinds": [EventKind.GONE]}, "a command or a function"),
        ({"kinds": [EventKind.GONE], "command": ["x"], "call": print}, "a command or a function"),
        (
            {"kinds": [EventKind.GONE], "command": ["x"], "environment": ["camsync_key"]},
            "cannot have camsync_key",
        ),
    ],
)
def test_an_impossible_hook_is_refused(fields, message):
    """Before anything runs."""
    with pytest.raises(errors.ConfigurationError, match=message):
        Hook(**fields)


def test_a_hook_has_a_name_for_the_log():
    """The program, or the function, or its class."""

    class Caller:
        def __call__(self, event): ...

    kinds = [EventKind.GONE]
    assert "mail" == Hook(kinds=kinds, command=["mail", "-s"]).name
    assert "print" == Hook(kinds=kinds, call=print).name
    assert "Caller" == Hook(kinds=kinds, call=Caller()).name


def test_an_event_as_json_has_what_it_is_about():
    """Progress, errors and reports, each only where there is one."""
    error = errors.DeviceBusyError("busy", retry_after=5)
    report = SyncReport(
        id="b",
        dest=Path("/f"),
        started=NOW,
        finished=NOW,
        problems=(Problem(device="DS1", error=error),),
        gone=(RECORDING.key,),
        marks={(RECORDING.key.device, RECORDING.key.channel): NOW, ("DS1", "9"): None},
    )
    progress = Progress(stage=Stage.DOWNLOAD, recording=RECORDING, bytes_done=5, eta=1.26)
    bare = event_json(_event())
    full = json.loads(json.dumps(event_json(_event(error=error, report=report, progress=progress))))

    assert {"event", "at", "device", "channel", "message", "totals"} == set(bare)
    assert ("DeviceBusyError", 5) == (full["error"]["type"], full["error"]["retry_after"])
    assert (5, 1.3) == (full["progress"]["bytes_done"], full["progress"]["eta"])
    assert [RECORDING.key.uri] == full["report"]["gone"]
    assert ["2026-09-26T00:00:00Z", None] == [each["watermark"] for each in full["report"]["marks"]]
