"""Everything public: what a user can call, found by looking, not by a list."""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from types import CodeType, MappingProxyType, ModuleType
from typing import Any

import click

import camsync

from camsync.cli._app import cli


MODULES = (
    "camsync",
    "camsync.errors",
    "camsync.models",
    "camsync.provider",
    "camsync.profiles",
    "camsync.registry",
    "camsync.transport",
    "camsync.download",
    "camsync.credentials",
    "camsync.credentials.memory",
    "camsync.credentials.env",
    "camsync.credentials.keyring",
    "camsync.credentials.file",
    "camsync.credentials.keys",
    "camsync.credentials.vpack",
    "camsync.testing",
    "camsync.testing.scrub",
    "camsync.testing.plugin",
)
"""The facade, and the modules that the documentation names."""

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        "camsync.cli": "its commands are driven, by name",
        "camsync.download.media": "takes files, never a login; driven through download()",
        "camsync.providers": "a namespace",
        "camsync.providers.hikvision": "its one class is that of the facade",
        "camsync.providers.imou*": "being written: the facade does not export it yet",
        "camsync.testing.contract": "a test suite; whoever inherits it brings the provider",
        "camsync.testing.imou*": "being written: no documentation names it yet",
        "camsync.testing.recorder": "a namespace",
        "camsync.testing.recorder.simulator": "its class is exported by camsync.testing",
        "camsync.testing.store_contract": "a test suite; whoever inherits it brings the store",
    }
)
"""Other modules without an underscore (as in `fnmatch`), and why they are not searched."""

EXCLUDED: Mapping[str, str] = MappingProxyType({})
"""Name -> why no scenario drives it. Enum members and Protocol bodies are never listed."""


def public_modules() -> set[str]:
    """Return every module whose name has no underscore at the beginning of a part."""
    found = pkgutil.walk_packages(camsync.__path__, f"{camsync.__name__}.")
    return {one.name for one in found if "._" not in one.name and one.name[0] != "_"}


def unknown_modules() -> set[str]:
    """Return the public modules that are neither searched nor left out."""
    known = [*MODULES, *LEFT_OUT]
    return {name for name in public_modules() if not any(fnmatchcase(name, each) for each in known)}


def surface() -> dict[str, CodeType]:
    """Return every public callable: its name, and the code that must run when it is driven."""
    found: dict[str, CodeType] = {}
    seen: set[int] = set()
    for name in MODULES:
        found.update(callables_of(importlib.import_module(name), seen))
    found.update(commands(cli, "camsync"))
    return found


def callables_of(module: ModuleType, seen: set[int]) -> Iterator[tuple[str, CodeType]]:
    """Yield the public callables of *module* that were not met in another one."""
    for name in _names(module):
        value = getattr(module, name)
        if id(value) in seen:
            continue
        seen.add(id(value))
        path = f"{module.__name__}.{name}"
        if isinstance(value, type):
            yield from _of_class(path, value)
        elif callable(value):
            code = code_of(value)
            if code is not None:
                yield path, code


def _names(module: ModuleType) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return [name for name in listed if name != "__version__"]
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _of_class(path: str, kind: type) -> Iterator[tuple[str, CodeType]]:
    if issubclass(kind, enum.Enum) or getattr(kind, "_is_protocol", False):
        return
    made = code_of(kind.__init__)
    if made is not None:
        yield path, made
    for base in reversed(kind.__mro__):
        if base.__module__.partition(".")[0] != camsync.__name__:
            continue
        for name, member in vars(base).items():
            code = None if name.startswith("_") else code_of(member)
            if code is not None:
                yield f"{path}.{name}", code


def code_of(member: Any) -> CodeType | None:
    """Return the code behind a function, property or class method; None if it is none of these."""
    if isinstance(member, property):
        member = member.fget
    if isinstance(member, (classmethod, staticmethod)):
        member = member.__func__
    if type(member).__name__ == "FixtureFunctionDefinition":  # pytest 8.4 and newer
        member = member._fixture_function
    if not inspect.isroutine(member):
        return None
    code: CodeType | None = getattr(inspect.unwrap(member), "__code__", None)
    return code


def commands(group: click.Group, path: str) -> Iterator[tuple[str, CodeType]]:
    """Yield every command of the command line, groups included."""
    code = code_of(group.callback)
    assert code is not None
    yield f"$ {path}", code
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            inner = code_of(command.callback)
            assert inner is not None
            yield f"$ {path} {name}", inner
