"""The layers: imports point down, and each third-party package has one home."""

from __future__ import annotations

import ast
import functools
import sys

from pathlib import Path

import camsync


PACKAGE = Path(camsync.__file__).parent

HOMES = {
    "av": {"camsync.download", "camsync.testing"},
    "certifi": {"camsync.transport._tls"},
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
    "requests": {"camsync.transport._session"},
    "rich": {"camsync.cli"},
    "sqlalchemy": {"camsync.catalogue"},
    "urllib3": {"camsync.transport._session"},
}
ENGINES = {"camsync.catalogue", "camsync.download", "camsync.sync"}
EVERYWHERE = {"attrs"}
PRINTING = {"__main__.py", "scrub.py"}


def module_name(path: Path) -> str:
    """The dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """What the rules look at: imports, functions and calls, wherever in a file they are."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.Call)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """The dotted names of everything that a file imports, wherever in it."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            found.add(".".join([*base, *(node.module or "").split(".")]).strip("."))
    return frozenset(found)


def within(name: str, homes: set[str]) -> bool:
    """Whether a module is one of *homes* or inside one."""
    return any(name == home or name.startswith(f"{home}.") for home in homes)


def importers(modules: set[str], *, but: set[str] = frozenset()) -> set[str]:
    """Who imports one of *modules*, or what is in it."""
    return {
        name
        for name, path in MODULES.items()
        if not within(name, but) and any(within(each, modules) for each in imports(path))
    }


def test_third_party_packages_stay_at_home():
    """A package that is imported in one place can be replaced in one place."""
    native = {*sys.stdlib_module_names, "camsync", *EVERYWHERE}
    strays = {
        (name, root)
        for name, path in MODULES.items()
        for root in {each.partition(".")[0] for each in imports(path)} - native
        if not within(name, HOMES.get(root, set()))
    }

    assert set() == strays


def test_only_the_command_line_imports_the_simulator():
    """What is there for tests and the demo is no part of the library's own work."""
    assert set() == importers({"camsync.testing"}, but={"camsync.cli", "camsync.testing"})


def test_the_simulator_knows_neither_engine_nor_command_line():
    """It must not be right only because it shares the code that it tests."""
    strays = importers({*ENGINES, "camsync.cli"})

    assert set() == {name for name in strays if within(name, {"camsync.testing"})}


def test_nobody_imports_a_backend_by_path():
    """Adding a provider is one line in the registry; the facade names them for type checkers."""
    strays = {
        name
        for name, path in MODULES.items()
        if any(each.startswith("camsync.providers.") for each in imports(path))
    }

    assert {"camsync"} == {name for name in strays if not within(name, {"camsync.providers"})}


def test_modules_stay_small():
    """At most 400 lines: what grows beyond is split by responsibility."""
    lines = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()
    }

    assert {} == {name: count for name, count in lines.items() if count > 400}


def test_functions_stay_small():
    """No function is longer than 60 lines, its docstring not counted."""
    long = []
    for name, path in MODULES.items():
        for node in nodes(path):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            if (node.end_lineno or 0) - first.lineno >= 60:
                long.append(f"{name}.{node.name}")

    assert [] == long


def test_only_the_command_line_prints():
    """A library that prints cannot be used in a notebook or a service."""
    printing = {
        name
        for name, path in MODULES.items()
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id == "print"
    }

    assert set() == {
        name
        for name in printing
        if not within(name, {"camsync.cli"}) and MODULES[name].name not in PRINTING
    }
