"""`sync` and `make_plan`: every recording once, complete, through any crash."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import logging
import os
import secrets
import threading

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor
from typing import Union

from .._cancel import CancelToken, cancelled_by, check_cancelled
from .._retry import RetryPolicy
from .._secret import Secret
from .._time import TimeSpan, utcnow
from ..catalogue import Catalogue, Holdings, State, SyncLedger
from ..download import MIN_FREE, Limiter
from ..errors import ConfigurationError
from ..models import ChannelId, DeviceId, RecordingKey, RecordingKind
from ._books import Books, HostError
from ._context import Context
from ._device import Crew, DeviceRun, plan
from ._events import Pump
from ._options import OnEvent, Providers, Wanted, as_ledger, as_sources, read_options
from ._search import turn_of
from ._tree import prepare
from ._values import EventKind, Plan, Problem, SyncReport, Verdict


CatalogueLike = Union[Catalogue, str, Secret, "os.PathLike[str]", None]

_log = logging.getLogger("camsync.sync")
_POLICY = RetryPolicy()
_MOST_PROBLEMS = 50
_LONGEST_MESSAGE = 500


def sync(
    providers: Providers,
    dest: str | os.PathLike[str],
    *,
    since: dt.datetime | dt.timedelta | None = None,
    span: TimeSpan | None = None,
    channels: Wanted | None = None,
    kinds: Collection[RecordingKind | str] | None = None,
    catalogue: CatalogueLike = None,
    ledger: SyncLedger | None = None,
    layout: str | None = None,
    container: str = "mp4",
    timezone: dt.tzinfo | None = None,
    settle: dt.timedelta = dt.timedelta(0),
    max_files: int | None = None,
    max_bytes: int | None = None,
    min_free: int = MIN_FREE,
    order: str = "oldest",
    concurrency: int = 8,
    bandwidth: Limiter | float | str | None = None,
    retry: RetryPolicy = _POLICY,
    executor: Executor | None = None,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> SyncReport:
    """Bring every new recording of some devices to disk, once.

    Run it as often as you like: the catalogue remembers what is here, what has failed and how far
    each channel was searched, so that a run without news costs a request or two per channel and
    fetches nothing. One bad recording, channel or device does not stop the others; a login that is
    refused stops only its device. Whatever ends a run, a crash and a power cut included, the next
    one goes on where it stopped, and no file ever has its final name before it is complete.

    Args:
        providers: A provider, the URL of one (``"hikvision://front-shop"``), a `Source`, or several
            of them. What was given by URL is closed at the end.
        dest: The folder for the files.
        since: Where a channel begins that was never searched: a moment, or a length that counts
            back from now; a day back by default. Later runs go on where the last one has ended,
            however long ago; a *since* before what was ever searched reaches back to it.
        span: Search exactly this span instead, whatever was searched before.
        channels: Ids, names or ``DEVICE/CHANNEL`` of the wanted channels, or a function that is
            asked for each; None for all.
        kinds: Only recordings of these kinds.
        catalogue: A `Catalogue`, or where to keep one (a path or ``postgresql://…``); None for the
            user's own.
        ledger: The host's own table beside it: what that has is never fetched, and it is told of
            every file and of how far each channel is done.
        layout: The names below *dest*, see `download`. A camera's folder stays what it was when the
            camera is renamed.
        container: ``"mp4"`` or ``"original"``, see `download`.
        timezone: The zone of the times in names; by default the device's own wall clock.
        settle: How long after its end a recording is left alone, beyond what the provider says.
        max_files: End the run after so many files.
        max_bytes: End the run before a recording that would bring more bytes than these.
        min_free: Bytes that stay free on the disk.
        order: ``"oldest"`` first, so that what is about to be overwritten is saved; or ``"newest"``.
        concurrency: The most downloads at once from one device. It begins with fewer and measures
            what the device bears.
        bandwidth: Bytes a second for all devices together, or a timetable such as
            ``"08:00,2M 18:00,20M 23:00,off"``.
        retry: How often to try again what may work the second time, within this run.
        executor: Where the downloads run; by default in threads of this process. Processes and
            clusters need providers given by URL, and each worker logs in by itself. A download that
            has begun elsewhere cannot be stopped from here.
        on_event: Is called with each `SyncEvent`, in the thread that called `sync`. What it raises
            is logged and does not stop the run.
        cancel: Anything with ``is_set()``. The run ends within about a second and reports
            ``cancelled``; nothing is raised.

    Returns:
        What was fetched, what failed and why, what waits, and how far each channel is done.

    Raises:
        ConfigurationError: An argument is unusable. Nothing was sent.
        MissingExtraError: ``camsync[sync]`` or ``camsync[mp4]`` is not installed.
        DestinationError: *dest* cannot be written, or another process is syncing to it.
        CatalogueError: The catalogue cannot be read or written.
        DiskFullError: There is no room for the catalogue.
        Exception: What *ledger* raises comes out as it is, whatever it is.
    """
    catalogue, providers = _wrapped(catalogue), as_sources(providers)  # tracebacks show arguments
    ledger = as_ledger(ledger)
    options = read_options(
        providers,
        dest,
        since=since,
        span=span,
        channels=channels,
        kinds=kinds,
        layout=layout,
        container=container,
        timezone=timezone,
        settle=settle,
        max_files=max_files,
        max_bytes=max_bytes,
        min_free=min_free,
        order=order,
        concurrency=concurrency,
        bandwidth=bandwidth,
        retry=retry,
        executor=executor,
        on_event=on_event,
        cancel=cancel,
    )
    started = utcnow()
    with _opened(catalogue) as opened:
        holdings = opened.at(options.dest)
        with holdings.lock():
            holdings.check_mounted()
            last = holdings.batches(limit=3)  # two may have begun within one second
            ended = bool(last) and all(one.ended for one in last)
            prepare(options.dest, clean=ended and holdings.swept())
            holdings.swept(now=True)
            # by them 'camsync status' tells the groups of one run apart
            sources = [source.label_shown for source in options.sources]
            batch = holdings.begin_batch(sources=sources)
            owner = f"{os.getpid()}-{secrets.token_hex(8)}"
            books = Books(holdings, ledger, batch=batch, owner=owner, kinds=options.kinds)
            context = Context(options, books)
            context.tree.check()  # from here on it is noticed when another folder takes its place
            devices = _run(context)
            report = _report(context, devices, batch, started)
            holdings.end_batch(
                batch,
                files=len(report.downloaded),
                bytes=report.bytes,
                failed=len(report.failed) + len(report.problems),
                problems=[_noted(each) for each in report.problems[:_MOST_PROBLEMS]],
            )
    context.tell(EventKind.FINISHED, report=report, message=str(report))
    Pump(context).drain()
    _log.info("%s: %s", options.dest, report)
    return report


def make_plan(
    providers: Providers,
    dest: str | os.PathLike[str],
    *,
    since: dt.datetime | dt.timedelta | None = None,
    span: TimeSpan | None = None,
    channels: Wanted | None = None,
    kinds: Collection[RecordingKind | str] | None = None,
    catalogue: CatalogueLike = None,
    ledger: SyncLedger | None = None,
    layout: str | None = None,
    container: str = "mp4",
    timezone: dt.tzinfo | None = None,
    settle: dt.timedelta = dt.timedelta(0),
    max_files: int | None = None,
    max_bytes: int | None = None,
    min_free: int = MIN_FREE,
    order: str = "oldest",
    concurrency: int = 8,
    bandwidth: Limiter | float | str | None = None,
    retry: RetryPolicy = _POLICY,
    executor: Executor | None = None,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
) -> Plan:
    """Say what `sync` would do now, in its order: search, compare, and write nothing at all.

    The arguments are those of `sync`, so that both can be given the same ones. All are checked;
    those that concern the transfer change nothing here, limits included: a plan lists everything
    that is due.

    Raises:
        ConfigurationError: An argument is unusable. Nothing was sent.
        MissingExtraError: ``camsync[sync]`` or ``camsync[mp4]`` is not installed.
        CatalogueError: The catalogue cannot be read.
        Exception: What *ledger* raises comes out as it is, whatever it is.
        CancelledError: *cancel* was set.
    """
    catalogue, providers = _wrapped(catalogue), as_sources(providers)  # tracebacks show arguments
    ledger = as_ledger(ledger)
    options = read_options(
        providers,
        dest,
        since=since,
        span=span,
        channels=channels,
        kinds=kinds,
        layout=layout,
        container=container,
        timezone=timezone,
        settle=settle,
        max_files=max_files,
        max_bytes=max_bytes,
        min_free=min_free,
        order=order,
        concurrency=concurrency,
        bandwidth=bandwidth,
        retry=retry,
        executor=executor,
        on_event=on_event,
        cancel=cancel,
    )
    with _opened(catalogue, create=False) as opened:
        holdings = opened.at(options.dest, create=False)
        books = Books(holdings, ledger, batch="", owner="", kinds=options.kinds)
        context = Context(options, books, keeps=True)
        _each(context, [functools.partial(plan, context, source) for source in options.sources])
        check_cancelled(cancel)
    return Plan(
        dest=options.dest,
        made_at=context.now,
        items=tuple(sorted(context.tally.items, key=lambda item: turn_of(item, order))),
        problems=tuple(context.tally.problems),
    )


def _wrapped(catalogue: CatalogueLike) -> CatalogueLike:
    """Wrap what may hold a password. Never raises: the caller's frame still shows it."""
    plain = catalogue is None or isinstance(catalogue, (Catalogue, SyncLedger, os.PathLike))
    return catalogue if plain else Secret.of(catalogue)  # type: ignore[arg-type] # it says so later


@contextlib.contextmanager
def _opened(given: CatalogueLike, *, create: bool = True) -> Iterator[Catalogue]:
    """Yield the catalogue; one that is opened here is closed at the end."""
    if isinstance(given, Catalogue):
        yield given
        return
    if isinstance(given, SyncLedger):
        msg = "catalogue must be a Catalogue, a path or a URL, not the host's own table"  # type: ignore[unreachable] # in typed code
        raise ConfigurationError(msg, next_step="give the table as ledger=")
    with Catalogue(given, create=create) as opened:  # type: ignore[arg-type] # a Secret
        yield opened


def _run(context: Context) -> list[DeviceRun]:
    context.tell(EventKind.STARTED, message=str(context.options.dest))
    crew = Crew(context)
    devices = [DeviceRun(context, source, crew) for source in context.options.sources]
    _each(context, [device.run for device in devices])
    return devices


def _noted(problem: Problem) -> dict[str, str]:
    """Return what `camsync status` says of it later."""
    return {
        "device": problem.device,
        "channel": problem.channel,
        "message": problem.error.message[:_LONGEST_MESSAGE],
        "type": type(problem.error).__name__,
    }


def _each(context: Context, parts: Sequence[Callable[[], None]]) -> None:
    """Run the parts at the same time, each in a thread, and hand out events until all are done.

    What a host's own table has raised is raised as it is.
    """
    try:
        _in_threads(context, parts)
    except HostError as error:
        raised = error.error
    else:
        return
    raise raised  # not above, where it would get another context


def _in_threads(context: Context, parts: Sequence[Callable[[], None]]) -> None:
    threads = [
        threading.Thread(target=_guarded, args=(context, part), name=f"camsync-sync-{number}")
        for number, part in enumerate(parts)
    ]
    pump = Pump(context)
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            pump.wait()
    except BaseException:
        context.halt.stop("interrupted")
        raise
    finally:
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    for label, error in context.wishes.unknown():
        context.problem(label, error)
    pump.drain()


def _guarded(context: Context, part: Callable[[], None]) -> None:
    try:
        with cancelled_by(context.halt):
            part()
    except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
        context.halt.stop("an internal error")
        context.events.put(error)
    finally:
        context.events.put(None)  # so that nobody waits for an event that does not come


def _still_open(holdings: Holdings, keys: list[RecordingKey]) -> tuple[RecordingKey, ...]:
    """Return those of *keys* that another worker has not brought to an end yet."""
    entries = holdings.find(keys) if keys else {}
    return tuple(key for key, entry in entries.items() if entry.state is not State.VERIFIED)


def _report(
    context: Context, devices: list[DeviceRun], batch: str, started: dt.datetime
) -> SyncReport:
    tally, books = context.tally, context.books
    marks: dict[tuple[DeviceId, ChannelId], dt.datetime | None] = {}
    for device in devices:
        for channel in device.channels:
            marks[(channel.device, channel.id)] = books.watermark(channel)
    left = [key for key in tally.verdicts[Verdict.FETCH] if key not in tally.begun]
    stopped = context.halt.reason or (context.allowance.reason if left else "")
    return SyncReport(
        id=batch,
        dest=context.options.dest,
        started=started,
        finished=utcnow(),
        downloaded=tuple(tally.downloaded),
        found=tuple(tally.found),
        failed=tuple(tally.failed),
        problems=tuple(tally.problems),
        held=len(tally.verdicts[Verdict.HELD]),
        in_progress=len(tally.verdicts[Verdict.IN_PROGRESS]),
        waiting=tuple(tally.verdicts[Verdict.WAITING]),
        quarantined=tuple(tally.verdicts[Verdict.QUARANTINED]),
        gone=tuple(tally.verdicts[Verdict.GONE]),
        elsewhere=_still_open(books.holdings, tally.elsewhere),
        left=len(left),
        channels_left=tuple(dict.fromkeys((key.device, key.channel) for key in left)),
        stopped=stopped,
        stopped_by=context.halt.error,
        cancelled=context.halt.cancelled,
        marks=marks,
    )
