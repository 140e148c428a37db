"""What ``import camsync`` offers, and that it costs little."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import camsync

from camsync import errors, models


HEAVY = (
    "av",
    "click",
    "cryptography",
    "http.client",
    "keyring",
    "lxml",
    "psycopg",
    "requests",
    "rich",
    "sqlalchemy",
    "ssl",
    "urllib3",
)


def python(code: str) -> str:
    """Run *code* in a fresh interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip()


def test_all_is_sorted():
    """A sorted list shows a duplicate and makes merges easy."""
    assert sorted(set(camsync.__all__)) == camsync.__all__


@pytest.mark.parametrize("name", camsync.__all__)
def test_every_public_name_can_be_imported(name):
    """No entry of ``__all__`` is a promise without a value."""
    if name == "__version__":
        pytest.skip("needs the installed package: see test_packaging.py")

    assert getattr(camsync, name) is not None


def test_nothing_public_is_missing_from_all():
    """What is bound in the facade and has no underscore is public, or should not be bound."""
    helpers = {"annotations", "importlib", "sys", "types", "Any", "TYPE_CHECKING"}
    bound = {
        name
        for name, value in vars(camsync).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }

    assert bound - helpers <= set(camsync.__all__)


def test_every_error_is_exported():
    """Callers can catch each error, and the root, without knowing the module."""
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__.startswith(errors.__name__)
    }

    assert defined <= set(camsync.__all__)
    assert all(getattr(camsync, name) is getattr(errors, name) for name in defined)


def test_every_value_is_exported():
    """Callers can annotate with each value."""
    defined = {
        name
        for name, value in vars(models).items()
        if getattr(value, "__module__", None) == models.__name__ and not name.startswith("_")
    }

    assert defined <= set(camsync.__all__)


def test_import_is_light():
    """Nothing that talks to a network or writes video is loaded by the import alone."""
    loaded = python(
        f"import sys, camsync; print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    assert "[]" == loaded


def test_import_loads_no_other_module_of_the_package():
    """Whoever needs one name does not wait for the others."""
    loaded = python(
        "import sys, camsync;"
        "print([name for name in sys.modules if name.startswith(('camsync.', 'attr'))])"
    )

    assert "['camsync._lazy']" == loaded


@pytest.mark.parametrize(
    "name", ["catalogue", "credentials", "errors", "models", "provider", "testing"]
)
def test_documented_modules_need_no_import_of_their_own(name):
    """``camsync.errors.CamsyncError`` works after ``import camsync``."""
    assert f"camsync.{name}" == python(f"import camsync; print(camsync.{name}.__name__)")


def test_dir_shows_the_public_names():
    """Completion in a notebook offers the lazy names, and no helpers."""
    assert sorted(camsync.__all__) == dir(camsync)


def test_star_import_works():
    """Every name resolves, lazy ones included."""
    assert "ok" == python(
        "names = {}; import camsync; camsync.__dict__.setdefault('__version__', '0');"
        "exec('from camsync import *', names);"
        "print('ok' if set(camsync.__all__) <= set(names) else names)"
    )


def test_lazy_names_are_kept():
    """The second access does not import again."""
    assert "True" == python(
        "import camsync; first = camsync.connect; print(vars(camsync)['connect'] is first)"
    )


def test_unknown_names_are_an_attribute_error():
    """The usual message, so that ``hasattr`` and spelling hints work."""
    with pytest.raises(AttributeError, match="module 'camsync' has no attribute 'downlaod'"):
        _ = camsync.downlaod


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import camsync.download",
        "from camsync.download import media",
        "import importlib; importlib.import_module('camsync.download')",
        "from camsync import download",
    ],
)
def test_download_is_always_the_function(before):
    """The function and its subpackage share a name: whoever imports what, the function wins."""
    assert "function True" == python(
        f"{before}\nimport camsync, sys\n"
        "again = camsync.download is sys.modules['camsync.download'].download\n"
        "print(type(camsync.download).__name__, again)"
    )


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import camsync.sync",
        "from camsync.sync import make_plan",
        "from camsync import clip",
        "import importlib; importlib.import_module('camsync.sync')",
        "from camsync import sync",
    ],
)
def test_sync_is_always_the_function(before):
    """The same for `sync`, whose subpackage is imported by its neighbours' names as well."""
    assert "function True" == python(
        f"{before}\nimport camsync, sys\n"
        "again = camsync.sync is sys.modules['camsync.sync'].sync\n"
        "print(type(camsync.sync).__name__, again)"
    )


def test_ledgers_need_no_database():
    """A host with a table of its own needs SQLAlchemy only when it syncs."""
    assert "False" == python(
        "import sys, camsync; camsync.SyncLedger, camsync.VpackLedger, camsync.State;"
        "print('sqlalchemy' in sys.modules)"
    )


@pytest.mark.parametrize("tls", ["", ", https=True, verify='sha256:' + 'ab' * 32"])
def test_recorders_need_no_requests(tls):
    """A recorder is asked, and an error explained, without the libraries that clouds need."""
    assert "UnreachableError []" == python(
        f"import sys, camsync; recorder = camsync.HikvisionISAPI('127.0.0.1', 'u', 'p', port=1{tls},"
        " retry=camsync.RetryPolicy(attempts=1))\n"
        "try: recorder.devices()\n"
        "except camsync.CamsyncError as error: said = type(error).__name__\n"
        "print(said, [name for name in ('requests', 'urllib3', 'certifi') if name in sys.modules])"
    )


CALLABLES = [
    "HikvisionISAPI",
    "Limiter",
    "clip",
    "connect",
    "download",
    "download_many",
    "make_plan",
    "sync",
]


@pytest.mark.parametrize("name", CALLABLES)
def test_callables_have_docstrings_and_annotations(name):
    """``help()`` in a notebook answers, and types are complete."""
    function = getattr(camsync, name)
    signature = inspect.signature(function)

    assert inspect.getdoc(function)
    assert all(
        parameter.annotation is not inspect.Parameter.empty
        for parameter in signature.parameters.values()
    )


@pytest.mark.parametrize(
    "module",
    [
        "camsync.catalogue",
        "camsync.credentials",
        "camsync.errors",
        "camsync.models",
        "camsync.provider",
        "camsync.sync",
        "camsync.testing",
    ],
)
def test_documented_modules_can_be_imported(module):
    """The modules that the documentation names exist and say what they are for."""
    assert importlib.import_module(module).__doc__
