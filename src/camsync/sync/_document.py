"""A TOML file as a document that knows its lines, and that holds no secret."""

from __future__ import annotations

import contextlib
import importlib
import re

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .._private import TO_READ, read_private
from ..catalogue._mistyped import STEP, mistyped
from ..errors import ConfigurationError, CredentialError, ExposedStoreError, MissingExtraError


_SECRET = re.compile(
    r"pass(?:word|wd|phrase|code)?s?|.*(?:password|passphrase|secret|token|credential|api_?key).*|pwd",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]*@")
_PARAMETER = re.compile(r"password\s*=", re.IGNORECASE)
_CATALOGUE = "catalogue"
_HEADER = re.compile(r"\s*\[\[?\s*([\w.\"'-]+)\s*\]\]?")
_LOGIN = (
    "store it once with 'camsync login', and take it out of the file: files are copied and shared"
)

Refusal = tuple[str, str]
"""What is wrong, and what to do."""


@attrs.frozen(kw_only=True)
class Document:
    """What a file, or a command line, says.

    Attributes:
        name: What to call it in errors; empty for a command line.
        folder: Where relative paths in it begin.
        values: The tables.
        text: As it was read, for the numbers of lines.
        spelling: What options of a command line are called that differ from the keys of a file.
    """

    name: str = ""
    folder: Path = Path()
    values: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    text: str = attrs.field(default="", repr=False)
    spelling: Mapping[str, str] = attrs.field(factory=dict)

    def place(self, key: str, table: str = "", number: int = 1) -> str:
        """Return where *key* stands: ``camsync.toml, line 12, [[source]] 2``."""
        line = self._line(key, table, number)
        parts = [self.name, f"line {line}" if line else "", _title(table, number)]
        return ", ".join(part for part in parts if part)

    def _line(self, key: str, table: str, number: int) -> int:
        """Return the number of the line, or 0: TOML has more ways to write a key than these."""
        pattern = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]")
        here, seen = "", {"": 1}
        for index, line in enumerate(self.text.splitlines(), start=1):
            header = _HEADER.match(line)
            inside = here == table and seen[here] == number
            if inside and pattern.match(line):
                return index
            if header is not None:
                here = header[1]
                seen[here] = seen.get(here, 0) + 1
        return 0 if table else self._header(key)

    def _header(self, name: str) -> int:
        pattern = re.compile(rf"\s*\[\[?\s*{re.escape(name)}\b")
        lines = enumerate(self.text.splitlines(), start=1)
        return next((index for index, line in lines if pattern.match(line)), 0)


def _title(table: str, number: int) -> str:
    if table == "source":
        return f"[[source]] {number}"
    return f"[{table}]" if table else ""


def read_document(path: Path, *, looked: Sequence[Path] = ()) -> Document:
    """Read a TOML file.

    Args:
        looked: Where else it was looked for.

    Raises:
        ConfigurationError: There is none, it cannot be read or is no TOML, there is a secret in it,
            or other users can change it: what it names is run and written.
        MissingExtraError: This Python cannot read TOML.
    """
    found = _document(path, _reader(), [*looked, path])
    if isinstance(found, Document):
        return found
    message, step = found
    raise ConfigurationError(message, next_step=step)


def _reader() -> Any:
    for name in ("tomllib", "tomli"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    extra = "sync"
    raise MissingExtraError.for_extra(extra, "a configuration file")


def _document(path: Path, reader: Any, looked: Sequence[Path]) -> Document | Refusal:
    """Read the file. What is wrong is returned: the frames of an error must not show a secret."""
    try:
        content = read_private(path, others=TO_READ)
    except CredentialError as error:
        return _unsafe(path, error)
    if content is None:
        return (
            f"there is no {' and no '.join(map(str, looked))}",
            "name the file: --config FILE; or give URLs and --to DIRECTORY",
        )
    try:
        text = content.decode()
        values = reader.loads(text)
        guilty = next(_secrets(values), None)
    except UnicodeDecodeError:
        return f"{path} is no text in UTF-8", "save it as UTF-8"
    except ValueError as error:
        return f"{path} is no TOML: {error}", "see https://toml.io for how to write it"
    except RecursionError:
        return f"{path} is nested too deeply", "it needs two levels at most"
    document = Document(name=path.name, folder=path.parent, values=values, text=text)
    return document if guilty is None else _refusal(document, guilty)


def _unsafe(path: Path, error: CredentialError) -> Refusal:
    """Say why a file is not read: in the words of a file of commands, not of one of passwords."""
    if isinstance(error, ExposedStoreError) and "other users can" in error.message:
        return f"{error.message}: it says what is run and written", f"run: chmod go-w {path}"
    foreign = isinstance(error, ExposedStoreError)
    return error.message, (error.next_step or "") if foreign else "name another file"


def _refusal(document: Document, guilty: tuple[str, ...]) -> Refusal:
    """Say where a secret stands. Its name is shown, and nothing else of it."""
    *outer, key = guilty
    table = outer[0] if outer else ""
    number = int(outer[1]) if outer[1:] and outer[1].isdigit() else 1
    place = document.place(key, table, number)
    step = STEP if key == _CATALOGUE else _LOGIN
    return f"{place}: {key[:60]!r} holds a secret, or looks as if it did", step


def _secrets(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        if _SECRET.fullmatch(key) or _shown(value) or (key == _CATALOGUE and _slipped(value)):
            yield (*above, key)
        elif isinstance(value, Mapping):
            yield from _secrets(value, (*above, key))
        elif isinstance(value, list):
            tables = (each for each in value if isinstance(each, Mapping))
            for number, table in enumerate(tables, start=1):
                yield from _secrets(table, (*above, key, str(number)))


def _slipped(value: object) -> bool:
    """Whether what should say where a catalogue is has a password where no URL should have one."""
    return isinstance(value, str) and (mistyped(value) or _PARAMETER.search(value) is not None)


def _shown(value: object) -> bool:
    """Whether a text, or one in a list, is a URL with a password in it."""
    if isinstance(value, list):
        return any(_shown(each) for each in value)
    return isinstance(value, str) and _IN_URL.search(value) is not None
