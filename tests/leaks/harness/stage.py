"""Scenarios and the place where they act."""

from __future__ import annotations

import contextlib
import functools
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import CodeType
from typing import Any

import attrs
import pytest

from camsync import HikvisionISAPI, RetryPolicy
from camsync.cli import _app, main
from camsync.testing import RecorderSimulator

from .surface import surface
from .vault import Vault
from .watch import Watch, family


SCENARIOS: list[Scenario] = []
_PATIENCE = 30.0
# As ``python -m camsync`` does, but a passphrase costs little: that is no matter of what is shown.
_CAMSYNC = """
import runpy
from camsync.credentials import file
file.SCRYPT_DEFAULT = file.SCRYPT_CHEAPEST
runpy.run_module("camsync", run_name="__main__", alter_sys=True)
"""


@attrs.frozen
class Scenario:
    """Something that a program does with camsync.

    Attributes:
        covers: The public callables that run in it; see `leak_harness.surface`.
    """

    name: str
    play: Callable[[Stage], None] = attrs.field(repr=False)
    covers: frozenset[str]


def scenario(*covers: str) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Register a function as a scenario that drives these public callables."""

    def register(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        module = play.__module__.rpartition(".")[2]
        SCENARIOS.append(Scenario(f"{module}-{play.__name__}", play, frozenset(covers)))
        return play

    return register


class Fails:
    """A ``with`` block that must end in an error, which is then looked at.

    It is no generator, so that no frame but the scenario's own is between the two.
    """

    def __init__(self, watch: Watch, kinds: tuple[type[BaseException], ...]) -> None:
        self._watch = watch
        self._kinds = kinds

    def __enter__(self) -> Fails:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        assert error is not None, f"nothing was raised instead of {self._kinds}"
        if not isinstance(error, self._kinds):
            return False
        self._watch.error(error)
        return True


class Recorder:
    """A recorder seen from outside. It has to know the password; its frames are not ours to judge.

    rich shows the fields of the simulator itself, whatever its repr says.
    """

    def __init__(self, sim: RecorderSimulator) -> None:
        self._sim = sim

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sim, name)

    def __repr__(self) -> str:
        return f"<Recorder {self._sim!r}>"


class Stage:
    """What a scenario acts with."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, watch: Watch, vault: Vault) -> None:
        self.folder = folder
        self.patch = patch
        self.watch = watch
        self.vault = vault
        self.stack = contextlib.ExitStack()
        self._simulators: list[RecorderSimulator] = []

    def __repr__(self) -> str:
        return f"<Stage {self.folder}>"

    def plain(self, name: str = "password") -> str:
        """Return a secret, for use inside a call's brackets."""
        return self.vault.plain(name)

    def keep(self, *results: object) -> None:
        """Have results looked at."""
        for result in results:
            self.watch.result(result)

    def fails(self, *kinds: type[BaseException]) -> Fails:
        """Return a block that must raise one of *kinds*; the error is looked at."""
        return Fails(self.watch, kinds)

    def simulator(self, **options: Any) -> Recorder:
        """Start a recorder with the planted password; it ends with the scenario."""
        options = {"channels": 1, "hours": 0.05, "segment_seconds": 30.0, **options}
        sim = RecorderSimulator(password=self.vault.plain("password"), **options)
        self.vault.keep_realm(sim._device.door.realm)
        self._simulators.append(self.stack.enter_context(sim))
        return Recorder(sim)

    def provider(self, sim: Recorder, **options: Any) -> HikvisionISAPI:
        """Return a provider with the right password, which does not wait between tries."""
        options = {"retry": RetryPolicy(attempts=1), "timeout": 5.0, **options}
        return self.stack.enter_context(
            HikvisionISAPI("127.0.0.1", "admin", self.plain(), port=sim.port, **options)
        )

    def secret_file(self, name: str, secret: str = "password", end: str = "\n") -> Path:
        """Write a secret to a file, as a user does; this file's content is no leak."""
        path = self.folder / "given" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(self.plain(secret) + end, encoding="utf-8")
        path.chmod(0o600)
        self.watch.given.add(path)
        return path

    def environ(self, variable: str, secret: str) -> None:
        """Put a secret into the environment, as containers do."""
        self.patch.setenv(variable, self.plain(secret))

    # -- The command line -------------------------------------------------------------------------

    def cli(self, *arguments: object, code: int | None = 0, frames: bool = True) -> None:
        """Run a command in this process; what it prints and why it fails is looked at.

        Args:
            code: The exit code that it must have; None when it does not matter here.
            frames: Whether its errors are looked at, and not only what is printed of them.
        """
        with self.patch.context() as patch:
            for name in ("_failed", "_unexpected") if frames else ():
                patch.setattr(_app, name, self._looking(getattr(_app, name)))
            given = main([str(one) for one in arguments])
        assert code in {None, given}, f"camsync {arguments[0]} ended with {given}, not {code}"

    def _looking(self, usual: Callable[..., int]) -> Callable[..., int]:
        def look(output: object, error: BaseException) -> int:
            self.watch.error(error)
            return usual(output, error)

        return look

    def terminal(
        self, *arguments: str, answers: Sequence[tuple[str, str | None]], code: int = 0
    ) -> None:
        """Run ``camsync`` at a terminal of its own, and answer its questions with secrets.

        Args:
            answers: What a question holds, and the secret that is typed; None for Ctrl-C.
        """
        mine, theirs = pty.openpty()
        command = [sys.executable, "-c", _CAMSYNC, *arguments]
        waiting = list(answers)
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        ) as process:
            os.close(theirs)
            try:
                shown = self._talk(process, mine, waiting)
                given = process.wait(_PATIENCE)
            finally:
                process.kill()
                os.close(mine)
        self.watch.see("terminal", shown)
        assert (code, []) == (given, waiting), shown

    def _talk(
        self, process: subprocess.Popen[bytes], mine: int, waiting: list[tuple[str, str | None]]
    ) -> str:
        shown, new = "", ""
        while select.select([mine], [], [], _PATIENCE)[0]:
            try:
                piece = os.read(mine, 4096).decode(errors="replace")
            except OSError:  # the other end is closed
                break
            shown, new = shown + piece, new + piece
            if waiting and waiting[0][0] in new and new.rstrip().endswith(":"):
                secret, new = waiting.pop(0)[1], ""
                if secret is None:  # the terminal is nobody's controlling one
                    time.sleep(0.3)  # people press it while a question waits, not before
                    process.send_signal(signal.SIGINT)
                else:
                    over = (
                        time.monotonic() + 5
                    )  # old click asks first, and then hides what is typed
                    while termios.tcgetattr(mine)[3] & termios.ECHO and time.monotonic() < over:
                        time.sleep(0.005)
                    os.write(mine, f"{self.plain(secret)}\n".encode())
        return shown

    def child(self, *arguments: object, code: int | None = 0, **options: Any) -> str:
        """Run ``python …`` as a process of its own and look at the process list meanwhile."""
        command = [sys.executable, *map(str, arguments)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        ) as process:
            output: list[str] = []
            reader = threading.Thread(target=lambda: output.append(process.stdout.read()))
            reader.start()
            self._look_at(process)
            reader.join()
        self.watch.see("output of a child", output[0])
        assert code in {None, process.returncode}, output[0][-2000:]
        return output[0]

    def _look_at(self, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            for pid in family(process.pid):
                with contextlib.suppress(OSError):
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                    self.watch.see("process list", line)
            time.sleep(0.01)
        process.kill()

    def close(self) -> None:
        """End what runs, and look at what the recorders have seen: a path ends up in their log."""
        self.stack.close()
        for sim in self._simulators:
            self.watch.see("log of the recorder", repr((sim.requests_log, sim.url, sim)))

    def expect(self, covers: frozenset[str]) -> None:
        """Have it noted whether these public callables run."""
        codes = _codes()
        for name in covers:
            assert name in codes, f"{name} is not public"
            self.watch.wanted.setdefault(id(codes[name]), (name, codes[name]))


@functools.cache
def _codes() -> Mapping[str, CodeType]:
    """Return the code of what is public; it is asked for before a scenario replaces anything."""
    return surface()


def _install(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let camsync have a version when it is run from its sources; dumps name it."""
    try:
        metadata.version("camsync")
    except metadata.PackageNotFoundError:
        info = folder / "camsync-0.0.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: camsync\nVersion: 0.0.0\n")
        patch.syspath_prepend(folder)


def set_up(
    folder: Path,
    patch: pytest.MonkeyPatch,
    out: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Iterator[Stage]:
    """Build a stage for the fixture: home, temporary files and working folder are below *folder*."""
    for name, variable in (("home", "HOME"), ("temp", "TMPDIR"), ("work", "")):
        (folder / name).mkdir()
        if variable:
            patch.setenv(variable, str(folder / name))
    patch.setattr(tempfile, "tempdir", str(folder / "temp"))
    patch.chdir(folder / "work")
    _install(folder / "site", patch)
    patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    vault = Vault()
    stage = Stage(folder, patch, Watch(vault, folder, out), vault)
    yield stage
    stage.stack.close()


def of(kind: str, members: str = "") -> tuple[str, ...]:
    """Return the name of a class and those of some of its members, for `scenario`."""
    return (kind, *(f"{kind}.{member}" for member in members.split()))
