"""What a provider has learnt about a device can be kept, and saves the next one the questions."""

from __future__ import annotations

import json

import attrs
import pytest

from camsync import HikvisionISAPI, RetryPolicy, TimeSpan
from camsync.providers.hikvision._dialect import DIALECTS, recall_dialect, remember_dialect
from camsync.testing import PERSONALITIES, RecorderSimulator


# An answer to a list tag that is not understood is that of track 101, so track 201 tells.
QUIRKY = attrs.evolve(PERSONALITIES["DS-7616NI-K2"], list_tags=frozenset({"trackIDList"}))


@pytest.fixture(scope="module")
def simulator():
    """A recorder that understands only the second dialect that is tried."""
    with RecorderSimulator(model=QUIRKY, channels=2, hours=1) as running:
        yield running


def _open(simulator: RecorderSimulator, learnt: object = None) -> HikvisionISAPI:
    return HikvisionISAPI(
        simulator.host,
        simulator.username,
        simulator.password,
        port=simulator.port,
        time_mode="local",
        retry=RetryPolicy(attempts=1),
        learnt=learnt,  # type: ignore[arg-type]
    )


def _searches(simulator: RecorderSimulator, learnt: object = None) -> tuple[int, object]:
    with _open(simulator, learnt) as recorder:
        second = recorder.channels()[1]
        before = len([line for line in simulator.requests_log if line.path.endswith("/search")])
        assert list(recorder.search(second, TimeSpan.last(minutes=10)))
        after = len([line for line in simulator.requests_log if line.path.endswith("/search")])
        return after - before, recorder.learnt


def test_what_was_learnt_saves_requests(simulator):
    """The second provider begins with the dialect that the first one found."""
    first, learnt = _searches(simulator)
    second, same = _searches(simulator, json.loads(json.dumps(learnt)))

    assert learnt == same
    assert second < first


def test_before_the_first_search_nothing_is_learnt(simulator):
    """An empty mapping, so that a profile need not ask."""
    with _open(simulator) as recorder:
        assert {} == recorder.learnt


def test_a_wrong_hint_does_no_harm(simulator):
    """A firmware update, or another device: the answer is checked and the others are tried."""
    _, learnt = _searches(simulator, remember_dialect(DIALECTS[0]))

    assert "trackIDList" == learnt["search"]["list_tag"]


@pytest.mark.parametrize(
    "learnt", [{}, {"search": None}, {"search": "trackList"}, {"search": {"list_tag": "evil"}}]
)
def test_a_hint_that_makes_no_sense_is_none(learnt):
    """A profile that was changed by hand, or by another version, is not an error."""
    assert recall_dialect(learnt) is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_can_be_kept(dialect):
    """Also in its form with the other list tag, which is learnt when the first gives nothing."""
    other = attrs.evolve(dialect, list_tag="trackIDList")

    for each in (dialect, other):
        assert each == recall_dialect(json.loads(json.dumps(remember_dialect(each))))
    assert {} == remember_dialect(None)
