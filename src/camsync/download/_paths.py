"""Names of files and folders: the one place where a device's words become a path.

A channel's name is whatever its owner typed; a recording's item is whatever the device calls its
file. Consumers of the files are picky in turn: no spaces, no commas, no ``%``, no ``_`` inside a
camera's name, ASCII only, and ``Cam01`` rather than ``Cam1`` (a look-up for ``%Cam1%`` would find
``Cam10`` too).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import unicodedata

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs

from ..errors import ConfigurationError
from ..models import Recording
from ._files import disk_errors


Container = Literal["mp4", "original"]

EXTENSIONS = {"mpeg-ps": "mpg", "mpeg-ts": "ts", "mp4": "mp4"}
_FILE_SUFFIXES = {
    "mp4": frozenset({".mp4"}),
    "original": frozenset({".ps", ".mpg", ".mpeg", ".ts", ".mp4"}),
}

TIME = "%Y%m%d_%H%M%S"
DIRECTIVE = re.compile(r"%([YymdHMSjGVuwUWz])")
"""What every system's strftime knows, without the words of a language."""

_LONGEST_SLUG = 40
_LONGEST_ITEM = 32
_DIGEST = 8
"""Hexadecimal digits: enough, since only recordings of the same second and camera compete."""

# Letters that Unicode does not take apart into a base letter and a mark.
_LETTERS = str.maketrans(
    {
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "ß": "ss",
        "ẞ": "SS",
        "ł": "l",
        "Ł": "L",
        "ø": "o",
        "Ø": "O",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "þ": "th",
        "Þ": "Th",
        "ħ": "h",
        "Ħ": "H",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
        "ŋ": "n",
        "Ŋ": "N",
        "ŧ": "t",
        "Ŧ": "T",
    }
)
# What recorders and cameras call a channel that nobody has named: "Camera 01", "IPCamera 01",
# "IP Camera1", "Analog Camera 3", "IPdome", "D1", "Channel 5", "CH-02".
_DEFAULT_NAME = re.compile(
    r"(?:(?:ip|analog|digital|network|embedded)-?)?"
    r"(?:camera|cam|ipc|ipcam|ipdome|dome|channel|chan|ch|video|[ad])?-?\d*"
)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


def ascii_slug(text: str, longest: int = _LONGEST_SLUG) -> str:
    """Return *text* as lower-case ASCII letters, digits and single hyphens; perhaps empty.

    ``"Front door / Cửa"`` becomes ``"front-door-cua"``.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    letters = plain.encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:longest].rstrip("-")


def camera_name(recording: Recording) -> str:
    """Return the folder of a recording's camera: ``Cam01``, ``Cam01-front-door``, ``Cam01-sub``.

    The channel's number comes first and is always there, because names get changed; the name
    follows if it says more than the number does.
    """
    channel = str(recording.key.channel)
    number = re.fullmatch(r"\d{1,9}", channel, re.ASCII)
    parts = [f"Cam{int(channel):02d}" if number else f"Cam-{exact_slug(channel)}"]
    slug = ascii_slug(recording.channel_name)
    if re.search(r"[a-z]", slug) and not _DEFAULT_NAME.fullmatch(slug):
        parts.append(slug)
    if recording.key.stream != "01":
        stream = recording.key.stream
        parts.append("sub" if stream == "02" else f"stream-{exact_slug(stream)}")
    return "-".join(parts)


def item_slug(recording: Recording) -> str:
    """Return what tells two recordings with the same local time apart; never empty.

    It is the device's own name for the item or, without one, the start in UTC: an hour that
    the wall clock shows twice has two of those.
    """
    if recording.key.item:
        return exact_slug(recording.key.item)
    return f"{time_text(recording.key.start, '%Y%m%dT%H%M%S')}Z"


def exact_slug(text: str) -> str:
    """Return a slug that differs when *text* differs: a digest stands in for what is lost."""
    slug = ascii_slug(text, _LONGEST_ITEM)
    if slug == text:
        return slug
    return f"{slug}-{digest(text)}" if slug else digest(text)


def digest(text: str) -> str:
    """Return what stands in a name for a text that cannot."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


def time_text(moment: dt.datetime, form: str = TIME) -> str:
    """Return a time as it stands in names; *form* is made of `DIRECTIVE`."""
    # strftime's %Y does not pad the year on every platform
    return DIRECTIVE.sub(
        lambda match: f"{moment.year:04d}" if match[1] == "Y" else moment.strftime(match[0]), form
    )


@attrs.frozen(kw_only=True)
class Names:
    """Where a recording may be put.

    Attributes:
        folder: The folder of the file.
        stem: The wanted name, without extension.
        spare: The name to use when another recording holds the first; None if no other will do.
        last: The name to use when the spare one is taken, too; it cannot be another recording's.
        suffix: The extension with its dot; None means that it follows the container.
        telling: Whether a file with the wanted name can only be this very recording.
    """

    folder: Path
    stem: str
    spare: str | None = None
    last: str | None = None
    suffix: str | None = None
    telling: bool = False

    def path(self, stem: str, extension: str) -> Path:
        """Return the path for one of the stems; *extension* is used unless the caller chose."""
        return self.folder / f"{stem}{self.suffix or f'.{extension}'}"


def key_digest(recording: Recording) -> str:
    """Return what no other recording has, of any device: hexadecimal digits, as many as wanted."""
    return hashlib.sha256(recording.key.uri.encode()).hexdigest()


def key8(recording: Recording) -> str:
    """Return the first eight digits of `key_digest`: what names carry."""
    return key_digest(recording)[:_DIGEST]


def is_file_name(dest: Path, container: Container) -> bool:
    """Whether *dest* has the suffix of a video file, and is no folder all the same.

    Raises:
        DestinationError: The disk cannot be asked.
    """
    with disk_errors(dest):
        return dest.suffix.lower() in _FILE_SUFFIXES[container] and not dest.is_dir()


def names(
    recording: Recording,
    dest: Path,
    container: Container,
    timezone: dt.tzinfo | None = None,
    *,
    camera: str | None = None,
) -> Names:
    """Say where *recording* goes.

    A *dest* with the suffix of a video file is that file, unless a folder of that name exists;
    any other is a folder: ``dest/Cam01/Cam01_20240101_100000.mp4``. The time is that of the
    recorder's wall clock, or of *timezone*. The bytes of an original cannot be marked, so that
    its name tells whose it is: ``dest/Cam01/Cam01_20240101_100000_1a2b3c4d.mpg``.

    Args:
        recording: What is to be named.
        dest: The folder, or the file itself.
        container: ``"mp4"`` or ``"original"``.
        timezone: The zone of the time in the name.
        camera: The camera's folder, if it is not to be made from the channel's name of today.

    Raises:
        ConfigurationError: *camera* is no plain name.
    """
    if is_file_name(dest, container):
        return Names(folder=dest.parent, stem=dest.stem, suffix=dest.suffix)
    local = recording.local_start if timezone is None else recording.start.astimezone(timezone)
    camera = camera_name(recording) if camera is None else camera
    stem = f"{camera}_{time_text(local)}"
    return names_of(recording, safe_join(dest, camera), stem, container)


def names_of(recording: Recording, folder: Path, stem: str, container: Container) -> Names:
    """Say what *recording* may be called in *folder*, by a *stem* that another one may have, too."""
    if container == "original":
        return Names(folder=folder, stem=f"{stem}_{key8(recording)}", telling=True)
    return Names(folder=folder, stem=stem, spare=f"{stem}_{item_slug(recording)}")


def safe_join(folder: Path, *parts: str) -> Path:
    """Join plain names to *folder*, and refuse everything that is not a plain name.

    Raises:
        ConfigurationError: A part would leave the folder, or means something else to a system.
    """
    for part in parts:
        if not is_plain(part):
            msg = f"{part[:80]!r} cannot be the name of a file or folder"
            raise ConfigurationError(msg)
    return folder.joinpath(*parts)


def is_plain(part: str) -> bool:
    """Whether *part* is the name of a file or folder on every system, and nothing else."""
    forbidden: Sequence[str] = '/\\:*?"<>|'
    odd = any(character in forbidden or not character.isprintable() for character in part)
    return not (odd or part != part.strip(" .") or not part or is_reserved(part))


def is_reserved(part: str) -> bool:
    """Whether *part* means a device to Windows, with any extension."""
    return _RESERVED.fullmatch(part) is not None
