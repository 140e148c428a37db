"""Which recordings: the options of ``search`` and ``download``, and the search itself."""

from __future__ import annotations

import functools
import re

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs
import click

from .._time import TimeSpan, utcnow
from ..errors import ConfigurationError
from ..models import Channel, Recording, RecordingKind
from ..provider import Provider
from ._format import utc_text
from ._times import parse_moment


Result = TypeVar("Result")
_FUTURE = (
    "write 24h for one day ago; a time without offset is local time of this computer: "
    "2026-09-26T08:00+08:00 is exact"
)


@attrs.frozen(kw_only=True)
class Selection:
    """What the user wants to see or to have."""

    channels: tuple[str, ...]
    span: TimeSpan
    kinds: tuple[RecordingKind, ...]

    @classmethod
    def of(
        cls, *, channel: tuple[str, ...], since: str, until: str, kind: tuple[str, ...]
    ) -> Selection:
        """Read the options; both bounds count back from the same moment.

        Raises:
            ConfigurationError: A bound is no time, the span ends before it starts, is empty, or
                lies in the future.
        """
        now = utcnow()
        start, end = parse_moment(since, now), parse_moment(until, now)
        if start > now:
            msg = f"--since {since} lies in the future: {utc_text(start)}"
            raise ConfigurationError(msg, next_step=_FUTURE)
        if end <= start:
            raise _upside_down(since, until, swapped=end < start)
        span = TimeSpan(start, end)
        return cls(channels=channel, span=span, kinds=tuple(map(RecordingKind, kind)))

    def search(self, provider: Provider) -> list[Recording]:
        """Return the recordings of all chosen channels, oldest first.

        Raises:
            ConfigurationError: The recorder has no such channel.
        """
        found = [
            recording
            for channel in self._chosen(provider.channels())
            for recording in provider.search(channel, self.span, kinds=self.kinds or None)
        ]
        return sorted(found, key=lambda recording: recording.start)

    def _chosen(self, known: Sequence[Channel]) -> Sequence[Channel]:
        if not self.channels:
            return known
        by_id = {str(channel.id): channel for channel in known}
        wanted = [name if name in by_id else _plain_number(name) for name in self.channels]
        strangers = [name for name in wanted if name not in by_id]
        if strangers:
            msg = f"the recorder has no channel {', '.join(strangers)}"
            named = ", ".join(f"{channel.id} ({channel.name})" for channel in known)
            raise ConfigurationError(msg, next_step=f"it has: {named or 'none'}")
        return [by_id[name] for name in dict.fromkeys(wanted)]


def _plain_number(name: str) -> str:
    """Return ``1`` for ``01``, which is what the names of folders show."""
    return str(int(name)) if re.fullmatch(r"\d{1,9}", name, re.ASCII) else name


def _upside_down(since: str, until: str, *, swapped: bool) -> ConfigurationError:
    if swapped:
        return ConfigurationError(
            f"the span ends (--until {until}) before it starts (--since {since})",
            next_step=f"swap them: --since {until} --until {since}",
        )
    return ConfigurationError(
        f"the span from --since {since} to --until {until} is empty",
        next_step="let it begin earlier: --since 1h, for example",
    )


_PARAMETERS = (
    click.option(
        "-c",
        "--channel",
        multiple=True,
        metavar="N",
        help="Only this channel; can be repeated.  [default: all]",
    ),
    click.option(
        "--since",
        metavar="TIME",
        default="24h",
        show_default=True,
        help="Begin: so long ago (24h, 2h30m, 7d) or an ISO time.",
    ),
    click.option(
        "--until",
        metavar="TIME",
        default="now",
        show_default=True,
        help="End, likewise.",
    ),
    click.option(
        "--kind",
        multiple=True,
        type=click.Choice([kind.value for kind in RecordingKind]),
        help="Only recordings made for this reason; can be repeated.",
    ),
)


def selection_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add the options that choose recordings; the command gets them as ``selection``."""

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Result:
        names = ("channel", "since", "until", "kind")
        selection = Selection.of(**{name: options.pop(name) for name in names})
        return function(*arguments, selection=selection, **options)

    decorated: Callable[..., Result] = command
    for parameter in reversed(_PARAMETERS):
        decorated = parameter(decorated)
    return decorated
