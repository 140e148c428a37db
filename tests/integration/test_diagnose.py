"""The connection test, against recorders with one thing wrong at a time."""

from __future__ import annotations

import datetime as dt

import pytest

from camsync import Check, CheckStatus, HikvisionISAPI, RetryPolicy
from camsync.testing import RecorderSimulator


STEPS = ["tcp", "tls", "lock", "login", "clock", "channels", "search", "download"]


def _checks(simulator: RecorderSimulator, **options: object) -> dict[str, Check]:
    password = str(options.pop("password", simulator.password))
    with HikvisionISAPI(
        simulator.host,
        simulator.username,
        password,
        port=simulator.port,
        retry=RetryPolicy(attempts=1),
        timeout=(2.0, 2.0),
        **options,  # type: ignore[arg-type]
    ) as provider:
        checks = list(provider.diagnose())
    assert [check.name for check in checks] == STEPS
    return {check.name: check for check in checks}


def test_a_healthy_recorder():
    """Everything is seen; only the missing TLS and an offline camera are worth a remark."""
    with RecorderSimulator(channels=4, hours=1) as simulator:
        checks = _checks(simulator)

    statuses = {name: check.status.value for name, check in checks.items()}
    assert statuses == dict.fromkeys(STEPS, "ok") | {"tls": "warning", "channels": "warning"}
    assert "DS-7616NI-K2" in checks["login"].seen
    assert "IMKH" in checks["download"].seen
    assert "Z means local" in checks["clock"].seen


def test_a_closed_port():
    """Without a connection nothing else is tried."""
    simulator = RecorderSimulator(channels=1)
    with simulator:
        pass
    checks = _checks(simulator)

    assert checks["tcp"].status is CheckStatus.FAILED
    assert checks["tcp"].advice
    assert {checks[name].status for name in STEPS[1:]} == {CheckStatus.SKIPPED}


def test_a_wrong_password_costs_one_login():
    """The test itself never tries twice."""
    with RecorderSimulator(channels=1) as simulator:
        checks = _checks(simulator, password="wrong")
        failed = simulator.logins_failed

    assert checks["login"].status is CheckStatus.FAILED
    assert checks["search"].status is CheckStatus.SKIPPED
    assert failed == 1


def test_a_locked_device_is_not_tried():
    """The lock is seen before the password is sent."""
    with RecorderSimulator(channels=1, failed_logins_allowed=1, lock_seconds=600) as simulator:
        _checks(simulator, password="wrong")
        before = simulator.logins_failed
        checks = _checks(simulator)

        assert checks["lock"].status is CheckStatus.FAILED
        assert "more minutes" in checks["lock"].seen
        assert simulator.logins_failed == before


def test_few_tries_left_are_said():
    """Before the last tries the user is warned."""
    with RecorderSimulator(channels=1, failed_logins_allowed=2) as simulator:
        _checks(simulator, password="wrong")
        checks = _checks(simulator, password="wrong")

    assert checks["lock"].status is CheckStatus.WARNING
    assert "1 failed logins" in checks["lock"].seen


def test_a_device_that_does_not_tell_its_lock_state():
    """Some firmware has no such page, and that stops nothing."""
    with RecorderSimulator(channels=1, hours=1) as simulator:
        simulator.enable("html-404", times=1)
        checks = _checks(simulator, time_mode="local")

    assert checks["lock"].status is CheckStatus.OK
    assert "does not tell" in checks["lock"].seen
    assert checks["login"].status is CheckStatus.OK


def test_a_clock_that_runs_ahead():
    """A recorder whose clock is off gives recordings wrong times, and that is said."""
    ahead = dt.timedelta(minutes=4)

    def clock() -> dt.datetime:
        return dt.datetime.now(dt.timezone.utc) + ahead

    with RecorderSimulator(channels=1, hours=1, clock=clock) as simulator:
        checks = _checks(simulator)

    assert checks["clock"].status is CheckStatus.WARNING
    assert "s ahead" in checks["clock"].seen


@pytest.mark.parametrize(
    ("fault", "step"), [("busy-503", "download"), ("error-500-search", "search")]
)
def test_later_steps_fail_alone(fault: str, step: str):
    """A recorder that lists but does not deliver fails just that step, with its category."""
    with RecorderSimulator(channels=1, hours=1) as simulator:
        simulator.enable(fault)
        checks = _checks(simulator, time_mode="local")

    assert checks[step].status is CheckStatus.FAILED
    assert checks[step].category is not None
    assert checks["channels"].status is CheckStatus.OK


def test_a_search_that_fails_is_not_blamed_on_the_clock():
    """What Z means is measured by searching; when that fails, the search step is the failed one."""
    with RecorderSimulator(channels=1, hours=1, faults=["error-500-search"]) as simulator:
        checks = _checks(simulator)

    assert checks["clock"].status is CheckStatus.WARNING
    assert "step 'search'" in checks["clock"].advice
    assert checks["search"].status is CheckStatus.FAILED


def test_a_device_that_breaks_off_is_not_called_normal():
    """A connection that dies at the first request is a failed step, not an unknown lock state."""
    with RecorderSimulator(channels=1, hours=1) as simulator:
        simulator.enable("reset-connection", times=1)
        checks = _checks(simulator)

    assert checks["lock"].status is CheckStatus.FAILED
    assert checks["login"].status is CheckStatus.SKIPPED


def test_nothing_recorded():
    """A recorder without finished recordings says so, and the download is not tried."""
    with RecorderSimulator(channels=1, hours=0.005) as simulator:
        checks = _checks(simulator, time_mode="local")

    assert checks["search"].status is CheckStatus.WARNING
    assert checks["download"].status is CheckStatus.SKIPPED


def test_no_channels(caplog: pytest.LogCaptureFixture):
    """Without cameras nothing tells what Z means: both are remarks, and the log warns."""
    empty = {"status": 200, "body": "<InputProxyChannelList/>"}
    dump = {
        "camsync_dump": 1,
        "model": "DS-7608NXI-I2",
        "firmware": "V4.62.210",
        "endpoints": {
            "GET /ISAPI/ContentMgmt/InputProxy/channels": empty,
            "GET /ISAPI/System/Video/inputs/channels": {"status": 403, "body": ""},
        },
    }
    with RecorderSimulator(dump=dump, hours=1) as simulator:
        checks = _checks(simulator)

    assert checks["channels"].status is CheckStatus.WARNING
    assert checks["clock"].status is CheckStatus.WARNING
    assert "time_mode" in checks["clock"].advice
    assert "may be off" in caplog.text


@pytest.mark.parametrize(
    ("fault", "words"),
    [("default-password", "its default password"), ("risky-password", "password risky")],
)
def test_a_password_that_the_device_warns_of(fault: str, words: str):
    """The login works, and yet it is worth a warning with what to do."""
    with RecorderSimulator(channels=1, hours=0.5, faults=[fault]) as simulator:
        checks = _checks(simulator)

    assert checks["login"].status is CheckStatus.WARNING
    assert words in checks["login"].seen
    assert "on the recorder" in checks["login"].advice
    assert checks["search"].status is CheckStatus.OK


def test_a_public_address(monkeypatch: pytest.MonkeyPatch):
    """A recorder that the whole internet can reach is worth a warning."""
    monkeypatch.setattr(
        "camsync.providers.hikvision._diagnose.public_addresses", lambda _: ("8.8.8.8",)
    )
    with RecorderSimulator(channels=1, hours=0.5) as simulator:
        checks = _checks(simulator)

    assert checks["tcp"].status is CheckStatus.WARNING
    assert "8.8.8.8" in checks["tcp"].seen
    assert "VPN" in checks["tcp"].advice
    assert checks["login"].status is CheckStatus.OK


@pytest.mark.filterwarnings("ignore::camsync.InsecureConnectionWarning")
def test_an_unchecked_certificate():
    """verify=False works, and the connection test says what to use instead."""
    with RecorderSimulator(channels=1, hours=0.5, tls=True) as simulator:
        checks = _checks(simulator, https=True, verify=False)

        assert checks["tls"].status is CheckStatus.WARNING
        assert f"verify='{simulator.fingerprint}'" in checks["tls"].advice
    assert checks["login"].status is CheckStatus.OK
