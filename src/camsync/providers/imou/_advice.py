"""What to do about trouble with a cloud: errors speak of recorders unless they are told otherwise."""

from __future__ import annotations

import contextlib

from collections.abc import Iterator
from typing import Final

from ...errors import (
    CamsyncError,
    CorruptMediaError,
    DeviceBusyError,
    DeviceFaultError,
    DeviceTimeoutError,
    PermissionDeniedError,
    ProtocolError,
    RequestRejectedError,
    ShortReadError,
    UnreachableError,
)
from ...transport import Answer


_IN_THE_CLOUD: Final[dict[type[CamsyncError], str]] = {
    CorruptMediaError: (
        "fetch it with container='original' to look at the bytes; footage under a key of the "
        "owner's own can only be watched in the vendor's app"
    ),
    DeviceBusyError: "try again in a minute, with fewer downloads at once",
    DeviceFaultError: "try again in a few minutes; if it stays, ask the vendor",
    DeviceTimeoutError: "try again later, or raise the timeout",
    PermissionDeniedError: "search again, so that a fresh address is asked for, and try once more",
    ProtocolError: "check region or base URL; try again later, and run 'camsync doctor'",
    RequestRejectedError: "run 'camsync doctor' and report the output",
    ShortReadError: "try again; if it stays, the cloud holds less of it than it lists",
    UnreachableError: (
        "check this computer's connection to the internet, and the region; or try again later"
    ),
}


def in_the_cloud(error: CamsyncError) -> None:
    """Replace the advice that *error* has from its class by what helps with a cloud."""
    step = _IN_THE_CLOUD.get(type(error))
    if step is not None and error.next_step == error.default_next_step:
        error.next_step = step


@contextlib.contextmanager
def whole(answer: Answer, method: str) -> Iterator[None]:
    """Say of an answer that makes no sense because it broke off that the connection broke.

    All that is asked of a cloud may be asked again; each try counts as a call.
    """
    try:
        yield
    except ProtocolError as error:
        if not answer.missing:
            raise
        msg = f"the connection broke in the middle of the answer to {method}"
        broken = UnreachableError(msg)
        in_the_cloud(broken)
        raise broken from error
