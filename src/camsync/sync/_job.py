"""One recording to fetch, as a small value that any executor can carry. It holds no secret."""

from __future__ import annotations

import atexit
import datetime as dt
import functools

from collections.abc import Callable
from pathlib import Path

import attrs

from .. import registry
from .._cancel import CancelToken
from .._retry import RetryPolicy
from ..catalogue import Entry
from ..download._existing import Former
from ..download._options import Options
from ..download._run import bring
from ..models import Downloaded, Progress, Recording
from ..provider import Provider


@attrs.frozen(kw_only=True)
class Job:
    """What a worker needs to bring one recording to its place.

    Attributes:
        provider: The provider, or its URL for a worker that must connect by itself.
        camera: The camera's folder below *dest*.
        entry: What the catalogue knows of the recording.
    """

    provider: Provider | str = attrs.field(repr=False)
    recording: Recording
    dest: Path
    camera: str
    layout: str | None
    container: str
    timezone: dt.tzinfo | None
    retry: RetryPolicy
    min_free: int
    entry: Entry | None = None


def fetch(
    job: Job,
    on_event: Callable[[Progress], object] | None = None,
    cancel: CancelToken | None = None,
) -> Downloaded:
    """Do the job. See `camsync.download`; a file that the catalogue knows to be bad does not count."""
    provider = _connected(job.provider) if isinstance(job.provider, str) else job.provider
    options = Options(
        dest=job.dest,
        container=job.container,
        layout=job.layout,
        camera=job.camera,
        timezone=job.timezone,
        retry=job.retry,
        min_free=job.min_free,
        on_event=on_event,
        cancel=cancel,
        former=_former(job),
    )
    return bring(provider, job.recording, options)


def _former(job: Job) -> Former | None:
    """Return what is known of a file that was fetched before, and was not pruned."""
    entry = job.entry
    if entry is None or entry.path is None or entry.pruned_at is not None:
        return None
    return Former(
        path=job.dest / entry.path,
        size=entry.file_size,
        sha256=entry.sha256,
        short=entry.is_short,
        replace=entry.file_end is not None,
    )


@functools.lru_cache(maxsize=32)
def _connected(url: str) -> Provider:
    """Connect once per worker process: every login more is one more that can fail."""
    provider = registry.connect(url)
    atexit.register(provider.close)
    return provider
