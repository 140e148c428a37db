"""The keys of ``camsync.toml``: what each may hold, and how that is read."""

from __future__ import annotations

import datetime as dt
import difflib

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from .._places import absolute
from .._time import TimeSpan, utcnow
from .._typed import parse_length, parse_moment, parse_since, parse_size
from .._zone import parse_timezone
from ..download._layout import Layout
from ..errors import ConfigurationError
from ._document import Document
from ._hooks import HOOKED
from ._options import (
    as_concurrency,
    as_kinds,
    as_limit,
    as_limiter,
    as_order,
    as_settle,
    as_since,
    as_wanted,
)


_CONTAINERS = ("mp4", "original")
_BOUNDS = 2

Read = Callable[["Reader", Any], Any]


def _text(_reader: Reader, value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    msg = f"expected a text, not {_shown(value)}"
    raise ConfigurationError(msg)


def _shown(value: Any) -> str:
    return "an empty one" if isinstance(value, str) else type(value).__name__


def _path(reader: Reader, value: Any) -> Path:
    path = Path(_text(reader, value)).expanduser()
    return absolute(reader.document.folder / path)


def _home(reader: Reader, value: Any) -> str | Path:
    """Read where a catalogue is."""
    text = _text(reader, value)
    return text if "://" in text or text == ":memory:" else _path(reader, text)


def _length(reader: Reader, value: Any) -> dt.timedelta:
    return parse_length(_text(reader, value))


def _since(reader: Reader, value: Any) -> dt.datetime | dt.timedelta:
    if isinstance(value, dt.date):
        return as_since(_aware(value))
    return as_since(parse_since(_text(reader, value), utcnow()))


def _aware(value: dt.date) -> dt.datetime:
    """Return a date or a time of TOML; without an offset it is this computer's local time."""
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    return value if value.tzinfo is not None else value.astimezone()


def _moment(reader: Reader, value: Any) -> dt.datetime:
    if isinstance(value, dt.date):
        return _aware(value)
    return parse_moment(_text(reader, value), utcnow())


def _span(reader: Reader, value: Any) -> TimeSpan:
    if not isinstance(value, (list, tuple)) or len(value) != _BOUNDS:
        msg = "expected two times, the begin and the end"
        raise ConfigurationError(msg, next_step='write ["2026-09-26T08:00Z", "2026-09-26T12:00Z"]')
    start, end = (_moment(reader, each) for each in value)
    return TimeSpan(start, end)


def _count(_reader: Reader, value: Any) -> int | None:
    return as_limit(value, "it")


def _size(_reader: Reader, value: Any) -> int:
    return parse_size(value) if isinstance(value, str) else as_limit(value, "it", least=0) or 0


def _some(reader: Reader, value: Any) -> int | None:
    return as_limit(_size(reader, value), "it")


def _texts(reader: Reader, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        msg = f"expected a list of texts, not {_shown(value)}"
        raise ConfigurationError(msg, next_step='write ["…", "…"]')
    return tuple(_text(reader, each) for each in value)


def _numbers(reader: Reader, value: Any) -> Any:
    """Read channels: people write numbers."""
    listed = isinstance(value, (list, tuple))
    texts = [str(each) if isinstance(each, int) else each for each in value] if listed else value
    return as_wanted(_texts(reader, texts))


def _container(reader: Reader, value: Any) -> str:
    text = _text(reader, value)
    if text not in _CONTAINERS:
        msg = f"expected 'mp4' or 'original', not {text!r}"
        raise ConfigurationError(msg)
    return text


def _layout(reader: Reader, value: Any) -> str:
    text = _text(reader, value)
    Layout.parse(text)
    return text


def _bandwidth(_reader: Reader, value: Any) -> Any:
    as_limiter(value if isinstance(value, (int, float)) else _text(_reader, value))
    return value


def _table(_reader: Reader, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    msg = f"expected a table, not {_shown(value)}"
    raise ConfigurationError(msg)


def _tables(reader: Reader, value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
        return value
    msg = "expected tables"
    raise ConfigurationError(msg, next_step="write [[source]] with two brackets")


def _command(reader: Reader, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        msg = "a command is a list of its words, because no shell takes it apart"
        raise ConfigurationError(msg, next_step=f"write {value.split() or ['…']}".replace("'", '"'))
    return _texts(reader, value)


RUN_KEYS: Mapping[str, Read] = MappingProxyType(
    {
        "dest": _path,
        "channels": _numbers,
        "kinds": lambda reader, value: as_kinds(_texts(reader, value)),
        "since": _since,
        "span": _span,
        "layout": _layout,
        "container": _container,
        "timezone": lambda reader, value: parse_timezone(_text(reader, value)),
        "order": lambda reader, value: as_order(_text(reader, value)),
        "settle": lambda reader, value: as_settle(_length(reader, value)),
        "min_free": _size,
        "max_files": _count,
        "max_bytes": _some,
        "concurrency": lambda _, value: as_concurrency(value),
    }
)
"""Arguments of `sync` that the top of the file and each source may have."""

TOP_KEYS: Mapping[str, Read] = MappingProxyType(
    {
        **RUN_KEYS,
        "catalogue": _home,
        "bandwidth": _bandwidth,
        "log": _path,
        "hooks": _table,
        "metrics": _table,
        "source": _tables,
    }
)
SOURCE_KEYS: Mapping[str, Read] = MappingProxyType({**RUN_KEYS, "url": _text, "profile": _text})
METRICS_KEYS: Mapping[str, Read] = MappingProxyType({"file": _path})
HOOK_KEYS: Mapping[str, Read] = MappingProxyType(
    {
        **{kind.value: _command for kind in HOOKED},
        "timeout": _length,
        "environment": _texts,
    }
)


@attrs.frozen
class Reader:
    """Reads one table of a document, and says where in it something is wrong.

    Attributes:
        table: The table's name; empty for the top.
        number: Which of the tables of that name, from 1.
    """

    document: Document
    table: str = ""
    number: int = 1

    def where(self, key: str) -> str:
        """Return what to call a key in an error."""
        if not self.document.name:
            return f"--{self.document.spelling.get(key, key).replace('_', '-')}"
        return f"{self.document.place(key, self.table, self.number)}: {key}"

    def read(self, values: Mapping[str, Any], keys: Mapping[str, Read]) -> dict[str, Any]:
        """Return the values of a table as they are used.

        Raises:
            ConfigurationError: There is a key that nobody knows, or a value that is none.
        """
        found = {}
        for key, value in values.items():
            if key not in keys:
                raise self._unknown(key, keys)
            try:
                found[key] = keys[key](self, value)
            except ConfigurationError as error:
                msg = f"{self.where(key)}: {error.message}"
                raise ConfigurationError(msg, next_step=error.next_step) from error
        return found

    def _unknown(self, key: str, keys: Mapping[str, Read]) -> ConfigurationError:
        msg = f"{self.document.place(key, self.table, self.number)}: there is no key {key!r} here"
        close = difflib.get_close_matches(key, keys, n=1)
        step = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(keys))}"
        return ConfigurationError(msg, next_step=step)
