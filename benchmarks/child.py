"""Runs one function: ``python child.py MODULE.FUNCTION '{"argument": …}'``, from ``children``.

As short as it can be: the program that is started is compiled anew each time, what it imports is not.
"""

from __future__ import annotations

import importlib
import json
import sys


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(".")
    getattr(importlib.import_module(f"children.{module}"), function)(json.loads(sys.argv[2]))
