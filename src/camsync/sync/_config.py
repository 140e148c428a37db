"""`SyncConfig`: which recorders are synced, and how, from ``camsync.toml``."""

from __future__ import annotations

import datetime as dt

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .._places import absolute, config_folder
from ..download import Limiter
from ..errors import ConfigurationError
from ._document import Document, read_document
from ._hooks import Hook
from ._options import as_limiter
from ._read import (
    ACCOUNT_KEYS,
    COMMAND_KEYS,
    HOOK_KEYS,
    METRICS_KEYS,
    PROVIDER_OPTIONS,
    SOURCE_KEYS,
    TOP_KEYS,
    Reader,
)
from ._values import EventKind


NAME = "camsync.toml"
_OWN_LIMITS = frozenset({"max_files", "max_bytes"})


@attrs.frozen(kw_only=True)
class AccountSettings:
    """What was said of a cloud account.

    Attributes:
        options: As options of its provider.
        said: How to call each of them in an error: ``camsync.toml, line 7, [[source]] 1: storage``.
    """

    options: Mapping[str, Any] = attrs.field(factory=dict)
    said: Mapping[str, str] = attrs.field(factory=dict, eq=False, repr=False)

    @classmethod
    def take(cls, reader: Reader, values: dict[str, Any]) -> AccountSettings:
        """Take what concerns the account out of the *values* of a table."""
        keys = [key for key in ACCOUNT_KEYS if key in values]
        return cls(
            options={PROVIDER_OPTIONS.get(key, key): values.pop(key) for key in keys},
            said={PROVIDER_OPTIONS.get(key, key): reader.where(key) for key in keys},
        )

    def but(self, more: AccountSettings) -> AccountSettings:
        """Return the same with what *more* says in its place."""
        return AccountSettings(
            options={**self.options, **more.options}, said={**self.said, **more.said}
        )


@attrs.frozen(kw_only=True)
class SourceSettings:
    """One device or account of a configuration.

    Attributes:
        place: Its URL, or the name of its profile.
        options: What differs from the top of the file, as arguments of `sync`.
        account: What only a cloud account has.
        where: What to call it in an error; empty for a command line.
    """

    place: str
    options: Mapping[str, Any] = attrs.field(factory=dict)
    account: AccountSettings = attrs.field(factory=AccountSettings)
    where: str = attrs.field(default="", eq=False, repr=False)

    @property
    def named(self) -> str:
        """The beginning of an error's message: where it stands."""
        return f"{self.where}: " if self.where else ""


@attrs.frozen(kw_only=True)
class Wish:
    """What one call of `sync` wants of one source.

    Attributes:
        place: Its URL, or the name of its profile.
        account: Options of its provider.
        named: The beginning of an error's message: where it stands.
    """

    place: str
    channels: frozenset[str] | None = None
    since: dt.datetime | dt.timedelta | None = None
    account: Mapping[str, Any] = attrs.field(factory=dict)
    named: str = attrs.field(default="", eq=False, repr=False)


@attrs.frozen(kw_only=True)
class Task:
    """One call of `sync`: the sources that share a destination and all options.

    Attributes:
        options: Further arguments of `sync`.
        own_limits: Whether its ``max_files`` and ``max_bytes`` are its own, not those of the run.
    """

    dest: Path
    wishes: tuple[Wish, ...]
    options: Mapping[str, Any] = attrs.field(factory=dict)
    own_limits: bool = False


@attrs.frozen(kw_only=True)
class SyncConfig:
    """What is to be synced: sources, and options for all of them. It holds no secret.

    Attributes:
        path: The file, or None.
        sources: The devices and accounts, in the order of the file.
        options: What holds for all of them, as arguments of `sync`.
        account: What a command line says of cloud accounts; a file says it of each source.
        catalogue: Where the catalogue is: a path, or ``postgresql://…`` without a password.
        bandwidth: Bytes a second for all together, or a timetable.
        log: A file for the log.
        metrics: A file for the figures, see `Metrics`.
        hooks: What is run when something happens.
    """

    path: Path | None = None
    sources: tuple[SourceSettings, ...] = ()
    options: Mapping[str, Any] = attrs.field(factory=dict)
    account: AccountSettings = attrs.field(factory=AccountSettings)
    catalogue: str | Path | None = None
    bandwidth: str | float | None = None
    log: Path | None = None
    metrics: Path | None = None
    hooks: tuple[Hook, ...] = ()

    @classmethod
    def load(cls, path: Path | str | None = None, *, more: SyncConfig | None = None) -> SyncConfig:
        """Read a file.

        Args:
            path: By default ``camsync.toml`` in the working folder, else in the user's
                configuration folder.
            more: What beats the file: options of a command line. Its sources choose among those
                of the file.

        Raises:
            ConfigurationError: There is no such file, other users can change it, or it cannot be
                used: it says where and why.
        """
        found = cls.find() if path is None else absolute(path)
        looked = (absolute(NAME),) if path is None else ()
        config = cls.of(read_document(found, looked=looked), path=found)
        return config if more is None else config.but(more)

    @staticmethod
    def find() -> Path:
        """Return the path of the file that is used when nobody names one; it need not exist."""
        here = absolute(NAME)
        return here if here.exists() else config_folder() / NAME

    @classmethod
    def of(
        cls, document: Document, *, path: Path | None = None, partial: bool = False
    ) -> SyncConfig:
        """Read a document.

        Args:
            path: The file that it comes from.
            partial: Whether it may have no sources: `load` takes it as *more*.

        Raises:
            ConfigurationError: It cannot be used.
        """
        top = Reader(document)
        values = top.read(document.values, TOP_KEYS if document.name else COMMAND_KEYS)
        account = AccountSettings.take(top, values)
        tables = values.pop("source", [])
        sources = tuple(
            _source(Reader(document, "source", number), table, account)
            for number, table in enumerate(tables, start=1)
        )
        hooks = _hooks(Reader(document, "hooks"), values.pop("hooks", {}))
        metrics = Reader(document, "metrics").read(values.pop("metrics", {}), METRICS_KEYS)
        own = {name: values.pop(name, None) for name in ("catalogue", "bandwidth", "log")}
        if not sources and not partial:
            msg = "there is no source" if document.name else "there is no URL and no name"
            step = 'write [[source]] and url = "hikvision://front-shop"'
            raise ConfigurationError(msg, next_step=step if document.name else None)
        return cls(
            path=path,
            sources=sources,
            options=_without_clash(top, values),
            account=account,
            metrics=metrics.get("file"),
            hooks=hooks,
            **own,
        )

    def but(self, more: SyncConfig) -> SyncConfig:
        """Return this configuration with what *more* says in the place of its own."""
        own = more.options.keys()
        clashing = own | ({"since", "span"} if own & {"since", "span"} else set())
        kept = {name: value for name, value in self.options.items() if name not in clashing}
        sources = [
            attrs.evolve(
                each,
                options={name: it for name, it in each.options.items() if name not in clashing},
                account=each.account.but(more.account),
            )
            for each in self._chosen(more.sources)
        ]
        given = {
            name: getattr(more, name)
            for name in ("catalogue", "bandwidth", "log", "metrics")
            if getattr(more, name) is not None
        }
        return attrs.evolve(self, options={**kept, **more.options}, sources=tuple(sources), **given)

    def _chosen(self, wanted: Sequence[SourceSettings]) -> Sequence[SourceSettings]:
        if not wanted:
            return self.sources
        names = {each.place for each in wanted}
        chosen = [each for each in self.sources if not names.isdisjoint(_names(each))]
        strangers = names.difference(*map(_names, chosen))
        if strangers:
            known = ", ".join(each.place for each in self.sources)
            msg = f"{self.path} has no source {', '.join(sorted(strangers))}"
            raise ConfigurationError(msg, next_step=f"it has: {known}")
        return chosen

    @property
    def places(self) -> Sequence[tuple[str, Mapping[str, Any], str]]:
        """URL or profile of each source, with the options of its provider, and where it stands."""
        return [(each.place, each.account.options, each.named) for each in self.sources]

    def limiter(self) -> Limiter | None:
        """Return a new limiter for all tasks together."""
        return as_limiter(self.bandwidth)

    def tasks(self) -> tuple[Task, ...]:
        """Return the calls of `sync` that this needs: one for each set of options.

        Raises:
            ConfigurationError: A source has no destination, or contradicts another one.
        """
        groups: dict[Any, tuple[Path, dict[str, Any], list[Wish]]] = {}
        wanted: dict[Any, list[Wish]] = {}
        for number, source in enumerate(self.sources):
            options = _merged(self.options, source.options)
            dest = options.pop("dest", None)
            if dest is None:
                msg = f"{source.named}nobody says where the footage of {source.place} goes"
                raise ConfigurationError(msg, next_step='write dest = "footage", or --to DIRECTORY')
            channels, since = options.pop("channels", None), options.get("since")
            wish = Wish(
                place=source.place,
                channels=channels,
                since=since,
                account=source.account.options,
                named=source.named,
            )
            options.pop("since", None)
            alone = number if _OWN_LIMITS & source.options.keys() else None
            key = (dest, alone, frozenset(options.items()))
            groups.setdefault(key, (dest, options, []))[2].append(wish)
            _check_apart(source, dest, wish, wanted)
        return tuple(
            Task(
                dest=dest,
                options=options,
                wishes=_joined(wishes),
                own_limits=key[1] is not None,
            )
            for key, (dest, options, wishes) in groups.items()
        )


def _names(source: SourceSettings) -> set[str]:
    """Return what a source may be called: its URL, or only the name in it."""
    return {source.place, source.place.partition("://")[2] or source.place}


def _joined(wishes: Sequence[Wish]) -> tuple[Wish, ...]:
    """Join what is wanted of the same source: it is searched once, not twice at the same time."""
    found: dict[Any, Wish] = {}
    for wish in wishes:
        key = wish.place, wish.since, frozenset(wish.account.items())
        other = found.setdefault(key, wish)
        several = None
        if other.channels is not None and wish.channels is not None:
            several = other.channels | wish.channels
        found[key] = attrs.evolve(other, channels=several)
    return tuple(found.values())


def _merged(top: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a source; its own ``since`` takes the place of a ``span``."""
    usual = dict(top)
    if own.keys() & {"since", "span"}:
        usual.pop("since", None)
        usual.pop("span", None)
    return {**usual, **own}


def _without_clash(reader: Reader, values: dict[str, Any]) -> dict[str, Any]:
    if {"since", "span"} <= values.keys():
        since = reader.where("since")
        span = "span" if reader.document.name else reader.where("span")
        msg = f"{since} and {span} contradict each other"
        raise ConfigurationError(msg, next_step="leave one of them out")
    return values


def _check_apart(
    source: SourceSettings, dest: Path, wish: Wish, wanted: dict[Any, list[Wish]]
) -> None:
    """Refuse one camera with two sets of options of its account: it has but one watermark.

    Raises:
        ConfigurationError: They may have a camera in common.
    """
    others = wanted.setdefault((wish.place, dest), [])
    for other in others:
        named = other.channels is not None and wish.channels is not None
        apart = named and (other.channels or frozenset()).isdisjoint(wish.channels or ())
        if other.account != wish.account and not apart:
            msg = f"{source.named}{source.place} is there twice, with other options of the account"
            step = "give each its own channels or its own dest; storage = 'both' is for both"
            raise ConfigurationError(msg, next_step=step)
    others.append(wish)


def _source(reader: Reader, table: Any, account: AccountSettings) -> SourceSettings:
    values = reader.read(table, SOURCE_KEYS)
    where = reader.title("url" if "url" in values else "profile")
    own = AccountSettings.take(reader, values)
    places = [values.pop(name) for name in ("url", "profile") if name in values]
    if len(places) != 1:
        msg = f"{reader.where('url')}: a source has either a url or a profile"
        raise ConfigurationError(msg, next_step='write url = "hikvision://USER@HOST"')
    return SourceSettings(
        place=places[0],
        options=_without_clash(reader, values),
        account=account.but(own),
        where=where,
    )


def _hooks(reader: Reader, table: Any) -> tuple[Hook, ...]:
    values = reader.read(table, HOOK_KEYS)
    common = {name: values.pop(name) for name in ("timeout", "environment") if name in values}
    if "timeout" in common:
        common["timeout"] = common["timeout"].total_seconds()
    return tuple(
        Hook(kinds=frozenset({EventKind(kind)}), command=command, **common)
        for kind, command in values.items()
    )
