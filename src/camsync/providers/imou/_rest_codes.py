"""What a gateway's statuses and result codes mean: typed errors with a next step."""

from __future__ import annotations

from typing import Final

from ...errors import (
    AuthenticationError,
    CamsyncError,
    DeviceBusyError,
    PermissionDeniedError,
    ProtocolError,
    RequestRejectedError,
    UnreachableError,
)
from ...transport import Answer
from ._codes import error_of, family_of
from ._parse import Secrets
from ._rest_parse import read_failure


_OK: Final = 200
_STALE: Final = 401
_LONGEST_WISH: Final = 6


def is_stale(error: CamsyncError) -> bool:
    """Whether a call was refused because of its token."""
    code = error.vendor_code or ""
    return error.http_status == _STALE or code == str(_STALE) or family_of(code) == "token"


def check_status(answer: Answer, path: str, secrets: Secrets = ()) -> None:
    """Raise for every status but 200.

    Args:
        secrets: What was sent, and may be echoed.

    Raises:
        CamsyncError: What it means.
    """
    if answer.status == _OK:
        return
    found = read_failure(answer.body, secrets)
    error = of_status(answer.status, path, found.msg, answer.headers.get("Retry-After", ""))
    error.http_status = answer.status
    error.vendor_code = found.code or None
    raise error


def of_status(status: int, path: str, words: str = "", wish: str = "") -> CamsyncError:
    """Build the error for an HTTP status."""
    msg = f"{path}: the gateway answers with {status}" + (f" ({words})" if words else "")
    if status == _STALE:
        return AuthenticationError(msg, next_step="try again; if it stays, link the account again")
    if status == 403:  # noqa: PLR2004
        step = "link the account again with the scopes that this needs; check whose device it is"
        return PermissionDeniedError(msg, next_step=step)
    if status in {429, 503}:
        wait = (
            float(wish)
            if wish.isdecimal() and wish.isascii() and len(wish) < _LONGEST_WISH
            else None
        )
        return DeviceBusyError(msg, retry_after=wait, next_step="try again in a minute")
    if status >= 500:  # noqa: PLR2004
        return UnreachableError(msg, next_step="try again later: the gateway has trouble")
    if status >= 400:  # noqa: PLR2004
        step = "check that base_url is the root of a gateway that offers this"
        return RequestRejectedError(msg, next_step=step)
    step = "check base_url: nothing is redirected to another host"
    return ProtocolError(msg, next_step=step)


def failure_of(code: str, words: str, path: str) -> CamsyncError:
    """Build the error for a result code.

    The plan only says that 0 is success. So a code of the vendor's table means what it means
    there, one that looks like an HTTP status means that, and every other one is shown as it is.
    """
    if code.isascii() and code.isdecimal() and len(code) == 3 and "400" <= code <= "599":  # noqa: PLR2004
        error = of_status(int(code), path, words)
    elif family_of(code) != "foreign":
        return error_of(code, words, path)
    else:
        msg = f"{path}: the gateway refuses this" + (f" ({words})" if words else "")
        step = "look the code up in the gateway's own documents"
        error = RequestRejectedError(msg, next_step=step)
    error.vendor_code = code
    return error
