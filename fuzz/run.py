"""``python -m fuzz``: run targets, each in a process of its own with bounded memory and time.

python -m fuzz --list
python -m fuzz --target isapi-search --runs 100000
python -m fuzz --seconds 30 --processes 2
python -m fuzz --target media-ps --engine atheris --seconds 600
python -m fuzz --reproduce fuzz/findings/media-ps-0123456789ab.bin
"""

from __future__ import annotations

import argparse
import contextlib
import mmap
import os
import resource
import subprocess
import sys
import time

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from fuzz.engines import FINDINGS, Limits, by_atheris, by_hypothesis, own, quiet, save


ENGINES = {"own": own, "hypothesis": by_hypothesis, "atheris": by_atheris}
_EACH = 2.0
_MEMORY = 1024
_HUNG = 60.0
_MARK = 8
_SLOT = 64 << 20


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument(
        "--target", action="append", default=[], help="a name, or its begin; repeat"
    )
    parser.add_argument("--runs", type=int, help="executions of each target")
    parser.add_argument("--seconds", type=float, help="of each target")
    parser.add_argument("--engine", choices=ENGINES, default="own")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations")
    parser.add_argument("--processes", type=int, default=1, help="targets at a time")
    parser.add_argument("--each", type=float, default=_EACH, help="seconds of one execution")
    parser.add_argument("--memory", type=int, default=_MEMORY, help="MiB above what is imported")
    parser.add_argument("--reproduce", type=Path, help="run one saved input, with its traceback")
    parser.add_argument("--quick", action="store_true", help="without the long seeds")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run; 1 when there was a finding."""
    options = _arguments(words)
    if options.reproduce is not None:
        return _reproduce(options)
    if options.child:
        return _child(options)
    names = _chosen(options.target)
    if options.list:
        print("\n".join(names))
        return 0
    if options.runs is None and options.seconds is None:
        options.runs = 10_000
    return _parent(names, options)


def _chosen(wanted: Sequence[str]) -> list[str]:
    from fuzz.targets import TARGETS

    strangers = [word for word in wanted if not any(name.startswith(word) for name in TARGETS)]
    if strangers:
        sys.exit(f"there is no target {', '.join(strangers)}; --list names them")
    return [name for name in TARGETS if not wanted or any(name.startswith(one) for one in wanted)]


def _reproduce(options: argparse.Namespace) -> int:
    from fuzz.registry import execute, time_limit
    from fuzz.targets import TARGETS

    name = options.target[0] if options.target else options.reproduce.name.rpartition("-")[0]
    data = options.reproduce.read_bytes()
    tested = TARGETS[name]
    with time_limit(options.each + tested.extra) as begin:
        begin(len(data))
        finding, refused = execute(tested, data)
    if finding is not None:
        raise finding
    print(f"no finding: {f'refused with {refused!r}' if refused else 'accepted'}")
    return 0


# -- One target, in a process of its own ---------------------------------------------------------


def _child(options: argparse.Namespace) -> int:
    if options.engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["camsync"]):
            from fuzz.targets import TARGETS
    else:
        from fuzz.targets import TARGETS
    (name,) = options.target
    quiet()
    if options.engine != "atheris":  # libFuzzer has its own limit, and reserves address space
        _bound_memory(options.memory)
    limits = Limits(options.runs, options.seconds, options.each, huge=not options.quick)
    with _slot(os.environ.get("CAMSYNC_FUZZ_SLOT")) as current:
        report = ENGINES[options.engine](TARGETS[name], limits, options.seed, current)
    print(report.line(), flush=True)
    return int(bool(report.findings))


def _bound_memory(mebibytes: int) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + (mebibytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextlib.contextmanager
def _slot(path: str | None) -> Iterator[Callable[[bytes], None]]:
    """Give a function that writes an input where the parent finds it after a crash."""
    if path is None:
        yield lambda _: None
        return
    with open(path, "r+b") as stream, mmap.mmap(stream.fileno(), _SLOT + _MARK) as memory:  # noqa: PTH123

        def write(data: bytes) -> None:
            kept = data[:_SLOT]
            memory[:_MARK] = len(kept).to_bytes(_MARK, "big")
            memory[_MARK : _MARK + len(kept)] = kept

        yield write


# -- All of them ---------------------------------------------------------------------------------


class _Job:
    """A child at work on one target."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name = name
        self._began = self._moved = time.monotonic()
        FINDINGS.mkdir(exist_ok=True)
        self._slot = FINDINGS / f".current-{name}"
        with self._slot.open("wb") as stream:
            stream.truncate(_SLOT + _MARK)
        words = ["--child", "--target", name, "--engine", options.engine]
        words += ["--seed", str(options.seed), "--each", str(options.each)]
        words += ["--memory", str(options.memory)]
        words += [] if options.runs is None else ["--runs", str(options.runs)]
        words += [] if options.seconds is None else ["--seconds", str(options.seconds)]
        words += ["--quick"] if options.quick else []
        self._seen = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fuzz", *words],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "CAMSYNC_FUZZ_SLOT": str(self._slot)},
        )

    def done(self) -> bool:
        """Whether the child has ended; one that hangs in an execution is ended here."""
        if self._process.poll() is not None:
            return True
        with self._slot.open("rb") as stream:
            now = stream.read(4096)
        if now != self._seen:
            self._seen, self._moved = now, time.monotonic()
        elif time.monotonic() - self._moved > _HUNG and any(now[:_MARK]):
            self._process.kill()
            self._process.wait()
            return True
        return False

    def close(self) -> int:
        """Return the child's exit code; what made it crash is saved as a finding."""
        code = self._process.wait()
        if code not in {0, 1}:
            with self._slot.open("rb") as stream:
                length = int.from_bytes(stream.read(_MARK), "big")
                save(self.name, stream.read(length), f"the process ended with {code}")
        self._slot.unlink(missing_ok=True)
        return code


def _parent(names: Sequence[str], options: argparse.Namespace) -> int:
    waiting, running = list(names), list[_Job]()
    worst = 0
    try:
        while waiting or running:
            while waiting and len(running) < options.processes:
                running.append(_Job(waiting.pop(0), options))
            for job in [job for job in running if job.done()]:
                running.remove(job)
                worst = max(worst, int(job.close() != 0))
            time.sleep(0.1)
    finally:
        for job in running:
            job.close()
    print(f"{len(names)} targets, {'with findings' if worst else 'no findings'}")
    return worst


if __name__ == "__main__":
    sys.exit(main())
