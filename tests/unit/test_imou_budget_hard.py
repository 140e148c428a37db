"""Counting across forks, and with a clock that is wrong for a while."""

from __future__ import annotations

import datetime as dt
import json
import os

import pytest

from camsync.errors import BudgetExceededError, DamagedStoreError
from camsync.providers.imou import _budget
from camsync.providers.imou._budget import Budget


def _at(year: int, month: int):
    return lambda: dt.datetime(year, month, 5, tzinfo=dt.timezone.utc)


def _calls(path, clock, count, **limits) -> Budget:
    budget = Budget("a", path=path, now=clock, **limits)
    for _ in range(count):
        budget.call("m")
    budget.settle()
    return budget


def test_a_clock_that_goes_back_makes_no_new_month(tmp_path):
    """What was used this month is still there when the clock is right again."""
    path, now = tmp_path / "u.json", _at(2026, 11)
    _calls(path, now, 12, max_calls=15)
    _calls(path, _at(1970, 1), 3, max_calls=15)
    _calls(path, _at(2099, 1), 2, max_calls=15)
    budget = Budget("a", path=path, now=now, max_calls=15)

    assert 12 == budget.usage.calls
    for _ in range(3):
        budget.call("m")
    with pytest.raises(BudgetExceededError):
        budget.call("m")
    assert 3 == Budget("a", path=path, now=_at(1970, 1)).usage.calls


def test_old_months_are_forgotten(tmp_path):
    """The latest three are kept, and the one that is counted now."""
    path = tmp_path / "u.json"
    for month in (7, 8, 9, 10, 11, 6):
        _calls(path, _at(2026, month), month)
    entry = json.loads(path.read_bytes())["accounts"]["a"]

    assert ("2026-11", 11) == (entry["month"], entry["calls"])
    assert {"2026-06": 6, "2026-09": 9, "2026-10": 10} == {
        month: one["calls"] for month, one in entry["others"].items()
    }


@pytest.mark.parametrize(
    "entry",
    [
        '{"month": "2026-11", "calls": Infinity}',
        '{"month": "2026-11", "calls": 1, "others": {"2026-10": {"bytes": -Infinity}}}',
        '{"month": "2026-11", "calls": 1, "others": [1]}',
        '{"month": "2026-11", "calls": 1, "others": {"2026-10": 7}}',
    ],
)
def test_impossible_counts_are_damage(tmp_path, entry):
    """In any month of the file."""
    path = tmp_path / "u.json"
    path.write_text(f'{{"camsync_imou_usage": 1, "accounts": {{"a": {entry}}}}}')

    with pytest.raises(DamagedStoreError):
        _ = Budget("a", path=path).usage


def test_a_child_does_not_spend_what_its_parent_has_counted_ahead(tmp_path):
    """What a process has reserved is its own: a copy of it would be counted by nobody."""
    budget = Budget("a", path=tmp_path / "u.json", max_calls=20)
    budget.call("m")
    before, lock = budget.usage.calls, budget._lock
    _budget._forget_spares()

    assert 10 == budget.usage.calls > before
    assert lock is not budget._lock


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_limits_hold_across_forks(tmp_path):
    """A parent and its children together never pass the limit."""
    budget = Budget("a", path=tmp_path / "u.json", max_calls=20)
    budget.call("m")
    total = 1
    for _ in range(3):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            made = 0
            try:
                while made < 9:
                    budget.call("m")
                    made += 1
            except BudgetExceededError:
                pass
            finally:
                os.write(write, bytes([made]))
                os._exit(0)
        os.waitpid(child, 0)
        total += os.read(read, 1)[0]
        os.close(read)
        os.close(write)
    while True:
        try:
            budget.call("m")
        except BudgetExceededError:
            break
        total += 1

    assert 10 <= total <= 20
