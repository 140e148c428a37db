"""Counting calls and media bytes: exact, shared between threads and processes, and guarded."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import threading

from pathlib import Path

import pytest

from camsync.errors import (
    BudgetExceededError,
    ConfigurationError,
    DamagedStoreError,
    StoreUnavailableError,
)
from camsync.providers.imou import _budget
from camsync.providers.imou._budget import BLOCK, Budget


NOVEMBER = dt.datetime(2026, 11, 30, 23, 59, tzinfo=dt.timezone.utc)


class _Clock:
    def __init__(self):
        self.now = NOVEMBER

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    """Return where the counts are kept."""
    return tmp_path / "usage.json"


def test_calls_are_counted_by_method(path):
    """Usage is exact at any moment, although blocks are counted ahead."""
    budget = Budget("app", path=path)
    for method in ("login", "search", "search"):
        budget.call(method)

    used = budget.usage
    assert (3, {"login": 1, "search": 2}) == (used.calls, used.by_method)
    budget.settle()
    assert (3, {"login": 1, "search": 2}) == (
        Budget("app", path=path).usage.calls,
        Budget("app", path=path).usage.by_method,
    )


def test_the_file_is_in_camsync_s_folder_and_holds_all_accounts():
    """Without a path the user's own folder is taken, and accounts do not mix."""
    for account in ("one", "two"):
        budget = Budget(account)
        budget.call("x")
        budget.settle()

    book = json.loads((Path(os.environ["CAMSYNC_HOME"]) / "imou-usage.json").read_bytes())
    assert {"one": 1, "two": 1} == {
        name: entry["calls"] for name, entry in book["accounts"].items()
    }


def test_a_limit_of_calls_stops_before_the_call(path):
    """The call that would be too many is refused, and refused again."""
    budget = Budget("app", path=path, max_calls=12)
    for _ in range(12):
        budget.call("x")

    for _ in range(2):
        with pytest.raises(BudgetExceededError, match="12 calls of 20"):
            budget.call("x")
    assert 12 == budget.usage.calls


def test_limits_hold_across_threads(path):
    """Many threads together make exactly as many calls as are allowed."""
    budget = Budget("app", path=path, max_calls=25)
    made = []

    def work():
        try:
            while True:
                budget.call("x")
                made.append(1)
        except BudgetExceededError:
            return

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 25 == len(made) == budget.usage.calls


def test_limits_hold_across_processes(path):
    """Two processes that want more together never pass the limit, and count what they made."""
    code = (
        "import sys\n"
        "from camsync.providers.imou._budget import Budget\n"
        "from camsync.errors import BudgetExceededError\n"
        "budget, made = Budget('app', path=sys.argv[1], max_calls=40), 0\n"
        "try:\n"
        "    while made < 30:\n"
        "        budget.call('x'); made += 1\n"
        "except BudgetExceededError:\n"
        "    pass\n"
        "budget.settle(); print(made)\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    made = sum(int(worker.communicate(timeout=30)[0]) for worker in workers)

    assert [0, 0] == [worker.returncode for worker in workers]
    assert 30 <= made <= 40
    assert made == Budget("app", path=path).usage.calls


def test_what_a_crash_loses_is_counted_too_much_never_too_little(path):
    """A process that never settles leaves its block counted."""
    Budget("app", path=path).call("x")

    assert 10 == Budget("app", path=path).usage.calls


def test_bytes_are_counted_ahead_and_given_back(path):
    """While media flows the file is ahead, afterwards it is exact."""
    budget = Budget("app", path=path)
    budget.check_bytes()
    budget.count(1000)

    assert BLOCK == Budget("app", path=path).usage.bytes
    assert 1000 == budget.usage.bytes
    budget.count(2 * BLOCK)
    budget.settle()
    budget.settle()
    assert 1000 + 2 * BLOCK == Budget("app", path=path).usage.bytes


def test_a_limit_of_bytes_stops_at_the_read_that_passes_it(path):
    """What has come is counted, and no more media is asked for."""
    budget = Budget("app", path=path, max_bytes=100)
    budget.check_bytes()
    budget.count(90)
    with pytest.raises(BudgetExceededError, match="100 media bytes"):
        budget.count(30)
    with pytest.raises(BudgetExceededError):
        budget.check_bytes()

    assert 120 == budget.usage.bytes


def test_a_month_begins_anew_in_utc(path):
    """On the first of the month, in UTC, everything is 0 again, and spares of the old are forgotten."""
    clock = _Clock()
    budget = Budget("app", path=path, max_calls=1, now=clock)
    budget.call("x")
    budget.check_bytes()
    clock.now += dt.timedelta(minutes=1)

    assert ("2026-12", 0, 0, {}) == (
        budget.usage.month,
        budget.usage.calls,
        budget.usage.bytes,
        budget.usage.by_method,
    )
    budget.call("x")
    with pytest.raises(BudgetExceededError, match="2026-12"):
        budget.call("x")


@pytest.mark.parametrize("limit", [-1, True, 1.5, "9"])
@pytest.mark.parametrize("name", ["max_calls", "max_bytes"])
def test_limits_must_be_numbers(path, name, limit):
    """Anything else is refused at once."""
    with pytest.raises(ConfigurationError, match=name):
        Budget("app", path=path, **{name: limit})


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"camsync_imou_usage": 1}',
        '{"camsync_imou_usage": 1, "accounts": {"app": 7}}',
        '{"camsync_imou_usage": 1, "accounts": {"app": {"calls": "many"}}}',
        '{"camsync_imou_usage": 1, "accounts": {"app": {"by_method": []}}}',
        '{"camsync_imou_usage": 1, "accounts": {"app": {"calls": null}}}',
    ],
)
def test_a_damaged_file_is_said_to_be_so(path, content):
    """Counts are not quietly begun anew: limits would be passed."""
    path.write_text(content)

    with pytest.raises(DamagedStoreError):
        Budget("app", path=path).call("x")


def _refuse(*_):
    msg = "read-only"
    raise StoreUnavailableError(msg)


def test_without_limits_counting_goes_on_in_memory(path, monkeypatch, caplog):
    """A disk that cannot be written is worth one warning, not the end."""
    clock = _Clock()
    budget = Budget("app", path=path, now=clock)
    monkeypatch.setattr(_budget, "replace_private", _refuse)
    for _ in range(21):
        budget.call("x")
    budget.count(5)

    assert 1 == len(caplog.records)
    assert (21, 5) == (budget.usage.calls, budget.usage.bytes)
    budget.settle()
    assert (21, 5, {"x": 21}) == (
        budget.usage.calls,
        budget.usage.bytes,
        budget.usage.by_method,
    )
    clock.now += dt.timedelta(minutes=1)
    assert 0 == budget.usage.calls


def test_with_limits_a_disk_that_cannot_be_written_is_an_error(path, monkeypatch):
    """Limits that cannot be kept are not promised."""
    monkeypatch.setattr(_budget, "replace_private", _refuse)

    with pytest.raises(StoreUnavailableError):
        Budget("app", path=path, max_calls=5).call("x")
