"""Telling a path from the URL of a server that was mistyped: a file must not be named after it."""

from __future__ import annotations

import re


_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SUSPECT = re.compile(r"\s*postgres|.*password\s*=|.*:[^/]*@", re.IGNORECASE | re.DOTALL)

STEP = (
    "for a server write postgresql://USER@HOST/DATABASE, with the password in ~/.pgpass or the "
    "whole URL in CAMSYNC_CATALOGUE; for a file of such a name write ./NAME, or give a Path"
)


def mistyped(text: str) -> bool:
    """Whether *text*, which is no URL, seems meant as one, or as libpq's ``password=… host=…``."""
    drive = _DRIVE.match(text)
    return "://" not in text and _SUSPECT.match(text[drive.end() :] if drive else text) is not None
