"""Where camsync keeps what lasts: the user's own folders, or ``CAMSYNC_HOME``.

The only importer of platformdirs.
"""

from __future__ import annotations

import os

from pathlib import Path

import platformdirs


VARIABLE = "CAMSYNC_HOME"


def config_folder() -> Path:
    r"""Return the folder of profiles and credentials, which need not exist.

    ``$CAMSYNC_HOME`` if it is set; else the system's own place: ``~/.config/camsync`` on Linux,
    ``~/Library/Application Support/camsync`` on macOS, ``%LOCALAPPDATA%\camsync`` on Windows.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(platformdirs.user_config_dir("camsync", appauthor=False))
