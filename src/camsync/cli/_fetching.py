"""From recordings to files: one folder for all of a recorder, one per device of a cloud account."""

from __future__ import annotations

import hashlib
import re

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from .._cancel import CancelToken
from ..download import download_many
from ..errors import DownloadUnsupportedError, LicenceError, QuotaError
from ..models import Capability, Downloaded, Failed, Progress, Recording, Stage
from ._link import Link
from ._output import Output
from ._vendors import vendor_of


Result = Downloaded | Failed
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{3,62}", re.ASCII)
_NO = "no"
_YES = "yes"


class Support(Protocol):
    """Whether a recording can be fetched, and why."""

    @property
    def level(self) -> str:
        """``"yes"``, ``"experimental"`` or ``"no"``."""
        ...

    @property
    def reason(self) -> str:
        """Why, in words."""
        ...


@runtime_checkable
class Judging(Protocol):
    """A provider that knows whether a recording can be fetched."""

    def can_download(self, recording: Recording) -> Support:
        """Say whether it can, as far as is known; nothing is sent."""
        ...


def device_folder(device: str) -> str:
    """Return the folder of a device: its id, which stays when its owner renames it.

    Ids come from the cloud: what cannot be a folder's name everywhere is replaced by a digest.
    """
    if _PLAIN.fullmatch(device):
        return device
    return f"device-{hashlib.sha256(device.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def results(
    output: Output,
    link: Link,
    wanted: Sequence[Recording],
    dest: Path,
    *,
    container: str,
    on_event: Callable[[Progress], object],
    cancel: CancelToken,
) -> Iterator[Result]:
    """Download *wanted* and yield what came of each.

    Raises:
        DownloadUnsupportedError: The account may download nothing.
        QuotaError: Calls or traffic are used up.
        CamsyncError: Whatever else ends a run, see `camsync.download_many`.
    """
    provider = link.provider
    options: dict[str, Any] = {"container": container, "on_event": on_event, "cancel": cancel}
    if not vendor_of(provider.name).cloud:
        yield from download_many(provider, wanted, dest, **options)
        return
    told: set[str] = set()
    for recording in wanted:
        refused = _judged(output, link, recording, told)
        if refused is not None:
            event = Progress(stage=Stage.FAILED, recording=recording, message=refused.message)
            on_event(event)
            yield Failed(recording=recording, error=refused)
            continue
        folder = dest / device_folder(recording.key.device)
        for result in download_many(provider, [recording], folder, **options):
            if isinstance(result, Failed) and _is_final(result):
                raise result.error
            yield result


def _is_final(failed: Failed) -> bool:
    """Whether all others would fail for the same reason."""
    return isinstance(failed.error, QuotaError) and not isinstance(failed.error, LicenceError)


def _judged(
    output: Output, link: Link, recording: Recording, told: set[str]
) -> DownloadUnsupportedError | None:
    """Ask before anything is sent; say once why it may not work."""
    provider = link.provider
    if not isinstance(provider, Judging):
        return None
    support = provider.can_download(recording)
    if support.level != _NO:
        if support.level != _YES and support.reason not in told and not output.json:
            told.add(support.reason)
            output.note(f"whether this can be downloaded is not known: {support.reason}")
        return None
    step = f"fetch it in the vendor's app; see: camsync doctor {link.shown}"
    error = DownloadUnsupportedError(support.reason, next_step=step)
    if Capability.DOWNLOAD not in provider.capabilities:
        raise error
    return error
