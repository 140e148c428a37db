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
from ..download import download
from ..models import Downloaded, Progress, Recording
from ..provider import Provider


@attrs.frozen(kw_only=True)
class Job:
    """What a worker needs to bring one recording to its place.

    Attributes:
        provider: The provider, or its URL for a worker that must connect by itself.
        camera: The camera's folder below *dest*.
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


def fetch(
    job: Job,
    on_event: Callable[[Progress], object] | None = None,
    cancel: CancelToken | None = None,
) -> Downloaded:
    """Do the job. See `camsync.download`."""
    provider = _connected(job.provider) if isinstance(job.provider, str) else job.provider
    return download(
        provider,
        job.recording,
        job.dest,
        container=job.container,
        layout=job.layout,
        camera=job.camera,
        timezone=job.timezone,
        retry=job.retry,
        min_free=job.min_free,
        on_event=on_event,
        cancel=cancel,
    )


@functools.lru_cache(maxsize=32)
def _connected(url: str) -> Provider:
    """Connect once per worker process: every login more is one more that can fail."""
    provider = registry.connect(url)
    atexit.register(provider.close)
    return provider
