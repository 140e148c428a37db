"""What is installed: version, marker for type checkers, command, footage for the simulator."""

from __future__ import annotations

import re

from importlib import metadata
from pathlib import Path

import pytest

import camsync


PACKAGE = Path(camsync.__file__).parent

try:
    DISTRIBUTION = metadata.distribution("camsync")
except metadata.PackageNotFoundError:
    pytest.skip("camsync is not installed here", allow_module_level=True)


def test_version_is_the_installed_one():
    """One source of truth: the metadata."""
    assert DISTRIBUTION.version == camsync.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", camsync.__version__)


def test_type_checkers_may_look():
    """``py.typed`` is part of what is installed."""
    assert (PACKAGE / "py.typed").is_file()


def test_the_command_is_installed():
    """``camsync`` on the command line is the function that the package names."""
    (command,) = DISTRIBUTION.entry_points.select(group="console_scripts", name="camsync")

    assert "camsync.cli:main" == command.value
    assert callable(command.load())


def test_extras_are_what_the_messages_say():
    """`MissingExtraError` tells people to install these."""
    assert {"all", "cli", "keyring", "mp4", "oauth", "postgres", "sync"} == set(
        DISTRIBUTION.metadata.get_all("Provides-Extra")
    )


@pytest.mark.parametrize(
    "name",
    [
        "attrs",
        "certifi",
        "cryptography",
        "filelock",
        "lxml",
        "m3u8",
        "platformdirs",
        "requests",
        "urllib3",
    ],
)
def test_core_dependencies(name):
    """The core needs few packages, and nothing that has to be compiled to play video."""
    core = [line for line in DISTRIBUTION.requires or [] if "extra ==" not in line]

    assert 9 == len(core)
    assert any(line.startswith(name) for line in core)


def test_python_versions():
    """3.10 is the oldest Python that users run."""
    assert ">=3.10" == DISTRIBUTION.metadata["Requires-Python"]


def test_the_licence_is_shipped():
    """MIT, with the text."""
    assert "MIT" == DISTRIBUTION.metadata["License-Expression"]
    assert DISTRIBUTION.metadata.get_all("License-File") == ["LICENSE"]
