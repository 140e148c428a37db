"""Templates for the path of a file below its destination.

``"{camera}/{start:%Y-%m}/{camera}_{start:%Y%m%d_%H%M%S}"``: literal text is the caller's and must
be made of plain names; what comes from a device is turned into a slug, so that no camera's name
can lead out of the destination. A template is checked as a whole before anything is fetched.
"""

from __future__ import annotations

import datetime as dt
import re
import string

from collections.abc import Callable
from pathlib import Path

import attrs

from ..errors import ConfigurationError
from ..models import Recording
from ._paths import (
    DIRECTIVE,
    EXTENSIONS,
    TIME,
    Container,
    Names,
    ascii_slug,
    camera_name,
    digest,
    exact_slug,
    is_plain,
    is_reserved,
    item_slug,
    key8,
    names_of,
    safe_join,
    time_text,
)


DEFAULT = "{camera}/{camera}_{start:%Y%m%d_%H%M%S}"
"""The layout that is used when none is given."""

_PADDED = re.compile(r"0?[1-9]")
_PLAIN_WORD = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*", re.ASCII)
_SUFFIXES = frozenset({*(f".{extension}" for extension in EXTENSIONS.values()), ".ps", ".mpeg"})
_LONGEST = 180
"""Bytes of a part: a spare name, the extension and the part file's digits must fit behind it."""

_SAMPLE = dt.datetime(2024, 1, 1, 10, 0, tzinfo=dt.timezone.utc)


def _channel_name(recording: Recording) -> str:
    return ascii_slug(recording.channel_name) or _word(recording.key.channel)


def _word(text: str) -> str:
    """Return *text* if a path can hold it as it is: a serial number stays what people know."""
    return text if _PLAIN_WORD.fullmatch(text) and len(text) <= _LONGEST // 3 else exact_slug(text)


_WORDS: dict[str, Callable[[Recording], str]] = {
    "camera": camera_name,
    "channel": lambda recording: _word(recording.key.channel),
    "channel_name": _channel_name,
    "device": lambda recording: _word(recording.key.device),
    "item": item_slug,
    "key8": key8,
    "kind": lambda recording: recording.kind.value,
    "provider": lambda recording: _word(recording.key.provider),
    "stream": lambda recording: _word(recording.key.stream),
}
_TIMES = ("end", "start")
FIELDS = tuple(sorted([*_WORDS, *_TIMES]))
_HELP = (
    f"the fields are {', '.join(FIELDS)}; start and end take a form such as {{start:%Y%m%d_%H%M%S}}; "
    f"the default is {DEFAULT!r}"
)


@attrs.frozen
class _Piece:
    """Literal text and the field behind it; the last piece may have none."""

    text: str
    field: str = ""
    form: str = ""


@attrs.frozen
class Layout:
    """A checked template. Make one with `parse`.

    Attributes:
        template: The text that it was made from.
    """

    template: str
    _pieces: tuple[_Piece, ...] = attrs.field(repr=False)

    @classmethod
    def parse(cls, template: str) -> Layout:
        """Check *template*.

        Raises:
            ConfigurationError: It is no template, names an unknown field, or does not make a path
                of plain names below the destination.
        """
        try:
            found = list(string.Formatter().parse(template))
        except ValueError as error:
            raise _unusable(template, str(error)) from error
        pieces = []
        for text, field, form, conversion in found:
            piece = _Piece(text) if field is None else _Piece(text, field, form or "")
            if field is not None and (why := _wrong(piece, conversion)):
                raise _unusable(template, why)
            pieces.append(piece)
        layout = cls(template, tuple(pieces))
        if why := _wrong_path(layout._fill(_sample)):
            raise _unusable(template, why)
        return layout

    @property
    def tells(self) -> bool:
        """Whether a path made with it can only be that of one recording."""
        return any(piece.field == "key8" for piece in self._pieces)

    def _fill(self, value: Callable[[_Piece], str]) -> str:
        return "".join(piece.text + (value(piece) if piece.field else "") for piece in self._pieces)

    def names(
        self,
        recording: Recording,
        dest: Path,
        container: Container,
        timezone: dt.tzinfo | None = None,
        *,
        camera: str | None = None,
    ) -> Names:
        """Say where *recording* goes below *dest*; see `camsync.download._paths.names`.

        Another recording that has the name is stepped aside for as without a template. The name
        of an original carries the digest of its key, which is appended unless it is in there.

        Raises:
            ConfigurationError: *camera* is no plain name.
        """
        zone = timezone or dt.timezone(recording.utc_offset or dt.timedelta(0))

        def value(piece: _Piece) -> str:
            if piece.field in _TIMES:
                return time_text(
                    getattr(recording, piece.field).astimezone(zone), piece.form or TIME
                )
            if piece.field == "camera" and camera is not None:
                return safe_join(Path(), camera).name
            return _WORDS[piece.field](recording).zfill(int(piece.form or 0))

        *folders, stem = (_tamed(part) for part in self._fill(value).split("/"))
        folder = safe_join(dest, *folders)
        safe_join(folder, stem)
        if self.tells:
            return Names(folder=folder, stem=stem, telling=container == "original")
        found = names_of(recording, folder, stem, container)
        return found if found.telling else attrs.evolve(found, last=f"{stem}_{key8(recording)}")


def _wrong(piece: _Piece, conversion: str | None) -> str:
    """Return what is wrong with a field; nothing is an empty text."""
    if piece.field not in FIELDS:
        return f"there is no field {{{piece.field[:40]}}}"
    if conversion:
        return f"{{{piece.field}}} takes no conversion"
    if piece.field in _TIMES:
        rest = DIRECTIVE.sub("", piece.form)
        odd = "%" in rest or "{" in rest
        return f"{piece.form[:40]!r} is no form for a time in a name" if odd else ""
    fits = not piece.form or (piece.field == "channel" and _PADDED.fullmatch(piece.form))
    return "" if fits else f"{{{piece.field}}} takes no form"


def _wrong_path(text: str) -> str:
    """Return what is wrong with a path in which neutral words stand for a device's."""
    if text.startswith("/"):
        return "it must be relative to the destination"
    parts = text.split("/")
    for part in parts:
        if not is_plain(part):
            return f"{part[:40]!r} cannot be the name of a file or folder"
        if _length(part) > _LONGEST:
            return f"{part[:20]!r}... is too long for a name"
    if Path(parts[-1]).suffix.lower() in _SUFFIXES:
        return "the extension is added by itself: leave it out"
    return ""


def _sample(piece: _Piece) -> str:
    return time_text(_SAMPLE, piece.form or TIME) if piece.field in _TIMES else "x"


def _length(part: str) -> int:
    return len(part.encode("utf-8", "surrogatepass"))


def _tamed(part: str) -> str:
    """Return a part that any system can hold: a device's words must not make a file unnameable."""
    if _length(part) > _LONGEST:
        kept = part.encode("utf-8", "surrogatepass")[: _LONGEST - 9].decode("utf-8", "ignore")
        part = f"{kept}-{digest(part)}"
    return f"{part}-" if is_reserved(part) else part


def _unusable(template: str, why: str) -> ConfigurationError:
    msg = f"the layout {template[:80]!r} cannot be used: {why}"
    return ConfigurationError(msg, next_step=_HELP)
