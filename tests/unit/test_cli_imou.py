"""The command line for cloud accounts, with an account that needs no cloud."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile

from collections.abc import Iterator
from types import SimpleNamespace

import attrs
import pytest

from camsync import (
    Capability,
    Channel,
    ChannelId,
    Check,
    CheckStatus,
    Codec,
    Device,
    DeviceId,
    Downloaded,
    Failed,
    Profile,
    Profiles,
    Recording,
    RecordingKey,
    errors,
    registry,
)
from camsync._places import config_folder
from camsync.cli import _fetching, _prompt, main
from camsync.cli._output import Output


URL = "imou://lcapp@sg"
SECRET = "s3cret-app-word"
START = dt.datetime(2026, 9, 26, tzinfo=dt.timezone.utc)
EXPERIMENTAL = SimpleNamespace(level="experimental", reason="nobody has tried")
YES = SimpleNamespace(level="yes", reason="it has worked")
NO = SimpleNamespace(level="no", reason="the region allows none")


def channel(device, number="0"):
    """A channel of that device."""
    return Channel(device=DeviceId(device), id=ChannelId(number), name="Front door")


def recording(device, minute=0, number="0", **fields):
    """A recording in the cloud that starts in that minute."""
    start = START + dt.timedelta(minutes=minute)
    key = RecordingKey(
        provider="imou",
        device=DeviceId(device),
        channel=ChannelId(number),
        stream="cloud",
        start=start,
        item="r:1",
    )
    end = start + dt.timedelta(minutes=1)
    return Recording(key=key, channel_name="Front door", start=start, end=end, **fields)


class FakeAccount:
    """Two devices, each with a channel 0 of the same name."""

    name = "imou"

    def __init__(self):
        self.found = {"AAAA1": [recording("AAAA1", 1)], "BBBB2": [recording("BBBB2", 0)]}
        self.known = [channel("AAAA1"), channel("BBBB2")]
        self.failures = {}
        self.support = YES
        self.capabilities = Capability.SEARCH | Capability.DOWNLOAD

    def devices(self):
        return [Device(provider="imou", id=DeviceId(one), name=one) for one in self.found]

    def channels(self):
        return self.known

    def search(self, channel, span, *, kinds=None):
        del span, kinds
        yield from self.found[channel.device]
        if channel.device in self.failures:
            raise self.failures[channel.device]

    def can_download(self, recording):
        del recording
        return self.support

    def close(self):
        """Do nothing."""


@pytest.fixture
def account(monkeypatch) -> Iterator[FakeAccount]:
    """The account that every URL leads to; the app secret is in the environment."""
    fake = FakeAccount()
    fake.connections = []

    def connect_to(target, **options):
        fake.connections.append((str(target.url), options))
        return fake

    monkeypatch.setattr(registry, "connect_to", connect_to)
    monkeypatch.setenv("CAMSYNC_PASSWORD", SECRET)
    return fake


@pytest.fixture
def engine(monkeypatch):
    """The download engine: it succeeds, or fails as it is told; it remembers where to."""
    asked = SimpleNamespace(calls=[], failures=[])

    def download_many(provider, wanted, dest, **options):
        del provider, options
        for each in wanted:
            asked.calls.append((each.key.device, dest))
            if asked.failures:
                yield Failed(recording=each, error=asked.failures.pop(0))
            else:
                yield Downloaded(
                    recording=each,
                    path=dest / "Cam00" / "x.mp4",
                    size=1,
                    container="mp4",
                    start=each.start,
                    end=each.end,
                    codec=Codec.H264,
                )

    monkeypatch.setattr(_fetching, "download_many", download_many)
    return asked


def run(capsys, *arguments):
    """Run the command line; return its exit code, stdout and stderr."""
    code = main(arguments)
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err
    return code, captured.out, captured.err


def run_json(capsys, *arguments):
    """Run the command line with --json; return its exit code and the one document."""
    code, out, err = run(capsys, *arguments, "--json")
    assert "" == err
    return code, json.loads(out)


def error_of(capsys, *arguments):
    """The message and the next step of a command that fails."""
    code, document = run_json(capsys, *arguments)
    return code, document["error"]["message"], document["error"]["next_step"]


# -- Options ----------------------------------------------------------------------------------------


def test_the_options_of_accounts_are_passed_on(account, capsys):
    """Place of search, limits, waking, zone: each reaches the provider under its own name."""
    options = ["--storage", "sd", "--wake", "--max-calls", "9", "--max-bytes", "0"]
    code, *_ = run(capsys, "search", URL, *options, "--timezone", "+08:00")
    url, given = account.connections[0]

    assert (0, URL) == (code, url)
    assert ("sd", True, 9, 0) == tuple(
        given[name] for name in ("storage", "wake", "max_calls", "max_bytes")
    )
    assert dt.timedelta(hours=8) == given["timezone"].utcoffset(None)


def test_what_was_not_said_is_not_passed_on(account, capsys):
    """The provider's own defaults count."""
    run(capsys, "search", URL)

    assert {"password"} == set(account.connections[0][1])


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--old-tls"], "modern TLS"),
        (["--insecure-basic"], "calls are signed"),
        (["--time-mode", "utc"], "--timezone says its zone"),
    ],
)
@pytest.mark.parametrize("command", ["channels", "login"])
def test_options_of_recorders_are_refused(account, capsys, command, option, words):
    """Each with its reason, before anything is asked or sent."""
    code, message, step = error_of(capsys, command, URL, *option)

    assert 2 == code
    assert f"{option[0]} makes no sense for imou://" in message
    assert words in message
    assert f"leave {option[0]} out" == step
    assert [] == account.connections


@pytest.mark.parametrize(
    "option", [["--storage", "sd"], ["--wake"], ["--max-calls", "1"], ["--max-bytes", "1"]]
)
def test_options_of_accounts_are_refused_for_recorders(account, capsys, option):
    """A recorder has no cloud, does not sleep, and costs nothing."""
    code, message, step = error_of(capsys, "search", "hikvision://admin@nvr.test", *option)

    assert 2 == code
    assert f"{option[0]} makes no sense for hikvision://" in message
    assert f"leave {option[0]} out" == step


# -- Devices ----------------------------------------------------------------------------------------


def test_tables_name_the_device_when_there_are_several(account, capsys):
    """In the lists of channels and of recordings."""
    _, channels, _ = run(capsys, "channels", URL)
    _, found, _ = run(capsys, "search", URL)

    assert channels.splitlines()[2].startswith("device ")
    assert found.splitlines()[0].startswith("device ")
    assert found.splitlines()[1].startswith("BBBB2")
    assert found.endswith("Z\n"), "the cloud says no sizes"


def test_one_device_needs_no_column(account, capsys):
    """The tables of a recorder and of one camera look the same."""
    account.known = account.known[:1]
    _, channels, _ = run(capsys, "channels", URL)
    _, found, _ = run(capsys, "search", URL)

    assert "device" not in channels
    assert found.startswith("camera ")


@pytest.mark.parametrize(
    ("options", "devices"),
    [
        (["--device", "AAAA1"], {"AAAA1"}),
        (["--device", "AAAA1", "--device", "BBBB2"], {"AAAA1", "BBBB2"}),
        (["--channel", "0"], {"AAAA1", "BBBB2"}),
        (["--channel", "00", "--device", "BBBB2"], {"BBBB2"}),
    ],
)
def test_devices_and_channels_are_chosen(account, capsys, options, devices):
    """A channel's number counts on each chosen device."""
    code, document = run_json(capsys, "search", URL, *options)

    assert 0 == code
    assert devices == {entry["device"] for entry in document["recordings"]}


def test_a_device_that_is_not_there(account, capsys):
    """The message lists those that are."""
    code, message, step = error_of(capsys, "search", URL, "--device", "CCCC3")

    assert (2, "there are: AAAA1, BBBB2") == (code, step)
    assert message.startswith("there is no device CCCC3")


def test_a_channel_that_no_device_has(account, capsys):
    """The message lists devices and channels."""
    code, message, step = error_of(capsys, "search", URL, "--channel", "7")

    assert (2, "no device has a channel 7") == (code, message)
    assert "there are: AAAA1/0 (Front door), BBBB2/0 (Front door)" == step


# -- One device must not hide the others ------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        errors.DeviceOfflineError("offline"),
        errors.LicenceError("too many devices"),
        errors.DeviceTimeoutError("silent", vendor_code="WF1001"),
    ],
)
def test_a_device_that_cannot_be_searched_is_told(account, capsys, error):
    """What the others have is listed, and the exit code says that something is missing."""
    account.failures["AAAA1"] = error
    code, document = run_json(capsys, "search", URL)
    _, out, err = run(capsys, "search", URL)

    assert 1 == code
    assert 2 == len(document["recordings"]), "what came before the error is good"
    (problem,) = document["problems"]
    assert ("AAAA1", "0", error.message) == (
        problem["device"],
        problem["channel"],
        problem["error"]["message"],
    )
    assert "2 recordings" in out
    assert err.startswith(f"not searched: AAAA1/0 Front door: {error.message}")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.AuthenticationError("refused"), 6),
        (errors.UnreachableError("no route"), 4),
        (errors.QuotaError("used up"), 18),
        (errors.BudgetExceededError("your 9 calls are used up"), 18),
    ],
)
def test_what_concerns_all_devices_ends_the_search(account, capsys, error, expected):
    """The others would meet the same, and each try may cost."""
    account.failures["AAAA1"] = error

    assert (expected, error.message) == error_of(capsys, "search", URL)[:2]


def test_when_no_device_can_be_searched_that_is_the_error(account, capsys):
    """An account whose devices are all offline has the exit code of one that is."""
    account.found = {"AAAA1": [], "BBBB2": []}
    account.failures = dict.fromkeys(account.found, errors.DeviceOfflineError("offline"))

    assert 17 == error_of(capsys, "search", URL)[0]


def test_the_only_device_ends_the_search(account, capsys):
    """As it does with a recorder."""
    account.failures["AAAA1"] = errors.DeviceOfflineError("offline")

    assert 17 == error_of(capsys, "search", URL, "--device", "AAAA1")[0]


# -- Downloads --------------------------------------------------------------------------------------


def test_each_device_has_a_folder_of_its_own(account, engine, capsys, tmp_path):
    """Two cameras with channel 0 and the same name do not meet in one folder."""
    code, out, _ = run(capsys, "download", URL, "--dest", str(tmp_path))

    assert 0 == code
    assert [("BBBB2", tmp_path / "BBBB2"), ("AAAA1", tmp_path / "AAAA1")] == engine.calls
    assert out.startswith("device ")


def test_recorders_keep_their_folders(account, engine, capsys, tmp_path, monkeypatch):
    """What is in the folder of a recorder already is found there again."""
    monkeypatch.setattr(FakeAccount, "name", "hikvision")
    run(capsys, "download", "hikvision://admin@nvr.test", "--dest", str(tmp_path))

    assert {tmp_path} == {dest for _, dest in engine.calls}


@pytest.mark.parametrize("odd", ["../../etc", "a/b", "", "x" * 70, "con", "Cửa", "\ud800bcdef"])
def test_odd_ids_become_plain_folders(odd):
    """Ids come from the cloud: none leaves the folder, and different ones stay different."""
    digest = hashlib.sha256(odd.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    assert f"device-{digest}" == _fetching.device_folder(odd)


def test_ordinary_ids_are_their_own_folders():
    """Serial numbers are letters and digits."""
    assert "7D0D3C4PAZ12345" == _fetching.device_folder("7D0D3C4PAZ12345")


def test_a_doubt_is_told_once(account, engine, capsys, tmp_path):
    """Not once per recording; and programs that read JSON are spared."""
    account.support = EXPERIMENTAL
    _, _, err = run(capsys, "download", URL, "--dest", str(tmp_path))
    code, _ = run_json(capsys, "download", URL, "--dest", str(tmp_path))

    assert "whether this can be downloaded is not known: nobody has tried\n" == err
    assert (0, 4) == (code, len(engine.calls))


def test_what_cannot_be_downloaded_is_not_tried(account, engine, capsys, tmp_path):
    """The reason is given for each recording; nothing is sent."""
    account.support = NO
    code, out, err = run(capsys, "download", URL, "--dest", str(tmp_path), "--json")
    document = json.loads(out)

    assert (1, []) == (code, engine.calls)
    assert 2 == err.count("failed: the region allows none"), "as the engine tells its own"
    reasons = {entry["error"]["message"] for entry in document["failed"]}
    assert ({NO.reason}, 2) == (reasons, len(document["failed"]))


def test_an_account_that_may_download_nothing_ends_the_run(account, engine, capsys, tmp_path):
    """Once, and with the exit code of what is not supported."""
    account.support, account.capabilities = NO, Capability.SEARCH
    code, document = run_json(capsys, "download", URL, "--dest", str(tmp_path))

    assert (10, []) == (code, engine.calls)
    assert (NO.reason, []) == (document["error"]["message"], document["failed"])


def test_a_provider_that_does_not_judge_is_tried(account, engine, capsys, tmp_path, monkeypatch):
    """Another kind of account need not know beforehand."""
    plain = SimpleNamespace(
        name="imou", channels=account.channels, search=account.search, close=account.close
    )
    monkeypatch.setattr(registry, "connect_to", lambda *_, **__: plain)
    code, out, err = run(capsys, "download", URL, "--dest", str(tmp_path))

    assert (0, 2) == (code, len(engine.calls)), out + err


@pytest.mark.parametrize(
    ("error", "calls", "expected"),
    [
        (errors.QuotaError("used up"), 1, 18),
        (errors.BudgetExceededError("your own limit"), 1, 18),
        (errors.LicenceError("this device has none"), 2, 1),
        (errors.DeviceOfflineError("away"), 2, 1),
    ],
)
def test_a_used_up_quota_ends_the_run(account, engine, capsys, tmp_path, error, calls, expected):
    """What concerns one device only does not."""
    engine.failures = [error]
    code, _ = run_json(capsys, "download", URL, "--dest", str(tmp_path))

    assert (expected, calls) == (code, len(engine.calls))


def test_a_device_that_was_not_searched_is_told_with_the_files(account, engine, capsys, tmp_path):
    """All that was found is there, and the exit code says that there may be more."""
    account.failures["AAAA1"] = errors.DeviceOfflineError("offline")
    code, document = run_json(capsys, "download", URL, "--dest", str(tmp_path))

    assert (1, 2, 1) == (code, len(document["downloaded"]), len(document["problems"]))
    assert {"AAAA1", "BBBB2"} == {entry["device"] for entry in document["downloaded"]}


# -- Login ------------------------------------------------------------------------------------------


@pytest.fixture
def typed(monkeypatch):
    """A terminal: what is asked, and the answers that are typed."""
    talk = SimpleNamespace(questions=[], answers=[])

    def prompt(question, **options):
        talk.questions.append(question)
        return talk.answers.pop(0) or options["default"]

    monkeypatch.setattr(_prompt, "on_terminal", lambda: True)
    monkeypatch.setattr("camsync.cli._whereto.on_terminal", lambda: True)
    monkeypatch.setattr(_prompt.click, "prompt", prompt)
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_PASSPHRASE", "correct horse battery")
    return talk


def test_the_short_form_asks_for_everything(typed, capsys):
    """Data centre, app id, app secret and name, in the words of the vendor."""
    typed.answers = ["fk", "", "lcapp", SECRET]
    code, out, _ = run(capsys, "login", "imou", "--no-test")

    assert 0 == code
    where, name, user, secret = typed.questions
    assert where.startswith("Data centre of the account: sg (")
    assert ("Name for this account", "App id on fk", "App secret of lcapp on fk") == (
        name,
        user,
        secret,
    )
    assert "the app secret of lcapp is in" in out
    (profile,) = Profiles().all()
    assert ("imou-fk", "imou", "fk") == (profile.name, profile.provider, profile.host)


def test_a_profile_may_be_called_imou(typed, capsys):
    """Then the bare name means the profile."""
    Profiles().set(Profile(name="imou", provider="imou", host="or"))
    typed.answers = ["lcapp", SECRET]
    code, *_ = run(capsys, "login", "imou", "--no-test")

    assert (0, ["App id on or", "App secret of lcapp on or"]) == (code, typed.questions)


def test_without_a_terminal_the_short_form_says_what_to_write(capsys):
    """There is nobody to ask."""
    code, _, step = error_of(capsys, "login", "imou")

    assert (2, "write: camsync login imou://APPID@sg") == (code, step)


def test_without_a_terminal_the_app_id_must_be_there(capsys):
    """In the words of the vendor, here too."""
    code, message, step = error_of(capsys, "login", "imou://sg")

    assert (2, "write imou://APPID@sg") == (code, step)
    assert "names no app id" in message


def test_without_a_terminal_the_app_secret_must_come_from_somewhere(capsys):
    """The message names what is missing."""
    code, message, _ = error_of(capsys, "channels", URL)

    assert 2 == code
    assert message.startswith("no app secret for lcapp on sg")


def test_a_second_account_in_the_same_place_is_another_profile(typed, capsys):
    """The place is shared by all accounts: it does not say which profile is meant."""
    Profiles().set(Profile(name="home", provider="imou", host="sg", learnt={"sign": "md5"}))
    typed.answers = [SECRET]
    code, *_ = run(capsys, "login", URL, "--name", "office", "--no-test")

    assert 0 == code
    assert ["home", "office"] == [one.name for one in Profiles().all()]
    assert {"sign": "md5"} == Profiles().get("home").learnt


def test_a_name_that_gets_another_place(typed, capsys):
    """It is said that the account was another one."""
    Profiles().set(Profile(name="home", provider="imou", host="fk"))
    typed.answers = [SECRET]
    _, _, err = run(capsys, "login", URL, "--name", "home", "--no-test")

    assert "home was another account before: fk" in err


def test_profiles_show_that_the_cloud_is_spoken_to_with_tls(capsys):
    """There is no https in such a profile, and plain HTTP is never used."""
    Profiles().set(Profile(name="home", provider="imou", host="sg"))
    Profiles().set(Profile(name="sim", provider="imou", host="127.0.0.1", port=8080))
    _, out, _ = run(capsys, "profiles")
    home, sim = out.splitlines()[1:3]

    assert "public roots" in home
    assert "plain HTTP" in sim


@pytest.mark.parametrize("place", ["imou://sg", "imou://home", "home"])
def test_there_is_nothing_to_pin_in_the_cloud(capsys, place):
    """Public roots vouch for it."""
    Profiles().set(Profile(name="home", provider="imou", host="or"))
    code, message, _ = error_of(capsys, "trust", place)

    assert 2 == code
    assert "public roots" in message


def test_a_name_that_is_nothing_suggests_both_kinds_of_url(capsys):
    """A recorder's and an account's."""
    assert "hikvision://USER@HOST or imou://APPID@sg" in error_of(capsys, "channels", "nobody")[2]


def test_an_account_cannot_be_dumped(account, capsys):
    """In words, and with the way to a bug report."""
    code, message, step = error_of(capsys, "dump", URL)

    assert 10 == code
    assert "'imou' cannot dump a device" in message
    assert step.endswith("camsync doctor imou://lcapp@sg --bundle report.zip")


# -- Usage ------------------------------------------------------------------------------------------


@pytest.fixture
def counts():
    """Counts of two accounts, one of them of a month that is over."""
    month = f"{dt.datetime.now(dt.timezone.utc):%Y-%m}"
    methods = {"accessToken": 1, "queryLocalRecords": 11}
    document = {
        "camsync_imou_usage": 1,
        "accounts": {
            "lcapp": {"month": month, "calls": 12, "bytes": 2048, "by_method": methods},
            "lcold": {"month": "2020-01", "calls": 7, "bytes": 7, "by_method": {"x": 7}},
        },
    }
    path = config_folder() / "imou-usage.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


def test_usage_of_all_accounts(counts, capsys):
    """Calls, bytes and methods; last month's counts are over."""
    code, document = run_json(capsys, "usage")
    first, second = document["accounts"]

    assert 0 == code
    assert ("lcapp", 12, 2048, 11) == (
        first["account"],
        first["calls"],
        first["bytes"],
        first["by_method"]["queryLocalRecords"],
    )
    assert ("lcold", 0, 0, {}, None) == (
        second["account"],
        second["calls"],
        second["bytes"],
        second["by_method"],
        second["max_calls"],
    )


def test_usage_of_one_account_with_limits(counts, capsys):
    """A table with what is allowed, and one by method."""
    code, out, _ = run(capsys, "usage", URL, "--max-calls", "30000", "--max-bytes", "1048576")

    assert 0 == code
    assert "lcapp" in out
    assert "30000" in out
    assert "2.0 KiB" in out
    assert "1.0 MiB" in out
    assert "queryLocalRecords" in out
    assert "lcold" not in out
    assert "the vendor's own count may be higher" in out


def test_usage_of_a_profile_takes_the_app_id_from_the_store(counts, capsys, monkeypatch):
    """The store knows whose account it is; nobody is asked for the secret."""
    Profiles().set(Profile(name="home", provider="imou", host="sg"))
    monkeypatch.setenv("CAMSYNC_IMOU_HOME_USERNAME", "lcapp")
    monkeypatch.setenv("CAMSYNC_IMOU_HOME_SECRET", SECRET)
    code, document = run_json(capsys, "usage", "home")

    assert (0, ["lcapp"]) == (code, [one["account"] for one in document["accounts"]])


def test_usage_before_anything_was_used(capsys):
    """That is no error."""
    code, out, _ = run(capsys, "usage")

    assert 0 == code
    assert "nothing has been counted yet" in out


def test_a_second_argument_is_not_repeated(capsys):
    """It may be the app secret, typed where it does not belong."""
    code, message, _ = error_of(capsys, "usage", URL, "typed-app-word")

    assert (2, "there are more arguments than the command takes") == (code, message)


def test_usage_of_a_recorder(capsys):
    """Nothing is counted there."""
    code, message, _ = error_of(capsys, "usage", "hikvision://admin@nvr.test")

    assert 2 == code
    assert "only for cloud accounts" in message


@pytest.mark.parametrize("content", ["[", "[]", "{}", '{"accounts": 1}'])
def test_usage_with_a_damaged_file(counts, capsys, content):
    """It says which file, and what to do."""
    counts.write_text(content)
    code, message, step = error_of(capsys, "usage")

    assert 16 == code
    assert str(counts) in message
    assert "delete it" in step


# -- Words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (errors.DeviceAsleepError("asleep"), "or use --wake"),
        (errors.BudgetExceededError("used up"), "raise --max-calls or --max-bytes"),
        (
            errors.ConfigurationError(
                "no zone",
                next_step="pass timezone='Asia/Ho_Chi_Minh', or a mapping with the zone of each device",
            ),
            "pass --timezone Asia/Ho_Chi_Minh",
        ),
        (
            errors.DownloadUnsupportedError(
                "no", next_step="fetch it in the app; retry_login() lets camsync try again"
            ),
            "fetch it in the app",
        ),
    ],
)
def test_next_steps_are_in_the_words_of_the_command_line(account, capsys, error, step):
    """Options instead of arguments and methods."""
    account.failures["AAAA1"] = error

    assert step in error_of(capsys, "search", URL, "--device", "AAAA1")[2]


def test_simulators_say_what_they_can_do(capsys):
    """Faults and kinds of devices, without starting anything."""
    _, faults = run_json(capsys, "simulate", "imou", "--list-faults")
    _, kinds = run_json(capsys, "simulate", "imou", "--list-kinds")

    assert "hls-denied" in faults["faults"]
    assert "nvr" in kinds["kinds"]


# -- An account without cameras ---------------------------------------------------------------------


@pytest.mark.parametrize("command", ["channels", "search", "download"])
def test_an_account_without_cameras_is_an_error(account, capsys, tmp_path, monkeypatch, command):
    """A wrong data centre lets everybody in, and shows nothing."""
    monkeypatch.chdir(tmp_path)
    account.known, account.found = [], {}
    code, message, step = error_of(capsys, command, URL)

    assert 12 == code
    assert "the login works, but this account has no cameras in data centre 'sg'" == message
    assert step.startswith("try camsync channels imou://lcapp@fk (or @or, @cn), and check that")


def test_devices_without_cameras_are_shown_before_the_error(account, capsys):
    """A gateway is a device, too."""
    account.known = []
    code, out, err = run(capsys, "channels", URL)

    assert (12, True) == (code, out.startswith("AAAA1: "))
    assert "no cameras in data centre 'sg'" in err


def test_elsewhere_no_data_centre_is_advised(account, capsys):
    """A simulator or a gateway has none."""
    account.known = []

    assert (
        12,
        "the login works, but this account has no cameras",
        "check that the cameras belong to the account that owns the app",
    ) == error_of(capsys, "search", "imou://lcapp@127.0.0.1:8080")


def test_a_recorder_without_cameras_is_an_error(account, capsys):
    """Not the same as one without recordings."""
    account.known = []
    code, message, step = error_of(capsys, "search", "hikvision://admin@nvr.test")

    assert (12, "the login works, but the recorder lists no channels") == (code, message)
    assert "cameras are added" in step


@pytest.mark.parametrize("as_json", [False, True])
def test_login_warns_of_an_account_without_cameras(account, capsys, monkeypatch, as_json):
    """Before it saves; the account may get cameras yet."""
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_PASSPHRASE", "correct horse battery")
    account.known = []
    good = Check(name="devices", status=CheckStatus.WARNING, seen="the list of devices is empty")
    monkeypatch.setattr(FakeAccount, "diagnose", lambda _self: iter([good]), raising=False)
    code, out, err = run(capsys, "login", URL, "--yes", *["--json"] * as_json)

    assert 0 == code
    if as_json:
        assert "" == err
        assert "in data centre 'sg'" in json.loads(out)["warnings"][0]
    else:
        assert err.startswith("warning: the login works, but this account has no cameras")
        assert "try camsync channels imou://lcapp@fk" in err


def test_login_does_not_warn_when_nothing_was_listed(account, capsys, monkeypatch):
    """A list that failed is not empty."""
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_PASSPHRASE", "correct horse battery")
    account.known = []
    bad = Check(name="devices", status=CheckStatus.FAILED, seen="silent")
    monkeypatch.setattr(FakeAccount, "diagnose", lambda _self: iter([bad]), raising=False)

    assert (0, "") == run(capsys, "login", URL, "--yes")[::2]


# -- Cameras of different kinds in one account -------------------------------------------------------


@pytest.mark.parametrize("command", ["search", "download"])
@pytest.mark.parametrize(
    "error", [errors.NoCloudPlanError("no plan"), errors.NoLocalStorageError("no card")]
)
def test_a_camera_without_plan_or_card_is_a_state(
    account, engine, capsys, tmp_path, monkeypatch, command, error
):
    """It is listed, and nothing has failed."""
    monkeypatch.chdir(tmp_path)
    account.found["AAAA1"] = []
    account.failures["AAAA1"] = error
    code, _, err = run(capsys, command, URL)
    again, document = run_json(capsys, command, URL)
    (entry,) = document["without"]

    assert (0, 0, []) == (code, again, document["problems"])
    assert f"not searched: AAAA1/0 Front door: {error.message}\n" in err
    assert ("AAAA1", type(error).__name__) == (entry["device"], entry["error"]["type"])


def test_offline_stays_a_problem_beside_a_state(account, capsys):
    """What the one cannot have is not what the other did not tell."""
    account.found = {"AAAA1": [], "BBBB2": [recording("BBBB2")], "CCCC3": []}
    account.known = [channel(one) for one in account.found]
    account.failures = {
        "AAAA1": errors.NoCloudPlanError("no plan"),
        "CCCC3": errors.DeviceOfflineError("offline"),
    }
    code, document = run_json(capsys, "search", URL)

    assert (1, 1, 1) == (code, len(document["problems"]), len(document["without"]))


@pytest.mark.parametrize("options", [["--device", "AAAA1"], []])
def test_when_nothing_can_be_searched_it_is_an_error(account, capsys, options):
    """Neither the one that was asked for, nor any of them."""
    account.found = {"AAAA1": [], "BBBB2": []}
    account.failures = dict.fromkeys(account.found, errors.NoCloudPlanError("no plan"))

    assert (10, "no plan") == error_of(capsys, "search", URL, *options)[:2]


# -- Limits -----------------------------------------------------------------------------------------


LIMITS = ("--max-calls", "900", "--max-bytes", "5000")


@pytest.mark.parametrize("command", ["channels", "search", "download", "doctor"])
def test_limits_count_for_every_command(account, engine, capsys, tmp_path, monkeypatch, command):
    """Whatever sends calls can be stopped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(FakeAccount, "diagnose", lambda _self: iter(()), raising=False)
    run(capsys, command, URL, *LIMITS)
    given = account.connections[0][1]

    assert (900, 5000) == (given["max_calls"], given["max_bytes"])


def test_limits_are_saved_by_login(typed, capsys):
    """And kept when somebody logs in again, by the name or by the URL."""
    typed.answers = [SECRET]
    run(capsys, "login", URL, "--name", "home", "--no-test", *LIMITS)
    (first,) = Profiles().all()
    typed.answers = ["lcapp", SECRET]
    run(capsys, "login", "home", "--no-test", "--max-calls", "800")
    typed.answers = [SECRET]
    run(capsys, "login", URL, "--name", "home", "--no-test")
    (last,) = Profiles().all()

    assert (900, 5000) == (first.max_calls, first.max_bytes)
    assert (800, 5000) == (last.max_calls, last.max_bytes)
    assert {"max_calls": 800, "max_bytes": 5000} == last.options()


def test_an_odd_limit_in_a_profile():
    """Somebody has written it into the file by hand."""
    for limit in (-1, True, "9"):
        with pytest.raises(errors.ConfigurationError, match="max_calls of a profile"):
            Profile(name="home", provider="imou", host="sg", max_calls=limit)


def test_usage_shows_profiles_and_their_limits(counts, capsys):
    """The headings say which number is what; the lowest limit counts."""
    for name, limit in (("home", 900), ("office", 700), ("plain", None)):
        profile = Profile(
            name=name, provider="imou", host="sg", username="lcapp", max_calls=limit, max_bytes=5000
        )
        Profiles().set(profile)
    _, out, _ = run(capsys, "usage")
    _, document = run_json(capsys, "usage", "home")
    head, first, second = out.splitlines()[:3]

    assert "profile account month calls of limit media of limit" == " ".join(head.split())
    assert first.startswith("home, office, plain")
    assert "700" in first
    assert "4.9 KiB" in first
    assert second.split()[0] == "lcold"
    (entry,) = document["accounts"]
    assert (900, ["home"], ["lcapp", "lcold"]) == (
        entry["max_calls"],
        entry["profiles"],
        document["known"],
    )


def test_usage_of_an_account_that_nobody_knows(counts, capsys):
    """A typing error is not an account that has used nothing."""
    code, out, _ = run(capsys, "usage", "imou://TYPO@sg")

    assert 0 == code
    assert out.startswith("nothing has been counted for TYPO on this computer\n")
    assert "accounts with counts: lcapp, lcold\n" in out
    counts.unlink()
    assert "accounts with counts: none\n" in run(capsys, "usage", "imou://TYPO@sg")[1]


# -- Whose profile it is ----------------------------------------------------------------------------


@pytest.fixture
def first_account(typed, capsys):
    """A profile with the usual name, whose app secret is stored."""
    typed.answers = [SECRET]
    run(capsys, "login", URL, "--yes", "--no-test")
    typed.questions.clear()
    return Profiles().get("imou-sg")


def stored_user():
    """Whose secret is stored under the usual name."""
    return registry.open_store().get("imou", "imou-sg").username


def test_another_account_does_not_replace_the_first(first_account, capsys):
    """With --yes nobody can be asked: the first secret would be lost."""
    code, message, step = error_of(capsys, "login", "imou://other@sg", "--yes", "--no-test")

    assert 2 == code
    assert "imou-sg belongs to app lcapp; nothing was changed" == message
    assert "use --name NAME, or camsync logout imou-sg first" == step
    assert (first_account, "lcapp") == (Profiles().get("imou-sg"), stored_user())


@pytest.mark.parametrize("answer", [True, False])
def test_somebody_at_the_terminal_is_asked(first_account, typed, capsys, monkeypatch, answer):
    """Before the secret."""
    asked = []
    monkeypatch.setattr(
        _prompt.click, "confirm", lambda question, **_: asked.append(question) or answer
    )
    typed.answers = ["", "other-word"]
    code, *_ = run(capsys, "login", "imou://other@sg", "--no-test")

    assert (0 if answer else 2) == code
    assert ["imou-sg belongs to app lcapp. Replace it, and forget what is stored for it?"] == asked
    assert ("other" if answer else "lcapp") == stored_user()
    assert (2 if answer else 1) == len(typed.questions), "a no is not followed by more questions"


def test_a_url_means_the_profile_of_its_own_account(first_account):
    """Two accounts in one data centre do not share limits, or what was learnt."""
    assert "imou-sg" == registry.resolve("imou://lcapp@sg").profile.name
    assert None is registry.resolve("imou://other@sg").profile
    assert "imou-sg" == registry.resolve("imou://other@imou-sg").profile.name


def test_without_a_user_python_gets_the_form_of_the_vendor():
    """An account has an app id and a data centre, no host."""
    with pytest.raises(errors.ConfigurationError) as caught:
        registry.connect("imou://fk", password=SECRET)

    assert "write imou://APPID@sg" == caught.value.next_step


# -- The data centre --------------------------------------------------------------------------------


def test_the_data_centre_is_checked_at_once(typed, capsys):
    """In any case of letters; what is none is not repeated, and asked again."""
    typed.answers = ["Nowhere", "FK", "", "lcapp", SECRET]
    code, _, err = run(capsys, "login", "imou", "--no-test")

    assert 0 == code
    assert "that is none of them; type one of: sg, fk, or, cn\n" in err
    assert "Nowhere" not in err
    assert 2 == sum(question.startswith("Data centre") for question in typed.questions)
    assert "fk" == Profiles().get("imou-fk").host


def test_three_wrong_data_centres_end_it(typed, capsys):
    """Nobody is asked for ever."""
    typed.answers = ["x", "y", "z"]
    code, _, err = run(capsys, "login", "imou", "--no-test")

    assert (2, 3) == (code, len(typed.questions))
    assert "write: camsync login imou://APPID@sg" in err


@pytest.mark.parametrize("command", ["channels", "login"])
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("imou://lcapp@xx", "'xx' is no data centre of imou://"),
        ("imou://lcapp", "'lcapp' is no profile and no data centre of imou://"),
    ],
)
def test_what_is_no_data_centre_is_refused_before_any_question(
    typed, capsys, command, url, message
):
    """The app secret would be typed for nothing."""
    code, _, err = run(capsys, command, url)

    assert (2, []) == (code, typed.questions)
    assert f"error: {message}\n" in err
    assert "write imou://APPID@sg; the data centres are sg (Singapore), fk" in err


def test_a_url_without_a_data_centre_is_explained_in_the_vendors_words(capsys):
    """There is no host and no port to write."""
    assert "write imou://APPID@sg" == error_of(capsys, "channels", "imou://lcapp@")[2]


# -- What tables show -------------------------------------------------------------------------------


def short_table(account, monkeypatch, *recordings):
    """The table of recordings, as a terminal gets it."""
    monkeypatch.setattr(Output, "on_terminal", True)
    account.found = {"AAAA1": recordings, "BBBB2": []}


def test_the_place_of_a_recording_is_shown_when_there_are_two(account, capsys, monkeypatch):
    """Else it would be the same in each row."""
    card = attrs.evolve(recording("AAAA1"), key=attrs.evolve(recording("AAAA1").key, stream="sd"))
    short_table(account, monkeypatch, card, recording("AAAA1", 1))
    _, both, _ = run(capsys, "search", URL)
    short_table(account, monkeypatch, card)
    _, one, _ = run(capsys, "search", URL)

    assert "storage" in both
    assert "cloud" in both
    assert "storage" not in one


def test_sizes_that_are_not_exact_are_marked(account, capsys, monkeypatch):
    """The cloud says about how large a recording is."""
    hinted = SimpleNamespace(
        **{each.name: getattr(recording("AAAA1"), each.name) for each in attrs.fields(Recording)},
        duration=dt.timedelta(minutes=1),
        local_start=START,
    )
    hinted.size_hint = 3 * 1024 * 1024
    account.found = {"AAAA1": [hinted], "BBBB2": [recording("BBBB2", size=1024)]}
    _, out, _ = run(capsys, "search", URL)
    _, document = run_json(capsys, "search", URL)

    assert " ~3.0 MiB" in out
    assert " 1.0 KiB" in out
    assert out.endswith(", ~3.0 MiB\n")
    assert {3 * 1024 * 1024, None} == {one["size_hint"] for one in document["recordings"]}


def test_the_plan_is_shown_where_the_list_says_it(account, capsys):
    """It costs nothing; what is not known is no column."""
    account.known = [
        attrs.evolve(channel("AAAA1"), raw={"plan": "expired"}),
        attrs.evolve(channel("BBBB2"), raw={"plan": "unknown"}),
    ]
    _, out, _ = run(capsys, "channels", URL)
    _, document = run_json(capsys, "channels", URL)
    account.known = account.known[1:]
    _, without, _ = run(capsys, "channels", URL)

    assert "cloud plan" in out
    assert "expired" in out
    assert "cloud plan" not in without
    assert ["expired", "unknown"] == [one["plan"] for one in document["channels"]]


# -- Advice that can be typed -----------------------------------------------------------------------


def test_advice_names_the_profile(account, engine, capsys, tmp_path, monkeypatch):
    """``see: camsync doctor home`` can be copied."""
    Profiles().set(Profile(name="home", provider="imou", host="sg", username="lcapp"))
    account.support = NO
    command = ("--json", "--dest", str(tmp_path))
    document = json.loads(run(capsys, "download", URL, *command)[1])
    monkeypatch.setenv("CAMSYNC_IMOU_HOME_USERNAME", "lcapp")
    monkeypatch.setenv("CAMSYNC_IMOU_HOME_SECRET", SECRET)
    named = json.loads(run(capsys, "download", "home", *command)[1])

    assert document["failed"][0]["error"]["next_step"].endswith("camsync doctor imou://lcapp@sg")
    assert named["failed"][0]["error"]["next_step"].endswith("see: camsync doctor home")


def test_the_doctor_offers_no_option_that_it_has_not(account, capsys, tmp_path):
    """It never replaces a file."""
    path = tmp_path / "report.zip"
    path.write_text("old")

    assert (
        "choose another name, or move it away"
        == error_of(capsys, "doctor", URL, "--bundle", str(path))[2]
    )


@pytest.mark.parametrize("failing", [False, True])
def test_a_bundle_asks_an_account_for_its_names(account, capsys, tmp_path, monkeypatch, failing):
    """It is asked once more; and what that does not tell is said."""
    seen = Check(name="devices", status=CheckStatus.OK, seen="AAAA1 is called Granny's bedroom")
    monkeypatch.setattr(FakeAccount, "diagnose", lambda _self: iter([seen]), raising=False)
    account.known = [attrs.evolve(channel("AAAA1"), name="Granny's bedroom")]
    if failing:
        monkeypatch.setattr(account, "channels", _away)
    path = tmp_path / "report.zip"
    code, *_ = run(capsys, "doctor", URL, "--bundle", str(path))
    with zipfile.ZipFile(path) as archive:
        doctor, readme = (archive.read(name).decode() for name in ("doctor.txt", "README.txt"))

    assert 0 == code
    assert failing == ("Granny" in doctor)
    assert failing == ("could not be listed again (DeviceOfflineError)" in readme)


def _away():
    msg = "away"
    raise errors.DeviceOfflineError(msg)
