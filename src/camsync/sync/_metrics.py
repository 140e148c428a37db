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
from types import MappingProxyType
from typing import Any

import attrs

from .._places import absolute
from .._time import utcnow
from ..errors import DestinationError
from ..models import RecordingKey
from ._values import SyncReport


_LABELS = ("device", "channel", "profile")
_TOTAL = "_total"
_END = "# EOF"
_LONGEST = 16 * 1024 * 1024
_SAMPLE = re.compile(
    r'([a-z_]+)(?:\{device="((?:[^"\\]|\\.)*)",channel="((?:[^"\\]|\\.)*)"'
    r'(?:,profile="((?:[^"\\]|\\.)*)")?\})? (\S+)'
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

_NOTHING: Mapping[Any, Any] = MappingProxyType({})

Labels = tuple[str, ...]
"""Device, channel, and, only where no device is known, what the user calls the source."""


@attrs.frozen(kw_only=True)
class Standing:
    """How things stand with a channel, by the catalogue.

    Attributes:
        watermark: None when it was never searched.
        waiting: Recordings that failed and wait for the next try.
        quarantined: Recordings that failed too often.
    """

    watermark: dt.datetime | None
    waiting: int = 0
    quarantined: int = 0

    def joined(self, other: Standing | None) -> Standing:
        """Return the worse of both: a channel may go to two destinations."""
        if other is None:
            return self
        marks = [each.watermark for each in (self, other) if each.watermark is not None]
        return Standing(
            watermark=min(marks, default=None),
            waiting=self.waiting + other.waiting,
            quarantined=self.quarantined + other.quarantined,
        )


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
_STANDING = frozenset({LAG, WAITING, QUARANTINED})


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
        self._devices: Mapping[str, str] = {}

    def update(
        self,
        reports: Iterable[SyncReport],
        *,
        problems: int = 0,
        untried: Iterable[str] = (),
        elsewhere: bool = False,
        standing: Mapping[tuple[str, str], Standing] = _NOTHING,
        devices: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Take the reports of one run into account.

        Args:
            problems: How many errors concern no device.
            untried: What the user calls the sources that could not be tried at all.
            elsewhere: Whether another run is at work on a part of the channels: their figures stay.
            standing: How things stand with all channels, by the catalogue. It counts for those that
                the run could not look at: what nobody has looked at must not vanish.
            devices: The device, by its serial number, of a profile or a URL, as far as is known.
        """
        reports, lost = tuple(reports), tuple(untried)
        self._devices = dict(devices)
        trouble = problems or lost or elsewhere or any(each.problems for each in reports)
        self._keep(reports, standing, everything=bool(trouble))
        for report in reports:
            self._add(report)
        self._count(PROBLEMS, _nowhere(), problems)
        for source in lost:
            self._count(PROBLEMS, self._source(source))
        failed = problems or lost
        self._run(reports, complete=not failed and all(each.complete for each in reports))

    def _keep(
        self,
        reports: tuple[SyncReport, ...],
        standing: Mapping[tuple[str, str], Standing],
        *,
        everything: bool,
    ) -> None:
        """Forget how things stood; of what was not looked at only if nothing has gone wrong.

        A channel that is not looked at although all is well is not wanted any more.
        """
        own = {labels for report in reports for labels in _channels(report)}
        known = {labels for family, labels in self._values if family in _STANDING}
        found = {_place(*channel): state for channel, state in standing.items()}
        kept = ((known or found.keys()) - own) if everything else frozenset()
        since = self._since_last()
        for family, labels in list(self._values):
            if family not in _LASTING and labels not in kept:
                del self._values[family, labels]
        for labels in kept:
            self._stand(labels, found.get(labels), since)

    def _since_last(self) -> float:
        end = self._values.get((RUN_END, ()))
        return 0.0 if end is None else max(self._clock().timestamp() - end, 0.0)

    def _stand(self, labels: Labels, state: Standing | None, since: float) -> None:
        """Say how things stand with a channel that could not be looked at."""
        if state is None:  # there is no catalogue to ask: its watermark has not moved
            if (LAG, labels) in self._values:
                self._count(LAG, labels, since)
            return
        if state.watermark is not None:
            self._values[LAG, labels] = self._lag(state.watermark)
        self._values[WAITING, labels] = state.waiting
        self._values[QUARANTINED, labels] = state.quarantined

    def _lag(self, mark: dt.datetime) -> float:
        return max((self._clock() - mark).total_seconds(), 0.0)

    def _source(self, source: str) -> Labels:
        """Return the labels of a source: its device, or, while nobody knows that, its name."""
        device = self._devices.get(source, "")
        return _place(device, "") if device else ("", "", _flat(source))

    def _add(self, report: SyncReport) -> None:
        bad = _unfinished(report)
        for (device, channel), mark in report.marks.items():
            labels = _place(device, channel)
            for family in (FILES, BYTES, FAILED, GONE, WAITING, QUARANTINED):
                self._count(family, labels, 0)  # so that it is there before it happens
            if mark is not None:
                self._values[LAG, labels] = self._lag(mark)
            if labels not in bad:
                self._values[SUCCESS, labels] = round(report.finished.timestamp(), 3)
        for file in report.downloaded:
            self._count(FILES, _of(file.recording.key))
            self._count(BYTES, _of(file.recording.key), file.size)
        for failed in report.failed:
            self._count(FAILED, _of(failed.recording.key))
        for problem in report.problems:
            own = bool(problem.channel)
            labels = (
                _place(problem.device, problem.channel) if own else self._source(problem.device)
            )
            self._count(PROBLEMS, labels)
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
        profiles = self._profiles()
        for family in FAMILIES:
            samples = sorted(
                (labels, value) for (each, labels), value in self._values.items() if each == family
            )
            if not samples:
                continue
            lines += [f"# TYPE {family.name} {family.kind}"]
            lines += [f"# UNIT {family.name} {family.unit}"] if family.unit else []
            lines += [f"# HELP {family.name} {family.help}"]
            lines += [
                f"{family.sample}{_labels(labels, profiles)} {value!r}" for labels, value in samples
            ]
        return "\n".join([*lines, _END, ""])

    def _profiles(self) -> Mapping[str, str]:
        """Return what the user calls each device."""
        named = sorted(self._devices.items(), reverse=True)  # of several names the first one counts
        return {_flat(device): _flat(source) for source, device in named if "://" not in source}

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
    bad |= {_place(each.device, each.channel) for each in report.problems if each.channel}
    return bad | {_place(*channel) for channel in report.channels_left}


def _of(key: RecordingKey) -> Labels:
    return _place(key.device, key.channel)


def _place(device: str, channel: str) -> Labels:
    """Return the labels of a channel on one line: devices choose these texts."""
    return _flat(device), _flat(channel), ""


def _nowhere() -> Labels:
    return _place("", "")


def _flat(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _labels(values: Labels, profiles: Mapping[str, str]) -> str:
    if not values:
        return ""
    device, channel, source = values
    pairs = zip(_LABELS, (device, channel, source or profiles.get(device, "")), strict=True)
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
            value = float(match[5]) if "." in match[5] else int(match[5])
            if math.isfinite(value) and value >= 0:
                yield family, _labels_of(match), value


def _labels_of(match: re.Match[str]) -> Labels:
    if match[2] is None:
        return ()
    device, channel, profile = (_unescape(each or "") for each in match.group(2, 3, 4))
    if match[4] is None and not channel:  # of an older camsync, with a source as its device
        return "", "", device
    return device, channel, "" if device else profile
