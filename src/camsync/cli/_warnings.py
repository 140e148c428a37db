"""Warnings of the library as lines for people, without the source line that Python adds."""

from __future__ import annotations

import contextlib
import warnings

from collections.abc import Iterator
from typing import Any

from ..errors import InsecureConnectionWarning
from ._advice import words
from ._output import Output


@contextlib.contextmanager
def warnings_to(output: Output) -> Iterator[None]:
    """Print each warning of a protection that was switched off; the others go their usual way."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, InsecureConnectionWarning):
                output.note(f"WARNING: {words(str(message))}", "bold red")
            else:
                usual(message, category, *where, **more)

        # Every time, whatever -W says: a script's log must hold it too.
        warnings.simplefilter("always", InsecureConnectionWarning)
        warnings.showwarning = show
        yield
