"""The arguments of a run, checked before anything is sent."""

from __future__ import annotations

import datetime as dt
import importlib
import os

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from .._cancel import CancelToken
from .._retry import RetryPolicy
from .._words import kind_of
from ..errors import ConfigurationError, MissingExtraError
from ..models import Progress, Recording, RecordingKey
from ._existing import Former
from ._layout import DEFAULT, Layout
from ._paths import Container, is_file_name


_EXTRA = "mp4"
MIN_FREE = 256 * 1024 * 1024

OnEvent = Callable[[Progress], object]
CameraOf = Callable[[Recording], str]


def media_stage() -> Any:
    """Import the media stage, which needs the extra ``mp4``."""
    try:
        return importlib.import_module("camsync.download.media")
    except ImportError as error:
        raise MissingExtraError.for_extra(_EXTRA, "container='mp4'") from error


def _has_method(value: object, name: str) -> bool:
    """Whether *value* has the method; a class has it, too, but cannot be called without self."""
    return callable(getattr(value, name, None)) and not isinstance(value, type)


def _as_container(value: str) -> Container:
    if value == "mp4":
        media_stage()
        return "mp4"
    if value == "original":
        return "original"
    msg = f"container must be 'mp4' or 'original', not {value!r}"
    raise ConfigurationError(msg)


def _as_path(value: str | os.PathLike[str]) -> Path:
    try:
        path = Path(value)
    except TypeError as error:
        msg = f"dest must be a path, not {kind_of(value)}"
        raise ConfigurationError(msg) from error
    if "\0" in str(path):
        msg = "dest holds a NUL character"
        raise ConfigurationError(msg)
    return path


def _as_layout(value: Any) -> Layout | None:
    if value is None or isinstance(value, Layout):
        return value
    if isinstance(value, str):
        return Layout.parse(value)
    msg = f"layout must be text, not {kind_of(value)}"
    raise ConfigurationError(msg, next_step=f"for example {DEFAULT!r}")


def _is_size(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, int):
        msg = f"min_free must be a whole number of bytes, not {kind_of(value)}"
        raise ConfigurationError(msg)
    if value < 0:
        msg = f"min_free must not be negative, but is {value}"
        raise ConfigurationError(msg)


def _is_zone(_instance: object, _attribute: object, value: Any) -> None:
    if value is not None and not isinstance(value, dt.tzinfo):
        msg = f"timezone must be a tzinfo, not {kind_of(value)}"
        raise ConfigurationError(msg, next_step="use zoneinfo.ZoneInfo('Europe/Berlin')")


def _is_callback(_instance: object, _attribute: object, value: Any) -> None:
    if value is not None and not callable(value):
        msg = f"on_event must be a function that takes a Progress, not {kind_of(value)}"
        raise ConfigurationError(msg)


def _is_token(_instance: object, _attribute: object, value: Any) -> None:
    if value is not None and not _has_method(value, "is_set"):
        msg = f"cancel must have a method is_set(), but is {kind_of(value)}"
        raise ConfigurationError(msg, next_step="use a threading.Event()")


def _is_policy(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, RetryPolicy):
        msg = f"retry must be a RetryPolicy, not {kind_of(value)}"
        raise ConfigurationError(msg, next_step="use camsync.RetryPolicy(attempts=3)")


@attrs.frozen(kw_only=True)
class Options:
    """The checked arguments of a run.

    Attributes:
        camera: The name of the recording's camera, or a function that gives it, for hosts that
            bind it once and for all; None makes it from the channel's number and its name.
        former: What the caller knows of a file of the recording that was fetched before.
    """

    dest: Path = attrs.field(converter=_as_path)
    container: Container = attrs.field(default="mp4", converter=_as_container)
    on_event: OnEvent | None = attrs.field(default=None, validator=_is_callback)
    cancel: CancelToken | None = attrs.field(default=None, validator=_is_token)
    timezone: dt.tzinfo | None = attrs.field(default=None, validator=_is_zone)
    retry: RetryPolicy = attrs.field(default=RetryPolicy(), validator=_is_policy)
    min_free: int = attrs.field(default=MIN_FREE, validator=_is_size)
    allow_in_progress: bool = False
    layout: Layout | None = attrs.field(default=None, converter=_as_layout)
    camera: str | CameraOf | None = None
    former: Former | None = None

    def __attrs_post_init__(self) -> None:
        if self.layout is not None and self.is_file:
            msg = f"a layout needs a folder, but {self.dest} is a file's name"
            raise ConfigurationError(msg, next_step="give a folder as dest, or no layout")

    def camera_of(self, recording: Recording) -> str | None:
        """Return the given name of a recording's camera, or None."""
        return self.camera(recording) if callable(self.camera) else self.camera

    @property
    def is_file(self) -> bool:
        """Whether ``dest`` names the file itself, not its folder."""
        return is_file_name(self.dest, self.container)


def check_provider(value: object) -> None:
    """Raise `ConfigurationError` if *value* cannot open recordings."""
    if not _has_method(value, "open"):
        msg = f"provider must be an object with a method open(), but is {kind_of(value)}"
        raise ConfigurationError(msg, next_step="use what camsync.connect(url) returns")


def check_recording(value: object) -> None:
    """Raise `ConfigurationError` if *value* is no recording, and say how to get one."""
    if isinstance(value, Recording):
        return
    step = "take one from provider.search(channel, span)"
    if isinstance(value, (RecordingKey, str)):
        step = "provider.locate(key) finds the recording of a RecordingKey"
    elif isinstance(value, Iterable):
        step = "use download_many for more than one recording"
    msg = f"expected a Recording, not {kind_of(value)}"
    raise ConfigurationError(msg, next_step=step)


def check_recordings(value: object) -> None:
    """Raise `ConfigurationError` if *value* are no recordings, as far as can be seen by now.

    What comes one by one, from a search that is still going on, is checked as it comes.
    """
    if isinstance(value, Recording):
        msg = "expected several recordings, not one Recording"
        raise ConfigurationError(msg, next_step="use download, or give it in a list")
    if isinstance(value, (RecordingKey, str)) or not isinstance(value, Iterable):
        msg = f"expected an iterable of Recording, not {kind_of(value)}"
        raise ConfigurationError(msg, next_step="give what provider.search(channel, span) returns")
    if isinstance(value, Sequence):
        for each in value:
            check_recording(each)
