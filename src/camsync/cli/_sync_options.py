"""The arguments of ``camsync sync`` and ``camsync plan``: what the file of recorders may say, too."""

from __future__ import annotations

import functools
import re

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from click.core import ParameterSource

from .._places import absolute
from .._secret import Secret
from ..errors import CamsyncError, ConfigurationError
from ..models import RecordingKind
from ._account import ACCOUNT_PARAMETERS
from ._options import LIMITS, Finite, store_option
from ._place import find_place
from ._vendors import check_options


if TYPE_CHECKING:
    from ..sync._config import AccountSettings, SyncConfig


Result = TypeVar("Result")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
CATALOGUE_VARIABLE = "CAMSYNC_CATALOGUE"
_LONGEST_TIMEOUT = 86_400.0
_WITH_PASSWORD = re.compile(r"(?<!^[a-z]):[^/@]*@|password\s*=", re.IGNORECASE)
"""Also in what has lost its ``://``; the ``:`` of a Windows drive begins none."""


@attrs.frozen(kw_only=True)
class Way:
    """How to reach the devices, as far as their profiles do not say it."""

    password_file: str | None = None
    store: str | None = None
    timeout: float | None = None


@attrs.frozen(kw_only=True)
class Request:
    """What the user wants to have synced.

    Attributes:
        places: URLs and names of profiles; people type passwords into URLs.
        config: For ``--config``, or None.
        given: The other options, as ``camsync.toml`` would say them.
    """

    places: tuple[Secret, ...]
    config: str | None
    given: Mapping[str, Any]
    way: Way

    def load(self) -> SyncConfig:
        """Read the file, if there is one to read; the options beat it.

        Raises:
            ConfigurationError: A place, an option or the file is unusable.
            MissingExtraError: The extra ``sync`` is not installed.
        """
        from ..sync._config import SyncConfig
        from ..sync._document import Document

        for place in self.places:
            find_place(place)
        tables = [{"url": place.reveal()} for place in self.places]
        spelling = {key: option for option, key in _NAMES.items()}
        values = {**self.given, "source": tables}
        document = Document(folder=absolute(""), values=values, spelling=spelling)
        alone = bool(self.places) and self.config is None
        if alone and ("dest" in self.given or not SyncConfig.find().exists()):
            config = SyncConfig.of(document)
        else:
            config = SyncConfig.load(self.config, more=SyncConfig.of(document, partial=True))
        self._check_password(len(config.sources))
        config.tasks()  # a source without a destination is found before anybody is asked
        for source in config.sources:
            check_account(source.place, source.account, several=len(config.sources) > 1)
        return config

    def _check_password(self, number: int) -> None:
        if self.way.password_file is not None and number > 1:
            msg = "--password-file holds one password, and there are several sources"
            step = "store the passwords once: camsync login"
            raise ConfigurationError(msg, next_step=step)


def account_options(given: Mapping[str, Any]) -> AccountSettings:
    """Read the options of an account, where there is no file and no other source.

    Raises:
        ConfigurationError: One of them cannot be used.
    """
    from ..sync._config import SyncConfig
    from ..sync._document import Document

    return SyncConfig.of(Document(values=_said(given)), partial=True).account


def _said(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that were given."""
    return {
        name: value
        for name, value in options.items()
        if not (value is None or value is False or value == ())
    }


def check_account(place: str, account: AccountSettings, *, several: bool = False) -> None:
    """Refuse what only a cloud account has, if *place* is none.

    Args:
        several: Whether *place* is but one of several sources.

    Raises:
        ConfigurationError: It was said of a recorder.
    """
    if not account.options:
        return
    try:
        provider = find_place(Secret(place)).url.provider
    except CamsyncError:  # it is neither: the run says so, and goes on with the others
        return
    whose = place if several else ""
    check_options(provider, account.options, said=account.said, place=whose)


def _wrapped(
    _context: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> tuple[Secret, ...]:
    return tuple(map(Secret, texts))


def _home(context: click.Context, parameter: click.Parameter, text: str | None) -> Secret | None:
    if text is None:
        return None
    typed = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    if typed and _WITH_PASSWORD.search(text):
        msg = "--catalogue holds a password, and every program on this computer can read it there"
        step = f"put the URL into {CATALOGUE_VARIABLE}, or the password into ~/.pgpass"
        raise ConfigurationError(msg, next_step=step)
    return Secret(text)


def _no_limit(context: click.Context, _parameter: click.Parameter, text: str | None) -> None:
    if text is not None:
        msg = f"{context.command_path} has no --limit: later runs fetch what is left"
        raise ConfigurationError(msg, next_step="write --max-files, or --max-bytes")


_PLACES = (
    click.argument("urls", metavar="[URL|NAME]...", nargs=-1, callback=_wrapped),
    click.option("-d", "--dest", "--to", "to", metavar="DIRECTORY", help="Folder for the files."),
    click.option(
        "--config",
        metavar="FILE",
        help="The file of recorders.  [default: camsync.toml here, else in the config folder]",
    ),
)
_WHAT = (
    click.option(
        "--since",
        metavar="TIME",
        help="How far back to go, at least: 24h, 7d, an ISO time.  [default: on from the last run;"
        " 24h for a channel that was never searched]",
    ),
    click.option(
        "--span",
        nargs=2,
        metavar="START END",
        help="Exactly this span instead, whatever was searched before.",
    ),
    click.option(
        "-c",
        "--channel",
        multiple=True,
        metavar="ID",
        help="Only this channel: its id (or 1,3 or 1-4), its name, or DEVICE/ID; can be repeated."
        "  [default: all]",
    ),
    click.option(
        "--kind",
        multiple=True,
        type=click.Choice([kind.value for kind in RecordingKind]),
        help="Only recordings made for this reason; can be repeated.",
    ),
    click.option("--order", type=click.Choice(["oldest", "newest"]), help="What comes first."),
    click.option(
        "--settle", metavar="LENGTH", help="Leave a recording alone for so long after its end."
    ),
)
_HOW = (
    click.option("--layout", metavar="TEMPLATE", help="Names of the files below the folder."),
    click.option(
        "--container",
        type=click.Choice(["mp4", "original"]),
        help="MP4 without re-encoding, or the bytes as the device sends them.  [default: mp4]",
    ),
    click.option("--timezone", metavar="ZONE", help="The zone of the times in names."),
    click.option("--max-files", type=click.IntRange(min=1), metavar="N", help="At most N files."),
    click.option("--limit", hidden=True, expose_value=False, callback=_no_limit),
    click.option("--max-bytes", metavar="SIZE", help="At most so much: 20G."),
    click.option("--min-free", metavar="SIZE", help="Leave so much room on the disk: 10G."),
    click.option(
        "--bandwidth",
        metavar="RATE",
        help="Bytes a second for all together: 2M, or '08:00,2M 18:00,off'.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(min=1, max=64),
        metavar="N",
        help="The most downloads at once from one device.",
    ),
)
catalogue_option = click.option(
    "--catalogue",
    metavar="FILE|postgresql://…",
    envvar=CATALOGUE_VARIABLE,
    show_envvar=False,
    callback=_home,
    help=f"Where is written down what is here.  [default: ${CATALOGUE_VARIABLE}, or the user's own]",
)
_WAY = (
    click.option(
        "--password-file",
        metavar="FILE",
        help="Read the password from FILE, or from stdin for '-'; for one source only.",
    ),
    store_option,
    click.option(
        "--timeout",
        type=Finite(min=0, min_open=True, max=_LONGEST_TIMEOUT),
        metavar="SECONDS",
        help="How long to wait for an answer.  [default: 60]",
    ),
)
ACCOUNT_OPTIONS: Sequence[Decorator] = (
    *ACCOUNT_PARAMETERS,
    LIMITS[0],
    click.option(
        "--max-traffic",
        metavar="SIZE",
        help="Cloud accounts: fetch nothing more after so much this month: 1.5G.",
    ),
)
ACCOUNT_NAMES = ("storage", "wake", "max_calls", "max_traffic")
_NAMES = {"to": "dest", "channel": "channels", "kind": "kinds"}
WAY_OPTIONS: Sequence[Decorator] = _WAY


def sync_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add what ``camsync sync`` takes; the command gets it as ``request`` and ``catalogue``."""
    return _requesting(function, (*_PLACES, *_WHAT, *_HOW, *ACCOUNT_OPTIONS, *_WAY))


def plan_options(function: Callable[..., Result]) -> Callable[..., Result]:
    """Add what ``camsync plan`` takes; so that it can be called like ``sync``, all of that."""
    return sync_options(function)


def _requesting(
    function: Callable[..., Result], parameters: Sequence[Decorator]
) -> Callable[..., Result]:
    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Result:
        way = {field.name: options.pop(field.name) for field in attrs.fields(Way)}
        places, config = options.pop("urls"), options.pop("config")
        said = _said({name: options.pop(name) for name in _GIVEN})
        given = {_NAMES.get(name, name): value for name, value in said.items()}
        request = Request(places=places, config=config, given=given, way=Way(**way))
        return function(*arguments, request=request, **options)

    return decorate(command, (*parameters, catalogue_option))


_GIVEN = (
    *("to", "since", "span", "channel", "kind", "order", "settle", "layout", "container"),
    *("timezone", "max_files", "max_bytes", "min_free", "bandwidth", "concurrency"),
    *ACCOUNT_NAMES,
)


def decorate(function: Callable[..., Any], parameters: Sequence[Decorator]) -> Callable[..., Any]:
    """Add *parameters* to a command, in this order."""
    for parameter in reversed(parameters):
        function = parameter(function)
    return function


def catalogue_home(given: Secret | None, config: SyncConfig | None) -> Secret | Path | None:
    """Return where the catalogue is: what the option or the variable says, else the file."""
    if given is not None:
        return given
    home = None if config is None else config.catalogue
    return Secret(home) if isinstance(home, str) else home
