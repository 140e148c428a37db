"""Waiting that can be broken off, for what cannot look at a `CancelToken` itself."""

from __future__ import annotations

import threading

from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from ..._cancel import CancelToken, check_cancelled


T = TypeVar("T")
_POLL: Final = 0.1


def aside(work: Callable[[], T], cancel: CancelToken | None) -> T:
    """Return what *work* returns, or raise what it raises.

    With *cancel* it runs in a thread of its own, which is left behind when *cancel* is set: it
    ends by itself, at the latest with its time limit, and what comes of it is forgotten.

    Raises:
        CancelledError: *cancel* was set.
    """
    if cancel is None:
        return work()
    check_cancelled(cancel)
    done: list[Callable[[], T]] = []
    thread = threading.Thread(
        target=lambda: done.append(_outcome(work)), name="camsync-question", daemon=True
    )
    thread.start()
    thread.join(_POLL)
    while not done:
        check_cancelled(cancel)
        thread.join(_POLL)
    return done[0]()


def _outcome(work: Callable[[], T]) -> Callable[[], T]:
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - it is raised where somebody can see it
        return lambda failure=error: _raised(failure)  # type: ignore[misc]
    return lambda: value


def _raised(error: BaseException) -> NoReturn:
    raise error


def waiting(sleep: Callable[..., None], seconds: float, cancel: CancelToken | None) -> None:
    """Sleep; a *sleep* that knows nothing of cancelling is not told of it without need."""
    if cancel is None:
        sleep(seconds)
    else:
        sleep(seconds, cancel)
