"""Takes secrets out of errors before these leave: their frames, their attributes, their words.

A traceback keeps every frame between the error and whoever catches it alive, and each frame its
local variables. Debuggers, crash reporters and ``TracebackException(capture_locals=True)`` show
them. requests, urllib3 and http.client hold the ``Authorization`` header there in many forms, and
hang the request or the connection on their errors.
"""

from __future__ import annotations

import traceback

from collections.abc import Iterator

from .._secret import Secret
from ..errors import CamsyncError


_MASK = "***"
_PLAIN = (str, bytes, int, float, type(None), BaseException)


def chain(error: BaseException, stop: BaseException | None = None) -> Iterator[BaseException]:
    """Yield *error* and every error that it holds or that came before it, each once.

    Args:
        stop: The error that was being handled when the work began: it is the caller's.
    """
    seen = {id(stop)}
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *one.args, *vars(one).values()]


def clean(
    error: BaseException, stop: BaseException | None = None, sent: Secret | None = None
) -> None:
    """Make *error* and its whole chain safe to show.

    Finished frames lose their variables but keep file and line. Errors of other libraries lose
    what is neither text nor number, and *sent* (an ``Authorization`` value) wherever they quote it.

    Args:
        stop: The caller's own error, which is left alone with all that is behind it.
    """
    for one in list(chain(error, stop)):
        traceback.clear_frames(one.__traceback__)
        if not isinstance(one, CamsyncError):
            _strip(one, sent)


def _strip(error: BaseException, sent: Secret | None) -> None:
    if isinstance(error, UnicodeError):
        _strip_unicode(error)
    held = [arg for arg in error.args if isinstance(arg, _PLAIN)]
    error.args = tuple(without(arg, sent) for arg in held)
    for name, value in list(vars(error).items()):
        setattr(error, name, without(value, sent) if isinstance(value, _PLAIN) else None)


def _strip_unicode(error: UnicodeError) -> None:
    """Empty the text or the bytes that could not be converted."""
    error.args = ()
    if isinstance(error, UnicodeDecodeError):
        error.object = b""
    elif isinstance(error, UnicodeEncodeError):
        error.object = ""


def without(value: object, sent: Secret | None) -> object:
    """Return *value* without *sent* and without its part behind the scheme, if it is text."""
    if sent is None or not isinstance(value, (str, bytes)):
        return value
    if isinstance(value, bytes):
        mask = _MASK.encode()
        value = value.replace(sent.reveal().encode(), mask)
        return value.replace(sent.reveal().partition(" ")[2].encode(), mask)
    value = value.replace(sent.reveal(), _MASK)
    return value.replace(sent.reveal().partition(" ")[2], _MASK)
