"""Hooks: a command or a function of the user's for what happens in a run. They cannot stop it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import threading
import time

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import attrs

from .._cancel import CancelToken
from ..errors import ConfigurationError
from ._describe import event_json
from ._values import EventKind, SyncEvent


HOOKED = (
    EventKind.FETCHED,
    EventKind.FAILED,
    EventKind.PROBLEM,
    EventKind.GONE,
    EventKind.FINISHED,
)
"""What a hook can be for."""

TIMEOUT = 30.0
PATIENCE = 5.0
"""Seconds that the end of a run waits for hooks that have not been run yet."""

_HURRIED = 0.5
_MOST = 1000
_log = logging.getLogger("camsync.sync.hooks")

# Whatever else is in the environment may be a password: of camsync, of a database, of a cloud.
_HARMLESS = (
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LOGNAME",
    "PATH",
    "PATHEXT",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
)


def _kinds(kinds: Iterable[EventKind]) -> frozenset[EventKind]:
    return frozenset(kinds)


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts)


@attrs.frozen(kw_only=True)
class Hook:
    """What is run when something happens.

    Attributes:
        kinds: For which events.
        command: A program and its arguments; no shell looks at them. It gets the event as JSON on
            standard input, and as ``CAMSYNC_EVENT``, ``CAMSYNC_DEVICE``, ``CAMSYNC_CHANNEL``,
            ``CAMSYNC_RECORDING``, ``CAMSYNC_PATH`` and ``CAMSYNC_MESSAGE``.
        call: A function that takes the `SyncEvent`, instead of a command.
        timeout: Seconds after which a command is killed.
        environment: Variables that the command gets beside ``PATH``, ``HOME``, the language and
            the zone; nothing else of this process's environment reaches it.
    """

    kinds: frozenset[EventKind] = attrs.field(converter=_kinds)
    command: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    call: Callable[[SyncEvent], object] | None = None
    timeout: float = TIMEOUT
    environment: tuple[str, ...] = attrs.field(default=(), converter=_texts)

    def __attrs_post_init__(self) -> None:
        strangers = [kind.value for kind in self.kinds if kind not in HOOKED]
        if strangers or not self.kinds:
            msg = f"there are no hooks for {', '.join(strangers) or 'nothing'}"
            raise ConfigurationError(
                msg, next_step=f"there are: {', '.join(kind.value for kind in HOOKED)}"
            )
        if bool(self.command) == (self.call is not None):
            msg = "a hook needs a command or a function, and not both"
            raise ConfigurationError(msg, next_step='for example command=["/usr/bin/logger"]')
        own = [name for name in self.environment if name.upper().startswith("CAMSYNC_")]
        if own:
            msg = f"a hook cannot have {own[0]}: camsync's own variables may hold passwords"
            raise ConfigurationError(msg, next_step="leave it out")

    @property
    def name(self) -> str:
        """What the log calls it."""
        if self.command:
            return self.command[0]
        return getattr(self.call, "__name__", type(self.call).__name__)


class Hooks:
    """Runs hooks one after the other in a thread of its own, while the block goes on.

    Calling it with a `SyncEvent` takes no time: it can be the ``on_event`` of `sync`, or part of
    it. More than a thousand waiting calls are too many: further ones are dropped, and the log says
    so. A hook that fails, hangs or cannot be started is logged, and nothing else.

    Args:
        hooks: What to run.
        patience: Seconds that the end of the block waits for those that have not been run.
        most: How many may wait.
        cancel: When it is set, the end of the block waits for half a second only.
        clock: Seconds that never go back, for tests.
    """

    def __init__(
        self,
        hooks: Iterable[Hook],
        *,
        patience: float = PATIENCE,
        most: int = _MOST,
        cancel: CancelToken | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hooks = tuple(hooks)
        self._patience = patience
        self._cancel = cancel
        self._clock = clock
        self._queue: queue.Queue[tuple[Hook, SyncEvent]] = queue.Queue(most)
        self._dropped = 0
        self._ending = threading.Event()
        self._too_late = threading.Event()
        self._idle = threading.Event()
        self._worker: threading.Thread | None = None

    def __enter__(self) -> Hooks:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __call__(self, event: SyncEvent) -> None:
        """Have the hooks for *event* run soon."""
        for hook in self._hooks:
            if event.kind not in hook.kinds:
                continue
            self._begin()
            try:
                self._queue.put_nowait((hook, event))
            except queue.Full:
                self._dropped += 1

    def _begin(self) -> None:
        if self._worker is None:
            # A daemon: a function that hangs must not keep the process alive.
            self._worker = threading.Thread(target=self._work, name="camsync-hooks", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while True:
            try:
                hook, event = self._queue.get(timeout=0.05)
            except queue.Empty:
                if self._ending.is_set():
                    break
                continue
            if self._too_late.is_set():
                self._dropped += 1
            else:
                self._run(hook, event)
        self._idle.set()

    def _run(self, hook: Hook, event: SyncEvent) -> None:
        try:
            if hook.call is not None:
                hook.call(event)
            else:
                self._command(hook, event)
        except Exception as error:  # noqa: BLE001 - a hook never stops a sync
            _log.warning("the hook %s failed: %s: %s", hook.name, type(error).__name__, error)

    def _command(self, hook: Hook, event: SyncEvent) -> None:
        document = event_json(event)
        with subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
            hook.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment_of(hook, document, os.environ),
            start_new_session=True,
        ) as process:
            try:
                ended = self._feed(process, hook, json.dumps(document).encode() + b"\n")
            finally:
                _end(process)
        if ended and process.returncode:
            _log.warning("the hook %s ended with %d", hook.name, process.returncode)

    def _feed(self, process: subprocess.Popen[bytes], hook: Hook, content: bytes) -> bool:
        """Hand the event over; say whether the command ended in the time that it may take."""
        deadline = self._clock() + hook.timeout
        given: bytes | None = content
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(given, timeout=0.1)
                return True
            given = None
            if self._clock() >= deadline:
                _log.warning("the hook %s took longer than %g s", hook.name, hook.timeout)
                return False
            if self._too_late.is_set():
                _log.warning("the hook %s was still running at the end", hook.name)
                return False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait a little for those that have not been run, then drop them."""
        if self._worker is None:
            return
        self._ending.set()
        hurried = self._cancel is not None and self._cancel.is_set()
        if not self._idle.wait(min(self._patience, _HURRIED) if hurried else self._patience):
            self._too_late.set()
            self._idle.wait(_HURRIED)
        left = self._dropped + self._queue.qsize()
        if left:
            _log.warning("%d calls of hooks were dropped: there were too many, or no time", left)


def environment_of(
    hook: Hook, document: Mapping[str, Any], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of a hook's command."""
    names = {*_HARMLESS, *hook.environment}
    kept = {
        name: value for name, value in environ.items() if name.upper() in names or name in names
    }
    file = document.get("file") or {}
    recording = document.get("recording") or {}
    told: Sequence[tuple[str, object]] = (
        ("EVENT", document["event"]),
        ("DEVICE", document["device"]),
        ("CHANNEL", document["channel"]),
        ("RECORDING", recording.get("key", "")),
        ("PATH", file.get("path", "")),
        ("MESSAGE", document["message"]),
    )
    # A NUL cannot stand in a variable; names of cameras come from devices.
    own = {f"CAMSYNC_{name}": str(value).replace("\0", "") for name, value in told}
    return {**kept, **own}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command that is still there, with everything that it has started."""
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:  # pragma: no cover - Windows
            process.kill()
    process.wait()
