"""The engines: our own mutations, hypothesis, and atheris where it is installed.

Each runs one target in this process and reports what happened. Whoever starts it limits its memory.
"""

from __future__ import annotations

import hashlib
import logging
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings

from collections.abc import Callable
from pathlib import Path

from fuzz.mutate import Mutator
from fuzz.registry import HERE, Target, execute, time_limit


FINDINGS = HERE / "findings"
_MOST_FINDINGS = 8
_BYTES_PER_KIB = 1024


class Report:
    """What a run of a target has come to.

    Attributes:
        executions: How often it was run.
        seconds: How long that took altogether.
        longest: Processor's seconds of the longest single execution.
        peak: Bytes of memory that the process has had at most.
        before: Bytes that it had when the run began.
        findings: What each finding is, in words, with its file.
    """

    def __init__(self, tested: Target) -> None:
        self.tested = tested
        self.executions = 0
        self.seconds = 0.0
        self.longest = 0.0
        self.before = self.peak = memory()
        self.findings: dict[str, Path] = {}
        self.found = 0

    @property
    def full(self) -> bool:
        """Whether there are so many different findings that more would not help."""
        return len(self.findings) >= _MOST_FINDINGS

    def add(self, data: bytes, error: BaseException) -> None:
        """Save a finding: one for each place that it comes from."""
        self.found += 1
        label = place_of(error)
        if label not in self.findings:
            self.findings[label] = save(self.tested.name, data, label)

    def line(self) -> str:
        """Return the report as one line."""
        rate = self.executions / self.seconds if self.seconds else 0.0
        return (
            f"{self.tested.name:<22} {self.executions:>9} executions {rate:>9.0f}/s "
            f"longest {self.longest:>6.3f} s  peak {self.peak >> 20:>5} MiB "
            f"(+{self.peak - self.before >> 20})  findings {self.found}"
        )


def memory() -> int:
    """Return the most bytes of memory that this process has had."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * _BYTES_PER_KIB


def place_of(error: BaseException) -> str:
    """Return what tells one finding from another: the kind of error, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "camsync" in Path(frame.filename).parts]
    last = (ours or frames or [None])[-1]
    where = f"{Path(last.filename).name}:{last.lineno}" if last is not None else "?"
    return f"{type(error).__name__} at {where}"


def save(name: str, data: bytes, label: str) -> Path:
    """Keep an input, and print how to run it again."""
    FINDINGS.mkdir(exist_ok=True)
    path = FINDINGS / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
    path.write_bytes(data)
    print(f"FINDING {name}: {label}\n    python -m fuzz --reproduce {path}", flush=True)
    return path


def quiet() -> None:
    """Switch off what parsers say about what they leave out: there will be much of it."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


class Runner:
    """Executes a target, with the time that it may take, and keeps the report.

    Args:
        current: Called with each input before it is run, so that it outlives a crash.

    Attributes:
        outcome: What tells how the last execution ended from how others did.
    """

    def __init__(
        self, tested: Target, begin: Callable[[int], None], current: Callable[[bytes], None]
    ) -> None:
        self.report = Report(tested)
        self._begin = begin
        self._current = current
        self._started = time.monotonic()
        self.outcome: object = None

    def once(self, data: bytes) -> BaseException | None:
        """Execute the target; return and keep the finding, if it is one."""
        report = self.report
        self._current(data)
        self._begin(len(data))
        before = time.process_time()
        finding, refused = execute(report.tested, data)
        report.longest = max(report.longest, time.process_time() - before)
        report.executions += 1
        self.outcome = _outcome(refused)
        if finding is not None:
            report.add(data, finding)
        return finding

    def close(self) -> Report:
        """Return the report."""
        self.report.seconds = time.monotonic() - self._started
        self.report.peak = memory()
        return self.report


def _outcome(refused: BaseException | None) -> object:
    """Return what tells one refusal from another: a cheap measure of what is new."""
    if refused is None:
        return None
    frames = traceback.walk_tb(refused.__traceback__)
    return type(refused), tuple(number for _, number in frames)


class Limits:
    """When a run is over, and what one execution may cost.

    Attributes:
        runs: Executions; None for no limit.
        seconds: Of the run; None for no limit.
        each: Processor's seconds of one execution.
        huge: Whether the long seeds are run, too.
    """

    def __init__(
        self, runs: int | None, seconds: float | None, each: float, *, huge: bool = True
    ) -> None:
        self.runs = runs
        self.seconds = seconds
        self.each = each
        self.huge = huge
        self._end: float | None = None

    def begin(self) -> None:
        """Let the time of the run begin: the seeds are through."""
        self._end = None if self.seconds is None else time.monotonic() + self.seconds

    def over(self, executions: int) -> bool:
        """Whether it is time to stop."""
        if self.runs is not None and executions >= self.runs:
            return True
        return self._end is not None and time.monotonic() >= self._end


def own(
    tested: Target, limits: Limits, seed: int, current: Callable[[bytes], None] = lambda _: None
) -> Report:
    """Run the seeds, then mutations of them; what leads to a new outcome is mutated further."""
    seeds = tested.seeds(huge=limits.huge)
    chance = random.Random(f"{tested.name} {seed}")
    with time_limit(limits.each + tested.extra) as begin:
        runner = Runner(tested, begin, current)
        for data in seeds:
            runner.once(data)
        mutator = Mutator(seeds, tested.tokens, chance, tested.longest)
        limits.begin()
        known: set[object] = set()
        while not limits.over(runner.report.executions) and not runner.report.full:
            data = mutator.make()
            runner.once(data)
            if runner.outcome not in known:
                known.add(runner.outcome)
                mutator.keep(data)
        return runner.close()


def by_hypothesis(
    tested: Target, limits: Limits, seed: int, current: Callable[[bytes], None] = lambda _: None
) -> Report:
    """Let hypothesis choose bytes, texts, and mutations of the seeds; it shrinks what it finds."""
    import hypothesis

    from hypothesis import strategies as st

    seeds = tested.seeds(huge=limits.huge)

    def mutated(number: int) -> bytes:
        return Mutator(seeds, tested.tokens, random.Random(number), tested.longest).make()

    inputs = st.one_of(
        st.binary(max_size=256),
        st.text(max_size=64).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.lists(st.sampled_from(tested.tokens or (b"",)), max_size=12).map(b"".join),
        st.integers(0, 1 << 62).map(mutated),
    )
    with time_limit(limits.each + tested.extra) as begin:
        runner = Runner(tested, begin, current)
        for data in seeds:
            runner.once(data)

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=limits.runs or 1000,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(inputs)
        def check(data: bytes) -> None:
            if limits.over(runner.report.executions - before):
                return
            finding = runner.once(data)
            if finding is not None:
                raise finding

        before = len(seeds)
        limits.begin()
        try:
            check()
        except BaseException as error:
            if not runner.report.findings:
                raise error from None
        return runner.close()


def by_atheris(
    tested: Target, limits: Limits, seed: int, current: Callable[[bytes], None] = lambda _: None
) -> Report:
    """Let libFuzzer choose, led by coverage. It ends the process: the report is printed at exit.

    camsync must be imported under ``atheris.instrument_imports()`` before this.
    """
    import atexit

    import atheris

    corpus = HERE / "corpus" / tested.name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in tested.seeds(huge=limits.huge):
        if len(data) <= tested.longest:
            (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    with tempfile.NamedTemporaryFile("w", suffix=".dict", delete=False) as words:
        for token in tested.tokens:
            words.write('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n')
    options = [f"-max_len={tested.longest}", f"-seed={seed + 1}", f"-dict={words.name}"]
    options += ["-verbosity=0", "-print_final_stats=0", f"-timeout={round(limits.each * 10)}"]
    options += [f"-artifact_prefix={FINDINGS}/{tested.name}-", "-rss_limit_mb=4096"]
    if limits.runs is not None:
        options.append(f"-atheris_runs={limits.runs}")
    if limits.seconds is not None:
        options.append(f"-max_total_time={max(round(limits.seconds), 1)}")
    FINDINGS.mkdir(exist_ok=True)
    with time_limit(limits.each + tested.extra) as begin:
        runner = Runner(tested, begin, current)

        def finish() -> None:
            Path(words.name).unlink(missing_ok=True)
            print(runner.close().line(), flush=True)

        atexit.register(finish)

        def check(data: bytes) -> None:
            runner.once(data)

        atheris.Setup([sys.argv[0], *options, str(corpus)], check)
        atheris.Fuzz()
    return runner.close()
