"""Figures of the runs as OpenMetrics text, for node_exporter's textfile collector and others."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
import re
import secrets

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from .._places import absolute
from .._time import utcnow
from ..errors import DestinationError
from ..models import RecordingKey
from ._values import SyncReport


_LABELS = ("device", "channel")
_TOTAL = "_total"
_END = "# EOF"
_LONGEST = 16 * 1024 * 1024
_SAMPLE = re.compile(
    r'([a-z_]+)(?:\{device="((?:[^"\\]|\\.)*)",channel="((?:[^"\\]|\\.)*)"\})? (\S+)'
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Labels = tuple[str, ...]


@attrs.frozen
class Family:
    """One figure.

    Attributes:
        name: Without ``_total``.
        kind: ``counter`` or ``gauge``.
        unit: With which the name ends, or empty.
    """

    name: str
    kind: str
    help: str
    unit: str = ""

    @property
    def sample(self) -> str:
        """The name of its samples."""
        return self.name + (_TOTAL if self.kind == "counter" else "")


FILES = Family("camsync_files", "counter", "Files that were fetched.")
BYTES = Family("camsync_fetched_bytes", "counter", "Bytes of the files that were fetched.", "bytes")
FAILED = Family("camsync_failed", "counter", "Downloads that failed.")
PROBLEMS = Family("camsync_problems", "counter", "Searches and logins that failed.")
GONE = Family("camsync_gone", "counter", "Recordings overwritten before they were fetched.")
LAG = Family(
    "camsync_lag_seconds", "gauge", "How far the watermark of a channel is behind.", "seconds"
)
SUCCESS = Family(
    "camsync_last_success_timestamp_seconds",
    "gauge",
    "When a channel was last searched to the end, and nothing of it was left to fetch.",
    "seconds",
)
WAITING = Family("camsync_waiting", "gauge", "Recordings that failed and wait for the next try.")
QUARANTINED = Family("camsync_quarantined", "gauge", "Recordings that failed too often.")
RUN_END = Family(
    "camsync_run_timestamp_seconds", "gauge", "When the last run has ended.", "seconds"
)
RUN_TIME = Family("camsync_run_duration_seconds", "gauge", "How long it took.", "seconds")
RUN_OK = Family("camsync_run_complete", "gauge", "1 if nothing failed, waits or was left; else 0.")

FAMILIES = (
    *(FILES, BYTES, FAILED, PROBLEMS, GONE, LAG, SUCCESS, WAITING, QUARANTINED),
    *(RUN_END, RUN_TIME, RUN_OK),
)
_BY_SAMPLE: Mapping[str, Family] = {family.sample: family for family in FAMILIES}
_LASTING = frozenset({FILES, BYTES, FAILED, PROBLEMS, GONE, SUCCESS})
"""What goes on from run to run; the others say how things stand now."""


class Metrics:
    """The figures of all runs, kept in a file.

    Counters go on where the file has them: each run of a timer is a new process. A file that is
    missing, or that is not what was written, begins at zero.

    Args:
        path: The file; ``camsync.prom`` in node_exporter's folder, for example.
        clock: The present, for tests.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], dt.datetime] = utcnow
    ) -> None:
        self.path = absolute(path)
        self._clock = clock
        self._values = {(family, labels): value for family, labels, value in _read(self.path)}

    def update(
        self, reports: Iterable[SyncReport], *, problems: int = 0, elsewhere: bool = False
    ) -> None:
        """Take the reports of one run into account.

        Args:
            problems: How many devices could not be tried at all.
            elsewhere: Whether another run is at work on a part of the channels: their figures stay.
        """
        reports = tuple(reports)
        own = {labels for report in reports for labels in _channels(report)}
        for family, labels in list(self._values):
            if family not in _LASTING and (labels in own or not elsewhere):
                del self._values[family, labels]
        for report in reports:
            self._add(report)
        self._count(PROBLEMS, ("", ""), problems)
        self._run(reports, complete=not problems and all(each.complete for each in reports))

    def _add(self, report: SyncReport) -> None:
        now = self._clock()
        bad = _unfinished(report)
        for (device, channel), mark in report.marks.items():
            labels = _place(device, channel)
            for family in (FILES, BYTES, FAILED, GONE, WAITING, QUARANTINED):
                self._count(family, labels, 0)  # so that it is there before it happens
            if mark is not None:
                self._values[LAG, labels] = max((now - mark).total_seconds(), 0.0)
            if labels not in bad:
                self._values[SUCCESS, labels] = round(report.finished.timestamp(), 3)
        for file in report.downloaded:
            self._count(FILES, _of(file.recording.key))
            self._count(BYTES, _of(file.recording.key), file.size)
        for failed in report.failed:
            self._count(FAILED, _of(failed.recording.key))
        for problem in report.problems:
            self._count(PROBLEMS, _place(problem.device, problem.channel))
        for family, keys in (
            (GONE, report.gone),
            (WAITING, report.waiting),
            (QUARANTINED, report.quarantined),
        ):
            for key in keys:
                self._count(family, _of(key))

    def _run(self, reports: tuple[SyncReport, ...], *, complete: bool) -> None:
        end = max((each.finished for each in reports), default=self._clock())
        begin = min((each.started for each in reports), default=end)
        self._values[RUN_END, ()] = round(end.timestamp(), 3)
        self._values[RUN_TIME, ()] = max((end - begin).total_seconds(), 0.0)
        self._values[RUN_OK, ()] = float(complete)

    def _count(self, family: Family, labels: Labels, more: float = 1) -> None:
        self._values[family, labels] = self._values.get((family, labels), 0) + more

    def text(self) -> str:
        """Return the figures as OpenMetrics text."""
        lines: list[str] = []
        for family in FAMILIES:
            samples = sorted(
                (labels, value) for (each, labels), value in self._values.items() if each == family
            )
            if not samples:
                continue
            lines += [f"# TYPE {family.name} {family.kind}"]
            lines += [f"# UNIT {family.name} {family.unit}"] if family.unit else []
            lines += [f"# HELP {family.name} {family.help}"]
            lines += [f"{family.sample}{_labels(labels)} {value!r}" for labels, value in samples]
        return "\n".join([*lines, _END, ""])

    def write(self) -> None:
        """Put the figures into the file: a reader sees the old ones or the new ones, whole.

        Raises:
            DestinationError: It cannot be written; the old file is as it was.
        """
        # Not *.prom: the collector reads every such file in the folder.
        fresh = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(self.text().encode("utf-8", "replace"))
            fresh.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            msg = f"{self.path} cannot be written: {error.strerror or error}"
            raise DestinationError(msg, next_step="check the folder of the metrics") from error


def _channels(report: SyncReport) -> set[Labels]:
    """Return the channels that a report says something of."""
    searched = {_place(*channel) for channel in report.marks}
    return searched | {_of(key) for key in (*report.waiting, *report.quarantined)}


def _unfinished(report: SyncReport) -> set[Labels]:
    """Return the channels of which something failed, waits for its next try, or was left.

    Channels that were not searched to the end are not among the marks at all.
    """
    bad = {_of(failed.recording.key) for failed in report.failed}
    bad |= {_of(key) for key in report.waiting}
    bad |= {_place(problem.device, problem.channel) for problem in report.problems}
    return bad | {_place(*channel) for channel in report.channels_left}


def _of(key: RecordingKey) -> Labels:
    return _place(key.device, key.channel)


def _place(device: str, channel: str) -> Labels:
    """Return the labels of a channel on one line: devices choose these texts."""
    return _flat(device), _flat(channel)


def _flat(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _labels(values: Labels) -> str:
    if not values:
        return ""
    pairs = zip(_LABELS, values, strict=True)
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in pairs) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _read(path: Path) -> Iterator[tuple[Family, Labels, float]]:
    """Yield the samples of a file that `Metrics` wrote; nothing if it is another one."""
    try:
        if path.stat().st_size > _LONGEST:
            return
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError):
        return
    if lines[-2:] != [_END, ""]:
        return
    for line in lines:
        match = _SAMPLE.fullmatch(line)
        family = None if match is None else _BY_SAMPLE.get(match[1])
        if match is None or family is None:
            continue
        with contextlib.suppress(ValueError):
            value = float(match[4]) if "." in match[4] else int(match[4])
            if math.isfinite(value) and value >= 0:
                labelled = match[2] is not None
                yield family, (_unescape(match[2]), _unescape(match[3])) if labelled else (), value
