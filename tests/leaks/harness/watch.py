"""Looks at everything that happens while a scenario runs, and says where a secret was seen."""

from __future__ import annotations

import contextlib
import cProfile
import faulthandler
import gzip
import io
import logging
import os
import sys
import tempfile
import threading
import traceback
import warnings
import zipfile

from pathlib import Path
from types import CodeType
from typing import Any

import attrs
import pytest

from .vault import Vault
from .views import printed, views_of_error, views_of_result


_AROUND = 60
_BETWEEN = b"\n\0\n"
_LEVELS = ("camsync", "urllib3", "requests", "vcr", "keyring")
_UNSHOWN = {"record", "message"}
_TOLD = {
    "os.exec",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.system",
    "subprocess.Popen",
}
_current: list[Watch] = []


@attrs.frozen
class Leak:
    """Where which secret was seen, in which form; and its surroundings, without itself."""

    channel: str
    secret: str
    form: str
    around: str = attrs.field(eq=False, default="")

    def __str__(self) -> str:
        return f"{self.channel}: {self.secret} ({self.form}) {self.around}"


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """See files before they go, and command lines before they run; the hook stays for good."""
    if event in _TOLD:
        for watch in _current:
            watch.audit(event, arguments)


class Watch:
    """Watches logs, output, warnings, threads, files, processes, results and errors.

    Args:
        folder: Below it every file is read at the end.
        out: Gives what was printed, by child processes too.

    Attributes:
        wanted: Names and code that have yet to run, by the code's id.
        thread_errors: What ended a thread, or could not be raised.
    """

    def __init__(self, vault: Vault, folder: Path, out: pytest.CaptureFixture[str]) -> None:
        self._vault = vault
        self._folder = folder
        self._out = out
        self._seen: dict[str, set[bytes]] = {}
        self._looking = threading.local()
        self._cleanup = contextlib.ExitStack()
        self._heard = contextlib.ExitStack()
        self.given: set[Path] = set()
        self.wanted: dict[int, tuple[str, CodeType]] = {}
        self.thread_errors: list[BaseException] = []

    def __repr__(self) -> str:
        return f"<Watch over {self._folder}>"

    # -- What was seen ----------------------------------------------------------------------------

    def see(self, channel: str, text: str | bytes) -> None:
        """Look at *text*, which somebody else could read."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self._seen.setdefault(channel, set()).add(data)

    def result(self, value: object) -> None:
        """Look at what an operation gave back, in all the ways in which it can be shown."""
        for channel, text in views_of_result(value):
            self.see(f"result: {channel}", text)

    def error(self, error: BaseException) -> None:
        """Look at an error, and at all that is behind it."""
        for channel, text in views_of_error(error):
            self.see(channel, text)
        self.see("printed traceback", printed(error))

    def leaks(self) -> list[Leak]:
        """Search all that was seen, at the end and at once: that is a hundred times as fast."""
        found: dict[Leak, None] = {}
        everything = _BETWEEN.join(set().union(*self._seen.values()))
        if not any(self._vault.find(everything)):  # there are thousands of channels
            return []
        for channel, texts in self._seen.items():
            data = _BETWEEN.join(texts)
            for needle, where in self._vault.find(data):
                before = data[max(where - _AROUND, 0) : where]
                after = data[where + len(needle.data) :][:_AROUND]
                around = f"{before!r} [{needle.secret}] {after!r}"
                found.setdefault(Leak(channel, needle.secret, needle.form, around))
        return list(found)

    @property
    def channels(self) -> set[str]:
        """Where something was looked at."""
        return set(self._seen)

    # -- While it runs ----------------------------------------------------------------------------

    def __enter__(self) -> Watch:  # noqa: PYI034 - Self needs Python 3.11
        with contextlib.ExitStack() as stack:
            self._logs(stack)
            self._warnings(stack)
            self._hooks(stack)
            if not _current:
                _install_audit()
            _current.append(self)
            stack.callback(_current.remove, self)
            stack.callback(self._heard.close)
            self._calls(self._heard)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._heard.close()
        self.crash_file()
        self._cleanup.close()
        self.finish()

    def finish(self) -> None:
        """Read what was printed and what lies on the disk."""
        captured = self._out.readouterr()
        self.see("stdout", captured.out)
        self.see("stderr", captured.err)
        self.processes()
        for path in sorted(self._folder.rglob("*")):
            if path not in self.given:
                self.file(path)

    def _logs(self, stack: contextlib.ExitStack) -> None:
        watch, usual = self, logging.Logger.callHandlers
        formatter = logging.Formatter("%(asctime)s %(name)s %(message)s %(threadName)s")

        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            watch.log(formatter, record)
            usual(logger, record)

        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign]
        stack.callback(setattr, logging.Logger, "callHandlers", usual)
        for name in (None, *_LEVELS):
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.DEBUG)

    def log(self, formatter: logging.Formatter, record: logging.LogRecord) -> None:
        """Look at a record: the text, and every attribute, those that were given as extra too."""
        self.see("log message", formatter.format(record))
        for name, value in vars(record).items():
            if name not in _UNSHOWN:
                self.see("log attribute", f"{name}={value!r} {value}")
        if record.exc_info and record.exc_info[1] is not None:
            self.error(record.exc_info[1])

    def _warnings(self, stack: contextlib.ExitStack) -> None:
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")

        def look() -> None:
            for one in caught:
                self.see("warning", f"{one.message!r} {one.message} {one.source!r}")

        stack.callback(look)

    def _hooks(self, stack: contextlib.ExitStack) -> None:
        def ended(arguments: Any) -> None:
            if arguments.exc_value is not None:
                self.thread_errors.append(arguments.exc_value)
                self.error(arguments.exc_value)
                self.see("thread error", repr(arguments))

        def escaped(kind: type[BaseException], error: BaseException, trace: Any) -> None:
            self.error(error)

        for module, name, hook in (
            (threading, "excepthook", ended),
            (sys, "unraisablehook", ended),
            (sys, "excepthook", escaped),
        ):
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, hook)

    def _calls(self, stack: contextlib.ExitStack) -> None:
        """Note which of the wanted code runs, until all of it has: looking is slow."""
        if not self.wanted:
            return
        if sys.version_info >= (3, 12):
            self._starts(stack)
        else:
            self._follow(stack)

    def _starts(self, stack: contextlib.ExitStack) -> None:
        """Have Python tell of the wanted code alone, in whichever thread it runs."""
        wanted, monitoring = self.wanted, sys.monitoring
        starts, mine = monitoring.events.PY_START, 3  # which no kind of tool has for itself

        def note(code: CodeType, _: int) -> None:
            wanted.pop(id(code), None)

        monitoring.use_tool_id(mine, "leaks")
        stack.callback(monitoring.free_tool_id, mine)
        monitoring.register_callback(mine, starts, note)
        stack.callback(monitoring.register_callback, mine, starts, None)
        for _, code in list(wanted.values()):
            monitoring.set_local_events(mine, code, starts)
            stack.callback(monitoring.set_local_events, mine, code, 0)

    def _follow(self, stack: contextlib.ExitStack) -> None:
        """Have Python count all calls: in C, for a function that is told of each is slow."""
        counts: list[cProfile.Profile] = []

        def count() -> cProfile.Profile:
            counts.append(cProfile.Profile(subcalls=False, builtins=False))
            counts[-1].enable()
            return counts[-1]

        def begin(frame: Any, *_: object) -> None:
            self.wanted.pop(id(frame.f_code), None)  # this call was not counted yet
            count()  # takes the place of this function, in this thread

        def read() -> None:
            for one in counts:
                for entry in one.getstats():
                    self.wanted.pop(id(entry.code), None)

        stack.callback(read)
        threading.setprofile(begin)
        stack.callback(threading.setprofile, None)
        stack.callback(count().disable)

    # -- Files and processes ----------------------------------------------------------------------

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at a file that is about to be removed or replaced, and at what is about to run."""
        if getattr(self._looking, "now", False):
            return
        self._looking.now = True
        try:
            if event in {"os.remove", "os.rename"}:
                for name in arguments[:2]:
                    self._going(name)
            elif event in {"subprocess.Popen", "os.exec", "os.posix_spawn"}:
                self.see("command line", repr(arguments[:2]))
            elif event == "os.system":
                self.see("command line", repr(arguments))
        finally:
            self._looking.now = False

    def _going(self, name: object) -> None:
        if isinstance(name, (str, bytes, os.PathLike)):
            path = Path(os.fsdecode(name))
            with contextlib.suppress(OSError):
                if path.is_absolute() and self._folder in path.parents and path not in self.given:
                    self.file(path)

    def file(self, path: Path) -> None:
        """Look at a file's name and content, and into archives."""
        self.see("file name", str(path.relative_to(self._folder)))
        if path.is_symlink():
            self.see("file name", os.fsencode(path.readlink()))
        if path.is_file():
            self._content(path.suffix, path.read_bytes())

    def _content(self, kind: str, data: bytes) -> None:
        self.see(f"file content ({kind or 'no suffix'})", data)
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.infolist():
                    self.see("file name in an archive", member.filename)
                    self._content(f"{kind} archive", archive.read(member))
        elif data.startswith(b"\x1f\x8b"):
            self._content(f"{kind} archive", gzip.decompress(data))

    def crash_file(self) -> None:
        """Write what Python writes in a crash; it is read with all other files."""
        with tempfile.TemporaryFile(dir=self._folder) as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            self.see("crash file", file.read())
        for frame in list(sys._current_frames().values()):
            self.see("stack of a thread", "".join(traceback.format_stack(frame)))

    def processes(self) -> None:
        """Look at command line and title of this process and of all below it."""
        for pid in family(os.getpid()):
            for name in ("cmdline", "comm", "stat"):
                with contextlib.suppress(OSError):
                    self.see("process list", Path(f"/proc/{pid}/{name}").read_bytes())


def family(root: int) -> list[int]:
    """Return *root* and the processes below it, as /proc shows them (Linux only)."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            # pid (name, which may hold anything) state parent
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            parents[int(entry.parent.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


_installed: list[bool] = []


def _install_audit() -> None:
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_audit)
