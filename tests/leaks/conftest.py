"""The leak tests' own tools: packages beside this file, and the stage of a scenario.

With importlib mode the folder is no package, so the two packages are loaded here by path:
`leak_harness` (what is looked for, and where) and `leak_scenarios` (what is done meanwhile).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


_HERE = Path(__file__).parent
# Exposed files, pseudo terminals and the process list are those of POSIX. What camsync says, logs
# and raises is the same elsewhere.
collect_ignore_glob = [] if os.name == "posix" else ["test_*.py"]


def _load(name: str, folder: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if os.name == "posix":
    _load("leak_harness", _HERE / "harness")
    _load("leak_scenarios", _HERE / "scenarios")
    for _file in sorted((_HERE / "scenarios").glob("[!_]*.py")):
        importlib.import_module(f"leak_scenarios.{_file.stem}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a ``scenario`` once for each of them."""
    if "scenario" in metafunc.fixturenames:
        scenarios = sys.modules["leak_harness.stage"].SCENARIOS
        metafunc.parametrize("scenario", scenarios, ids=[one.name for one in scenarios])


@pytest.fixture
def stage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Iterator[object]:
    """A place of its own to act on: secrets, folders, recorders, and the watch over all of it."""
    yield from sys.modules["leak_harness.stage"].set_up(tmp_path, monkeypatch, capfd, request)
