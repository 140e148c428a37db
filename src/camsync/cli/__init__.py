"""The command line: ``camsync``. It parses, calls the library and prints; it decides nothing else.

It needs the extra ``cli`` (click and rich) and says so when they are missing.
"""

from __future__ import annotations

import json
import sys

from collections.abc import Sequence

from ..errors import MissingExtraError
from ._exit import INTERRUPTED, code_for
from ._json import JSON_FLAG, error_json


_EXTRA = frozenset({"click", "rich"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments:
            What stands behind ``camsync``; `sys.argv` when None.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        from ._app import run
    except KeyboardInterrupt:  # Ctrl-C in the first second, before anything handles it
        print("cancelled: stopped by the user", file=sys.stderr)
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        missing = MissingExtraError.for_extra("cli", "the command line")
        if JSON_FLAG in given:
            print(json.dumps({"error": error_json(missing)}, indent=2))
        else:
            print(f"error: {missing.message}\n  next step: {missing.next_step}", file=sys.stderr)
        return code_for(missing)
    return run(given)
