"""``camsync dump`` and ``camsync doctor --bundle``, as functions of the command line."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import zipfile

from pathlib import Path

import pytest

from camsync import (
    Check,
    CheckStatus,
    ConfigurationError,
    DestinationError,
    UnreachableError,
    registry,
)
from camsync.cli import _bundle, _dump, _exit, main
from camsync.cli._app import cli
from camsync.cli._doctor import doctor
from camsync.cli._link import Link
from camsync.cli._output import Output, logging_to
from camsync.profiles import Profile, Profiles
from camsync.testing import RecorderSimulator


HOST = "10.20.30.40"
URL = f"hikvision://kamera@{HOST}:8080"
PASSWORD = "s3cret-word"
_log = logging.getLogger("camsync.hikvision")


class Fake:
    """A provider whose dump tells what it was given."""

    name = "fake"

    def __init__(self):
        self.failure = None
        self.model = "DS-7616NI/K2"
        self.steps = [
            Check(
                name="tcp", status=CheckStatus.OK, seen=f"http://{HOST}:8080 accepts connections"
            ),
            Check(
                name="login",
                status=CheckStatus.FAILED,
                seen="login of 'kamera' refused",
                advice="verify='sha256:x'",
            ),
        ]

    def diagnose(self):
        _log.debug("asking %s as kamera", HOST, extra={"camsync_answer": "<name>Bếp nhà</name>"})
        try:
            raise ValueError(HOST)
        except ValueError:
            _log.exception("odd at %s", Path.home() / "x")
        yield from self.steps

    def dump(self, *, scrubber=None):
        if self.failure is not None:
            raise self.failure
        names = scrubber.document("<a><name>Bếp nhà</name></a>")
        return {
            "camsync_dump": 1,
            "model": self.model,
            "firmware": "V4",
            "endpoints": {"GET /x": {"body": names}},
        }

    def close(self):
        """Do nothing."""


class Mute:
    """A provider that cannot dump."""

    name = "mute"

    def diagnose(self):
        return iter(())

    def close(self):
        """Do nothing."""


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """The provider that every URL leads to, in an empty folder."""
    provider = Fake()
    _lead_to(monkeypatch, provider)
    monkeypatch.chdir(tmp_path)
    return provider


def _lead_to(monkeypatch, provider):
    monkeypatch.setenv("CAMSYNC_PASSWORD", PASSWORD)
    for module in ("_dump", "_doctor"):
        monkeypatch.setattr(
            f"camsync.cli.{module}.connected", lambda *_: contextlib.nullcontext(_link(provider))
        )


def _link(provider, url=URL, username="kamera"):
    return Link(provider=provider, place=registry.resolve(url), username=username)


def _run(capsys, command, *arguments, as_json=False):
    """Run one command; return its exit code or error, stdout and stderr."""
    output = Output.standard(json=as_json)
    with logging_to(output), command.make_context("x", [URL, *arguments], obj=output) as context:
        try:
            code = command.invoke(context)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            code = error
    captured = capsys.readouterr()
    assert PASSWORD not in captured.out + captured.err
    return code, captured.out, captured.err


def test_a_dump_is_a_file_named_after_the_model(fake, capsys):
    """It stands in the current folder, and what was replaced and kept is said."""
    code, out, err = _run(capsys, _dump.dump)
    (path,) = Path().iterdir()

    assert (code, err) == (0, "")
    assert path.name.startswith("camsync-dump-DS-7616NI-K2-2")
    assert "Bếp" not in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["camsync_dump"] == 1
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        "written",
        "replaced",
        "kept",
        "read it before you post it",
    ]
    assert "replaced: 1 name\n" in out


def test_a_model_without_letters_gives_a_name_too(fake, capsys):
    """A device that does not say what it is makes no hidden file."""
    fake.model = "../…"

    assert _run(capsys, _dump.dump)[0] == 0
    assert next(Path().iterdir()).name.startswith("camsync-dump-recorder-")


def test_a_file_is_not_replaced_unasked(fake, capsys):
    """--force does; a folder is refused in any case; the device is not even asked."""
    Path("a.json").write_text("old")
    fake.failure = AssertionError("it was asked")
    code, _, _ = _run(capsys, _dump.dump, "--out", "a.json")
    assert isinstance(code, ConfigurationError)
    assert "--force" in code.next_step
    assert Path("a.json").read_text() == "old"
    assert "folder" in str(_run(capsys, _dump.dump, "--out", ".", "--force")[0])

    fake.failure = None
    code, out, _ = _run(capsys, _dump.dump, "--out", "a.json", "--force", as_json=True)
    document = json.loads(out)
    assert (code, document["path"], document["replaced"]) == (0, "a.json", {"name": 1})
    assert (document["model"], document["endpoints"]) == ("DS-7616NI/K2", 1)
    assert "camsync_dump" in Path("a.json").read_text()


def test_a_dump_to_stdout(fake, capsys):
    """'-' prints the dump alone; what is said about it goes to stderr; --json wants stdout too."""
    code, out, err = _run(capsys, _dump.dump, "--out", "-")

    assert (code, json.loads(out)["camsync_dump"]) == (0, 1)
    assert "replaced: 1 name" in err
    assert "written" not in err
    assert isinstance(_run(capsys, _dump.dump, "--out", "-", as_json=True)[0], ConfigurationError)


def test_a_dump_that_cannot_be_written(fake, capsys, monkeypatch, tmp_path):
    """It is an error of the disk, and nothing half is left."""
    code, _, _ = _run(capsys, _dump.dump, "--out", "missing/a.json")
    assert isinstance(code, DestinationError)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    code, _, _ = _run(capsys, _dump.dump, "--out", "a.json")
    assert "No space left" in str(code)
    assert [] == list(tmp_path.iterdir())


def test_a_provider_that_cannot_dump(fake, capsys, monkeypatch):
    """That is said; the doctor's bundle comes without a dump then."""
    _lead_to(monkeypatch, Mute())
    code, _, _ = _run(capsys, _dump.dump)
    assert "cannot dump" in str(code)

    assert 0 == _run(capsys, doctor, "--bundle", "b.zip")[0]
    with zipfile.ZipFile("b.zip") as archive:
        assert "cannot dump" in archive.read("README.txt").decode()


def test_counts_in_words():
    """One and many, in each kind."""
    counts = {"address": 2, "name": 1, "serial number": 3}

    assert _dump.replaced_text(counts) == "2 addresses, 1 name, 3 serial numbers"
    assert _dump.replaced_text({}) == "nothing"


def _bundle_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_bundle_holds_everything_without_names(fake, capsys, monkeypatch):
    """Doctor, dump, log and versions, all with the same stand-ins; nothing of this computer."""
    monkeypatch.setattr(socket, "gethostname", lambda: "my-laptop")
    monkeypatch.setattr("getpass.getuser", lambda: "joe-doe")
    logger = logging.getLogger("camsync")
    before = (logger.level, list(logger.handlers))
    code, out, err = _run(capsys, doctor, "--bundle", "b.zip")
    files = _bundle_of("b.zip")
    everything = "".join(files.values())

    assert (code, err) == (_exit.FAILED, f"error: camsync.hikvision: odd at {Path.home() / 'x'}\n")
    assert set(files) == {
        "README.txt",
        "doctor.json",
        "doctor.txt",
        "dump.json",
        "log.txt",
        "environment.txt",
    }
    assert [] == [
        word
        for word in (HOST, "kamera", "Bếp", PASSWORD, "my-laptop", "joe-doe", f"{Path.home()}/x")
        if word in everything
    ]
    name = json.loads(files["dump.json"])["endpoints"]["GET /x"]["body"].removeprefix("<a><name>")[
        :7
    ]
    assert f"answer: <name>{name}</name>" in files["log.txt"]
    assert "Traceback" in files["log.txt"]
    assert "odd at ~/x" in files["log.txt"]
    assert "--verify sha256:x" in files["doctor.txt"]
    assert [check["name"] for check in json.loads(files["doctor.json"])["checks"]] == [
        "tcp",
        "login",
    ]
    assert "Python 3" in files["environment.txt"]
    assert "written: b.zip" in out
    assert before == (logger.level, list(logger.handlers))


def test_a_bundle_without_a_device(fake, capsys):
    """When the recorder cannot be reached the zip says why there is no dump."""
    fake.failure = UnreachableError(f"no route to {HOST}")
    fake.steps = []
    code, out, _ = _run(capsys, doctor, "--bundle", "b.zip", as_json=True)
    files = _bundle_of("b.zip")

    assert (code, json.loads(out)["bundle"]) == (0, "b.zip")
    assert "dump.json" not in files
    assert "There is no dump.json: no route to" in files["README.txt"]
    assert HOST not in "".join(files.values())
    assert "is there already" in str(_run(capsys, doctor, "--bundle", "b.zip")[0])


def test_the_log_of_a_long_run_is_cut():
    """A bundle stays small whatever the library has to say."""
    record = _bundle._Record()
    record.lines = [""] * _bundle._MOST_LINES
    record.handle(_log.makeRecord("camsync", logging.INFO, "f", 1, "one more", (), None))

    assert len(record.lines) == _bundle._MOST_LINES


def test_a_computer_without_names(monkeypatch):
    """Containers have users without a name and homes at the root: nothing is replaced for them."""
    monkeypatch.setattr(Path, "home", lambda: Path("/"))

    def unknown():
        raise KeyError

    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.setattr(socket, "gethostname", lambda: "x")
    scrubber = _bundle._prepared(_link(None, "hikvision://10.20.30.40", "admin"))

    assert "/usr x uid" == scrubber.text("/usr x uid")
    assert scrubber.text("to 10.20.30.40") != "to 10.20.30.40"


def test_a_profile_is_not_named(monkeypatch, tmp_path):
    """The name of a profile and its host go like those in a URL."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path))
    Profiles().set(Profile(name="front-shop", provider="hikvision", host="nvr.shop.lan"))
    scrubber = _bundle._prepared(_link(None, "hikvision://front-shop", "admin"))

    text = scrubber.text("hikvision://front-shop is nvr.shop.lan")
    assert "front-shop" not in text
    assert "nvr.shop.lan" not in text


def test_a_missing_library_is_said(monkeypatch):
    """The extras that are not installed are part of the picture."""
    monkeypatch.setattr(_bundle, "_LIBRARIES", ("attrs", "no-such-library"))
    lines = _bundle.environment().splitlines()

    assert lines[-1] == "no-such-library: not installed"
    assert lines[-2].startswith("attrs 2")


def test_a_bundle_of_a_simulated_recorder(capsys, monkeypatch, tmp_path):
    """From end to end: the dump in the zip is one that the simulator plays."""
    monkeypatch.setitem(cli.commands, "dump", _dump.dump)
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home"))
    with RecorderSimulator(channels=2, hours=1) as sim:
        monkeypatch.setenv("CAMSYNC_PASSWORD", sim.password)
        code = main(["doctor", sim.connect_url, "--bundle", str(tmp_path / "b.zip")])
        assert code == 0
        assert main(["dump", sim.connect_url, "--out", str(tmp_path / "d.json")]) == 0
    files = _bundle_of(tmp_path / "b.zip")

    assert (
        RecorderSimulator(dump=json.loads(files["dump.json"])).personality.model == "DS-7616NI-K2"
    )
    assert RecorderSimulator(dump=tmp_path / "d.json").personality.model == "DS-7616NI-K2"
    assert [
        word
        for word in ("Front door", "192.168.254", sim.password)
        if word in "".join(files.values())
    ] == []
