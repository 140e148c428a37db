"""Everything public: what a user can call, found by looking, not by a list."""

from __future__ import annotations

import contextlib
import enum
import functools
import importlib
import inspect
import pkgutil

from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, MappingProxyType, ModuleType
from typing import Any, NewType

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
    "camsync.providers.imou",
    "camsync.transport",
    "camsync.download",
    "camsync.catalogue",
    "camsync.sync",
    "camsync.credentials",
    "camsync.credentials.memory",
    "camsync.credentials.env",
    "camsync.credentials.keyring",
    "camsync.credentials.file",
    "camsync.credentials.keys",
    "camsync.credentials.vpack",
    "camsync.testing",
    "camsync.testing.imou",
    "camsync.testing.memory",
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
        "camsync.providers.imou.oauth": "driven by its own tests; not searched here yet",
        "camsync.testing.contract": "a test suite; whoever inherits it brings the provider",
        "camsync.testing.imou.gateway": "plays the other end of that flow",
        "camsync.testing.imou.simulator": "its class is exported by camsync.testing",
        "camsync.testing.recorder": "a namespace",
        "camsync.testing.recorder.simulator": "its class is exported by camsync.testing",
        "camsync.testing.store_contract": "a test suite; whoever inherits it brings the store",
    }
)
"""Other modules without an underscore, by their exact names, and why they are not searched."""

EXCLUDED: Mapping[str, str] = MappingProxyType({})
"""Name -> why no scenario drives it. Enum members and Protocol bodies are never listed."""


HELPERS = frozenset(
    [
        "camsync._places.config_folder",
        "camsync._private.absolute",
        "camsync._private.locked",
        "camsync._private.read_private",
        "camsync._private.replace_private",
        "camsync._url.ProviderUrl",
        "camsync._url.plain_host",
        "camsync._url.read_url",
        "camsync._time.aware",
        "camsync._time.to_utc",
        "camsync.credentials._guard.Guard",
        "camsync.credentials._given.read_secret",
        "camsync._places.absolute",
        "camsync.credentials._fernet.Box",
        "camsync.credentials._fernet.Payload",
        "camsync.credentials._bytes.checked",
        "camsync.credentials._bytes.hidden",
        "camsync._private.unavailable",
        "camsync.testing.recorder._media.program_stream",
    ]
)
"""Private functions that a module without ``__all__`` imports for its own use, by their origin."""

_EVERYBODYS = frozenset(
    [
        "__class__",
        "__delattr__",
        "__dir__",
        "__doc__",
        "__eq__",
        "__ge__",
        "__getattribute__",
        "__getstate__",
        "__gt__",
        "__hash__",
        "__init__",
        "__init_subclass__",
        "__le__",
        "__lt__",
        "__module__",
        "__ne__",
        "__new__",
        "__setattr__",
        "__setstate__",
        "__sizeof__",
        "__slots__",
        "__subclasshook__",
        "__weakref__",
        "__annotations__",
        "__match_args__",
        "__attrs_post_init__",
        "__abstractmethods__",
        "__orig_bases__",
        "__parameters__",
        "__class_getitem__",
        "__replace__",
        "__repr__",
        "__str__",
        "__format__",
        "__getnewargs__",
        "__reduce__",
        "__reduce_ex__",
    ]
)
"""What every object has. Results are shown, pickled and copied anyway: see `leak_harness.views`."""

_LIBRARY = contextlib.__file__.rpartition("contextlib")[0]
_MADE_BY_ATTRS = "<attrs generated"

SHARED_OPTIONS = frozenset(
    [
        "--password-file",
        "--store",
        "--verify",
        "--old-tls",
        "--insecure-no-verify",
        "--insecure-basic",
        "--timezone",
        "--time-mode",
        "--timeout",
        "--json",
        "--verbose",
        "--name",
        "--yes",
        "--since",
        "--max-calls",
        "--max-bytes",
    ]
)
"""Options that commands take from one place: one command that is given it is enough."""

_SIMULATED = "shapes a simulator, whose password is made up, and which runs until Ctrl-C"
LEFT_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        **{
            f"$ camsync simulate recorder --{option}": _SIMULATED
            for option in [
                "port",
                "model",
                "channels",
                "hours",
                "segment",
                "dump",
                "fault",
                "tls",
                "list-models",
            ]
        },
        **{
            f"$ camsync simulate imou --{option}": _SIMULATED
            for option in [
                "port",
                "devices",
                "kind",
                "hours",
                "segment",
                "sign",
                "codec",
                "fault",
                "list-kinds",
            ]
        },
    }
)
"""Options that no scenario passes, and why."""


def public_modules() -> set[str]:
    """Return every module whose name has no underscore at the beginning of a part."""
    found = pkgutil.walk_packages(camsync.__path__, f"{camsync.__name__}.")
    return {one.name for one in found if "._" not in one.name and one.name[0] != "_"}


def unknown_modules() -> set[str]:
    """Return the public modules that are neither searched nor left out."""
    return public_modules() - {*MODULES, *LEFT_OUT}


def surface() -> dict[str, CodeType]:
    """Return every public callable: its name, and the code that must run when it is driven."""
    found: dict[str, CodeType] = {}
    seen: set[int] = set()
    modules = [importlib.import_module(name) for name in MODULES]
    # What one of them exports by name is its own, and not that of a module which uses it.
    for module in sorted(modules, key=lambda one: not hasattr(one, "__all__")):
        found.update(callables_of(module, seen))
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
        if _origin(value) in HELPERS or isinstance(value, NewType):  # a NewType only marks
            continue
        if isinstance(value, type):
            yield from _of_class(path, value)
        else:
            yield from _codes(path, value)


def _origin(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"


def _names(module: ModuleType) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return [name for name in listed if name != "__version__"]
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and _is_ours(value)
    ]


def _is_ours(value: Any) -> bool:
    """Whether it comes from camsync, wherever in it; or was made here, as partials are."""
    if isinstance(value, (functools.partial, functools.partialmethod)):
        return True
    holder = value if isinstance(getattr(value, "__qualname__", None), str) else type(value)
    return str(getattr(holder, "__module__", "")).partition(".")[0] == camsync.__name__


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
            dunder = name.startswith("__") and name.endswith("__") and name not in _EVERYBODYS
            if name.startswith("_") and not dunder:
                continue
            if isinstance(member, type):
                # Else it is named like a field: an alias of a class that is listed itself.
                if member.__qualname__ == f"{base.__qualname__}.{name}" or not dunder:
                    yield from _of_class(f"{path}.{name}", member)
                continue
            yield from _codes(f"{path}.{name}", member)


def _codes(path: str, member: Any) -> Iterator[tuple[str, CodeType]]:
    """Yield the codes of *member*: a property has one for each thing that can be done to it."""
    parts = {path: member}
    if isinstance(member, property):
        parts = {path: member.fget, f"{path} =": member.fset, f"del {path}": member.fdel}
    for name, part in parts.items():
        code = code_of(part)
        if code is not None and not code.co_filename.startswith(_MADE_BY_ATTRS):
            yield name, code


def code_of(member: Any) -> CodeType | None:
    """Return the code that runs when *member* is used; None if it is no callable of Python.

    What a decorator puts around a function is the code that runs first, so that is the one, unless
    it is the library's own (a context manager is the same code for everybody).
    """
    if isinstance(member, (classmethod, staticmethod)):
        return code_of(member.__func__)
    if isinstance(member, (functools.partial, functools.partialmethod, functools.cached_property)):
        return code_of(member.func)
    if type(member).__name__ == "FixtureFunctionDefinition":  # pytest 8.4 and newer
        return code_of(member._fixture_function)
    code = getattr(member, "__code__", None)
    inner = getattr(member, "__wrapped__", None)
    if inner is not None and (code is None or code.co_filename.startswith(_LIBRARY)):
        return code_of(inner)
    if code is None and not inspect.isroutine(member) and not isinstance(member, type):
        # Not of the metaclass, which `getattr` would find too.
        held = (vars(kind) for kind in type(member).__mro__)
        call = next((names["__call__"] for names in held if "__call__" in names), None)
        return getattr(call, "__code__", None)
    return code


def commands(group: click.Group, path: str) -> Iterator[tuple[str, CodeType]]:
    """Yield every command of the command line, groups included."""
    code = _command_code(group)
    assert code is not None
    yield f"$ {path}", code
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            inner = _command_code(command)
            assert inner is not None
            yield f"$ {path} {name}", inner


def _command_code(command: click.Command) -> CodeType | None:
    """Return the code of a command itself: what is around it is the same for all of them."""
    return code_of(inspect.unwrap(command.callback)) if command.callback is not None else None


def options(group: click.Group = cli, path: str = "camsync") -> Iterator[tuple[str, str]]:
    """Yield every option of every command: ``$ camsync channels`` and ``--json``."""
    for parameter in group.params:
        if isinstance(parameter, click.Option):
            yield f"$ {path}", max(parameter.opts, key=len)
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from options(command, f"{path} {name}")
            continue
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield f"$ {path} {name}", max(parameter.opts, key=len)


def not_driven(names: Iterable[tuple[str, str]], passed: Iterable[tuple[str, str]]) -> set[str]:
    """Return the options that no scenario passes, and that no table gives a reason for."""
    passed = set(passed)
    anywhere = {option for _, option in passed}
    return {
        f"{command} {option}"
        for command, option in names
        if (command, option) not in passed
        and not (option in SHARED_OPTIONS and option in anywhere)
        and f"{command} {option}" not in LEFT_OPTIONS
    }
