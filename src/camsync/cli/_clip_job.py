"""The work of ``camsync clip``."""

from __future__ import annotations

import contextlib
import time

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from .._secret import Secret
from .._time import TimeSpan, utcnow
from .._typed import names_meant, near_name, parse_moment
from .._zone import parse_timezone
from ..errors import CancelledError, ConfigurationError
from ..models import Channel, Progress, Stage
from ..provider import Provider
from ..sync import Clip, ClipPart
from ..sync import clip as cut
from ._download import require_media
from ._exit import OK
from ._format import length_text, size_text, utc_text
from ._held import known, opened
from ._json import span_json, stamp
from ._output import Output
from ._place import find_place
from ._progress import event_text, title
from ._signals import Stop
from ._sync_connections import Connections
from ._sync_options import Way, account_options, check_account
from ._watch import in_time


_STOPPING = "stopping; once more ends at once"
_COLUMNS = ("file", "codec", "length>", "size>", "start (UTC)", "remarks")
_PAUSE = 3.0
"""Seconds between two plain lines."""
_STEPS = {
    Stage.DOWNLOAD: "fetching",
    Stage.VERIFY: "checking",
    Stage.REMUX: "cutting",
    Stage.RETRY: "trying again",
    Stage.SKIPPED: "is here already",
    Stage.DONE: "done",
    Stage.FAILED: "failed",
}


@attrs.frozen(kw_only=True)
class Wanted:
    """What the user typed."""

    url: Secret
    channel: str
    start: str
    end: str
    dest: str
    gaps: str
    folder: str | None
    timezone: str | None
    account: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def span(self) -> TimeSpan:
        """From when to when."""
        now = utcnow()
        start, end = parse_moment(self.start, now), parse_moment(self.end, now)
        if end <= start:
            msg = f"the clip ends ({utc_text(end)}) before it starts ({utc_text(start)})"
            raise ConfigurationError(msg, next_step="give the earlier moment first")
        return TimeSpan(start, end)


def make_clip(output: Output, wanted: Wanted, way: Way, catalogue: Secret | None) -> int:
    """Make the clip, say where it is, and return the exit code."""
    require_media("a clip")
    span, zone = wanted.span, parse_timezone(wanted.timezone)
    find_place(wanted.url)  # a URL with a password ends here
    options = account_options(wanted.account)
    check_account(wanted.url.reveal(), options)
    with Connections(output, way) as connections:
        provider = connections.provider(wanted.url.reveal(), options.options)
        with Stop(output, _STOPPING) as stop, in_time(stop):
            try:
                with _held(catalogue, wanted.folder) as holdings:
                    made = cut(
                        provider,
                        _channel(provider, wanted.channel),
                        span,
                        wanted.dest,
                        gaps=wanted.gaps,  # type: ignore[arg-type] # click has checked it
                        holdings=holdings,
                        timezone=zone,
                        on_event=Steps(output),
                        cancel=stop,
                    )
            except CancelledError as error:
                if not stop.is_set():
                    raise
                output.error(error)
                return stop.code
    _report(output, made)
    return OK


class Steps:
    """Says how a clip goes on: each step on a terminal, a line every few seconds elsewhere."""

    def __init__(self, output: Output, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._next = clock() + _PAUSE
        self._last: tuple[object, Stage] | None = None

    def __call__(self, event: Progress) -> None:
        """Take one event."""
        step = event.recording.key, event.stage
        fresh, self._last = step != self._last, step
        if self._output.quiet:
            return
        if self._output.err.is_terminal:
            if fresh:
                self._output.note(f"{title(event.recording)}: {_STEPS[event.stage]}")
        elif self._clock() >= self._next:
            self._next = self._clock() + _PAUSE
            amount = event_text(event) if event.stage is Stage.DOWNLOAD else _STEPS[event.stage]
            self._output.note(f"{title(event.recording)}: {amount}")


@contextlib.contextmanager
def _held(catalogue: Secret | None, folder: str | None) -> Iterator[Any]:
    """Yield what is known of a folder that was synced to, or None."""
    if folder is None:
        yield None
        return
    with opened(catalogue) as book:
        yield known(book, folder)


def _channel(provider: Provider, name: str) -> Channel:
    """Return the channel that is meant: by id, by name, or by DEVICE/ID.

    Raises:
        ConfigurationError: None is, or several are.
    """
    channels = provider.channels()
    ids = {one: {str(one.id), f"{one.device}/{one.id}"} for one in channels}
    found = [one for one in channels if name in ids[one]]
    found = found or [one for one in channels if name == one.name]
    if not found:
        meant = names_meant(name, frozenset().union(*ids.values()))[0]
        found = [one for one in channels if not ids[one].isdisjoint(meant)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{one.device}/{one.id} ({one.name})" for one in found or channels)
    msg = f"several channels are called {name}" if found else f"there is no channel {name}"
    near = "" if found else near_name(name, [one.name for one in channels])
    raise ConfigurationError(msg, next_step=f"{near}there are: {there or 'none'}")


def _report(output: Output, made: Clip) -> None:
    output.document(
        {
            "span": span_json(made.span),
            "parts": [_part(part) for part in made.parts],
            "gaps": [span_json(gap) for gap in made.gaps],
        }
    )
    if output.quiet:
        return
    rows = [
        (
            str(part.path),
            part.codec.value,
            length_text(part.duration),
            size_text(part.size),
            utc_text(part.start),
            "; ".join(part.notes),
        )
        for part in made.parts
    ]
    output.table("", _COLUMNS, rows)
    for gap in made.gaps:
        length = length_text(gap.duration.total_seconds())
        output.line(f"missing: {utc_text(gap.start)} to {utc_text(gap.end)} ({length})", "yellow")


def _part(part: ClipPart) -> dict[str, Any]:
    return {
        "path": str(part.path),
        "start": stamp(part.start),
        "end": stamp(part.end),
        "duration": part.duration,
        "size": part.size,
        "sha256": part.sha256,
        "sources": [key.uri for key in part.sources],
        "codec": part.codec.value,
        "width": part.width,
        "height": part.height,
        "notes": list(part.notes),
    }
