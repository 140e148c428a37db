"""The layers: imports point down, and each third-party package has one home."""

from __future__ import annotations

import ast
import sys

from pathlib import Path

import pytest

import camsync


PACKAGE = Path(camsync.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

HOMES = {
    "av": {"camsync.download", "camsync.testing"},
    "click": {"camsync.cli"},
    "cryptography": {
        "camsync.credentials",
        "camsync.providers.imou._aes",
        "camsync.testing",
        "camsync.transport._certificate",
    },
    "filelock": {"camsync._private"},
    "keyring": {"camsync.credentials.keyring"},
    "lxml": {"camsync.providers.hikvision._xml", "camsync.testing"},
    "m3u8": {"camsync.providers.imou._playlist"},
    "oauthlib": {"camsync.providers.imou._oauth"},
    "platformdirs": {"camsync._places"},
    "psycopg": {"camsync.catalogue"},
    "pytest": {"camsync.testing"},
    "requests": {"camsync.transport"},
    "rich": {"camsync.cli"},
    "sqlalchemy": {"camsync.catalogue"},
    "urllib3": {"camsync.transport"},
}
ENGINES = {"camsync.catalogue", "camsync.download", "camsync.sync"}
EVERYWHERE = {"attrs"}


def module_name(path: Path) -> str:
    """The dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """The dotted names of everything that a file imports, wherever in it."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            found.add(".".join([*base, *(node.module or "").split(".")]).strip("."))
    return found


def within(name: str, homes: set[str]) -> bool:
    """Whether a module is one of *homes* or inside one."""
    return any(name == home or name.startswith(f"{home}.") for home in homes)


every_module = pytest.mark.parametrize("path", MODULES, ids=module_name)


@every_module
def test_third_party_packages_stay_at_home(path):
    """A package that is imported in one place can be replaced in one place."""
    roots = {name.partition(".")[0] for name in imports(path)}
    foreign = roots - set(sys.stdlib_module_names) - {"camsync"} - EVERYWHERE

    strays = {root for root in foreign if not within(module_name(path), HOMES.get(root, set()))}

    assert set() == strays


@every_module
def test_only_the_command_line_imports_the_simulator(path):
    """What is there for tests and the demo is no part of the library's own work."""
    name = module_name(path)
    if within(name, {"camsync.cli", "camsync.testing"}):
        return

    assert not any(within(each, {"camsync.testing"}) for each in imports(path))


@every_module
def test_the_simulator_knows_neither_engine_nor_command_line(path):
    """It must not be right only because it shares the code that it tests."""
    if not within(module_name(path), {"camsync.testing"}):
        return

    assert not any(within(each, {*ENGINES, "camsync.cli"}) for each in imports(path))


@every_module
def test_nobody_imports_a_backend_by_path(path):
    """Adding a provider is one line in the registry; the facade names them for type checkers."""
    name = module_name(path)
    if name == "camsync":
        return
    backends = {each for each in imports(path) if each.startswith("camsync.providers.")}

    assert not backends or within(name, {"camsync.providers"})


@every_module
def test_modules_stay_small(path):
    """At most 400 lines: what grows beyond is split by responsibility."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@every_module
def test_functions_stay_small(path):
    """No function is longer than 60 lines, its docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
        assert (node.end_lineno or 0) - first.lineno < 60, node.name


@every_module
def test_only_the_command_line_prints(path):
    """A library that prints cannot be used in a notebook or a service."""
    if within(module_name(path), {"camsync.cli"}) or path.name in {"__main__.py", "scrub.py"}:
        return
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert "print" not in calls
