"""JSON as one line for each thing that happens."""

from __future__ import annotations

from .._time import utcnow
from ..errors import CamsyncError
from ._exit import code_for
from ._json import error_json, stamp
from ._output import Output


def gave_up(output: Output, error: CamsyncError) -> int:
    """Say as one line what has stopped everything; return the exit code."""
    code = code_for(error)
    line = {"event": "error", "at": stamp(utcnow()), "error": error_json(error), "code": code}
    output.document(line, indent=None)
    return code
