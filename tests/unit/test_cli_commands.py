"""The commands against a provider that needs no device."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import runpy
import signal
import sys

from importlib import metadata

import pytest

from camsync import (
    Channel,
    ChannelId,
    Check,
    CheckStatus,
    Codec,
    Credential,
    Device,
    DeviceId,
    EncryptedFileStore,
    Profile,
    Profiles,
    Recording,
    RecordingKey,
    RecordingKind,
    Secret,
    errors,
    registry,
)
from camsync._zone import parse_timezone
from camsync.cli import _app, _options, main
from camsync.credentials.keys import new_key


URL = "hikvision://admin@nvr.test"
START = dt.datetime(2026, 9, 26, tzinfo=dt.timezone.utc)
PASSWORD = "s3cret-word"


def channel(number, name="Front door", **fields):
    """A channel with that number."""
    return Channel(device=DeviceId("DS1"), id=ChannelId(str(number)), name=name, **fields)


def recording(number, minute, **fields):
    """A recording of that channel which starts in that minute."""
    start = START + dt.timedelta(minutes=minute)
    key = RecordingKey(
        provider="hikvision", device=DeviceId("DS1"), channel=ChannelId(str(number)), start=start
    )
    given = {"end": start + dt.timedelta(minutes=1), "size": 2048, **fields}
    return Recording(key=key, channel_name=f"Cam {number}", start=start, **given)


class FakeProvider:
    """Two cameras and three recordings; it remembers what it was asked."""

    name = "fake"

    def __init__(self):
        self.asked = []
        self.closed = 0
        self.failure = None
        self.steps = [Check(name="tcp", status=CheckStatus.OK, seen="connected in 2 ms")]

    def devices(self):
        if self.failure is not None:
            raise self.failure
        return [Device(provider="hikvision", id=DeviceId("DS1"), name="NVR", model="DS-7616")]

    def channels(self):
        return [
            channel(1, online=True, codec=Codec.H265, width=1920, height=1080, tracks=("101",)),
            channel(2, name="\x1b[31mCửa", online=False, fps=12.5),
        ]

    def search(self, channel, span, *, kinds=None):
        self.asked.append((channel.id, span, kinds))
        if channel.id == "1":
            yield recording(1, 0, utc_offset=dt.timedelta(hours=8), kind=RecordingKind.MOTION)
            yield recording(1, 2, in_progress=True)
        else:
            yield recording(2, 1, size=None)

    def diagnose(self):
        yield from self.steps

    def close(self):
        self.closed += 1


class SilentProvider:
    """A provider without a connection test."""

    name = "silent"

    def close(self):
        """Do nothing."""


@pytest.fixture(autouse=True)
def _a_home(monkeypatch, tmp_path):
    """Profiles and stores of its own."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home"))


@pytest.fixture
def provider(monkeypatch):
    """The provider that every URL leads to; the password is in the environment."""
    fake = FakeProvider()
    fake.connections = []

    def connect(target, **options):
        fake.connections.append((str(target.url), options))
        return fake

    monkeypatch.setattr(registry, "connect_to", connect)
    monkeypatch.setenv("CAMSYNC_PASSWORD", PASSWORD)
    return fake


def run(capsys, *arguments):
    """Run the command line; return its exit code, stdout and stderr."""
    code = main(arguments)
    captured = capsys.readouterr()
    assert PASSWORD not in captured.out + captured.err
    return code, captured.out, captured.err


def run_json(capsys, *arguments):
    """Run the command line with --json; return its exit code and the one document."""
    code, out, err = run(capsys, *arguments, "--json")
    assert "" == err
    return code, json.loads(out)


def squeezed(line):
    """A row of a table with single blanks."""
    return " ".join(line.split())


# -- channels


def test_channels_are_a_table(provider, capsys):
    """The device in a line, its cameras in a table, without control characters."""
    code, out, _err = run(capsys, "channels", URL)
    lines = out.splitlines()

    assert 0 == code
    assert "NVR: DS-7616, serial DS1" == lines[0]
    assert "id name online source model codec resolution fps tracks" == squeezed(lines[1])
    assert "1 Front door yes unknown h265 1920x1080 101" == squeezed(lines[2])
    assert "\ufffd[31mCửa" in lines[3]
    assert "12.5" in lines[3]
    assert 1 == provider.closed


def test_the_firmware_is_shown_when_it_is_known(provider, capsys, monkeypatch):
    """It decides what a recorder can do."""
    device = Device(provider="hikvision", id=DeviceId("DS1"), name="N", model="M", firmware="V4.1")
    monkeypatch.setattr(provider, "devices", lambda: [device])

    assert run(capsys, "channels", URL)[1].startswith("N: M, firmware V4.1, serial DS1\n")


def test_channels_as_json(provider, capsys):
    """The same as one document with stable keys."""
    code, document = run_json(capsys, "channels", URL)

    assert 0 == code
    assert {
        "provider": "hikvision",
        "id": "DS1",
        "name": "NVR",
        "model": "DS-7616",
        "firmware": "",
        "kind": "unknown",
    } == document["devices"][0]
    assert {
        "device": "DS1",
        "id": "1",
        "name": "Front door",
        "online": True,
        "source": "unknown",
        "model": "",
        "codec": "h265",
        "width": 1920,
        "height": 1080,
        "fps": None,
        "tracks": ["101"],
        "plan": None,
    } == document["channels"][0]


# -- search


def test_recordings_come_oldest_first_over_all_channels(provider, capsys):
    """One table with both clocks, the key to fetch a recording again, and a sum."""
    code, out, _err = run(capsys, "search", URL, "--since", "2026-09-26T00:00Z")
    lines = out.splitlines()

    assert 0 == code
    assert ["Cam 1", "Cam 2", "Cam 1"] == [line[:5] for line in lines[1:4]]
    assert "2026-09-26 08:00:00+08:00" in lines[1]
    assert "2026-09-26 00:00:00Z" in lines[1]
    assert "hik://DS1/101/20260926T000000Z/" in lines[1]
    assert "motion" in lines[1]
    assert "+00:00" not in lines[2]
    assert "in progress" in lines[3]
    assert lines[4].startswith("3 recordings between 2026-09-26 00:00:00Z and ")
    assert lines[4].endswith(", 4.0 KiB")


def test_recordings_as_json(provider, capsys):
    """UTC times, bytes and seconds; what is not known is null."""
    code, document = run_json(
        capsys, "search", URL, "--since", "2026-09-26T00:00Z", "--until", "2026-09-26T01:00Z"
    )

    assert 0 == code
    assert {"start": "2026-09-26T00:00:00Z", "end": "2026-09-26T01:00:00Z"} == document["span"]
    assert {
        "key": "hik://DS1/101/20260926T000000Z/",
        "device": "DS1",
        "channel": "1",
        "channel_name": "Cam 1",
        "stream": "01",
        "start": "2026-09-26T00:00:00Z",
        "end": "2026-09-26T00:01:00Z",
        "local_start": "2026-09-26T08:00:00+08:00",
        "duration": 60.0,
        "size": 2048,
        "size_hint": None,
        "kind": "motion",
        "in_progress": False,
        "container": "mpeg-ps",
    } == document["recordings"][0]
    assert None is document["recordings"][1]["local_start"]
    assert None is document["recordings"][1]["size"]


def test_the_selection_reaches_the_provider(provider, capsys):
    """Channels in the order given and once each, the span, and the kinds."""
    run(
        capsys,
        *("search", URL, "-c", "2", "--channel", "01", "-c", "2", "--kind", "motion"),
        *("--since", "2026-09-26T00:00Z", "--until", "2026-09-26T02:00Z"),
    )
    (first, span, kinds), (second, *_rest) = provider.asked

    assert ["2", "1"] == [first, second]
    assert (START, START + dt.timedelta(hours=2)) == (span.start, span.end)
    assert (RecordingKind.MOTION,) == kinds


def test_the_last_24_hours_of_all_channels_are_the_default(provider, capsys):
    """Nothing said means a day, every camera and every kind."""
    run(capsys, "search", URL)

    assert {dt.timedelta(hours=24)} == {span.duration for _, span, _ in provider.asked}
    assert [None, None] == [kinds for *_, kinds in provider.asked]


def test_an_empty_result_is_said(provider, capsys, monkeypatch):
    """No table without rows."""
    monkeypatch.setattr(provider, "search", lambda *_arguments, **_options: iter(()))
    code, out, _err = run(capsys, "search", URL, "--since", "2026-09-26T00:00Z")

    assert 0 == code
    assert out.startswith("no recordings between 2026-09-26 00:00:00Z and ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-c", "07", "-c", "1"], "no channel 07"),
        (["-c", "x"], "it has: 1 (Front door), 2 ("),
        (["--since", "tomorrow"], "'tomorrow' is no time"),
        (["--since", "1h", "--until", "2h"], "swap them: --since 2h --until 1h"),
        (["--since", "0s"], "is empty"),
        (["--since", "2999-01-01"], "lies in the future: 2"),
        (["--timeout", "nan"], "'nan' is no number"),
        (["--kind", "funny"], "funny"),
        (["--timezone", "Atlantis"], "not a time zone"),
        (["--timeout", "0"], "timeout"),
        (["--bogus"], "--bogus"),
    ],
)
def test_unusable_options_are_refused(provider, capsys, arguments, words):
    """Exit code 2 and one error, as text and as JSON."""
    code, out, err = run(capsys, "search", URL, *arguments)

    assert (2, "") == (code, out)
    assert err.startswith("error: ")
    assert words in err

    code, document = run_json(capsys, "search", URL, *arguments)

    assert 2 == code
    assert "input" == document["error"]["category"]


# -- connecting


def test_nothing_said_keeps_the_providers_defaults(provider, capsys):
    """Only the password is passed, as a secret."""
    run(capsys, "channels", URL)

    assert [(URL, {"password": Secret(PASSWORD)})] == provider.connections


def test_the_connection_options_reach_the_provider(provider, capsys, tmp_path):
    """Each option under the name that HikvisionISAPI gives it."""
    run(
        capsys,
        *("channels", URL, "--verify", str(tmp_path), "--insecure-basic", "--old-tls"),
        *("--timezone", "+08:00", "--time-mode", "local", "--timeout", "30"),
    )
    (_url, options), *_rest = provider.connections

    assert {
        "password": Secret(PASSWORD),
        "verify": tmp_path,
        "allow_basic": True,
        "old_tls": True,
        "timezone": parse_timezone("+08:00"),
        "time_mode": "local",
        "timeout": (10.0, 30.0),
    } == options


def test_nothing_is_verified_only_on_request(provider, capsys):
    """And not together with something to verify against."""
    run(capsys, "channels", URL, "--insecure-no-verify")

    assert False is provider.connections[0][1]["verify"]
    code, _out, err = run(
        capsys, "channels", URL, "--insecure-no-verify", "--verify", "sha256:" + "0" * 64
    )
    assert 2 == code
    assert "contradict each other" in err


def test_the_name_of_a_profile_is_enough(provider, capsys, tmp_path):
    """With or without a scheme; the user comes from the store, and nothing is written."""
    Profiles().set(Profile(name="front-shop", provider="hikvision", host="nvr.test"))
    store = EncryptedFileStore(tmp_path / "passwords", key=new_key())
    credential = Credential(username="b@d user", secret=PASSWORD)
    store.set("hikvision", "front-shop", credential)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "open_store", lambda *_arguments, **_options: store)
        for name in ("front-shop", "hikvision://front-shop", "HIKVISIONS://FRONT-SHOP"):
            assert 0 == run(capsys, "channels", name)[0]

    assert [
        "hikvision://b@d user@front-shop",
        "hikvision://b@d user@front-shop",
        "hikvisions://b@d user@front-shop",
    ] == [url for url, _options in provider.connections]
    assert [Secret(PASSWORD)] * 3 == [one["password"] for _url, one in provider.connections]
    assert "b@d user" == registry.parse_url(provider.connections[0][0]).username


def test_a_fingerprint_is_no_file_name(provider, capsys):
    """``sha256:…`` pins the certificate."""
    pin = "sha256:" + "0" * 64
    run(capsys, "channels", URL, "--verify", pin)

    assert pin == provider.connections[0][1]["verify"]


@pytest.mark.parametrize(
    "url", ["hikvision://admin:geheim@nvr.test", "file:///etc/passwd", "nvr", "hikvision://nvr"]
)
def test_unusable_urls_are_refused_before_anything_else(provider, capsys, url):
    """A password in the URL, an unknown scheme, no scheme, no user."""
    code, out, err = run(capsys, "channels", url)

    assert (2, "") == (code, out)
    assert err.startswith("error: ")
    assert "geheim" not in err
    assert [] == provider.connections


def test_without_a_password_and_a_terminal_it_ends(provider, capsys, monkeypatch):
    """A script gets an error with the ways to give one."""
    monkeypatch.delenv("CAMSYNC_PASSWORD")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, _out, err = run(capsys, "channels", "hikvision://admin@nvr.test:8080")

    assert 2 == code
    assert "no password for admin on nvr.test:8080" in err
    assert "next step: use --password-file FILE" in err


# -- errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MissingExtraError.for_extra("mp4", "MP4"), 3),
        (errors.UnreachableError("no route"), 4),
        (errors.CertificateError("other"), 5),
        (errors.AuthenticationError("refused"), 6),
        (errors.PermissionDeniedError("no right"), 7),
        (errors.DeviceBusyError("full"), 8),
        (errors.DeviceFaultError("broken"), 9),
        (errors.UnsupportedError("cannot"), 10),
        (errors.ProtocolError("nonsense"), 11),
        (errors.RecordingNotFoundError("gone"), 12),
        (errors.RecordingInProgressError("growing"), 13),
        (errors.ShortReadError("short"), 14),
        (errors.DiskFullError("full"), 15),
        (errors.WrongKeyError("another"), 16),
        (KeyboardInterrupt(), 130),
        (RuntimeError("surprise"), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(provider, capsys, error, code):
    """Scripts can tell them apart, and nobody sees a traceback."""
    provider.failure = error
    seen, out, err = run(capsys, "channels", URL)

    assert (code, "") == (seen, out)
    assert "Traceback" not in err
    assert err.startswith(("error: ", "cancelled: "))
    assert 1 == provider.closed


def test_a_defect_is_reported_as_one(provider, capsys):
    """What camsync did not expect says so, in its own category."""
    provider.failure = RuntimeError("surprise")
    code, document = run_json(capsys, "channels", URL)

    assert 1 == code
    assert "unexpected" == document["error"]["category"]
    assert "unexpected RuntimeError: surprise" == document["error"]["message"]
    assert "report" in document["error"]["next_step"]


@pytest.mark.parametrize("error", [errors.ProtocolError("nonsense"), RuntimeError("nonsense")])
def test_twice_verbose_shows_the_traceback(provider, capsys, error):
    """For bug reports."""
    provider.failure = error
    _code, _out, err = run(capsys, "channels", URL, "-vv")

    assert "Traceback" in err
    assert "nonsense" in err.splitlines()[-2]


def test_verbose_works_before_the_command_too(provider, capsys, monkeypatch):
    """``camsync -v channels`` and ``camsync channels -v`` log the same."""
    monkeypatch.setattr(
        provider, "devices", lambda: logging.getLogger("camsync.x").info("hello") or []
    )

    assert "info: camsync.x: hello\n" == run(capsys, "-v", "channels", URL)[2]
    assert "info: camsync.x: hello\n" == run(capsys, "channels", URL, "-v")[2]


def test_a_reader_that_leaves_is_no_error(provider, capfd, monkeypatch):
    """``camsync search … | head`` ends quietly."""

    def leave(*_arguments):
        raise BrokenPipeError

    monkeypatch.setattr(_app.Output, "document", leave)
    monkeypatch.setattr(_app.os, "dup2", lambda *_descriptors: None)

    assert 141 == main(["channels", URL])
    assert "" == capfd.readouterr().err


def test_streams_of_any_kind_are_printed_to(provider, monkeypatch):
    """A program that has put something of its own in the place of stdout gets the text there."""
    own = io.StringIO()
    monkeypatch.setattr(sys, "stdout", own)

    assert 0 == main(["channels", URL])
    assert "Front door" in own.getvalue()


# -- doctor


def step(name, status, advice="", category=None):
    """One step of the connection test."""
    return Check(name=name, status=status, seen=f"saw {name}", advice=advice, category=category)


def test_the_doctor_shows_each_step_and_its_advice(provider, capsys):
    """Name, status, what was seen, and what to do."""
    provider.steps.append(step("clock", CheckStatus.WARNING, "set the clock"))
    code, out, _err = run(capsys, "doctor", URL)

    assert 0 == code
    assert [
        "ok       tcp       connected in 2 ms",
        "warning  clock     saw clock",
        "                   -> set the clock",
    ] == out.splitlines()


@pytest.mark.parametrize(
    ("category", "code"),
    [(errors.Category.NETWORK, 4), (errors.Category.AUTHENTICATION, 6), (None, 1)],
)
def test_the_doctors_exit_code_is_the_first_failures(provider, capsys, category, code):
    """Later steps fail because of the first one."""
    provider.steps += [
        step("login", CheckStatus.FAILED, category=category),
        step("search", CheckStatus.FAILED, category=errors.Category.PROTOCOL),
    ]
    seen, document = run_json(capsys, "doctor", URL)

    assert code == seen
    assert not document["ok"]
    assert {
        "name": "login",
        "status": "failed",
        "seen": "saw login",
        "advice": "",
        "category": category,
    } == document["checks"][1]


def test_a_provider_without_a_test_says_so(provider, capsys, monkeypatch):
    """Other providers may not have one."""
    monkeypatch.setattr(registry, "connect_to", lambda *_arguments, **_options: SilentProvider())
    code, _out, err = run(capsys, "doctor", URL)

    assert 10 == code
    assert "'silent' has no connection test" in err


# -- the program


def test_without_a_command_there_is_help(capsys):
    """The help shows examples and the exit codes."""
    code, out, _err = run(capsys)

    assert 0 == code
    assert "camsync download hikvision://admin@192.168.1.64 --channel 1 --since 24h" in out
    assert "130 Ctrl-C" in out


@pytest.mark.parametrize(
    "command",
    [
        *("demo", "channels", "search", "download", "doctor", "dump"),
        *("login", "profiles", "logout", "trust", "store show", "store rotate"),
    ],
)
def test_every_command_explains_itself(capsys, command):
    """--help works everywhere and names --json."""
    code, out, _err = run(capsys, *command.split(), "--help")

    assert 0 == code
    assert "--json" in out


def test_the_version(capsys, monkeypatch):
    """As text and as JSON."""
    monkeypatch.setattr(metadata, "version", lambda _name: "1.2.3")

    assert (0, "camsync 1.2.3\n", "") == run(capsys, "--version")
    assert (0, {"version": "1.2.3"}) == run_json(capsys, "--version")


def test_an_unknown_command_names_the_help(capsys):
    """A usage error like any other."""
    code, _out, err = run(capsys, "upload")

    assert 2 == code
    assert "see: camsync --help" in err


def test_the_arguments_of_the_process_are_the_default(capsys, monkeypatch):
    """``main()`` is what the installed command calls, and ``python -m camsync`` too."""
    monkeypatch.setattr(sys, "argv", ["camsync", "channels", "--help"])

    assert 0 == main()
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("camsync", run_name="__main__")
    assert 0 == ended.value.code


def test_importing_the_module_runs_nothing(capsys):
    """Only ``python -m`` starts the program."""
    runpy.run_module("camsync.__main__", run_name="camsync.__main__")

    assert "" == capsys.readouterr().out


@pytest.mark.parametrize("missing", ["click", "rich.console"])
def test_without_the_extra_it_says_what_to_install(capsys, monkeypatch, missing):
    """No traceback about a module nobody knows."""
    package = missing.partition(".")[0]
    for name in list(sys.modules):
        if name.startswith(("camsync.cli._", f"{package}.")) and name != "camsync.cli._exit":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    code, out, err = run(capsys, "channels", URL)

    assert (3, "") == (code, out)
    assert "[cli]" in err


def test_another_missing_module_is_a_defect(monkeypatch):
    """It is not blamed on the extra."""
    monkeypatch.setitem(sys.modules, "camsync.cli._app", None)

    with pytest.raises(ModuleNotFoundError, match=r"camsync\.cli\._app"):
        main(["channels", URL])


def test_ctrl_c_in_the_first_second_is_no_traceback(capsys, monkeypatch):
    """While the modules are loaded nothing handles signals yet."""

    class Impatient:
        """Interrupts the import of the program."""

        def find_spec(self, name, path=None, target=None):
            """Raise what Ctrl-C raises."""
            if name == "camsync.cli._app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "camsync.cli._app")
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])

    assert 130 == main(["channels", URL])
    assert "cancelled" in capsys.readouterr().err


def test_the_handlers_of_the_caller_are_left_alone(provider, capsys):
    """Reading commands install no signal handlers."""
    before = signal.getsignal(signal.SIGINT)
    run(capsys, "channels", URL)

    assert before is signal.getsignal(signal.SIGINT)


def test_options_outside_a_run_change_nothing():
    """The callback of -v needs a run to work on."""
    context = _options.click.Context(_options.click.Command("x"))

    assert None is _options._verbose(context, None, 2)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def on_a_terminal(monkeypatch, *arguments):
    """Run the command line on a terminal of 80 columns; return what it shows."""
    screen = Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        assert 0 == main(arguments)
    return screen.getvalue().splitlines()


def test_on_a_terminal_the_table_is_short(provider, monkeypatch):
    """One clock, UTC where the recorder's is not known, and no key."""
    lines = on_a_terminal(monkeypatch, "search", URL, "--since", "2026-09-26T00:00Z")

    assert "camera recorder's clock length size kind state" == squeezed(lines[0])
    assert "Cam 1 2026-09-26 08:00:00 1:00 2.0 KiB motion" == squeezed(lines[1])
    assert "Cam 2 2026-09-26 00:01:00Z 1:00 unknown" == squeezed(lines[2])
    assert all(len(line) <= 80 for line in lines[:4])
    assert "hik://" not in "".join(lines)


def test_keys_are_shown_on_demand(provider, monkeypatch):
    """One a line, whole, in the order of the table."""
    lines = on_a_terminal(monkeypatch, "search", URL, "--since", "2026-09-26T00:00Z", "--keys")

    assert "hik://DS1/101/20260926T000000Z/" == lines[-3]


def test_advice_is_in_words_of_the_command_line(provider, capsys):
    """The doctor and the errors name options, in text and in JSON."""
    provider.steps = [step("clock", CheckStatus.WARNING, "pass time_mode='local' or 'utc'")]

    assert "-> pass --time-mode local or utc" in run(capsys, "doctor", URL)[1]
    checks = run_json(capsys, "doctor", URL)[1]["checks"]
    assert "pass --time-mode local or utc" == checks[0]["advice"]


def test_a_refused_login_says_that_every_command_is_a_try(provider, capsys):
    """The user of a shell has no client to create anew."""
    provider.failure = errors.AuthenticationError("refused")

    assert "counts as another try" in run(capsys, "channels", URL)[2]
    document = run_json(capsys, "channels", URL)[1]
    assert "counts as another try" in document["error"]["next_step"]


def test_the_missing_extra_as_json(capsys, monkeypatch):
    """Who asked for a document gets one."""
    for name in list(sys.modules):
        if name.startswith("camsync.cli._") and name.rpartition(".")[2] not in {"_exit", "_json"}:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "click", None)
    code, document = run_json(capsys, "channels", URL)

    assert 3 == code
    assert "MissingExtraError" == document["error"]["type"]
    assert "[cli]" in document["error"]["next_step"]
