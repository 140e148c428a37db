"""``camsync doctor --bundle``: everything that a bug report needs, in one anonymised zip."""

from __future__ import annotations

import contextlib
import getpass
import io
import json
import logging
import platform
import socket
import sys
import zipfile

from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs

from .._scrub import Scrubber
from ..errors import CamsyncError
from ..models import Check
from ..provider import Provider
from ._advice import words
from ._checks import listed_by
from ._dump import KEPT, make_dump, replaced_text, write_whole
from ._json import check_json
from ._link import Link
from ._vendors import vendor_of


_LOGGER = "camsync"
_DETAIL = "camsync_"
_MOST_LINES = 20_000
_FEW = 3
_SHORT = "(name)"
_EVERYBODY = frozenset({"root", "admin", "user", "localhost", "ubuntu", "debian", "home"})
_LIBRARIES = (
    "camsync",
    "attrs",
    "av",
    "certifi",
    "click",
    "cryptography",
    "filelock",
    "keyring",
    "lxml",
    "platformdirs",
    "requests",
    "rich",
    "urllib3",
)
_README = """\
This is a bundle of `camsync doctor --bundle`, made to be attached to a bug report.

doctor.txt, doctor.json   the steps of the connection test
dump.json                 what the recorder answered, for `camsync simulate recorder --dump dump.json`
log.txt                   camsync's log of this run
environment.txt           versions of Python, the operating system and the libraries

Replaced: {replaced}.
Kept: {kept}.
The same value has the same stand-in in all files. No password is in any of them.
{missing}
Read the files before you post them: text in fields that camsync does not know is as it was.
"""


@attrs.define(eq=False)  # compared, it could not be a key, as logging wants it to be (attrs 22)
class _Record(logging.Handler):
    """Keeps the log of the run as lines, details included."""

    lines: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        super().__init__(logging.DEBUG)

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) >= _MOST_LINES:
            return
        details = "".join(
            f"\n  {name.removeprefix(_DETAIL)}: {value}"
            for name, value in vars(record).items()
            if name.startswith(_DETAIL)
        )
        shown = logging.Formatter().formatTime(record)
        text = f"{shown} {record.levelname} {record.name}: {record.getMessage()}{details}"
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self.lines.append(text)


@contextlib.contextmanager
def recorded_log() -> Iterator[list[str]]:
    """Record camsync's log, everything, while the block runs; others see what they saw before."""
    logger = logging.getLogger(_LOGGER)
    level, effective = logger.level, logger.getEffectiveLevel()
    before = [(handler, handler.level) for handler in logger.handlers]
    record = _Record()
    for handler, own in before:
        handler.setLevel(max(own, effective))
    logger.addHandler(record)
    logger.setLevel(logging.DEBUG)
    try:
        yield record.lines
    finally:
        logger.setLevel(level)
        logger.removeHandler(record)
        for handler, own in before:
            handler.setLevel(own)


def write_bundle(path: Path, link: Link, checks: Sequence[Check], log: Sequence[str]) -> str:
    """Dump the device, anonymise everything together, and write the zip.

    Returns:
        One line for the user: what was replaced, or why there is no dump.

    Raises:
        DestinationError: The zip cannot be written.
    """
    scrubber = _prepared(link)
    missing = _know_cameras(scrubber, link.provider, checks)
    files: dict[str, str] = {}
    without = ""
    try:
        files["dump.json"] = json.dumps(make_dump(link, scrubber), indent=1) + "\n"
    except CamsyncError as error:
        without = f"There is no dump.json: {scrubber.text(words(error.message))}."
    files["doctor.json"] = json.dumps(_doctor_json(checks, scrubber), indent=1) + "\n"
    files["doctor.txt"] = _doctor_text(checks, scrubber)
    files["log.txt"] = scrubber.text("\n".join(log)) + "\n"
    files["environment.txt"] = scrubber.text(environment())
    replaced = replaced_text(scrubber.counts)
    lines = "\n".join(filter(None, (without, missing)))
    files["README.txt"] = _README.format(replaced=replaced, kept=KEPT, missing=lines)
    write_whole(path, _zipped(files))
    return lines or f"replaced: {replaced}"


def _prepared(link: Link) -> Scrubber:
    """Return a scrubber that knows the device, and this computer: its user, its name, its folders."""
    scrubber = Scrubber()
    with contextlib.suppress(RuntimeError):
        home = str(Path.home())
        if len(home) > _FEW:
            scrubber.replace(home, "~")
    with contextlib.suppress(OSError, KeyError, ImportError):
        _know(scrubber, getpass.getuser(), "user name")
    _know(scrubber, socket.gethostname(), "address")
    place = link.place
    if place.host not in vendor_of(place.url.provider).places:  # which everybody shares
        _know(scrubber, place.host, "address")
    if place.profile is not None:
        _know(scrubber, place.profile.name, "name")
    _know(scrubber, link.username, "user name")
    return scrubber


def _know_cameras(scrubber: Scrubber, provider: Provider, checks: Sequence[Check]) -> str:
    """Tell *scrubber* what an account has listed; return what could not be found out.

    Of a recorder the dump tells all that.
    """
    if not vendor_of(provider.name).cloud:
        return ""
    if not listed_by(checks):
        return "The cameras could not be listed: if a file names one, the name is as it was."
    try:
        listed = list(_listed(provider))
    except CamsyncError as error:
        return (
            f"The cameras could not be listed again ({type(error).__name__}): look for their names."
        )
    for device, name in listed:
        scrubber.know(device, "serial number")
        _know_name(scrubber, name)
    return ""


def _listed(provider: Provider) -> Iterator[tuple[str, str]]:
    """Yield the id of each device and what it is called, and the same for its channels."""
    channels = provider.channels()  # first: this may still know what the test has listed
    for device in provider.devices():
        yield device.id, device.name
    for channel in channels:
        yield channel.device, channel.name


def _know_name(scrubber: Scrubber, name: str) -> None:
    """Also one so short that in a document it would be taken for something else: ``WC``."""
    text = name.strip()
    if len(text) < _FEW and any(map(str.isalpha, text)):
        scrubber.replace(text, _SHORT)
    scrubber.know(text, "name")


def _know(scrubber: Scrubber, value: str, kind: str) -> None:
    if len(value) >= _FEW and value.lower() not in _EVERYBODY:
        scrubber.know(value, kind)


def _doctor_json(checks: Sequence[Check], scrubber: Scrubber) -> Mapping[str, Any]:
    shown = []
    for check in checks:
        entry = check_json(check)
        shown.append({**entry, **{key: scrubber.text(entry[key]) for key in ("seen", "advice")}})
    return {"checks": shown}


def _doctor_text(checks: Sequence[Check], scrubber: Scrubber) -> str:
    lines = []
    for check in checks:
        lines.append(f"{check.status.value:8} {check.name:9} {scrubber.text(words(check.seen))}")
        if check.advice:
            lines.append(f"{'':19}-> {scrubber.text(words(check.advice))}")
    return "\n".join(lines) + "\n"


def environment() -> str:
    """Return the versions of everything; no names of this computer or its user."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    lines = [
        f"Python {platform.python_version()} ({platform.python_implementation()})",
        f"System {system}",
        f"Encoding {sys.getfilesystemencoding()}, stdout {sys.stdout.encoding}",
    ]
    return "\n".join([*lines, *map(_version, _LIBRARIES)]) + "\n"


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name}: not installed"


def _zipped(files: Mapping[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text.encode("utf-8", "backslashreplace"))
    return held.getvalue()
