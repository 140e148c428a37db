"""The keys of ``camsync.toml``: what each may hold, and how that is read."""

from __future__ import annotations

import datetime as dt
import difflib
import os
import re

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from .._places import absolute
from .._time import TimeSpan, utcnow
from .._typed import check_units, parse_length, parse_moment, parse_since, parse_size
from .._zone import parse_timezone
from ..catalogue._mistyped import mistyped
from ..download._layout import Layout
from ..errors import ConfigurationError
from ..models import RecordingKind
from ._document import Document
from ._hooks import HOOKED
from ._options import (
    as_concurrency,
    as_limit,
    as_limiter,
    as_settle,
    as_since,
    as_wanted,
)


_CONTAINERS = ("mp4", "original")
_STORAGES = ("cloud", "sd", "both")
_ORDERS = ("oldest", "newest")
_BOUNDS = 2
_LONGEST = 80
_VARIABLE = re.compile(r"\$(?:\w+|\{\w+\})|%\w+%", re.ASCII)

Read = Callable[["Reader", Any], Any]


def _text(_reader: Reader, value: Any) -> str:
    if isinstance(value, str) and value.strip():
        return value
    msg = f"expected a text, not {_shown(value)}"
    raise ConfigurationError(msg, next_step='write it between quotes: "…"')


def _shown(value: Any) -> str:
    """Return what stands in the place of a text, in the words of a file."""
    return "an empty one" if isinstance(value, str) or value == [] else _kind(value)


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    names[str] = "a text"
    return names.get(type(value), "a table" if isinstance(value, Mapping) else "a date or a time")


def _cut(value: Any) -> str:
    """Return a value as it would be written, or its beginning: a message is one line."""
    written = repr(value)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}..."


def _path(reader: Reader, value: Any) -> Path:
    text = _text(reader, value)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        msg = f"there is no home folder of the user that {text[:80]!r} begins with"
        raise ConfigurationError(msg, next_step="write the whole path") from error
    if "\0" in text:
        msg = f"{text[:80]!r} can be no path: it holds a character that no name may have"
        raise ConfigurationError(msg)
    found = absolute(reader.document.folder / path)
    _check_variable(text, found)
    return found


def _check_variable(text: str, path: Path) -> None:
    """Refuse ``$HOME/footage``, unless there is a folder of that very name.

    Raises:
        ConfigurationError: What was meant as a variable would become the name of a new folder.
    """
    match = _VARIABLE.search(text)
    if match is None:
        return
    # The folder up to the part with the variable: what comes below it may be new.
    parts = [each for each in (path, *path.parents) if match[0] in each.name]
    if not any(os.path.exists(each) for each in parts):  # noqa: PTH110 - swallows what is too long
        msg = f"{text[:80]!r} holds {match[0][:40]}, and variables are not replaced here"
        step = "write the whole path; ~ is your home folder"
        raise ConfigurationError(msg, next_step=step)


def _dest(reader: Reader, value: Any) -> Path:
    path = _path(reader, value)
    if os.path.isfile(path):  # noqa: PTH113 - swallows what is too long
        msg = f"this is a folder for the files, but {path} is a file"
        raise ConfigurationError(msg, next_step="name a folder: each camera gets its own in it")
    return path


def _home(reader: Reader, value: Any) -> str | Path:
    """Read where a catalogue is."""
    text = _text(reader, value)
    # What was meant as a URL may hold a password: `Catalogue` refuses it, and a path would show it.
    is_path = "://" not in text and text != ":memory:" and not mistyped(text)
    return _path(reader, text) if is_path else text


def _length(reader: Reader, value: Any) -> dt.timedelta:
    if isinstance(value, (int, float)):
        msg = f"expected a length of time, not {_shown(value)}"
        raise ConfigurationError(msg, next_step='write "90s", "10m" or "24h"')
    return parse_length(_text(reader, value))


def _since(reader: Reader, value: Any) -> dt.datetime | dt.timedelta:
    if isinstance(value, str):
        check_units(value)  # its advice is better than the examples
    examples = "24h, 7d or 2026-09-26T08:00+08:00"
    if reader.document.name:
        examples = '"24h", "7d" or 2026-09-26T08:00:00+08:00'
    try:
        return _beginning(reader, value)
    except ConfigurationError as error:
        raise ConfigurationError(error.message, next_step=f"write {examples}") from error


def _beginning(reader: Reader, value: Any) -> dt.datetime | dt.timedelta:
    if isinstance(value, dt.date):
        return as_since(_aware(value))
    if not isinstance(value, str):
        msg = f"expected a length of time or a moment, not {_shown(value)}"
        raise ConfigurationError(msg)
    found = parse_since(_text(reader, value), utcnow())
    try:
        return as_since(found)
    except ConfigurationError as error:
        msg = f"{_cut(value)} is not between a second and a hundred years"
        raise ConfigurationError(msg) from error


def _kinds(reader: Reader, value: Any) -> frozenset[RecordingKind]:
    known = [kind.value for kind in RecordingKind]
    return frozenset(RecordingKind(_one_of(known, text)) for text in _texts(reader, value))


def _aware(value: dt.date) -> dt.datetime:
    """Return a date or a time of TOML; without an offset it is this computer's local time."""
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    try:
        return value if value.tzinfo is not None else value.astimezone()
    except (ValueError, OverflowError, OSError) as error:
        msg = f"{value.isoformat()} is out of the calendar's range"
        raise ConfigurationError(msg) from error


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
        alone = isinstance(value, str) or type(value) in {int, float}
        shown = "an empty one" if value == [] else _kind(value)
        example = f"[{_written(value)}]" if alone else '["…", "…"]'
        msg = f"expected a list, in square brackets, not {shown}"
        raise ConfigurationError(msg, next_step=f"write {example}")
    return tuple(_text(reader, each) for each in value)


def _written(value: Any) -> str:
    """Return one value as it stands in a file."""
    return f'"{value[:_LONGEST]}"' if isinstance(value, str) else str(value)


def _numbers(reader: Reader, value: Any) -> Any:
    """Read channels: people write numbers."""
    listed = isinstance(value, (list, tuple))
    texts = [_number(each) for each in value] if listed else value
    return as_wanted(_texts(reader, texts))


def _number(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _container(reader: Reader, value: Any) -> str:
    return _one_of(_CONTAINERS, _text(reader, value))


def _storage(reader: Reader, value: Any) -> str:
    return _one_of(_STORAGES, _text(reader, value))


def _one_of(words: Sequence[str], text: str) -> str:
    if text in words:
        return text
    *most, last = map(repr, words)
    msg = f"expected {', '.join(most)} or {last}, not {_cut(text)}"
    close = difflib.get_close_matches(text[:60].lower(), words, n=1)
    raise ConfigurationError(msg, next_step=f"did you mean {close[0]!r}?" if close else None)


def _flag(_reader: Reader, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    msg = f"expected true or false, not {_cut(value)}"
    raise ConfigurationError(msg, next_step="write true or false, without quotes")


def _calls(_reader: Reader, value: Any) -> int | None:
    return as_limit(value, "it", least=0)


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
        "dest": _dest,
        "channels": _numbers,
        "kinds": _kinds,
        "since": _since,
        "span": _span,
        "layout": _layout,
        "container": _container,
        "timezone": lambda reader, value: parse_timezone(_text(reader, value)),
        "order": lambda reader, value: _one_of(_ORDERS, _text(reader, value)),
        "settle": lambda reader, value: as_settle(_length(reader, value)),
        "min_free": _size,
        "max_files": _count,
        "max_bytes": _some,
        "concurrency": lambda _, value: as_concurrency(value),
    }
)
"""Arguments of `sync` that the top of the file and each source may have."""

ACCOUNT_KEYS: Mapping[str, Read] = MappingProxyType(
    {"storage": _storage, "wake": _flag, "max_calls": _calls, "max_traffic": _size}
)
"""What only the source of a cloud account may have, and a command line for all its sources."""

PROVIDER_OPTIONS: Mapping[str, str] = MappingProxyType({"max_traffic": "max_bytes"})
"""What its provider calls those that have another name here: a run has limits of its own."""

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
COMMAND_KEYS: Mapping[str, Read] = MappingProxyType({**TOP_KEYS, **ACCOUNT_KEYS})
SOURCE_KEYS: Mapping[str, Read] = MappingProxyType(
    {**RUN_KEYS, **ACCOUNT_KEYS, "url": _text, "profile": _text}
)
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

    def title(self, key: str) -> str:
        """Return what to call the table, with the line of *key*; empty for a command line."""
        document = self.document
        return document.place(key, self.table, self.number) if document.name else ""

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
        msg = f"{self.document.place(key, self.table, self.number)}: there is no key {key[:60]!r} here"
        return ConfigurationError(msg, next_step=_instead(key, keys))


def _instead(key: str, keys: Mapping[str, Read]) -> str:
    """Say what to write in the place of a key that nobody knows there."""
    if key in SOURCE_KEYS and "source" in keys:
        return f"{key!r} belongs below a [[source]]"
    if key in TOP_KEYS:
        return f"{key!r} belongs at the top of the file, above the first table"
    close = difflib.get_close_matches(key.lower().replace("-", "_"), keys, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(keys))}"
