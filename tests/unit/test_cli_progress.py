"""The state of a running download, live and as plain lines."""

from __future__ import annotations

import datetime as dt
import io
import threading

import attrs
import pytest

from rich.console import Console

from camsync import ChannelId, DeviceId, Progress, Recording, RecordingKey, Stage
from camsync.cli._output import Output
from camsync.cli._progress import LiveProgress, PlainProgress, Tally, event_text, showing, title


START = dt.datetime(2026, 9, 26, tzinfo=dt.timezone.utc)
MIB = 1024**2


def recording(number=0, size=10 * MIB, name="Front door"):
    """A recording of one minute."""
    start = START + dt.timedelta(minutes=number)
    key = RecordingKey(
        provider="hikvision", device=DeviceId("DS1"), channel=ChannelId("1"), start=start
    )
    return Recording(
        key=key,
        channel_name=name,
        start=start,
        end=start + dt.timedelta(minutes=1),
        size=size,
        utc_offset=dt.timedelta(hours=8),
    )


def event(stage=Stage.DOWNLOAD, number=0, **fields):
    """One event of the recording with that number."""
    return Progress(stage=stage, recording=recording(number), **fields)


class Clock:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """The run's clock."""
    return Clock()


@attrs.define
class Screen:
    """An output whose stderr is kept."""

    output: Output
    text: io.StringIO


@pytest.fixture(params=[False])
def screen(request):
    """An output to memory; as a terminal when the parameter says so."""
    text = io.StringIO()
    err = Console(file=text, force_terminal=request.param, width=120, color_system=None)
    return Screen(Output(json=False, out=Console(file=io.StringIO()), err=err), text)


def test_a_run_adds_up(clock):
    """Files, bytes, rate and the time that is left."""
    tally = Tally.of([recording(0), recording(1), recording(2)], clock)
    tally.add(event(bytes_done=10 * MIB))
    tally.add(event(Stage.DONE, bytes_done=10 * MIB))
    tally.add(event(number=1, bytes_done=5 * MIB))
    clock.now += 3

    assert 15 * MIB == tally.done
    assert 5 * MIB == tally.rate
    assert 3.0 == tally.eta
    assert "1/3 files, 15.0 MiB of 30.0 MiB, 5.0 MiB/s, ETA 0:03" == tally.text()


def test_what_was_there_already_is_no_speed(clock):
    """A skipped file counts as done, but not into the rate."""
    tally = Tally.of([recording(0), recording(1)], clock)
    tally.add(event(Stage.SKIPPED))
    clock.now += 1

    assert (10 * MIB, 0.0, None) == (tally.done, tally.rate, tally.eta)
    assert "1/2 files, 10.0 MiB of 20.0 MiB" == tally.text()


def test_a_failed_file_is_settled_but_not_fetched(clock):
    """The bar goes on after a failure."""
    tally = Tally.of([recording(0)], clock)
    tally.add(event(bytes_done=4 * MIB))
    tally.add(event(Stage.FAILED))

    assert (1, 10 * MIB, 0) == (tally.settled, tally.done, tally.fetched)


def test_unknown_sizes_give_no_total_and_no_eta(clock):
    """Some recorders announce no size: what is known is still shown."""
    tally = Tally.of([recording(size=None), recording(1)], clock)
    tally.add(Progress(stage=Stage.DOWNLOAD, recording=recording(size=None), bytes_done=2 * MIB))
    clock.now += 1
    tally.add(Progress(stage=Stage.DONE, recording=recording(size=None), bytes_done=2 * MIB))

    assert None is tally.eta
    assert "1/2 files, 2.0 MiB, 2.0 MiB/s" == tally.text()


def test_before_the_first_moment_there_is_no_rate(clock):
    """No division by a time of zero."""
    assert "0/1 files, 0 B of 10.0 MiB" == Tally.of([recording()], clock).text()


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (event(bytes_done=MIB), "1.0 MiB"),
        (
            event(bytes_done=MIB, bytes_total=4 * MIB, rate=2048.0, eta=61.0),
            "1.0 MiB of 4.0 MiB, 2.0 KiB/s, ETA 1:01",
        ),
        (event(Stage.REMUX), "remux"),
        (event(Stage.DONE, message="a/long/path.mp4"), "done"),
        (event(Stage.RETRY, message="busy\x1b"), "busy\ufffd"),
    ],
)
def test_an_event_in_words(shown, text):
    """Bytes while downloading, the stage otherwise, never a control character."""
    assert text == event_text(shown)


def test_a_recording_is_called_by_camera_and_wall_clock():
    """People know the camera's name and the time on its clock."""
    assert "Front door 2026-09-26 08:00:00" == title(recording())


def test_without_a_terminal_a_line_comes_every_few_seconds(screen, clock):
    """Log files get a line now and then, not one per event, and no control codes."""
    show = PlainProgress(screen.output, Tally.of([recording()], clock), clock=clock)
    for _ in range(6):
        clock.now += 1
        show(event(bytes_done=MIB))

    lines = screen.text.getvalue().splitlines()

    assert 2 == len(lines)
    assert lines[0] == (
        "0/1 files, 1.0 MiB of 10.0 MiB, 341.3 KiB/s, ETA 0:27; Front door 2026-09-26 08:00:00: 1.0 MiB"
    )
    assert "\x1b" not in screen.text.getvalue()


@pytest.mark.parametrize(
    ("stage", "words"), [(Stage.RETRY, "busy"), (Stage.FAILED, "failed: busy")]
)
def test_retries_and_failures_are_said_at_once(screen, clock, stage, words):
    """What is worth reading later is printed when it happens."""
    PlainProgress(screen.output, Tally.of([recording()], clock), clock=clock)(
        event(stage, message="busy")
    )

    assert f"Front door 2026-09-26 08:00:00: {words}\n" == screen.text.getvalue()


@pytest.mark.parametrize(("cancelled", "shown"), [(False, "busy"), (True, "")])
def test_what_cancelling_breaks_off_is_not_a_failure(screen, cancelled, shown):
    """Who pressed Ctrl-C does not want to read that the file failed."""
    cancel = threading.Event()
    with showing(screen.output, [recording()], cancel) as on_event:
        if cancelled:
            cancel.set()
        on_event(event(Stage.FAILED, message="busy"))

    assert shown in screen.text.getvalue()
    assert bool(shown) == bool(screen.text.getvalue())


@pytest.mark.parametrize("screen", [True], indirect=True)
def test_a_terminal_gets_both_bars(screen):
    """The file and the whole run, with bytes, rate, ETA and files n/m."""
    with showing(screen.output, [recording(), recording(1)], threading.Event()) as on_event:
        on_event(event(bytes_done=MIB, bytes_total=10 * MIB, rate=1024.0, eta=9.0))

    text = screen.text.getvalue()

    assert "Front door 2026-09-26 08:00:00" in text
    assert "1.0 MiB of 10.0 MiB, 1.0 KiB/s, ETA 0:09" in text
    assert "0/2 files, 1.0 MiB of 20.0 MiB" in text


@pytest.mark.parametrize("screen", [True], indirect=True)
def test_device_text_is_no_markup(screen):
    """A camera called [red] is shown as that."""
    display = LiveProgress(screen.output, Tally.of([recording()]))
    with display.running() as on_event:
        on_event(Progress(stage=Stage.DOWNLOAD, recording=recording(name="[red]x[/red]")))

    assert "[red]x[/red]" in screen.text.getvalue()


@pytest.mark.parametrize("screen", [True], indirect=True)
def test_on_a_narrow_terminal_the_figures_win(screen):
    """The name is cut before bytes, rate and ETA of the whole run; a retry's reason stands above."""
    screen.output.err.width = 80
    runs = [recording(number, name="A camera with a very long name") for number in range(12)]
    with showing(screen.output, runs, threading.Event()) as on_event:
        on_event(
            Progress(stage=Stage.DOWNLOAD, recording=runs[0], bytes_done=MIB, bytes_total=10 * MIB)
        )
        on_event(Progress(stage=Stage.RETRY, recording=runs[0], message="busy " * 3))

    text = screen.text.getvalue()

    assert "0/12 files, 1.0 MiB of 120.0 MiB" in text
    assert "A camera with a very long name 2026-09-26 08:00:00: busy busy busy" in text
    assert "…" in text
