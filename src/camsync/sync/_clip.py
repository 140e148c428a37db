"""`clip`: the footage between two instants as one file."""

from __future__ import annotations

import contextlib
import datetime as dt
import os

from collections.abc import Collection
from typing import Any, Literal

from .._cancel import CancelToken, check_cancelled
from .._retry import RetryPolicy
from .._time import TimeSpan, to_utc, utcnow
from ..download import MIN_FREE
from ..download._options import OnEvent, Options, check_provider
from ..errors import ConfigurationError, RecordingNotFoundError
from ..models import Channel, Recording, RecordingKind
from ..provider import Provider
from ._clip_held import Held, Holder, Shelves
from ._clip_place import Place
from ._clip_select import Selection, select
from ._clip_select import gaps as gaps_in
from ._clip_values import Clip, ClipPart
from ._clip_work import Clipping, gap_error, in_words, unfinished


__all__ = ["TOLERANCE", "Clip", "ClipPart", "clip"]

TOLERANCE = dt.timedelta(seconds=2)
Gaps = Literal["error", "split"]

_MARGIN = dt.timedelta(seconds=2)
"""The search asks for a little more: devices count in whole seconds."""

_POLICY = RetryPolicy()


def clip(
    provider: Provider,
    channel: Channel,
    span: TimeSpan,
    dest: str | os.PathLike[str],
    *,
    gaps: Gaps = "error",
    tolerance: dt.timedelta = TOLERANCE,
    container: str = "mp4",
    held: Held | None = None,
    holdings: Holder | None = None,
    kinds: Collection[RecordingKind] | None = None,
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    timezone: dt.tzinfo | None = None,
    retry: RetryPolicy = _POLICY,
    min_free: int = MIN_FREE,
) -> Clip:
    """Bring the footage of *channel* between two instants to disk as one MP4 file.

    The recordings that show the span are searched, those that are not *held* are fetched into a
    hidden folder beside the result, cut at key frames without re-encoding, and put together.
    The file begins at the last key frame at or before ``span.start`` and ends with the last
    picture before ``span.end``. Its clock is the wall clock: ``creation_time`` is the second in
    which it begins, and ``creation_time`` plus the offset in the file is when a picture was taken.

    As with `download`, there is either the whole result under its name or nothing, and nothing
    that exists is overwritten. Where two recordings overlap, the footage is shown once.

    Args:
        provider: Where the footage is.
        channel: One of `Provider.channels`.
        span: From when to when.
        dest: A folder, or a file (``.mp4``). In a folder, the file is
            ``<camera>_<start>-<end>.mp4``, for example
            ``Cam01-gate_20240101_100000-20240101_100500.mp4``.
        gaps: What to do where footage is missing, or its codec or size changes: ``"error"``, or
            ``"split"`` for one file per continuous piece. A named file then gets ``_1``, ``_2``.
        tolerance: How much may be missing without being a gap.
        container: ``"mp4"``: nothing else can be cut.
        held: Files that are there already, as paths or as what `download` returned. Each that is
            whole and unchanged is used instead of being fetched.
        holdings: What a catalogue knows of the files of a destination; used like *held*.
        kinds: Only recordings of these kinds.
        on_event: Is called with a `Progress`: `Stage.SKIPPED` for a recording that is held,
            `Stage.DONE` for each file of the result.
        cancel: Anything with ``is_set()``.
        timezone: The zone of the times in names; by default the device's own wall clock.
        retry: How often to try again what may work the second time.
        min_free: Bytes that stay free on the destination's disk.

    Raises:
        MissingExtraError: PyAV is missing. Nothing was fetched.
        ConfigurationError: An argument is unusable.
        RecordingNotFoundError: There is no footage at all.
        FootageGapError: There are gaps; its ``gaps`` say which.
        RecordingInProgressError: The end of the span has not been recorded yet.
        DestinationError: *dest* exists already, or cannot be written.
        DiskFullError: No room.
        CancelledError: *cancel* was set.
        CamsyncError: Whatever the provider or `download` says.
    """
    check_provider(provider)
    _check(channel, span, gaps, tolerance, container)
    options = Options(
        dest=dest,
        container=container,
        on_event=on_event,
        cancel=cancel,
        timezone=timezone,
        retry=retry,
        min_free=min_free,
        allow_in_progress=True,
    )
    span = TimeSpan(to_utc(span.start), to_utc(span.end))
    shelves = Shelves(held, holdings, channel, span)
    place = Place.of(options.dest, timezone)
    found = _search(provider, channel, span, kinds, cancel)
    selection = select(found, span, tolerance)
    _check_selection(channel, selection, span, tolerance, gaps)
    with place.workshop() as folder, contextlib.ExitStack() as parts:
        work = Clipping(
            provider=provider,
            options=options,
            span=span,
            split=gaps == "split",
            tolerance=tolerance,
            shelves=shelves,
            place=place,
            folder=folder,
            parts=parts,
        )
        made = work.run(selection.picks)
    missing = tuple(gap for gap in gaps_in(made, span) if gap.duration > tolerance)
    return Clip(channel=channel, span=span, parts=made, gaps=missing)


def _check(channel: Any, span: Any, gaps: Any, tolerance: Any, container: Any) -> None:
    if not isinstance(channel, Channel):
        msg = f"channel must be a Channel, not {type(channel).__name__}"
        raise ConfigurationError(msg, next_step="take one from provider.channels()")
    if not isinstance(span, TimeSpan):
        msg = f"span must be a TimeSpan, not {type(span).__name__}"
        raise ConfigurationError(msg, next_step="use TimeSpan(start, end)")
    if gaps not in {"error", "split"}:
        msg = f"gaps must be 'error' or 'split', not {gaps!r}"
        raise ConfigurationError(msg)
    if not isinstance(tolerance, dt.timedelta) or tolerance < dt.timedelta(0):
        msg = f"tolerance must be a timedelta that is not negative, not {tolerance!r}"
        raise ConfigurationError(msg)
    if container != "mp4":
        msg = f"a clip can only be cut as container='mp4', not {container!r}"
        raise ConfigurationError(msg)


def _search(
    provider: Provider,
    channel: Channel,
    span: TimeSpan,
    kinds: Collection[RecordingKind] | None,
    cancel: CancelToken | None,
) -> list[Recording]:
    found = []
    for recording in provider.search(channel, span.padded(_MARGIN), kinds=kinds):
        check_cancelled(cancel)
        found.append(recording)
    return found


def _check_selection(
    channel: Channel, selection: Selection, span: TimeSpan, tolerance: dt.timedelta, gaps: Gaps
) -> None:
    """Find out before anything is fetched that it would be in vain."""
    if not selection.picks:
        msg = f"{channel.name or channel.id} has no footage {in_words(span)}"
        raise RecordingNotFoundError(
            msg, next_step="search for what there is, or ask for a longer span"
        )
    last = selection.picks[-1]
    if last.in_progress and min(last.end, utcnow()) + tolerance < span.end:
        raise unfinished(span)
    if selection.gaps and gaps == "error":
        raise gap_error(selection.gaps)
