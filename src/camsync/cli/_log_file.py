"""The log as a file, beside what the command line prints."""

from __future__ import annotations

import contextlib
import logging
import time

from collections.abc import Iterator
from pathlib import Path

from ..errors import DestinationError


_DETAIL = "camsync_"
_TIME = "%Y-%m-%dT%H:%M:%S"
_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Form(logging.Formatter):
    """One line a record, with the details that camsync sends beside the names of events."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time in UTC: logs of several sites are laid side by side."""
        form = datefmt or _TIME
        return time.strftime(form, time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"

    def format(self, record: logging.LogRecord) -> str:
        details = "".join(
            f" {name.removeprefix(_DETAIL)}={value}"
            for name, value in vars(record).items()
            if name.startswith(_DETAIL)
        )
        first, *rest = super().format(record).split("\n")
        return "\n".join([first + details, *rest])


@contextlib.contextmanager
def logging_into(path: Path | None) -> Iterator[None]:
    """Append camsync's log, from INFO on, to a file while the block runs.

    Raises:
        DestinationError: It cannot be written.
    """
    if path is None:
        yield
        return
    logger = logging.getLogger("camsync")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        msg = f"the log {path} cannot be written: {error.strerror}"
        raise DestinationError(msg) from error
    handler.setFormatter(_Form(_FORM))
    others = [(other, other.level) for other in logger.handlers]
    before = logger.level
    for other, level in others:  # the screen shows what it would show without a file
        other.setLevel(max(level, logger.getEffectiveLevel()))
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(before)
        for other, level in others:
            other.setLevel(level)
