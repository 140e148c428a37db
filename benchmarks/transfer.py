"""One big recording over HTTP Digest, HTTPS and a gigabit link, from Apache httpd.

Goals P1 to P6, P12 and P13. In memory (``/dev/shm``) the programs are compared, on the disk what
it costs to make a file last; every contender ends with ``fsync`` there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import apache

from measure import (
    BrokenRunError,
    Curve,
    Options,
    Result,
    Run,
    progress,
    python,
    ratios,
    rounds,
    spawn,
)


CURL, WGET, ARIA, NAIVE = "curl --digest", "wget", "aria2c", "requests, iter_content(8192)"
ENGINE, HASHED = "camsync engine", "camsync engine + SHA-256"
DOWNLOAD, MP4 = "camsync.download original", "camsync.download mp4"
LASTING, PASSING = "engine, fsync + row", "engine, no fsync"
_STREAMS = (1, 2, 4)


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Give a folder that is gone afterwards; nothing is left to write when the next run begins."""
    with tempfile.TemporaryDirectory(dir=parent, prefix="camsync-bench-") as name:
        yield Path(name)
    os.sync()


def into(
    parent: Path, command: Callable[[Path], list[str]], **environment: str
) -> Callable[[], Run]:
    """Return a contender that gets a new folder below *parent* for each run."""

    def run() -> Run:
        with scratch(parent) as folder:
            return spawn(command(folder), **environment)

    return run


def _then_sync(words: list[str], folder: Path, *, lasting: bool) -> list[str]:
    """Let a program that knows no fsync be followed by one."""
    if not lasting:
        return words
    return ["sh", "-c", '"$@" && sync "$0"/* && sync "$0"', str(folder), *words]


def _others(
    server: apache.Apache, port: int, parent: Path, *, lasting: bool
) -> dict[str, Callable[[], Run]]:
    """Return the contenders that are not ours and are installed."""
    url, ca = server.url(port), str(server.authority)
    tls = port == server.secure

    def curl(folder: Path) -> list[str]:
        words = ["curl", "-sSf", "--digest", "--netrc-file", str(server.netrc)]
        words += ["-o", f"{folder}/a", *(["--cacert", ca] if tls else []), url]
        return _then_sync(words, folder, lasting=lasting)

    def wget(folder: Path) -> list[str]:
        words = ["wget", "-q", "--no-config", f"--user={apache.USER}"]
        words += [f"--password={apache.PASSWORD}", "-O", f"{folder}/a"]
        words += [f"--ca-certificate={ca}"] if tls else []
        return _then_sync([*words, url], folder, lasting=lasting)

    def aria(folder: Path) -> list[str]:
        words = ["aria2c", "-q", "--no-conf", f"--http-user={apache.USER}", f"--dir={folder}"]
        words += [f"--http-passwd={apache.PASSWORD}", "--file-allocation=none"]
        words += [f"--ca-certificate={ca}"] if tls else []
        return _then_sync([*words, url], folder, lasting=lasting)

    def naive(folder: Path) -> list[str]:
        more = {"dest": str(folder), "durable": lasting}
        return python("fetching.naive", server.arguments(port, **more))

    found = {CURL: into(parent, curl), NAIVE: into(parent, naive)}
    for name, program, command in ((WGET, "wget", wget), (ARIA, "aria2c", aria)):
        if shutil.which(program) and _works(into(parent, command)):
            found[name] = into(parent, command)
    return found


def _works(contender: Callable[[], Run]) -> bool:
    """Whether a program can do it at all: aria2c 1.36 knows no Digest login."""
    try:
        contender()
    except BrokenRunError as error:
        progress(f"left out: {error}")
        return False
    return True


def ours(
    server: apache.Apache, port: int, parent: Path, name: str, **arguments: Any
) -> Callable[[], Run]:
    """Return a contender that is a function of `children.fetching`."""
    return into(
        parent,
        lambda folder: python(name, server.arguments(port, dest=str(folder), **arguments)),
    )


def measure(options: Options, result: Result) -> None:
    """Measure everything about one big recording."""
    if lack := apache.missing():
        result.notes.append(f"not measured: {lack}")
        return
    for program in ("wget", "aria2c", "ffmpeg"):
        if shutil.which(program) is None:
            result.notes.append(f"{program} is not installed and left out")
    result.notes.append("aria2c 1.36 knows no Digest login: where it has no row, it was refused")
    with scratch(options.memory) as folder, apache.serving(folder, options.size) as server:
        for case, port in (("HTTP, memory", server.plain), ("HTTPS, memory", server.secure)):
            _against_others(server, port, options, result, case)
        _on_disk(server, options, result)
        _memory(server, options, result)
        _over_a_link(server, options, result)
        _killed(server, options, result)
        _remux(server, options, result)
    _growth(options, result)


def _against_others(
    server: apache.Apache, port: int, options: Options, result: Result, case: str
) -> None:
    progress(f"{case}: {server.size >> 20} MiB")
    parent = options.memory
    contenders = {
        ENGINE: ours(server, port, parent, "fetching.engine", durable=False),
        HASHED: ours(server, port, parent, "fetching.engine", durable=False, hashed=True),
        DOWNLOAD: ours(server, port, parent, "fetching.download"),
        **_others(server, port, parent, lasting=False),
    }
    runs = rounds(contenders, options.rounds)
    result.table(case, runs, MiB=server.size >> 20)
    name, limit = ("P3", 1.05) if port == server.secure else ("P1", 0.90)
    for what in ("wall", "cpu"):
        for mine, more in ((ENGINE, ""), (HASHED, " with SHA-256"), (DOWNLOAD, ", whole download")):
            text = f"{case.partition(',')[0]}{more}: {what} / curl"
            result.goal(name, text, ratios(runs, mine, CURL, what), limit)
    if port == server.plain:
        result.goal(
            "P2", "HTTP: CPU / requests loop of 8 KiB", ratios(runs, ENGINE, NAIVE, "cpu"), 0.33
        )


def _on_disk(server: apache.Apache, options: Options, result: Result) -> None:
    case, port, parent = "HTTP, disk", server.plain, options.disk
    progress(case)
    contenders = {
        PASSING: ours(server, port, parent, "fetching.engine", durable=False),
        LASTING: ours(server, port, parent, "fetching.durable"),
        DOWNLOAD: ours(server, port, parent, "fetching.download"),
        **_others(server, port, parent, lasting=True),
    }
    runs = rounds(contenders, options.rounds)
    result.table(case, runs, MiB=server.size >> 20)
    values = ratios(runs, LASTING, PASSING)
    result.goal("P6", "durable finish: wall / the same without fsync and row", values, 1.30)
    values = ratios(runs, LASTING, CURL)
    result.goal("P6", "durable, with row: wall / curl and sync", values, 0.90)


def _memory(server: apache.Apache, options: Options, result: Result) -> None:
    case = "memory of streams"
    progress(case)
    port, parent = server.plain, options.memory
    contenders: dict[str, Callable[[], Run]] = {
        "true (the floor of the method)": lambda: spawn(["true"]),
        "import camsync": lambda: spawn(python("fetching.idle")),
        **{
            f"{count} streams": ours(
                server, port, parent, "fetching.engine", durable=False, streams=count, count=count
            )
            for count in _STREAMS
        },
    }
    runs = rounds(contenders, min(options.rounds, 3), warm=False)
    result.table(case, runs, MiB=server.size >> 20)
    one, most = (
        [run.peak for run in runs[f"{count} streams"]] for count in (_STREAMS[0], _STREAMS[-1])
    )
    idle = [run.peak for run in runs["import camsync"]]
    above = [high - low for high, low in zip(one, idle, strict=True)]
    result.goal("P5", "one stream: peak above an idle import", above, 40.0, "MiB")
    steps = _STREAMS[-1] - _STREAMS[0]
    more = [(high - low) / steps for high, low in zip(most, one, strict=True)]
    result.goal("P5", "each further stream", more, 2.0, "MiB")
    result.notes.append(
        "`wait4` counts what a child had in memory before it became another program: no peak is "
        "below the line `true`"
    )


def _over_a_link(server: apache.Apache, options: Options, result: Result) -> None:
    case = "HTTP at 940 Mbit/s"
    progress(case)
    port, parent = server.link, options.memory
    others = _others(server, port, parent, lasting=False)
    contenders = {
        ENGINE: ours(server, port, parent, "fetching.engine", durable=False),
        DOWNLOAD: ours(server, port, parent, "fetching.download"),
        MP4: ours(server, port, parent, "fetching.download", container="mp4"),
        CURL: others[CURL],
        NAIVE: others[NAIVE],
    }
    runs = rounds(contenders, options.rounds, warm=False)
    result.table(case, runs, MiB=server.size >> 20)
    share = [run.cpu / run.wall * 100 for run in runs[ENGINE]]
    result.goal("P4", "CPU of a core", share, 18.0, "%")
    for name in (DOWNLOAD, MP4):
        values = ratios(runs, name, ENGINE)
        result.goal("P12", f"{name}: wall / raw bytes only", values, 1.05)
    rate = server.size / min(run.wall for run in runs[CURL]) * 8 / 1e6
    result.notes.append(f"the limited link gave curl {rate:.0f} Mbit/s (mod_ratelimit)")


def _killed(server: apache.Apache, options: Options, result: Result) -> None:
    """P13: a download is killed half way; what does the next one fetch again?"""
    progress("killed at 50 %")
    with scratch(options.memory) as folder:
        arguments = server.arguments(server.link, dest=str(folder))
        process = subprocess.Popen(python("fetching.download", arguments), stdin=subprocess.DEVNULL)
        held = 0
        while process.poll() is None and held < server.size // 2:
            time.sleep(0.01)
            held = sum(path.stat().st_size for path in folder.rglob(".*.part"))
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        if held < server.size // 2:
            msg = "the download ended before it could be killed"
            raise BrokenRunError(msg)
        time.sleep(1.0)  # the killed request is written down, with all the bytes that it asked for
        before = len(server.log())
        spawn(python("fetching.download", arguments))
        time.sleep(0.3)  # the line is written after the answer
        fetched = sum(int(line[1]) for line in server.log()[before:] if line[0] == "200")
    again = max(fetched - (server.size - held), 0) / (1 << 20)
    result.goal("P13", "killed at 50 %: fetched again (limit: a block)", [again], 1.0, "MiB")
    result.notes.append(
        "P13: recorders send no ranges, so what a killed run has fetched comes again; the goal of "
        "one slice needs downloads by time, which the engine does not make"
    )


def _remux(server: apache.Apache, options: Options, result: Result) -> None:
    if shutil.which("ffmpeg") is None:
        return
    progress("remux")
    source = server.root / "big" / "ISAPI" / "ContentMgmt" / "download"

    def pyav(folder: Path) -> list[str]:
        return python("fetching.remux", {"source": str(source), "target": f"{folder}/a.mp4"})

    def ffmpeg(folder: Path) -> list[str]:
        words = ["ffmpeg", "-nostdin", "-v", "error", "-f", "mpeg", "-i", str(source)]
        return [*words, "-c", "copy", f"{folder}/a.mp4"]

    contenders = {
        "camsync media stage": into(options.memory, pyav),
        "ffmpeg -c copy": into(options.memory, ffmpeg),
    }
    runs = rounds(contenders, options.rounds)
    result.table("remux, memory", runs, MiB=server.size >> 20)
    values = ratios(runs, "camsync media stage", "ffmpeg -c copy", "cpu")
    result.goal("P12", "remux: CPU / ffmpeg -c copy", values, 1.5)


def _growth(options: Options, result: Result) -> None:
    """How time and memory grow with the length of the recording."""
    walls: list[tuple[float, float]] = []
    peaks: list[tuple[float, float]] = []
    for part in (4, 2, 1):
        size = options.size // part
        with scratch(options.memory) as folder, apache.serving(folder, size) as server:
            port = server.plain
            runs: Mapping[str, list[Run]] = rounds(
                {DOWNLOAD: ours(server, port, options.memory, "fetching.download")}, 3, warm=False
            )
            best = min(runs[DOWNLOAD], key=lambda run: run.wall)
            walls.append((server.size / (1 << 20), best.wall))
            peaks.append((server.size / (1 << 20), best.peak))
    result.curves.append(Curve("camsync.download, wall", "MiB", "s", tuple(walls)))
    result.curves.append(Curve("camsync.download, peak memory", "MiB", "MiB", tuple(peaks)))
