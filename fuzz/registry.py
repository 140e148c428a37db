"""What a target is, how one execution of it goes, and what counts as a finding."""

from __future__ import annotations

import contextlib
import json
import signal

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType

from camsync.errors import CamsyncError
from fuzz.bombs import HUGE, SHORT


HERE = Path(__file__).parent
SEEDS = HERE / "seeds" / "answers.json"
LONGEST_MESSAGE = 4000
"""Characters of an error's text: a hostile input must not fill a log or a terminal."""

Function = Callable[[bytes], None]


class TooSlowError(BaseException):
    """An execution took longer than it may. No ``except Exception`` of a parser swallows it."""


class TooLongError(Exception):
    """An error repeats so much of its input that it fills a log or a terminal."""


class Target:
    """A parser, with what it is fed.

    Attributes:
        name: What ``--target`` takes.
        function: Eats bytes; raises `CamsyncError` for what it refuses, and nothing else.
        tokens: Words of its language, for the mutations.
        longest: Bytes that a mutation may make of a seed.
        extra: Seconds that an execution may take beside those of the runner.
    """

    def __init__(
        self,
        name: str,
        function: Function,
        seeds: Callable[[], Iterable[bytes]],
        tokens: Iterable[bytes],
        longest: int,
        extra: float,
    ) -> None:
        self.name = name
        self.function = function
        self.tokens = tuple(dict.fromkeys(tokens))
        self.longest = longest
        self.extra = extra
        self._seeds = seeds

    def seeds(self, *, huge: bool = True) -> list[bytes]:
        """Return its seeds, bombs included; the same in every run.

        Args:
            huge: Those too that are longer than what a mutation makes.
        """
        before = HUGE.set(huge)
        try:
            found = list(dict.fromkeys(self._seeds()))
        finally:
            HUGE.reset(before)
        return [data for data in found if huge or len(data) <= max(SHORT, self.longest)]

    def __repr__(self) -> str:
        return f"<Target {self.name}>"


TARGETS: dict[str, Target] = {}


def target(
    name: str,
    seeds: Callable[[], Iterable[bytes]],
    tokens: Iterable[bytes] = (),
    *,
    longest: int = SHORT,
    extra: float = 0.0,
) -> Callable[[Function], Function]:
    """Register the decorated function as the target *name*."""

    def register(function: Function) -> Function:
        TARGETS[name] = Target(name, function, seeds, tokens, longest, extra)
        return function

    return register


def execute(tested: Target, data: bytes) -> tuple[BaseException | None, CamsyncError | None]:
    """Run a target once; return the finding, and what the parser refused the input with.

    An error of camsync's is what a parser is to say; anything else that leaves it is a finding.
    """
    try:
        tested.function(data)
    except CamsyncError as error:
        length = len(str(error))
        if length > LONGEST_MESSAGE:
            finding = TooLongError(f"{type(error).__name__} of {length} characters")
            return finding.with_traceback(error.__traceback__), error
        return None, error
    except (Exception, TooSlowError) as error:  # noqa: BLE001 - this is what is looked for
        return error, None
    return None, None


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[Callable[[int], None]]:
    """Give a function that begins a new period, at whose end `TooSlowError` is raised.

    It takes the bytes of the input: a second is added for each MiB of them, since what is as long
    as that may take its time, as long as that grows no faster than the input.

    What counts is the processor's time of this process: other programs do not make findings. C
    code that never looks at signals is not interrupted; the runner ends the process then.
    """
    if not hasattr(signal, "setitimer"):  # Windows
        yield lambda _: None
        return

    def begin(size: int) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds + size / (1 << 20))

    def stop(_signal: int, _frame: FrameType | None) -> None:
        msg = f"more than {seconds} s of the processor's time, and 1 s for each MiB"
        raise TooSlowError(msg)

    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        yield begin
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def answers(*endpoints: str) -> list[bytes]:
    """Return what our own simulators answered at these endpoints, from the committed seeds."""
    document = json.loads(SEEDS.read_text(encoding="ascii"))
    found = [body.encode() for name in endpoints for body in document[name]]
    if not found:
        msg = f"no seeds for {endpoints}"
        raise LookupError(msg)
    return found


def as_text(data: bytes) -> str:
    """Return bytes as a command line or a header gives them: with lone surrogates, if need be."""
    return data.decode("utf-8", "surrogateescape")
