"""Which recordings: the options of ``search`` and ``download``, and the search itself."""

from __future__ import annotations

import functools

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs
import click

from .._time import TimeSpan, utcnow
from ..errors import ConfigurationError
from ..models import Channel, Recording, RecordingKind
from ..provider import Provider
from ._times import parse_moment


Result = TypeVar("Result")


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
            ConfigurationError: A bound is no time, or the span ends before it starts.
        """
        now = utcnow()
        span = TimeSpan(parse_moment(since, now), parse_moment(until, now))
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
        strangers = [wanted for wanted in self.channels if wanted not in by_id]
        if strangers:
            msg = f"the recorder has no channel {', '.join(strangers)}"
            raise ConfigurationError(msg, next_step=f"it has: {', '.join(by_id) or 'none'}")
        return [by_id[wanted] for wanted in dict.fromkeys(self.channels)]


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
