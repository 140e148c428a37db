"""Which recordings: the options of ``search`` and ``download``, and the search itself."""

from __future__ import annotations

import functools

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs
import click

from .._time import TimeSpan, utcnow
from .._typed import names_meant, near_name
from ..errors import (
    CamsyncError,
    Category,
    ConfigurationError,
    LicenceError,
    NoCloudPlanError,
    NoLocalStorageError,
)
from ..models import Channel, Recording, RecordingKind
from ..provider import Provider
from ._format import utc_text
from ._times import parse_moment


Result = TypeVar("Result")
_FUTURE = (
    "write 24h for one day ago; a time without offset is local time of this computer: "
    "2026-09-26T08:00+08:00 is exact"
)


_ENDING = frozenset(
    {
        Category.SETUP,
        Category.TLS,
        Category.AUTHENTICATION,
        Category.CREDENTIALS,
        Category.CANCELLED,
    }
)
"""What goes wrong for all devices alike."""


@attrs.frozen(kw_only=True)
class Found:
    """What a search brought.

    Attributes:
        recordings: Oldest first.
        problems: The channels that could not be searched to the end, and why. An account's other
            devices do not suffer from one that is offline.
        without: The channels that have nothing to search, and why: no plan, or no card. In an
            account with different cameras that is how it should be.
    """

    recordings: Sequence[Recording]
    problems: Sequence[tuple[Channel, CamsyncError]] = ()
    without: Sequence[tuple[Channel, CamsyncError]] = ()


@attrs.frozen(kw_only=True)
class Selection:
    """What the user wants to see or to have."""

    devices: tuple[str, ...]
    channels: tuple[str, ...]
    span: TimeSpan
    kinds: tuple[RecordingKind, ...]

    @classmethod
    def of(
        cls,
        *,
        device: tuple[str, ...],
        channel: tuple[str, ...],
        since: str,
        until: str,
        kind: tuple[str, ...],
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
        kinds = tuple(map(RecordingKind, kind))
        return cls(devices=device, channels=channel, span=span, kinds=kinds)

    def search(self, provider: Provider, known: Sequence[Channel]) -> Found:
        """Search all chosen ones of the *known* channels.

        Raises:
            ConfigurationError: There is no such device or channel.
            CamsyncError: A search failed in a way that concerns all of them, or all of them did,
                or there is but one device.
        """
        chosen = self._chosen(self._of_devices(known))
        several = _devices_of(chosen) > 1
        found: list[Recording] = []
        problems: list[tuple[Channel, CamsyncError]] = []
        without: list[tuple[Channel, CamsyncError]] = []
        for channel in chosen:
            try:
                found.extend(provider.search(channel, self.span, kinds=self.kinds or None))
            except (NoCloudPlanError, NoLocalStorageError) as error:  # noqa: PERF203
                without.append((channel, error))
            except CamsyncError as error:  # one device must not hide the others
                if not several or _concerns_all(error):
                    raise
                problems.append((channel, error))
        missing = [error for _, error in (*problems, *without)]
        if missing and len(missing) == len(chosen) and not found:
            raise missing[0]
        recordings = sorted(found, key=lambda recording: recording.start)
        return Found(recordings=recordings, problems=problems, without=without)

    def _of_devices(self, known: Sequence[Channel]) -> Sequence[Channel]:
        if not self.devices:
            return known
        ids = dict.fromkeys(str(channel.device) for channel in known)
        strangers = [name for name in self.devices if name not in ids]
        if strangers:
            msg = f"there is no device {', '.join(strangers)}, or it has no channels"
            raise ConfigurationError(msg, next_step=f"there are: {', '.join(ids) or 'none'}")
        return [channel for channel in known if channel.device in self.devices]

    def _chosen(self, known: Sequence[Channel]) -> Sequence[Channel]:
        """Return the channels with the wanted numbers, of each device that has one."""
        if not self.channels:
            return known
        ids = {str(channel.id) for channel in known}
        meant = [names_meant(name, ids) for name in self.channels]
        wanted = [name for found, _ in meant for name in found]
        strangers = [name for _, unknown in meant for name in unknown]
        if strangers:
            several = _devices_of(known) > 1
            what = "no device has a channel" if several else "the recorder has no channel"
            msg = f"{what} {', '.join(strangers)}"
            named = ", ".join(_name(channel, several=several) for channel in known)
            near = near_name(strangers[0], [channel.name for channel in known])
            step = f"{near}{'there are' if several else 'it has'}: {named or 'none'}"
            raise ConfigurationError(msg, next_step=step)
        order = dict.fromkeys(wanted)
        return [one for name in order for one in known if str(one.id) == name]


def _devices_of(channels: Sequence[Channel]) -> int:
    return len({channel.device for channel in channels})


def _name(channel: Channel, *, several: bool) -> str:
    number = f"{channel.device}/{channel.id}" if several else channel.id
    return f"{number} ({channel.name})"


def _concerns_all(error: CamsyncError) -> bool:
    """Whether the other devices of an account would meet the same error."""
    if error.category is Category.NETWORK:
        return error.vendor_code is None  # else the cloud was reached, and the device was not
    if error.category is Category.QUOTA:
        return not isinstance(error, LicenceError)
    return error.category in _ENDING


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
        "--device",
        multiple=True,
        metavar="ID",
        help="Only this device of an account; can be repeated.  [default: all]",
    ),
    click.option(
        "-c",
        "--channel",
        multiple=True,
        metavar="N",
        help="Only this channel, of each device: 1, or 1,3 or 1-4; can be repeated.  [default: all]",
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
        names = ("device", "channel", "since", "until", "kind")
        selection = Selection.of(**{name: options.pop(name) for name in names})
        return function(*arguments, selection=selection, **options)

    decorated: Callable[..., Result] = command
    for parameter in reversed(_PARAMETERS):
        decorated = parameter(decorated)
    return decorated
