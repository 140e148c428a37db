"""Where camsync keeps what lasts: the user's own folders, or ``CAMSYNC_HOME``.

The only importer of platformdirs.
"""

from __future__ import annotations

import os

from pathlib import Path

import platformdirs

from .errors import ConfigurationError


VARIABLE = "CAMSYNC_HOME"


def config_folder() -> Path:
    r"""Return the folder of profiles and credentials, which need not exist.

    ``$CAMSYNC_HOME`` if it is set (a relative one is seen from the working folder); else the
    system's own place: ``~/.config/camsync`` on Linux,
    ``~/Library/Application Support/camsync`` on macOS, ``%LOCALAPPDATA%\camsync`` on Windows.
    """
    return _chosen() or Path(platformdirs.user_config_dir("camsync", appauthor=False))


def data_folder() -> Path:
    r"""Return the folder of the catalogue, which need not exist.

    ``$CAMSYNC_HOME`` if it is set; else the system's own place: ``~/.local/share/camsync`` on
    Linux, ``~/Library/Application Support/camsync`` on macOS, ``%LOCALAPPDATA%\camsync`` on
    Windows.
    """
    return _chosen() or Path(platformdirs.user_data_dir("camsync", appauthor=False))


def _chosen() -> Path | None:
    chosen = os.environ.get(VARIABLE)
    return absolute(Path(chosen).expanduser()) if chosen else None


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return *path* seen from the working folder of now: it stays the same file after a chdir.

    Links and ``..`` stay as they are: only the system knows where they lead.

    Raises:
        ConfigurationError: It is relative, and the working folder is gone.
    """
    try:
        return Path(path).absolute()
    except OSError as error:
        msg = f"{os.fspath(path)!r} is relative, and there is no working folder: {error.strerror}"
        raise ConfigurationError(msg, next_step="give the whole path") from error
