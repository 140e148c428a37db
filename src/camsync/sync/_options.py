"""The arguments of a run, checked before anything is sent."""

from __future__ import annotations

import datetime as dt
import logging
import os

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Union

import attrs

from .. import registry
from .._cancel import CancelToken
from .._places import absolute
from .._time import TimeSpan, ensure_aware, utcnow
from .._words import kind_of
from ..catalogue import SyncLedger
from ..download import Limiter
from ..download._options import Options as DownloadOptions
from ..errors import ConfigurationError
from ..models import Channel, RecordingKind
from ..models._given import as_span as needed_span
from ..provider import Provider
from ._values import SyncEvent


OnEvent = Callable[[SyncEvent], object]
Providers = Union["Provider", str, "Source", Iterable[Union["Provider", str, "Source"]]]
Wanted = Collection[str] | Callable[[Channel], bool]

_log = logging.getLogger("camsync.sync")
_ORDERS = ("oldest", "newest")
_MOST = 64
_CENTURY = dt.timedelta(days=36525)
"""Nothing was recorded before; and what is longer leaves the calendar when it is counted back."""


def shown(provider: Provider | str) -> object:
    """Return what may be shown of a provider or its URL: people type passwords into URLs."""
    if not isinstance(provider, str):
        return provider
    try:
        return str(registry.parse_url(provider))
    except ConfigurationError:
        return "(a URL that cannot be used)"


@attrs.frozen(kw_only=True)
class Source:
    """A device or an account, and what is wanted of it where that differs from the others.

    Attributes:
        provider: A provider, or the URL of one: ``hikvision://front-shop``.
        channels: See `sync`; None for what `sync` was told.
        since: See `sync`; None for what `sync` was told.
        label: What a `Problem` calls it; empty for its URL, or its kind and host.
    """

    provider: Provider | str = attrs.field(repr=lambda value: repr(shown(value)))
    channels: Wanted | None = None
    since: dt.datetime | dt.timedelta | None = None
    label: str = ""

    @property
    def label_shown(self) -> str:
        """What to call it in messages, before it has said its serial number."""
        if self.label or isinstance(self.provider, str):
            return self.label or str(shown(self.provider))
        host = getattr(self.provider, "host", "")
        return f"{self.provider.name} {host}".strip()


@attrs.frozen(kw_only=True)
class Options:
    """The checked arguments of a run. See `sync` for what they mean."""

    sources: tuple[Source, ...]
    dest: Path
    since: dt.datetime | dt.timedelta | None
    span: TimeSpan | None
    channels: Wanted | None
    kinds: frozenset[RecordingKind] | None
    settle: dt.timedelta
    order: str
    max_files: int | None
    max_bytes: int | None
    concurrency: int
    limiter: Limiter | None
    executor: Executor | None
    on_event: OnEvent | None
    download: DownloadOptions

    @property
    def cancel(self) -> CancelToken | None:
        """The caller's own token."""
        return self.download.cancel

    def wanted(self, source: Source) -> Wanted | None:
        """Return the choice of channels that counts for *source*."""
        return self.channels if source.channels is None else source.channels


def names_of(channel: Channel) -> frozenset[str]:
    """Return what *channel* may be called in a choice of channels."""
    return frozenset({str(channel.id), channel.name, f"{channel.device}/{channel.id}"})


def read_options(
    providers: Providers,
    dest: str | os.PathLike[str],
    *,
    since: object,
    span: TimeSpan | None,
    channels: Wanted | None,
    kinds: Collection[RecordingKind | str] | None,
    settle: dt.timedelta,
    order: str,
    cancel: CancelToken | None,
    max_files: int | None,
    max_bytes: int | None,
    concurrency: int,
    bandwidth: Limiter | float | str | None,
    executor: Executor | None,
    on_event: OnEvent | None,
    **download: Any,
) -> Options:
    """Check all arguments of a run.

    Raises:
        ConfigurationError: One is unusable.
        MissingExtraError: ``container="mp4"`` without PyAV.
    """
    sources = as_sources(providers)
    if since is not None and span is not None:
        msg = "since and span contradict each other"
        raise ConfigurationError(msg, next_step="give one of them")
    checked: Any = on_event  # it takes other events, but must be a function all the same
    return Options(
        sources=sources,
        dest=as_dest(dest),
        since=None if since is None else as_since(since),
        span=as_span(span),
        channels=as_wanted(channels),
        kinds=as_kinds(kinds),
        settle=as_settle(settle),
        order=as_order(order),
        max_files=as_limit(max_files, "max_files"),
        max_bytes=as_limit(max_bytes, "max_bytes"),
        concurrency=as_concurrency(concurrency),
        limiter=as_limiter(bandwidth),
        executor=as_executor(executor, sources),
        on_event=on_event,
        download=DownloadOptions(
            dest=as_dest(dest),
            on_event=checked,
            cancel=cancel,
            allow_in_progress=False,
            **download,
        ),
    )


def as_limiter(value: Limiter | float | str | None) -> Limiter | None:
    """Read a bandwidth: bytes a second, a timetable, or a limiter that others share."""
    if value is None or isinstance(value, Limiter):
        return value
    if isinstance(value, str):
        return Limiter(timetable=value)
    return Limiter(rate=value)


def as_span(value: object) -> TimeSpan | None:
    """Check a span.

    Raises:
        ConfigurationError: It is none.
    """
    return None if value is None else needed_span(value)


def as_settle(value: object) -> dt.timedelta:
    """Check how long a recording is left alone after its end.

    Raises:
        ConfigurationError: It is no length of time, negative, or longer than a hundred years.
    """
    if isinstance(value, dt.timedelta) and dt.timedelta(0) <= value <= _CENTURY:
        return value
    msg = f"settle must be a timedelta from none to a hundred years, not {value!r}"
    raise ConfigurationError(msg, next_step="use datetime.timedelta(minutes=2)")


def as_sources(providers: Providers) -> tuple[Source, ...]:
    """Read the first argument of `sync`: one thing or several.

    Raises:
        ConfigurationError: There is none, or one is neither provider nor URL.
    """
    single = isinstance(providers, (str, Source)) or _is_provider(providers)
    each = [providers] if single else providers
    if isinstance(each, Mapping) or not isinstance(each, Iterable):
        msg = f"providers must be a provider, a URL, or several, not {kind_of(each)}"
        raise ConfigurationError(msg, next_step="give what camsync.connect(url) returns")
    found = tuple(_as_source(one) for one in each)
    if not found:
        msg = "there is no provider to sync from"
        raise ConfigurationError(msg, next_step="give at least one provider or URL")
    return found


def as_ledger(value: object) -> SyncLedger | None:
    """Check the host's own table.

    Raises:
        ConfigurationError: It lacks a method.
    """
    if value is None or (isinstance(value, SyncLedger) and not isinstance(value, type)):
        return value
    names = ("has", "add", "watermark", "advance")
    lacks = [f"{name}()" for name in names if not callable(getattr(value, name, None))]
    what = f"lacks {', '.join(lacks)}" if lacks else "is a class: make an object of it"
    msg = f"ledger must have the methods of a SyncLedger, but {kind_of(value)} {what}"
    raise ConfigurationError(msg)


def _as_source(value: object) -> Source:
    if isinstance(value, Source):
        return attrs.evolve(
            value,
            channels=as_wanted(value.channels),
            since=None if value.since is None else as_since(value.since),
        )
    if isinstance(value, str):
        return Source(provider=value)
    if _is_provider(value):
        return Source(provider=value)  # type: ignore[arg-type] # it has what is needed
    msg = f"expected a provider or its URL, not {kind_of(value)}"
    raise ConfigurationError(msg, next_step="give what camsync.connect(url) returns")


def _is_provider(value: object) -> bool:
    names = ("open", "search", "channels")
    has_all = all(callable(getattr(value, name, None)) for name in names)
    return has_all and not isinstance(value, type)


def as_dest(dest: str | os.PathLike[str]) -> Path:
    """Read the destination, which is a folder.

    Raises:
        ConfigurationError: It is no path.
    """
    try:
        path = Path(dest)
    except TypeError as error:
        msg = f"dest must be a path, not {kind_of(dest)}"
        raise ConfigurationError(msg, next_step="give the folder for the files") from error
    if "\0" in str(path):
        msg = "dest holds a NUL character"
        raise ConfigurationError(msg)
    try:
        return absolute(path.expanduser())
    except RuntimeError as error:
        msg = f"dest begins with the home of a user that there is not: {path.parts[0]}"
        raise ConfigurationError(msg, next_step="write the whole path") from error


def as_since(value: object) -> dt.datetime | dt.timedelta:
    """Check a beginning.

    Raises:
        ConfigurationError: It is neither an aware datetime nor a positive length of time, or goes
            back for more than a hundred years.
    """
    if isinstance(value, dt.datetime):
        if ensure_aware(value, "since") > utcnow():
            _log.warning("since is in the future: nothing is wanted before %s", value)
        if value >= utcnow() - _CENTURY:
            return value
        msg = f"since must be within the last hundred years, not in {value.year}"
        raise ConfigurationError(msg, next_step="use datetime.timedelta(days=365)")
    if not isinstance(value, dt.timedelta):
        msg = f"since must be an aware datetime or a timedelta, not {kind_of(value)}"
        raise ConfigurationError(msg, next_step="use datetime.timedelta(hours=24)")
    if not dt.timedelta(0) < value <= _CENTURY:
        msg = f"since must be a length of time of up to a hundred years, not {value}"
        raise ConfigurationError(msg, next_step="use datetime.timedelta(hours=24)")
    return value


def as_wanted(value: object, name: str = "channels") -> Wanted | None:
    """Check a choice of channels.

    Raises:
        ConfigurationError: It is one text, neither a collection nor a function, or empty.
    """
    if value is None or callable(value):
        return value
    if isinstance(value, str) or not isinstance(value, Iterable):
        msg = f"{name} must be several channel ids or names, or a function, not {kind_of(value)}"
        raise ConfigurationError(msg, next_step=f'write {name}=["1", "Front door"]')
    wanted = frozenset(str(each.id) if isinstance(each, Channel) else str(each) for each in value)
    if not wanted:
        msg = f"{name} is empty: nothing at all would be synced"
        raise ConfigurationError(msg, next_step=f"name the {name}, or leave it out for all of them")
    return wanted


def as_kinds(value: Collection[RecordingKind | str] | None) -> frozenset[RecordingKind] | None:
    """Check a choice of kinds.

    Raises:
        ConfigurationError: There is no such kind, or none is chosen.
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        msg = f"kinds must be several kinds of recordings, not {kind_of(value)}"
        raise ConfigurationError(msg, next_step='write kinds=["motion"]')
    known = ", ".join(kind.value for kind in RecordingKind)
    try:
        kinds = frozenset(RecordingKind(each) for each in value)
    except ValueError as error:
        msg = f"{error}: there are {known}"
        raise ConfigurationError(msg) from error
    if not kinds:
        msg = f"kinds is empty, so that nothing would be synced: there are {known}"
        raise ConfigurationError(msg, next_step="name the kinds, or leave it out for all of them")
    return kinds


def as_order(value: str) -> str:
    """Check the order.

    Raises:
        ConfigurationError: It is neither of the two.
    """
    if value not in _ORDERS:
        msg = f"order must be 'oldest' or 'newest', not {value!r}"
        raise ConfigurationError(msg)
    return value


def as_limit(value: object, name: str, *, least: int = 1) -> int | None:
    """Check a whole number, or None for no limit.

    Raises:
        ConfigurationError: It is no whole number, or too small.
    """
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{name} must be a whole number, not {kind_of(value)}"
        raise ConfigurationError(msg)
    if value < least:
        msg = f"{name} must be at least {least}, not {value}"
        raise ConfigurationError(msg)
    return value


def as_concurrency(value: object) -> int:
    """Check how many downloads one device may be asked for at once.

    Raises:
        ConfigurationError: It is no number from 1 to 64.
    """
    number = as_limit(value, "concurrency")
    if number is None or number > _MOST:
        msg = f"concurrency must be a number from 1 to {_MOST}, not {value!r}"
        raise ConfigurationError(msg, next_step="leave it out: each device is measured")
    return number


def as_executor(value: Executor | None, sources: Iterable[Source]) -> Executor | None:
    """Check that the jobs can be handed to *value*.

    Raises:
        ConfigurationError: It is none, or a provider is given that cannot leave this process.
    """
    if value is None:
        return None
    if not callable(getattr(value, "submit", None)):
        msg = f"executor must have a method submit(), but is {kind_of(value)}"
        raise ConfigurationError(msg, next_step="use a concurrent.futures.Executor")
    stay = [source for source in sources if not isinstance(source.provider, str)]
    if stay and not isinstance(value, ThreadPoolExecutor):
        msg = "a provider cannot be handed to another process: it holds connections and a password"
        step = "give URLs of profiles, 'hikvision://front-shop': each worker connects by itself"
        raise ConfigurationError(msg, next_step=step)
    return value
