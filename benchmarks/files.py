"""64 recordings of 4 MiB, and small calls: requests sent, and time. Goals P7, P8 and P9."""

from __future__ import annotations

import time

from collections.abc import Callable
from pathlib import Path

import apache

from measure import Options, Result, Run, progress, python, ratios, rounds, spawn
from transfer import into, ours, scratch


ENGINE_1, ENGINE_2 = "camsync engine, 1 stream", "camsync engine, 2 streams"
MANY, MANY_4 = "camsync.download_many", "camsync.download in 4 threads"
CURL, CURL_2, CURL_4 = "curl", "curl -Z --parallel-max 2", "curl -Z --parallel-max 4"
NAIVE = "requests, iter_content(8192)"


def measure(options: Options, result: Result) -> None:
    """Measure many small files, and many small calls."""
    if lack := apache.missing():
        result.notes.append(f"not measured: {lack}")
        return
    count = 16 if options.quick else apache.MANY
    with scratch(options.memory) as folder, apache.serving(folder, 8 << 20) as server:
        _many(server, options, result, count)
        _calls(server, options, result)


def _counted(server: apache.Apache, sent: list[int], run: Callable[[], Run]) -> Callable[[], Run]:
    def counted() -> Run:
        before = len(server.log())
        done = run()
        time.sleep(0.1)  # a line is written after the answer
        sent.append(len(server.log()) - before)
        return done

    return counted


def _many(server: apache.Apache, options: Options, result: Result, count: int) -> None:
    progress(f"{count} files")
    port, parent = server.small, options.memory
    files = server.url(port, "files")

    def curl(streams: int) -> Callable[[], Run]:
        def words(folder: Path) -> list[str]:
            more = ["-Z", "--parallel-max", str(streams)] if streams > 1 else []
            login = ["--digest", "--netrc-file", str(server.netrc)]
            target = ["-o", f"{folder}/#1", f"{files}/[0-{count - 1}]"]
            return ["curl", "-sSf", *more, *login, *target]

        return into(parent, words)

    plain = {"durable": False, "count": count}
    contenders = {
        ENGINE_1: ours(server, port, parent, "fetching.engine", **plain),
        ENGINE_2: ours(server, port, parent, "fetching.engine", streams=2, **plain),
        MANY: ours(server, port, parent, "fetching.download_many", count=count),
        MANY_4: ours(server, port, parent, "fetching.download_many", count=count, streams=4),
        CURL: curl(1),
        CURL_2: curl(2),
        CURL_4: curl(4),
        NAIVE: ours(server, port, parent, "fetching.naive", files=files, **plain),
    }
    sent: dict[str, list[int]] = {name: [] for name in contenders}
    runs = rounds(
        {name: _counted(server, sent[name], run) for name, run in contenders.items()},
        options.rounds,
    )
    for name, each in runs.items():
        result.table(
            f"{count} x 4 MiB, memory", {name: each}, requests=sorted(sent[name])[len(each) // 2]
        )
    extra = [float(number - count) for number in sent[MANY]]
    result.goal("P7", "requests beyond one for each file", extra, 1.0, "requests")
    result.goal("P8", "one stream: wall / one curl", ratios(runs, ENGINE_1, CURL), 1.1)
    result.goal("P8", "two streams: wall / curl -Z 2", ratios(runs, ENGINE_2, CURL_2), 1.1)
    text = "download_many, one stream: wall / curl -Z 4"
    result.goal("P8", text, ratios(runs, MANY, CURL_4), 1.1)


def _calls(server: apache.Apache, options: Options, result: Result) -> None:
    progress("small calls")
    count = 100 if options.quick else 1_000
    arguments = server.arguments(server.small, count=count)
    runs = rounds(
        {
            "camsync": lambda: spawn(python("fetching.calls", arguments)),
            "requests.Session": lambda: spawn(python("fetching.calls_requests", arguments)),
        },
        options.rounds,
    )
    each = {name: [float(run.output) for run in done] for name, done in runs.items()}
    for name, done in runs.items():
        median = sorted(each[name])[len(done) // 2]
        result.table(f"{count} small calls", {name: done}, microseconds=round(median))
    pairs = zip(each["camsync"], each["requests.Session"], strict=True)
    values = [mine / theirs for mine, theirs in pairs]
    result.goal("P9", "small call with Digest: wall / requests.Session", values, 0.40)
