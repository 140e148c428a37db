"""No secret is seen: planted ones are looked for in everything that comes out of camsync."""

from __future__ import annotations

import click
import pytest

from leak_harness import surface
from leak_harness.stage import SCENARIOS, Scenario, Stage

import camsync

from camsync.cli._app import cli


def test_no_secret_is_seen(scenario: Scenario, stage: Stage):
    """Logs, output, results, errors, files and process lists of the scenario hold none."""
    stage.expect(scenario.covers)
    with stage.watch:
        scenario.play(stage)
        stage.close()

    assert not (leaks := stage.watch.leaks()), "\n".join(map(str, leaks))
    assert [] == stage.watch.thread_errors
    assert [] == [name for name, _ in stage.watch.wanted.values()], "declared, but not driven"


def _not_covered(names):
    covered = {name for scenario in SCENARIOS for name in scenario.covers}
    return sorted(set(names) - covered - set(surface.EXCLUDED))


def test_every_public_callable_is_driven():
    """Whatever is public is in a scenario, which proves that it ran, or excluded with a reason."""
    assert [] == _not_covered(surface.surface())


def test_a_new_callable_would_be_noticed(monkeypatch: pytest.MonkeyPatch):
    """A function, a method and a command that nobody drives are named."""

    def publish() -> None: ...

    monkeypatch.setattr(camsync.MemoryStore, "export", publish, raising=False)
    monkeypatch.setattr(camsync, "publish", publish, raising=False)
    monkeypatch.setattr(camsync, "__all__", [*camsync.__all__, "publish"])
    monkeypatch.setitem(cli.commands, "publish", click.Command("publish", callback=publish))

    assert ["$ camsync publish", "camsync.MemoryStore.export", "camsync.publish"] == _not_covered(
        surface.surface()
    )


def test_every_public_module_is_looked_at():
    """A new module is either searched for callables or left out with a reason."""
    assert set() == surface.unknown_modules()
    assert not set(surface.MODULES) & set(surface.LEFT_OUT)
    assert all(surface.LEFT_OUT.values())


def test_nothing_is_excluded_without_need():
    """Each exclusion names something that exists, gives a reason, and is driven nowhere."""
    covered = {name for scenario in SCENARIOS for name in scenario.covers}

    assert set(surface.EXCLUDED) <= set(surface.surface())
    assert all(surface.EXCLUDED.values())
    assert set() == covered & set(surface.EXCLUDED)
