"""No secret is seen: planted ones are looked for in everything that comes out of camsync."""

from __future__ import annotations

import ast
import functools
import types

import click
import pytest

from leak_harness import lines, surface
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


def _leak(self: object = None, *_: object) -> None: ...


class _Callable:
    __call__ = _leak


def _nested() -> type:
    return type("Export", (), {"go": _leak, "__module__": "camsync.credentials.memory"})


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("__call__", lambda: _leak),
        ("__iter__", lambda: _leak),
        ("__getitem__", lambda: _leak),
        ("cached", lambda: functools.cached_property(_leak)),
        ("part", lambda: functools.partialmethod(_leak)),
        ("Export.go", _nested),
        ("held", _Callable),
        ("part =", lambda: property(None, _leak)),
        ("static", lambda: staticmethod(functools.lru_cache(_leak))),
    ],
)
def test_a_new_member_of_any_kind_would_be_noticed(monkeypatch, name, made):
    """Operators, setters, cached and partial members, nested classes: all that can be used."""
    place = name.partition(".")[0].removesuffix(" =")
    monkeypatch.setattr(camsync.MemoryStore, place, made(), raising=False)

    assert [f"camsync.MemoryStore.{name}"] == _not_covered(surface.surface())


@pytest.mark.parametrize(
    "made",
    [
        functools.partial(functools.partial, _leak),
        types.new_class("C", (), {}, lambda body: body.update(
            __call__=_leak, __module__="camsync.x")),
        lambda: _named(types.FunctionType(_leak.__code__, {}), "camsync._private"),
        lambda: _named(functools.lru_cache(_leak), "camsync.registry"),
    ],
    ids=["partial", "instance", "from a private module", "cached"],
)  # fmt: skip
def test_a_new_function_of_any_kind_would_be_noticed(monkeypatch, made):
    """In a module without a list, what is imported from a private one counts too."""
    monkeypatch.setattr(camsync.registry, "publish", made(), raising=False)

    assert ["camsync.registry.publish"] == _not_covered(surface.surface())


def _named(function, module):
    function.__module__ = module
    return function


def test_a_wrapped_method_is_the_wrapper(monkeypatch):
    """A method that was replaced must run itself, and not only what it says that it wraps."""
    wrapped = functools.wraps(camsync.MemoryStore.get)(_leak)
    monkeypatch.setattr(camsync.MemoryStore, "get", wrapped)

    assert _leak.__code__ is surface.surface()["camsync.MemoryStore.get"]


def _options_not_driven() -> set[str]:
    names = set(surface.options())
    return surface.not_driven(names, lines.passed({command for command, _ in names}))


def test_every_option_is_driven():
    """Each option of each command stands on a scenario's command line, or in a table."""
    assert set() == _options_not_driven()
    known = {f"{command} {option}" for command, option in surface.options()}
    assert set(surface.LEFT_OPTIONS) <= known


def test_a_new_option_would_be_noticed(monkeypatch: pytest.MonkeyPatch):
    """An option that an existing command gets is named."""
    command = cli.commands["channels"]
    option = click.Option(["--show-password"], is_flag=True)
    monkeypatch.setattr(command, "params", [*command.params, option])

    assert {"$ camsync channels --show-password"} == _options_not_driven()


def test_command_lines_are_read_from_the_source():
    """Names that stand for words, loops over them, and words of two."""
    source = (
        "MORE = ['--json']\ndef x(stage):\n for each in (['a', '--to=b'],):\n"
        "  stage.cli(*each, *MORE, '-vv')\n stage.cli('s', 't', '--yes')\n stage.keep('--no')\n"
    )
    found = set(lines.passed_in(ast.parse(source), {"$ camsync a", "$ camsync s t"}))

    a, both = "$ camsync a", "$ camsync s t"
    assert {(a, "--to"), (a, "--json"), (a, "--verbose"), (both, "--yes")} == found


def test_every_public_module_is_looked_at():
    """A new module is either searched for callables or left out with a reason."""
    assert set() == surface.unknown_modules()
    assert not set(surface.MODULES) & set(surface.LEFT_OUT)
    assert all(surface.LEFT_OUT.values())
    assert [] == [name for name in surface.LEFT_OUT if "*" in name]
    assert set(surface.LEFT_OUT) <= surface.public_modules()


def test_nothing_is_excluded_without_need():
    """Each exclusion names something that exists, gives a reason, and is driven nowhere."""
    covered = {name for scenario in SCENARIOS for name in scenario.covers}

    assert set(surface.EXCLUDED) <= set(surface.surface())
    assert all(surface.EXCLUDED.values())
    assert set() == covered & set(surface.EXCLUDED)
