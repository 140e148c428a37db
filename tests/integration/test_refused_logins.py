"""A refused password is not sent again by the next process: schedules must not lock accounts."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import logging
import os
import stat
import subprocess
import sys

from pathlib import Path

import pytest

import camsync

from camsync import (
    AccountLockedError,
    AuthenticationError,
    HikvisionISAPI,
    MemoryStore,
    Profile,
    Profiles,
    _time,
)
from camsync.cli import main
from camsync.credentials.keys import new_key
from camsync.registry import _refused
from camsync.testing import RecorderSimulator


WRONG, OTHER = "hidden-wrong-1", "hidden-wrong-2"
_COST = dict(_refused._COST)  # before the tests make it cheap
HOUR = dt.timedelta(hours=1)
POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX rights")


@pytest.fixture
def simulator():
    """A recorder that locks at the tenth failed login, so that no test reaches it by accident."""
    with RecorderSimulator(channels=1, hours=0.1, failed_logins_allowed=10) as running:
        yield running


@pytest.fixture
def ahead(monkeypatch):
    """A function that moves camsync's clock on."""
    moved = [dt.timedelta(0)]

    def move(by: dt.timedelta) -> None:
        moved[0] += by

    monkeypatch.setattr(_refused, "utcnow", lambda: _time.utcnow() + moved[0])
    return move


def _visit(simulator: RecorderSimulator, password: str) -> AuthenticationError | None:
    """Do what one run of a schedule does: connect anew, ask, and close."""
    with camsync.connect(simulator.connect_url, password=password) as recorder:
        try:
            recorder.channels()
        except AuthenticationError as error:
            return error
    return None


def _files(home: Path | None = None) -> list[Path]:
    folder = (home or Path(os.environ["CAMSYNC_HOME"])) / "refused-logins"
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def test_the_next_runs_send_nothing(simulator):
    """Twenty runs of a schedule with an old password cost one failed login, and no request."""
    first = _visit(simulator, WRONG)
    before = simulator.requests
    others = [_visit(simulator, WRONG) for _ in range(20)]

    assert (1, before) == (simulator.logins_failed, simulator.requests)
    assert first is not None
    assert all(type(error) is AuthenticationError for error in others)
    assert "nothing was sent now" in str(others[0])
    assert f"camsync login {simulator.connect_url}" in str(others[0])
    assert "camsync login" in str(first)
    assert WRONG not in str(first) + str(others)


def test_another_password_is_sent_at_once(simulator):
    """Whoever stores the right password need not wait, and the refusal of the old one stays."""
    _visit(simulator, WRONG)

    assert _visit(simulator, simulator.password) is None
    assert isinstance(_visit(simulator, WRONG), AuthenticationError)
    assert 1 == simulator.logins_failed


def test_two_jobs_with_two_old_passwords_take_no_turns(simulator):
    """Each of them is remembered, so that they do not drive each other's refusal out."""
    for _ in range(5):
        _visit(simulator, WRONG)
        _visit(simulator, OTHER)

    assert 2 == simulator.logins_failed


def test_a_success_forgets_the_refusal(simulator, ahead):
    """A password that was refused and is right again leaves no trace."""
    simulator.enable("unauthorized-midway", times=1)
    assert _visit(simulator, simulator.password) is not None
    assert 1 == len(_files())
    ahead(2 * HOUR)

    assert _visit(simulator, simulator.password) is None
    assert [] == _files()


def test_it_is_tried_again_more_and_more_rarely(simulator, ahead):
    """After one hour, two, four, eight, sixteen; then once a day."""
    _visit(simulator, WRONG)
    waits = []
    for _ in range(6):
        hours, before = 0, simulator.logins_failed
        while simulator.logins_failed == before:
            ahead(HOUR)
            hours += 1
            _visit(simulator, WRONG)
        waits.append(hours)

    assert [1, 2, 4, 8, 16, 24] == waits


def test_few_tries_left_mean_a_day():
    """The recorder has said that two are left: the next one is a day away."""
    with RecorderSimulator(channels=1, hours=0.1, failed_logins_allowed=3) as simulator:
        error = _visit(simulator, WRONG)
        again = _visit(simulator, WRONG)

    assert "2 tries left" in str(error)
    assert "2 tries were left" in str(again)
    assert 1 == simulator.logins_failed


def test_few_tries_left_are_kept_for_a_day(ahead):
    """Not after 23 hours, but after 24."""
    with RecorderSimulator(channels=1, hours=0.1, failed_logins_allowed=3) as simulator:
        _visit(simulator, WRONG)
        ahead(23 * HOUR)
        _visit(simulator, WRONG)
        assert 1 == simulator.logins_failed
        ahead(2 * HOUR)
        _visit(simulator, WRONG)
        assert 2 == simulator.logins_failed


def test_a_locked_account_is_left_alone_until_it_is_unlocked(ahead):
    """The next process says until when, and afterwards the password is tried again."""
    with RecorderSimulator(
        channels=1, hours=0.1, failed_logins_allowed=1, lock_seconds=1800
    ) as simulator:
        assert isinstance(_visit(simulator, WRONG), AccountLockedError)
        before = simulator.requests
        again = _visit(simulator, WRONG)

        assert isinstance(again, AccountLockedError)
        assert again.unlock_at is not None
        assert before == simulator.requests
        ahead(HOUR)
        _visit(simulator, WRONG)
        assert simulator.requests > before


def test_retry_login_insists(simulator):
    """Whoever asks for one more try gets it, once."""
    _visit(simulator, WRONG)
    with camsync.connect(simulator.connect_url, password=WRONG) as recorder:
        recorder.retry_login()  # type: ignore[attr-defined]
        for _ in range(3):
            with pytest.raises(AuthenticationError):
                recorder.channels()

    assert 2 == simulator.logins_failed


def test_an_object_of_ones_own_remembers_by_itself(simulator):
    """In a notebook each new object tries once, and none of them writes a file."""
    for _ in range(2):
        recorder = HikvisionISAPI(simulator.host, "admin", WRONG, port=simulator.port)
        with recorder, pytest.raises(AuthenticationError):
            recorder.channels()

    assert 2 == simulator.logins_failed
    assert [] == _files()


def test_a_profile_and_its_store(simulator):
    """What is stored counts like what is given, and the next step is the profile's name."""
    Profiles().set(
        Profile(name="shop", provider="hikvision", host=simulator.host, port=simulator.port)
    )
    store = MemoryStore()
    store.set("hikvision", "shop", camsync.Credential(username="admin", secret=WRONG))
    errors = []
    for _ in range(3):
        with camsync.connect("hikvision://shop", store=store) as recorder:
            with pytest.raises(AuthenticationError) as caught:
                recorder.channels()
            errors.append(str(caught.value))

    assert 1 == simulator.logins_failed
    assert all("camsync login shop" in error for error in errors)


def test_other_accounts_and_other_devices_are_not_concerned(simulator):
    """The same password may be right for another user, and on another recorder."""
    _visit(simulator, WRONG)
    with RecorderSimulator(channels=1, hours=0.1, password=WRONG) as second:
        assert _visit(second, WRONG) is None
    url = f"hikvision://viewer@{simulator.host}:{simulator.port}"
    with camsync.connect(url, password=WRONG) as recorder, pytest.raises(AuthenticationError):
        recorder.channels()

    assert 2 == simulator.logins_failed


def test_many_at_once_cost_one_failed_login(simulator):
    """Workers that begin together log in one after the other, and the others see the refusal."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        errors = list(pool.map(lambda _: _visit(simulator, WRONG), range(8)))

    assert all(isinstance(error, AuthenticationError) for error in errors)
    assert 1 == simulator.logins_failed


def test_a_password_that_changes_stops_those_who_are_logged_in(simulator):
    """Eight connections that had worked cost two failed logins: one each way of asking."""
    recorders = [
        camsync.connect(simulator.connect_url, password=simulator.password) for _ in range(8)
    ]
    for recorder in recorders:
        recorder.channels()
    simulator.enable("unauthorized-midway")
    for recorder in recorders:
        with recorder, pytest.raises(AuthenticationError):
            recorder.channels()

    assert 2 == simulator.logins_failed


def test_one_who_waits_for_the_login_sees_the_refusal_of_another(simulator):
    """Both have seen the question for a login; only one of them answers it."""
    one = camsync.connect(simulator.connect_url, password=simulator.password)
    two = camsync.connect(simulator.connect_url, password=simulator.password)
    with one, two:
        one.channels()
        two.channels()
        simulator.enable("unauthorized-midway")
        guard = two._client.transport.login._guard  # type: ignore[attr-defined]
        check, asked = guard.check, []

        def late() -> None:
            asked.append(1)
            if len(asked) == 2:  # its own request has been refused by now: the other one is faster
                with pytest.raises(AuthenticationError):
                    one.channels()
            check()

        guard.check = late
        with pytest.raises(AuthenticationError, match="nothing was sent now"):
            two.channels()

    assert 3 == simulator.logins_failed  # and no fourth


def test_processes_share_what_they_know(simulator):
    """Two processes at the same time, and then a third, cost one failed login."""
    command = [sys.executable, "-m", "camsync", "channels", simulator.connect_url]
    environ = {**os.environ, "CAMSYNC_PASSWORD": WRONG}

    def run(_: int) -> tuple[int, str]:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = [*pool.map(run, range(2)), run(2)]

    assert 1 == simulator.logins_failed
    assert {6} == {code for code, _ in found}
    assert "nothing was sent now" in found[-1][1]
    assert WRONG not in str(found)


def test_camsync_login_tries_in_any_case(simulator, monkeypatch, capsys, tmp_path):
    """It has just asked somebody; what it finds out holds for the others."""
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())
    _visit(simulator, WRONG)
    file = tmp_path / "password"
    file.write_text(WRONG + "\n")
    file.chmod(0o600)
    arguments = ["login", simulator.connect_url, "--password-file", str(file), "--name", "shop"]

    assert 0 != main([*arguments, "--yes"])
    assert 2 == simulator.logins_failed
    assert isinstance(_visit(simulator, WRONG), AuthenticationError)
    assert 2 == simulator.logins_failed
    assert WRONG not in "".join(capsys.readouterr())


@POSIX
def test_the_file_is_private_and_shows_nothing(simulator):
    """Mode 0600, and neither the password nor a fast digest of it is in it."""
    _visit(simulator, WRONG)
    (file,) = _files()

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert WRONG not in file.read_text()
    assert f"hikvision://admin@127.0.0.1:{simulator.port}" in file.read_text()
    _visit(simulator, OTHER)
    assert OTHER not in file.read_text()


def test_a_guess_is_costly():
    """32 MiB and about a tenth of a second for each, so that the file is of little use."""
    assert {"n": 2**15, "r": 8, "p": 1} == _COST


def test_two_files_of_one_password_have_nothing_in_common(simulator):
    """Each file has a salt of its own: nobody sees that two recorders have one password."""
    with RecorderSimulator(channels=1, hours=0.1) as second:
        _visit(simulator, WRONG)
        _visit(second, WRONG)
    books = [_refused._Book.of(file.read_bytes(), file) for file in _files()]

    assert 2 == len({book.salt for book in books}) == len({b.refusals[0].digest for b in books})


NAIVE = (
    '{"camsync_refused_logins": 1, "salt": "00", "refusals": [{"digest": "", "times": 1, '
    '"tries_left": null, "unlocked": null, "at": "2026-01-01T00:00:00", "until": "x"}]}'
)
DAMAGED = [
    b"",
    b"{}",
    b"[]",
    b'{"camsync_refused_logins": 99}',
    b'{"camsync_refused_logins": 1, "salt": "zz", "refusals": []}',
    NAIVE.encode(),
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_holds_nobody_back(simulator, caplog, content):
    """The password is tried, the log says what is wrong, and the file is written anew."""
    _visit(simulator, WRONG)
    (file,) = _files()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING, "camsync.registry"):
        assert isinstance(_visit(simulator, WRONG), AuthenticationError)

    assert 2 == simulator.logins_failed
    assert "not remembered" in caplog.text
    assert isinstance(_visit(simulator, WRONG), AuthenticationError)
    assert 2 == simulator.logins_failed


def test_an_empty_book_holds_nobody_back(simulator):
    """A file without refusals is as good as none."""
    _visit(simulator, WRONG)
    (file,) = _files()
    file.write_bytes(b'{"camsync_refused_logins": 1, "salt": "00", "refusals": []}')

    assert _visit(simulator, simulator.password) is None


def test_a_folder_that_cannot_be_made_holds_nobody_back(simulator, caplog):
    """Where nothing can be remembered, each run tries; the log says so."""
    home = Path(os.environ["CAMSYNC_HOME"])
    home.mkdir()
    (home / "refused-logins").write_text("in the way")
    with caplog.at_level(logging.INFO, "camsync.registry"):
        assert _visit(simulator, simulator.password) is None
        assert isinstance(_visit(simulator, WRONG), AuthenticationError)
        assert isinstance(_visit(simulator, WRONG), AuthenticationError)

    assert 2 == simulator.logins_failed
    assert "not remembered" in caplog.text
    assert "several processes may log in at once" in caplog.text


def test_a_file_that_cannot_be_deleted_is_only_logged(simulator, caplog, monkeypatch, ahead):
    """The login has worked, and that is what counts."""
    simulator.enable("unauthorized-midway", times=1)
    _visit(simulator, simulator.password)
    ahead(2 * HOUR)

    def refuse(self, missing_ok=False):
        raise PermissionError(13, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert _visit(simulator, simulator.password) is None

    assert "cannot be deleted" in caplog.text


def test_a_refusal_from_the_future_is_a_wrong_clocks(simulator, ahead):
    """A computer whose clock was years ahead must not be kept out for years."""
    ahead(1000 * 24 * HOUR)
    _visit(simulator, WRONG)
    ahead(-1000 * 24 * HOUR)
    _visit(simulator, WRONG)
    assert 2 == simulator.logins_failed
    _visit(simulator, WRONG)

    assert 2 == simulator.logins_failed


def test_a_file_that_vanishes_between_two_looks_is_none(simulator, monkeypatch):
    """Another process has logged in and deleted it just now."""
    _visit(simulator, WRONG)
    monkeypatch.setattr(_refused, "read_private", lambda _: None)

    assert isinstance(_visit(simulator, WRONG), AuthenticationError)
    assert 2 == simulator.logins_failed


def test_a_guard_shows_whose_it_is_and_nothing_else():
    """Logs and tracebacks print it."""
    guard = _refused.Guard("hikvision://a@b:80", camsync.Secret(WRONG), command="camsync login b")

    assert "<Guard of hikvision://a@b:80>" == repr(guard)
    assert guard.explained(None, None) is None
