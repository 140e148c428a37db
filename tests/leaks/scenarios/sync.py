"""Syncs, plans and clips: what they tell, report, raise, and write down in the catalogue."""

from __future__ import annotations

import datetime as dt
import threading

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from leak_harness.stage import Stage, of, scenario

import camsync

from camsync import Catalogue, EventKind, Limiter, RetryPolicy, Source, TimeSpan, Verdict, errors
from camsync.download import camera_name
from camsync.sync import _gate


_ONCE = RetryPolicy(attempts=1)
_SHORT = dt.timedelta(minutes=4)
_USUAL: dict[str, Any] = {"since": _SHORT, "container": "original", "retry": _ONCE}
_NOWHERE = "127.0.0.1:1"


@scenario(
    "camsync.sync",
    "camsync.make_plan",
    "camsync.Source",
    *of("camsync.Plan", "of fetch bytes unsized"),
    *of("camsync.PlanItem", "size"),
    *of(
        "camsync.SyncReport",
        "bytes complete settled errors locked_out channels_fetched channels_failed",
    ),
    "camsync.SyncEvent",
    "camsync.Totals",
    *of("camsync.Limiter", "rate take"),
    "camsync.download.writable",
    "camsync.download.require_space",
    "camsync.download.sweep_tree",
    "camsync.download.camera_name",
)
def that_work(stage: Stage) -> None:
    """Plan, sync, sync again; keep events, reports, and the files of the catalogue."""
    sim = stage.simulator(hours=0.2)
    provider = stage.provider(sim)
    dest, home = stage.folder / "footage", stage.folder / "catalogue.sqlite3"
    limiter = Limiter("1G", timetable="08:00,1G 18:00,off")
    events: list[camsync.SyncEvent] = []
    plan = camsync.make_plan(provider, dest, since=_SHORT, catalogue=home)
    stage.keep(plan, plan.of(Verdict.FETCH), plan.fetch, plan.bytes, plan.unsized, str(plan))
    for number in range(3):
        report = camsync.sync(
            [Source(provider=provider, channels=["1"])],
            dest,
            catalogue=home,
            max_files=None if number else 2,
            layout="{camera}/{start:%Y}/{camera}_{start:%H%M%S}",
            bandwidth=limiter,
            on_event=events.append,
            **_USUAL,
        )
        stage.keep(report, report.bytes, report.complete, report.errors, report.locked_out)
        stage.keep(report.channels_fetched, report.channels_failed)
    assert report.held
    assert {EventKind.STARTED, EventKind.FETCHED, EventKind.FINISHED} <= {e.kind for e in events}
    stage.keep(events, limiter, limiter.rate, str(report))
    with Catalogue(home) as catalogue:
        stage.keep(catalogue, list(catalogue.at(dest).entries()), catalogue.at(dest).batches())
    stage.keep(camera_name(plan.fetch[0]))


@scenario("camsync.sync", "camsync.make_plan", "camsync.Problem", "camsync.SyncReport.locked_out")
def that_are_refused(stage: Stage) -> None:
    """Have a wrong password, alone and beside a recorder that works; ask twice."""
    sim = stage.simulator(hours=0.1)
    good = stage.provider(sim)
    refused = stage.stack.enter_context(
        camsync.HikvisionISAPI("127.0.0.1", "admin", stage.plain("wrong"), port=sim.port)
    )
    home, events = stage.folder / "catalogue.sqlite3", []
    for providers in (refused, [refused, good]):
        plan = camsync.make_plan(providers, stage.folder / "out", since=_SHORT, catalogue=home)
        stage.keep(plan, plan.problems)
        report = camsync.sync(
            providers,
            stage.folder / "out",
            catalogue=home,
            max_files=1,
            on_event=events.append,
            **_USUAL,
        )
        stage.keep(report, report.locked_out, report.errors)
        assert report.locked_out
    stage.keep(events, [str(problem) for problem in report.problems])
    for error in report.errors:
        with stage.fails(camsync.CamsyncError):
            raise error


@scenario("camsync.sync")
def that_meet_faults(stage: Stage) -> None:
    """Lose connections, be busy, be sent elsewhere, and be sent rubbish, in searches and files."""
    sim = stage.simulator(hours=0.1)
    stage.patch.setattr("camsync.providers.hikvision._download._GRACE", 0.05)
    stage.patch.setattr(_gate, "_PATIENCE", 0)
    home = stage.folder / "catalogue.sqlite3"
    for fault in (
        "drop-in-middle",
        "truncate-file",
        "busy-503",
        "error-500",
        "garbage-body",
        "redirect-elsewhere",
        "reset-connection",
        "unauthorized-midway",
    ):
        provider = stage.provider(sim)
        sim.enable(fault)
        report = camsync.sync(
            provider, stage.folder / fault, catalogue=home, max_files=1, concurrency=1, **_USUAL
        )
        sim.disable(fault)
        stage.keep(report, report.failed, report.problems)
        for error in report.errors:
            with stage.fails(camsync.CamsyncError):
                raise error
    with Catalogue(home) as catalogue:
        for dest in catalogue.destinations():
            stage.keep(list(catalogue.at(dest).entries()))


@scenario("camsync.sync", "camsync.make_plan", *of("camsync.Source", "label_shown"))
def with_a_password_in_the_url(stage: Stage) -> None:
    """Name the device by a URL that holds the password: it is refused, and shown nowhere."""
    dest, home = stage.folder / "out", stage.folder / "catalogue.sqlite3"
    (stage.folder / "file").write_text("in the way")
    for pattern in (
        "hikvision://admin:{}@127.0.0.1",
        "hikvision://admin@127.0.0.1/{}",
        "rtsp://admin:{}@127.0.0.1",
        "admin:{}@127.0.0.1",
    ):
        events: list[camsync.SyncEvent] = []
        for function in (camsync.sync, camsync.make_plan):
            done = function(
                pattern.format(stage.vault.core("password")),
                dest,
                catalogue=home,
                **({"on_event": events.append} if function is camsync.sync else {}),
            )
            stage.keep(done, [str(problem) for problem in done.problems])
            stage.keep(function([_source(stage, pattern)], dest, catalogue=home))
        stage.keep(events)
        stage.keep(_source(stage, pattern).label_shown)
        with stage.fails(camsync.DestinationError):
            camsync.sync([_source(stage, pattern)], stage.folder / "file", catalogue=home)
        with stage.fails(camsync.ConfigurationError):
            camsync.sync(_source(stage, pattern), dest, catalogue=home, order="up")
        assert done.problems


def _source(stage: Stage, pattern: str) -> Source:
    return Source(provider=pattern.format(stage.vault.core("password")))


@scenario("camsync.sync", "camsync.make_plan")
def that_cannot_begin(stage: Stage) -> None:
    """Give arguments that cannot be used, a folder that is none, and one that is in use."""
    provider = stage.provider(stage.simulator())
    dest, home = stage.folder / "out", stage.folder / "catalogue.sqlite3"
    for wrong in (
        {"since": 5},
        {"layout": "../{camera}"},
        {"container": "avi"},
        {"order": "up"},
        {"bandwidth": "fast"},
        {"executor": print},
        {"channels": "1"},
        {"kinds": ["none"]},
    ):
        with stage.fails(camsync.ConfigurationError):
            camsync.sync(provider, dest, catalogue=home, **wrong)
    with stage.fails(camsync.ConfigurationError):
        camsync.make_plan([provider, stage.plain], dest, catalogue=home)
    (stage.folder / "file").write_text("in the way")
    with stage.fails(camsync.DestinationError):
        camsync.sync(provider, stage.folder / "file", catalogue=home)
    with stage.fails(camsync.CatalogueUnavailableError):
        camsync.sync(provider, dest, catalogue=stage.folder / "file" / "catalogue")
    with stage.fails(camsync.DamagedCatalogueError):
        (stage.folder / "damaged").write_bytes(b"x" * 5000)
        camsync.make_plan(provider, dest, catalogue=stage.folder / "damaged")
    with (
        Catalogue(home) as catalogue,
        catalogue.at(dest).lock(),
        stage.fails(camsync.DestinationBusyError),
    ):
        camsync.sync(provider, dest, catalogue=home)
    with stage.fails(camsync.CancelledError):
        cancel = threading.Event()
        cancel.set()
        camsync.make_plan(provider, dest, catalogue=home, cancel=cancel)
    stage.keep(camsync.sync(provider, dest, catalogue=home, cancel=cancel))


@scenario("camsync.sync")
def that_end_early(stage: Stage) -> None:
    """Be interrupted in a callback, have a callback that fails, and work through an executor."""
    sim = stage.simulator(hours=0.1)
    provider = stage.provider(sim)
    home = stage.folder / "catalogue.sqlite3"

    def interrupt(event: camsync.SyncEvent) -> None:
        raise KeyboardInterrupt

    def fail(event: camsync.SyncEvent) -> None:
        raise ValueError

    with stage.fails(KeyboardInterrupt):
        camsync.sync(provider, stage.folder / "a", catalogue=home, on_event=interrupt, **_USUAL)
    stage.keep(
        camsync.sync(
            provider, stage.folder / "b", catalogue=home, on_event=fail, max_files=1, **_USUAL
        )
    )
    with ThreadPoolExecutor(2) as executor:
        report = camsync.sync(
            provider, stage.folder / "c", catalogue=home, executor=executor, max_files=1, **_USUAL
        )
    stage.keep(report)


# -- Where the catalogue is: a URL may hold a password ---------------------------------------------


def _postgres(stage: Stage, secret: str = "password") -> str:
    return f"postgresql://camsync:{quote(stage.plain(secret), safe='')}@{_NOWHERE}/footage"


@scenario("camsync.Catalogue", "camsync.sync", "camsync.make_plan")
def a_server_with_a_password(stage: Stage) -> None:
    """Keep the catalogue on a server that does not answer, and in URLs that cannot be read."""
    provider = stage.provider(stage.simulator())
    dest = stage.folder / "out"
    with stage.fails(camsync.CatalogueUnavailableError):
        Catalogue(_postgres(stage))
    with stage.fails(camsync.CatalogueUnavailableError):
        Catalogue(camsync.Secret(_postgres(stage)))
    with stage.fails(camsync.CatalogueUnavailableError):
        camsync.sync(provider, dest, catalogue=_postgres(stage))
    with stage.fails(camsync.CatalogueUnavailableError):
        camsync.make_plan(provider, dest, catalogue=_postgres(stage))
    for pattern in (
        "postgresql://camsync:{}@" + _NOWHERE + "/x?sslpassword={}",
        "postgresql://camsync:{}@" + _NOWHERE + "/x?sslmode={}",
        "postgresql://camsync:{}@127.0.0.1:{}/x",
        "postgresql://camsync:{}/@127.0.0.1/x",
        "mysql://camsync:{}@127.0.0.1/x",
        "{}://x",
        "postgresql://camsync@[{}",
    ):
        for function in (Catalogue, _synced_into(provider, dest), _planned_from(provider, dest)):
            with stage.fails(errors.CamsyncError):
                function(pattern.replace("{}", stage.vault.core("password")))
    with stage.fails(errors.CamsyncError):
        Catalogue([_postgres(stage)])
    assert not list(stage.folder.glob("work/*"))


def _synced_into(provider: camsync.Provider, dest: Path) -> Any:
    """Return `sync` as a function of the catalogue alone: a frame that holds no secret."""
    return _OfACatalogue(camsync.sync, provider, dest)


def _planned_from(provider: camsync.Provider, dest: Path) -> Any:
    return _OfACatalogue(camsync.make_plan, provider, dest)


class _OfACatalogue:
    def __init__(self, function: Any, provider: camsync.Provider, dest: Path) -> None:
        self._parts = function, provider, dest

    def __call__(self, where: str) -> object:
        where = camsync.Secret(where)
        function, provider, dest = self._parts
        return function(provider, dest, catalogue=where.reveal())


# -- Clips -----------------------------------------------------------------------------------------


@scenario("camsync.clip", *of("camsync.Clip", "path"), "camsync.sync.ClipPart")
def clips(stage: Stage) -> None:
    """Cut one; ask for what is missing, for what cannot be; and with a wrong password."""
    sim = stage.simulator(hours=0.1)
    provider = stage.provider(sim)
    (channel,) = provider.channels()
    begin, end = _two_minutes()
    span, events = TimeSpan(begin, begin + dt.timedelta(seconds=10)), []
    made = camsync.clip(provider, channel, span, stage.folder / "a.mp4", on_event=events.append)
    stage.keep(made, made.path, made.parts, events)
    with stage.fails(camsync.DestinationError):
        camsync.clip(provider, channel, span, stage.folder / "a.mp4")
    before = TimeSpan(begin - dt.timedelta(hours=3), end)
    with stage.fails(camsync.FootageGapError):
        camsync.clip(provider, channel, before, stage.folder / "b.mp4")
    with stage.fails(camsync.RecordingNotFoundError):
        camsync.clip(
            provider, channel, TimeSpan(before.start, begin - dt.timedelta(hours=2)), stage.folder
        )
    with stage.fails(camsync.ConfigurationError):
        camsync.clip(provider, channel, span, stage.folder, container="original")
    sim.enable("drop-in-middle")
    with stage.fails(camsync.CamsyncError):
        camsync.clip(provider, channel, span, stage.folder / "c.mp4", retry=_ONCE)
    sim.disable("drop-in-middle")
    refused = stage.stack.enter_context(
        camsync.HikvisionISAPI("127.0.0.1", "admin", stage.plain("wrong"), port=sim.port)
    )
    with stage.fails(camsync.AuthenticationError):
        camsync.clip(refused, channel, span, stage.folder / "d.mp4", retry=_ONCE)


def _two_minutes() -> tuple[dt.datetime, dt.datetime]:
    now = dt.datetime.now(dt.timezone.utc)
    return now - dt.timedelta(minutes=4), now - dt.timedelta(minutes=2)
