"""Names that a package offers and imports only when somebody asks for them."""

from __future__ import annotations

import sys

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def named(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package.

    Args:
        package: Its ``__name__``.
        homes: The modules that define its names, as in an ``import`` within the package.
    """

    def load(name: str) -> Any:
        if name not in homes:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
