"""Downloads: to the end, cut off, refused, cancelled, interrupted, and with a full disk."""

from __future__ import annotations

import threading

from leak_harness.stage import Stage, scenario

import camsync

from camsync import RetryPolicy, TimeSpan


_ONCE = RetryPolicy(attempts=1)
_TWICE = RetryPolicy(attempts=2, initial=0.001)


def _recordings(provider: camsync.HikvisionISAPI) -> list[camsync.Recording]:
    (channel,) = provider.channels()
    found = list(provider.search(channel, TimeSpan.last(hours=1)))
    return [one for one in found if not one.in_progress]


@scenario("camsync.download", "camsync.download_many", "camsync.HikvisionISAPI.open")
def that_work(stage: Stage) -> None:
    """Fetch one as MP4, several as they are, and look at the files."""
    provider = stage.provider(stage.simulator(hours=0.2))
    first, *others = _recordings(provider)
    events: list[camsync.Progress] = []
    stage.keep(camsync.download(provider, first, stage.folder / "mp4", on_event=events.append))
    many = camsync.download_many(
        provider, others[:2], stage.folder / "many", container="original", on_event=events.append
    )
    stage.keep(list(many), events[:5])


@scenario("camsync.download", "camsync.download_many")
def that_fail(stage: Stage) -> None:
    """Lose the connection, be refused, find no room, no folder, no access, and wrong arguments."""
    sim = stage.simulator(hours=0.1)
    provider = stage.provider(sim)
    recording = _recordings(provider)[0]
    out = stage.folder / "out"
    stage.patch.setattr("camsync.providers.hikvision._download._GRACE", 0.05)
    for fault in (
        "drop-in-middle",
        "truncate-file",
        "send-nothing",
        "busy-503",
        "error-500",
        "garbage-body",
        "redirect-elsewhere",
        "reset-connection",
    ):
        sim.enable(fault)
        with stage.fails(camsync.CamsyncError):
            camsync.download(provider, recording, out, container="original", retry=_TWICE)
        stage.keep(list(camsync.download_many(provider, [recording], out, retry=_ONCE)))
        sim.disable(fault)
    with stage.fails(camsync.DiskFullError):
        camsync.download(provider, recording, out, min_free=1 << 62)
    (stage.folder / "file").write_text("in the way")
    with stage.fails(camsync.DestinationError):
        camsync.download(provider, recording, stage.folder / "file" / "out")
    with stage.fails(camsync.ConfigurationError):
        camsync.download(provider, recording, out, container="avi")
    sim.enable("unauthorized-midway")
    with stage.fails(camsync.AuthenticationError):
        camsync.download(provider, recording, out, container="original")
    stage.keep(provider)


@scenario("camsync.download")
def that_are_stopped(stage: Stage) -> None:
    """Cancel before and in the middle; press Ctrl-C in a callback."""
    provider = stage.provider(stage.simulator())
    recording = _recordings(provider)[0]
    out = stage.folder / "out"
    cancel = threading.Event()

    def stop(event: camsync.Progress) -> None:
        cancel.set()

    def interrupt(event: camsync.Progress) -> None:
        raise KeyboardInterrupt

    with stage.fails(camsync.CancelledError):
        camsync.download(provider, recording, out, on_event=stop, cancel=cancel)
    with stage.fails(camsync.CancelledError):
        camsync.download(provider, recording, out, cancel=cancel)
    with stage.fails(KeyboardInterrupt):
        camsync.download(provider, recording, out, on_event=interrupt)
