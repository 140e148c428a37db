"""The statements that move recordings from one state to the next, each built once.

A sync makes three of them for each recording; to build and compile one costs more than to execute
it. What differs from one execution to the next is a parameter, see `given`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from ._codec import exact
from ._schema import RECORDING, UNSETTLED
from ._sql import is_in
from ._values import CLAIMED, Entry, State


_CLOCKS_DIFFER = 300
"""Seconds by which a lease may begin in the future: then another computer's clock is ahead."""

_LEASE = "lease_owner", "lease_from", "lease_until"
_FILE = "path", "file_size", "duration", "container", "codec"
_NO_LEASE: dict[str, Any] = dict.fromkeys(_LEASE)
_NO_FAILURE: dict[str, Any] = {
    "failures": 0,
    "error": "",
    "error_category": "",
    "error_code": "",
    "next_try": None,
}
_KEY = "track_id", "key_start", "item"

Step = sa.Update
"""An update of the rows of some keys; see `camsync.catalogue._book.Book._change`."""


def parameters(key: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an execution of a step wants to know.

    Args:
        key: The columns that identify the recording.
        values: What `_given` names.
    """
    of_the_key = {f"of_{name}": value for name, value in key.items()}
    return {**of_the_key, **{f"given_{name}": value for name, value in values.items()}}


def _given(name: str) -> Any:
    """Return a parameter: of the type of the column of this name, if there is one."""
    column = RECORDING.c.get(name)
    return sa.bindparam(f"given_{name}", type_=None if column is None else column.type)


def _step(names: tuple[str, ...] = (), *conditions: Any, **values: Any) -> Step:
    """Build the statement that sets what is given for *names*, and these *values*."""
    mine = (RECORDING.c[name] == sa.bindparam(f"of_{name}") for name in _KEY)
    changes = {**{name: _given(name) for name in names}, **values}
    return RECORDING.update().where(*mine, *conditions).values(changes)


def _claimed_by_another() -> Any:
    """Return the condition that a lease of somebody else than the given owner lasts.

    One from the future was made before a clock was set back: nobody would ever see it end.
    """
    now = _given("lease_from")
    return sa.and_(
        is_in(*CLAIMED),
        RECORDING.c.lease_owner != _given("lease_owner"),
        RECORDING.c.lease_from - _CLOCKS_DIFFER <= now,
        RECORDING.c.lease_until > now,
    )


def not_missed_yet(now: Any) -> Any:
    """Return the condition that a recording was listed last time, by a clock that was right."""
    missed = RECORDING.c.missed_at
    return sa.and_(UNSETTLED, sa.or_(missed.is_(None), missed > now))


def _is_theirs() -> Any:
    """Return the condition that somebody else than the given owner has claimed it.

    Also with a lease that has run out: whoever comes late has no say any more.
    """
    other = RECORDING.c.lease_owner.is_distinct_from(_given("lease_owner"))
    return sa.and_(is_in(*CLAIMED), other)


_NOT_HELD = sa.not_(is_in(State.VERIFIED))
_NOT_THEIRS = sa.not_(_is_theirs())
_UNPRUNED = is_in(State.VERIFIED), RECORDING.c.pruned_at.is_(None)
_WHERE_IT_WAS = (
    *_UNPRUNED,
    *(
        RECORDING.c[name] == sa.bindparam(f"given_was_{name}", type_=RECORDING.c[name].type)
        for name in ("path", "file_size", "sha256")
    ),
)
"""What was looked at is still what the row is about: see `was`."""
_TODO = sa.or_(
    is_in(State.SEEN, State.PLANNED, State.FAILED, State.QUARANTINED),
    sa.and_(is_in(*CLAIMED), sa.not_(_claimed_by_another())),
)
_ONE_MORE = RECORDING.c.attempts + 1

PLAN = _step(("batch",), is_in(State.SEEN, State.FAILED), state=State.PLANNED.value)
LEASE = _step(_LEASE, _TODO, state=State.LEASED.value)
LEASE_AND_BEGIN = _step(_LEASE, _TODO, state=State.DOWNLOADING.value, attempts=_ONE_MORE)
BEGIN = _step(
    ("lease_owner",),
    sa.not_(_claimed_by_another()),
    state=State.DOWNLOADING.value,
    attempts=_ONE_MORE,
)
RELEASED: dict[str, Any] = {"state": State.SEEN.value, **_NO_LEASE}
RELEASE = _step((), is_in(*CLAIMED), **RELEASED)
RELEASE_OWN = _step((), is_in(*CLAIMED), _NOT_THEIRS, **RELEASED)

_DONE: dict[str, Any] = {
    "state": State.VERIFIED.value,
    "pruned_at": None,
    "file_end": None,
    **_NO_FAILURE,
    **_NO_LEASE,
}
_FETCHED = "in_progress", "start", "end", *_FILE, "batch", "done_at"
# Whether a file that was found is the one that was hashed: same name, same size.
_SAME = sa.and_(
    RECORDING.c.path == _given("path"),
    RECORDING.c.file_size == _given("file_size"),
)
VERIFY = _step((*_FETCHED, "sha256"), **_DONE)
VERIFY_UNREAD = _step(_FETCHED, **_DONE, sha256=sa.case((_SAME, RECORDING.c.sha256), else_=""))
# Of a file that was there nobody knows since when it is as it is: what the digest was of, it stays.
_READ_BEFORE = sa.and_(RECORDING.c.path == _given("path"), RECORDING.c.sha256 != "")
VERIFY_FOUND = _step(
    tuple(name for name in _FETCHED if name != "file_size"),
    **_DONE,
    file_size=sa.case((_READ_BEFORE, RECORDING.c.file_size), else_=_given("file_size")),
    sha256=sa.case((_READ_BEFORE, RECORDING.c.sha256), else_=""),
)

_FAILURE = "state", *_NO_FAILURE
FAIL = _step(_FAILURE, _NOT_HELD, **_NO_LEASE)
FAIL_OWN = _step(_FAILURE, _NOT_HELD, _NOT_THEIRS, **_NO_LEASE)
REST = _step(("next_try",), is_in(State.FAILED), state=State.QUARANTINED.value)
MISS = _step(("missed_at",), not_missed_yet(_given("missed_at")))


_TO_REPLACE = RECORDING.c.file_end.is_not(None)
_CUT = sa.and_(_TO_REPLACE, RECORDING.c.end > RECORDING.c.file_end)
# A file that was to be replaced is all that there will ever be of its recording.
LOST: dict[str, Any] = {
    "state": sa.case((_TO_REPLACE, State.VERIFIED.value), else_=State.GONE.value),
    "end": sa.func.coalesce(RECORDING.c.file_end, RECORDING.c.end),
    "lost_end": sa.case((_CUT, RECORDING.c.end), else_=RECORDING.c.lost_end),
    "file_end": None,
    "in_progress": 0,
    **{
        name: sa.case((_TO_REPLACE, value), else_=RECORDING.c[name])
        for name, value in _NO_FAILURE.items()
    },
}
LOSE = _step((), _NOT_HELD, **LOST, **_NO_LEASE)
AFRESH: dict[str, Any] = {"state": State.SEEN.value, "failures": 0, "next_try": None}
BEATEN = State.FAILED, State.QUARANTINED
REARM = _step((), is_in(*BEATEN), **AFRESH)
ELSEWHERE = _step(
    ("done_at",),
    _NOT_HELD,
    state=State.VERIFIED.value,
    in_progress=0,
    **{
        # What was to be replaced is what the host has.
        name: sa.case((_TO_REPLACE, RECORDING.c[name]), else_=nothing)
        for name, nothing in {"path": None, "file_size": None, "sha256": ""}.items()
    },
    end=sa.func.coalesce(RECORDING.c.file_end, RECORDING.c.end),
    file_end=None,
    **_NO_FAILURE,
    **_NO_LEASE,
)

PIN = _step(("pinned",))
PRUNE = _step(("pruned_at",), *_WHERE_IT_WAS, RECORDING.c.pinned == 0)
KEEP = _step((), pruned_at=None)
MOVE = _step(("path", "pinned"), *_WHERE_IT_WAS)
FETCH_AGAIN = _step((), *_UNPRUNED, **AFRESH)
REPLACE = _step((), *_UNPRUNED, file_end=RECORDING.c.end, **AFRESH)


def was(entry: Entry) -> dict[str, Any]:
    """Return what `PRUNE` and `MOVE` want to know of the file that was looked at."""
    return {
        "was_path": exact(str(entry.path)),
        "was_file_size": entry.file_size,
        "was_sha256": entry.sha256,
    }
