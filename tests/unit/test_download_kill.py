from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import av
import pytest

import camsync


pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")

CHILD = """
import contextlib, datetime as dt, sys, time

import camsync
from camsync.download import _ahead, _files, _progress
from camsync.testing.recorder._media import program_stream

moment, dest = sys.argv[1:]


def stop_here():
    print("now", flush=True)
    time.sleep(60)


class Stream:
    container, offset = "mpeg-ps", 0

    def __init__(self, data):
        self.size, self.data = len(data), memoryview(data)

    def readinto(self, buffer):
        count = min(len(buffer), 10_000, len(self.data))
        if moment in {"download", "ahead"} and len(self.data) < self.size // 2:
            stop_here()
        buffer[:count] = self.data[:count]
        self.data = self.data[count:]
        return count

    def abort(self):
        pass


class Source:
    name, capabilities = "fake", camsync.Capability.DOWNLOAD

    @contextlib.contextmanager
    def open(self, recording, *, offset=0, cancel=None):
        yield Stream(data)


def on_event(event):
    if event.stage.value == moment and event.bytes_done * 2 > event.bytes_total:
        stop_here()


if moment == "ahead":
    _ahead._LEAST = 0
if moment == "remux":
    _progress._INTERVAL = 0.0
if moment == "place":
    _files.sync_folder = lambda folder: any(folder.glob("Cam*.mp4")) and stop_here()
if moment == "link":
    _files.Path.unlink = lambda *args, **options: stop_here()

data = b"".join(program_stream("h264", seconds=8.0, audio="g711a"))
start = dt.datetime(2024, 1, 1, 3, 0, tzinfo=dt.timezone.utc)
key = camsync.RecordingKey(provider="hikvision", device="D", channel="1", start=start, item="a")
recording = camsync.Recording(
    key=key, channel_name="", start=start, end=start + dt.timedelta(seconds=8), size=len(data)
)
done = camsync.download(Source(), recording, dest, on_event=on_event, min_free=0)
print(done.path, done.existing, flush=True)
"""


def run(moment, dest):
    """Start the download in a process of its own."""
    source = os.path.dirname(os.path.dirname(camsync.__file__))  # noqa: PTH120
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, moment, str(dest)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    )


MOMENTS = {"download": (0, 1), "verify": (0, 1), "remux": (0, 2), "link": (1, 2), "place": (1, 1)}
MOMENTS |= {"ahead": (0, 2)}
"""How many final files and how many part files a kill at some moment leaves."""


def found(folder):
    """Return the names of final files and of part files."""
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    parts = {name for name in names if name.startswith(".") and name.endswith(".part")}
    return names - parts, parts


def test_killed_at_any_moment(tmp_path, monkeypatch, capsys):
    """After SIGKILL there is the whole file under its name or none; the next run clears up."""
    with contextlib.ExitStack() as stack:
        children = {}
        for moment in MOMENTS:
            children[moment] = stack.enter_context(run(moment, tmp_path / moment))
            stack.callback(children[moment].kill)
        assert dict.fromkeys(MOMENTS, "now\n") == {
            moment: child.stdout.readline() for moment, child in children.items()
        }

    for moment, expected in MOMENTS.items():
        assert expected == tuple(map(len, found(tmp_path / moment))), moment

    for moment, (placed, _) in MOMENTS.items():
        monkeypatch.setattr(sys, "argv", ["", "never", str(tmp_path / moment)])
        exec(compile(CHILD, "child", "exec"), {})
        path, existing = capsys.readouterr().out.split()
        assert str(bool(placed)) == existing, moment
        assert ({os.path.basename(path)}, set()) == found(tmp_path / moment)  # noqa: PTH119
        with av.open(path) as container:
            assert 200 == sum(bool(packet.size) for packet in container.demux(video=0))
