"""The command line for cloud accounts, with an account that needs no cloud."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from camsync import (
    Capability,
    Channel,
    ChannelId,
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
    account.known = []
    assert "there are: none" == error_of(capsys, "search", URL, "--device", "C")[2]


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
        errors.NoLocalStorageError("no card"),
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
    monkeypatch.setattr("camsync.cli._login.on_terminal", lambda: True)
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
    assert "doctor --bundle" in step


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
