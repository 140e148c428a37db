"""`download` and `download_many`: from a recording to a file under its final name."""

from __future__ import annotations

import datetime as dt
import os

from collections.abc import Iterable, Iterator, Sized

from .._cancel import CancelToken, check_cancelled
from .._retry import RetryPolicy
from ..errors import (
    AuthenticationError,
    CamsyncError,
    CancelledError,
    ConfigurationError,
    DestinationError,
    DiskFullError,
)
from ..models import Downloaded, Failed, Recording
from ..provider import Provider
from ._files import is_writable
from ._job import Job
from ._options import (
    MIN_FREE,
    OnEvent,
    Options,
    check_provider,
    check_recording,
    check_recordings,
)
from ._progress import Reporter


_POLICY = RetryPolicy()


def download(
    provider: Provider,
    recording: Recording,
    dest: str | os.PathLike[str],
    *,
    container: str = "mp4",
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    timezone: dt.tzinfo | None = None,
    retry: RetryPolicy = _POLICY,
    min_free: int = MIN_FREE,
    allow_in_progress: bool = False,
    layout: str | None = None,
    camera: str | None = None,
) -> Downloaded:
    """Bring one recording to disk: complete, verified, and only then under its final name.

    Bytes go to a hidden part file beside the destination, are checked (size, first bytes,
    container, length in seconds), put into MP4 without re-encoding the picture, made durable,
    and named. Whatever interrupts that, an exception, Ctrl-C, SIGKILL, a power cut, there is
    either the whole file or none. What was there before is never overwritten, except by the
    complete version of the very recording that was fetched while it was being written.

    Args:
        provider: Where the recording was found.
        recording: One result of `Provider.search`.
        dest: A folder, or a file if it has a video suffix (``.mp4``; for originals ``.ps``,
            ``.mpg``, ``.mpeg``, ``.ts`` or ``.mp4`` as well). In a folder, the file is
            ``<camera>/<camera>_<YYYYmmdd_HHMMSS>.<ext>``, for example
            ``Cam01-front-door/Cam01-front-door_20240101_100000.mp4``. If another recording has
            that name (the hour that clocks repeat in autumn, a second recorder) the device's
            name for the item is appended. Originals always carry eight digits of a digest of
            the recording's key (``Cam01-front-door_20240101_100000_1a2b3c4d.mpg``): their bytes
            cannot be marked, so that the name is what tells the next run that this very
            recording is there. An original under a name of your own is never taken for it: the
            file must not exist.
        container: ``"mp4"`` (needs the extra ``mp4``), or ``"original"`` for the bytes as the
            device sends them.
        on_event: Is called with a `Progress`, about four times a second while bytes come. What
            it raises is logged and does not stop the download.
        cancel: Anything with ``is_set()``. Looked at several times a second, even while the
            device sends nothing.
        timezone: The zone of the time in the name; by default the device's own wall clock.
        retry: How often to try again what may work the second time.
        min_free: Bytes that stay free on the destination's disk.
        allow_in_progress: Fetch a recording that is still being written. It is as long as it is.
        layout: A template of the path below *dest*, without extension; the default is
            ``"{camera}/{camera}_{start:%Y%m%d_%H%M%S}"``. The fields are ``camera``, ``channel``
            (also padded: ``{channel:02}``), ``channel_name``, ``device``, ``provider``,
            ``stream``, ``kind``, ``item``, ``key8`` (eight digits of the key's digest), ``start``
            and ``end``, which take the numbers of ``strftime``: ``{start:%Y/%m/%d}``.
        camera: What to call the camera in the path, where its number and its name of today are
            not wanted: a folder that stays what it is when the channel is renamed.

    Returns:
        The file and what was found in it. With ``existing`` set, it was there already and
        nothing was fetched.

    Raises:
        MissingExtraError: ``container="mp4"`` without PyAV. Nothing was fetched.
        ConfigurationError: An argument is unusable.
        RecordingInProgressError: The device is still writing it.
        ShortReadError: Bytes or seconds are missing.
        CorruptMediaError: It is no video, or not the one that was announced.
        DiskFullError: No room.
        DestinationError: *dest* cannot be written, or is the file of another recording, or an
            original of which nobody can tell.
        CancelledError: *cancel* was set.
        CamsyncError: Whatever the provider says.
    """
    check_provider(provider)
    check_recording(recording)
    options = Options(
        dest=dest,
        container=container,
        on_event=on_event,
        cancel=cancel,
        timezone=timezone,
        retry=retry,
        min_free=min_free,
        allow_in_progress=allow_in_progress,
        layout=layout,
        camera=camera,
    )
    return bring(provider, recording, options)


def bring(
    provider: Provider,
    recording: Recording,
    options: Options,
    *,
    index: int = 1,
    count: int | None = 1,
) -> Downloaded:
    """Do what `download` does, with arguments that are checked already.

    Args:
        provider: Where the recording was found.
        recording: What to fetch.
        options: The checked arguments; they may be shared by many threads.
        index: Which recording of the run this is, for its events.
        count: How many the run has, or None.
    """
    reporter = Reporter(recording, options.on_event, index=index, count=count)
    return Job(provider, recording, options, reporter).run()


def download_many(
    provider: Provider,
    recordings: Iterable[Recording],
    dest: str | os.PathLike[str],
    *,
    container: str = "mp4",
    on_event: OnEvent | None = None,
    cancel: CancelToken | None = None,
    timezone: dt.tzinfo | None = None,
    retry: RetryPolicy = _POLICY,
    min_free: int = MIN_FREE,
    allow_in_progress: bool = False,
    layout: str | None = None,
) -> Iterator[Downloaded | Failed]:
    """Download one recording after the other and yield what came of each.

    One that fails is yielded as `Failed` and does not stop the rest. One at a time is what
    recorders survive. The arguments are those of `download`; a `Progress` says which file of
    how many it is about (of an unknown number when *recordings* has no length).

    Raises:
        AuthenticationError: The run ends: every further try could lock the account.
        CancelledError: The run ends, because *cancel* was set.
        DiskFullError: The run ends: there is no room for the others either.
        DestinationError: The run ends, because nothing can be written to *dest* at all. A single
            file that cannot be written is a `Failed`.
        MissingExtraError: Before anything is fetched.
        ConfigurationError: An argument is unusable, or *dest* is a file and there is more than
            one recording. Before anything is fetched, unless *recordings* come one by one.
    """
    check_provider(provider)
    check_recordings(recordings)
    options = Options(
        dest=dest,
        container=container,
        on_event=on_event,
        cancel=cancel,
        timezone=timezone,
        retry=retry,
        min_free=min_free,
        allow_in_progress=allow_in_progress,
        layout=layout,
    )
    count = len(recordings) if isinstance(recordings, Sized) else None
    if options.is_file and count is not None:
        _check_fits(options, count)
    return _each(provider, recordings, options, count)


def _check_fits(options: Options, count: int) -> None:
    if count > 1:
        msg = f"{options.dest} is one file, but there is more than one recording"
        raise ConfigurationError(msg, next_step="give a folder as dest")


def _each(
    provider: Provider, recordings: Iterable[Recording], options: Options, count: int | None
) -> Iterator[Downloaded | Failed]:
    root = options.dest.parent if options.is_file else options.dest
    for index, recording in enumerate(recordings, 1):
        check_cancelled(options.cancel)
        check_recording(recording)
        if options.is_file:
            _check_fits(options, index)
        result: Downloaded | Failed
        try:
            result = bring(provider, recording, options, index=index, count=count)
        except (AuthenticationError, CancelledError, DiskFullError):
            raise
        except DestinationError as error:
            if not is_writable(root):
                raise
            result = Failed(recording=recording, error=error)
        except CamsyncError as error:
            result = Failed(recording=recording, error=error)
        yield result
