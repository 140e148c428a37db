"""Files with one secret in them that somebody else has made: by hand, Docker or systemd."""

from __future__ import annotations

import os

from pathlib import Path

from .._private import ANYTHING, NOTHING, read_given
from .._secret import Secret
from ..errors import ConfigurationError


_LONGEST = 64 * 1024
_DOCKER = Path("/run/secrets")
_SYSTEMD = "CREDENTIALS_DIRECTORY"


def read_secret(path: Path, what: str) -> Secret | None:
    """Return the file's text without one trailing line end; None when there is no file.

    It may be a pipe, such as the shell makes for ``<(command)``. A byte order mark at its beginning
    (Notepad's) is not part of the text. Others may read it, or own it, only where Docker or systemd
    decide who may: below ``/run/secrets`` and ``$CREDENTIALS_DIRECTORY``.

    Raises:
        ExposedStoreError: Others may read it elsewhere, or it belongs to another user.
        ConfigurationError: It is too long or not UTF-8.
        StoreUnavailableError: It cannot be read.
    """
    if "\0" in str(path):
        msg = f"the path of the file of {what} has a NUL character in it"
        raise ConfigurationError(msg)
    content = _decoded(path)
    if content is None or isinstance(content, Secret):
        return content
    msg = f"the file of {what}, {path}, {content}"
    raise ConfigurationError(msg, next_step="put the secret into it as UTF-8, and nothing else")


def _decoded(path: Path) -> Secret | str | None:
    """Return the secret, or what is wrong in words: the decoder's error would hold the bytes."""
    raw = Raw(path)
    if raw.content is None:
        return None
    if len(raw.content) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    try:
        return Secret(raw.content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        return "is not UTF-8 text"


class Raw:
    """What a file holds, not shown by its repr."""

    def __init__(self, path: Path) -> None:
        others = ANYTHING if is_managed(path) else NOTHING
        self.content = read_given(path, _LONGEST + 1, others=others)


def is_managed(path: Path) -> bool:
    """Whether Docker or systemd put the file there and decide who may read it."""
    roots = [_DOCKER]
    if os.environ.get(_SYSTEMD):
        roots.append(Path(os.environ[_SYSTEMD]))
    return any(is_below(path, root) for root in roots)


def is_below(path: Path, folder: Path) -> bool:
    """Whether *path* is *folder* or inside it, links followed."""
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    return root == real or root in real.parents
