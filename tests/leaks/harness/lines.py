"""Which options the scenarios pass to which commands, read from their source code."""

from __future__ import annotations

import ast

from collections.abc import Iterator, Mapping
from pathlib import Path


_RUN = frozenset({"cli", "terminal", "child"})
_FOLDER = Path(__file__).parents[1] / "scenarios"


def passed(commands: set[str]) -> set[tuple[str, str]]:
    """Return command and option of every command line in the scenarios.

    Args:
        commands: ``$ camsync channels`` and the like.
    """
    return {
        pair
        for path in sorted(_FOLDER.glob("*.py"))
        for pair in passed_in(ast.parse(path.read_text(encoding="utf-8")), commands)
    }


def passed_in(module: ast.Module, commands: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the same of one module."""
    given = _assigned(module)
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef):
            continue
        known = {**given, **_assigned(function)}
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in _RUN:
                words = [word for one in call.args for word in _words(one, known)]
                yield from _pairs(words, commands)


def _pairs(words: list[str], commands: set[str]) -> Iterator[tuple[str, str]]:
    options = {"--verbose" if word.startswith("-v") else word for word in words if word[:1] == "-"}
    lines = {f"$ camsync {word}" for word in words}
    lines |= {f"$ camsync {one} {two}" for one in words for two in words}
    for command in lines & commands or {"$ camsync"}:
        for option in options:
            yield command, option.partition("=")[0]


def _assigned(node: ast.AST) -> Mapping[str, ast.expr]:
    """Return what names stand for: what is assigned to them, or what a loop goes through."""
    found: dict[str, ast.expr] = {}
    for one in ast.walk(node):
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
            found[one.targets[0].id] = one.value
        elif isinstance(one, ast.For):
            for target in ast.walk(one.target):
                if isinstance(target, ast.Name):
                    found[target.id] = one.iter
    return found


def _words(node: ast.AST, known: Mapping[str, ast.expr]) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value
        elif isinstance(one, ast.Name) and one.id in known:
            yield from _words(known[one.id], {k: v for k, v in known.items() if k != one.id})
