"""What may stay in fields for times, versions and models: words of their form, and no others.

Such a field is kept because its content helps to find a defect. Devices let people type into some
of them all the same, so that only what looks like a time, a version or a model is kept.
"""

from __future__ import annotations

import itertools
import re

from collections.abc import Iterator
from typing import Final

from ._tags import TIME, VERSION
from ._text import SERIAL_LINE, whole


_ZONE: Final = r"(?:Z|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2}){0,2}|UTC|GMT)"
_CLOCK: Final = r"\d{1,2}(?::\d{1,2}){1,2}(?:[.,]\d{1,9})?"
_DAY: Final = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}-[A-Z][a-z]{2}-\d{4})"
)
_TIMES: Final = re.compile(
    rf"\(?(?:{_DAY}|{_DAY}T{_CLOCK}{_ZONE}?|{_CLOCK}{_ZONE}?|{_ZONE}"
    rf"|\d{{8}}T\d{{6}}{_ZONE}?"
    # Seconds, milliseconds, days without hyphens; and nothing of the length of a serial number.
    r"|[+-]?\d{1,8}(?:\.\d{1,9})?|\d{10}(?:\.\d{1,9})?|\d{13,14}"
    r"|P(?:\d{1,6}[YMWD]){0,4}(?:T(?:\d{1,6}(?:\.\d{1,9})?[HMS]){1,3})?"
    # The notation of POSIX, and names of the time zone database.
    r"|[A-Z]{3,4}[+-]?\d{1,2}(?::\d{2}){0,2}(?:[A-Z]{3,4}(?:[+-]?\d{1,2}(?::\d{2}){0,2})?)?"
    r"(?:,M?\d{1,3}(?:\.\d){0,2}(?:\.\d)?(?:/\d{1,2}(?::\d{2}){0,2})?){0,2}"
    r"|(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)"
    r"(?:/[A-Z][A-Za-z_-]{1,30}){1,2}|Etc/[A-Z]{2,5}(?:[+-]\d{1,2})?"
    r"|(?i:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?"
    r"|(?i:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|january|february|march|april|august"
    r"|september|october|november|december),?|(?i:am|pm|dst|build|true|false|auto|manual|ntp|local))\)?"
)
_VERSION_WORDS: Final = frozenset(
    [
        "alpha",
        "android",
        "basic",
        "beta",
        "bootloader",
        "build",
        "debug",
        "dev",
        "encrypt",
        "eng",
        "final",
        "fw",
        "hotfix",
        "ios",
        "linux",
        "lite",
        "macos",
        "patch",
        "pre",
        "preview",
        "pro",
        "rc",
        "release",
        "rel",
        "rev",
        "standard",
        "test",
        "true",
        "false",
        "trial",
        "ver",
        "version",
        "windows",
    ]
)
_VERSION_CHARS: Final = re.compile(r"[A-Za-z0-9._,:/()+-]{1,40}", re.ASCII)
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_HARDWARE: Final = re.compile(r"0[0-9A-Fa-f]{15}|0x[0-9A-Fa-f]{1,8}", re.ASCII)
_SHORT: Final = 2
_LONGEST_NUMBER: Final = 8

_MODEL_CHARS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9./()_+-]{0,39}", re.ASCII)
_VENDORS: Final = frozenset(
    [
        "axis",
        "annke",
        "dahua",
        "digital",
        "ezviz",
        "hgst",
        "hikvision",
        "hilook",
        "hitachi",
        "hiwatch",
        "imou",
        "ipc",
        "kingston",
        "lorex",
        "maxtor",
        "nvr",
        "dvr",
        "samsung",
        "sandisk",
        "seagate",
        "tiandy",
        "toshiba",
        "unknown",
        "uniview",
        "wdc",
        "western",
        "none",
        "null",
    ]
)
_CAPITALS: Final = 5
_MODEL_NUMBER: Final = 7


def pieces(form: str, value: str) -> Iterator[tuple[str, bool]]:
    """Yield *value* in runs of words, and whether each has the form; blanks go with what follows."""
    words = re.findall(r"\s*\S+|\s+", value)
    for fits, run in itertools.groupby(words, lambda word: _fits(form, word.strip())):
        yield "".join(run), fits


def has_form(form: str, value: str) -> bool:
    """Whether all of *value* has the form."""
    return all(fits for _, fits in pieces(form, value))


def _fits(form: str, word: str) -> bool:
    if not word:
        return True
    if form == TIME:
        return _TIMES.fullmatch(word) is not None
    if whole(word) in {"mac", "uuid", "ipv6"} or SERIAL_LINE.search(word):
        return False
    return _is_version(word) if form == VERSION else _is_model(word)


def _is_version(word: str) -> bool:
    if _HARDWARE.fullmatch(word):
        return True
    letters = [run for run in _LETTERS.findall(word) if run.lower() not in _VERSION_WORDS]
    numbers = _DIGITS.findall(word)
    told = bool(numbers) or word.lower() in _VERSION_WORDS
    return (
        told
        and _VERSION_CHARS.fullmatch(word) is not None
        and all(len(run) <= _SHORT for run in letters)
        and all(len(run) <= _LONGEST_NUMBER or not run.strip("0") for run in numbers)
        and sum(map(len, numbers)) <= 3 * _LONGEST_NUMBER
    )


def _is_model(word: str) -> bool:
    if word.lower() in _VENDORS:
        return True
    numbers = _DIGITS.findall(word)
    return (
        bool(numbers)
        and _MODEL_CHARS.fullmatch(word) is not None
        and all(len(run) < _MODEL_NUMBER for run in numbers)
        and all(
            len(run) <= _SHORT or (run.lstrip("i").isupper() and len(run) <= _CAPITALS)
            for run in _LETTERS.findall(word)
        )
    )
