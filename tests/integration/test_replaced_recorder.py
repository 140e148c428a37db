"""Another recorder at the old one's address, while the provider object is kept."""

from __future__ import annotations

import time

import pytest

from camsync import ConfigurationError, HikvisionISAPI, TimeSpan
from camsync.providers.hikvision import _facts, _timekeeper
from camsync.testing import RecorderSimulator


OLD, NEW = "DS-7616NI-K2", "DS-7616NI-E2"


def _open(simulator: RecorderSimulator, **options: object) -> HikvisionISAPI:
    return HikvisionISAPI(
        simulator.host,
        "admin",
        simulator.password,
        port=simulator.port,
        **options,  # type: ignore[arg-type]
    )


def _recordings(recorder: HikvisionISAPI) -> list:
    return list(recorder.search(recorder.channels()[0], TimeSpan.last(hours=2)))


def _exchanged(recorder: HikvisionISAPI, port: int, **options: object) -> RecorderSimulator:
    return RecorderSimulator(model=NEW, port=port, hours=0.2, **options)  # type: ignore[arg-type]


def test_the_recordings_are_those_of_the_new_one(caplog):
    """Keys, lists, dialect and clock of the old recorder do not hold for the new one."""
    with RecorderSimulator(model=OLD, channels=2, hours=0.2, seed=1) as old:
        recorder, port = _open(old), old.port
        before = _recordings(recorder)
        assert recorder.replaced is None
    with recorder, _exchanged(recorder, port, channels=3, seed=7, timezone="CST-5:30:00") as new:
        after = _recordings(recorder)

        assert {each.key.device for each in after} != {each.key.device for each in before}
        assert recorder.replaced == before[0].key.device
        with _open(new) as another:
            assert {each.start for each in after} == {each.start for each in _recordings(another)}
        with pytest.raises(ConfigurationError, match="this connection leads to"):
            recorder.open(before[0])
    assert "another device answers now" in caplog.text


def test_it_costs_one_request_a_run():
    """A second run of a kept object asks once more than it did before, and searches as ever."""
    with RecorderSimulator(channels=1, hours=0.2) as simulator, _open(simulator) as recorder:
        for _ in range(3):
            _recordings(recorder)

        asked = [line.path for line in simulator.requests_log if line.path.endswith("deviceInfo")]
        # the first one is refused: a login is asked for
        assert 1 + 3 == len(asked)


def test_who_has_asked_for_the_device_need_not_ask_again():
    """`devices` and then `channels` ask once; an hour later they would ask again."""
    with RecorderSimulator(channels=1, hours=0.2) as simulator, _open(simulator) as recorder:
        recorder.devices()
        recorder.channels()
        asked = [line for line in simulator.requests_log if line.path.endswith("deviceInfo")]

    assert 1 + 1 == len(asked)


def test_what_was_asked_an_hour_ago_is_asked_again(monkeypatch):
    """A look that was long ago says nothing about now."""
    with RecorderSimulator(channels=1, hours=0.2) as simulator, _open(simulator) as recorder:
        recorder.devices()
        monkeypatch.setattr(_facts, "_JUST_NOW", 0.0)
        recorder.channels()
        asked = [line for line in simulator.requests_log if line.path.endswith("deviceInfo")]

    assert 1 + 2 == len(asked)


def test_a_search_notices_it_within_the_hour(monkeypatch):
    """Who only searches gets the clock of the new recorder, measured anew."""
    with RecorderSimulator(model=OLD, channels=1, hours=0.2, seed=1) as old:
        recorder, port = _open(old), old.port
        channel = recorder.channels()[0]
        list(recorder.search(channel, TimeSpan.last(hours=1)))
    later = time.monotonic() + 2 * 3600.0
    with recorder, _exchanged(recorder, port, channels=1, seed=7):
        with monkeypatch.context() as patch:
            patch.setattr(_timekeeper.time, "monotonic", lambda: later)
            with pytest.raises(ConfigurationError, match="not to"):
                list(recorder.search(channel, TimeSpan.last(hours=1)))

        assert recorder.replaced == channel.device
