"""The harness finds what is leaked on purpose: one planted leak for each channel and form."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
import zipfile

from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import attrs
import pytest

from leak_harness.stage import Scenario, Stage
from leak_harness.vault import Vault
from leak_harness.watch import Leak

from camsync import CamsyncError, Secret


class Careless:
    """A result with its secret in a private attribute, which its repr does not show."""

    def __init__(self, secret):
        self._secret = secret

    def __repr__(self):
        return "<Careless>"


class Slotted(Careless):
    """The same in a slot, and out of reach of ``vars``."""

    __slots__ = ("_hidden",)

    def __init__(self, secret):
        self._hidden = secret


class Pickled(Careless):
    """Shows its secret in its pickle only."""

    def __init__(self, secret):
        self._make = lambda: secret

    def __reduce__(self):
        return (Careless, (self._make(),))


@attrs.frozen
class Shown:
    """Holds its secret in a field that ``asdict`` and JSON show, and its repr does not."""

    secret: str = attrs.field(repr=False)


class Telling(Exception):  # noqa: N818 - it tells too much
    """An error with an attribute."""

    def __init__(self, message="", held=None):
        super().__init__(message)
        self.held = held


def _raise(error, cause=None, context=None):
    """Raise *error* with what led to it."""
    try:
        if context is not None:
            raise context
    except Telling:
        raise error from cause
    raise error from cause


def _with_local(secret):
    """Fail with a secret in a variable."""
    kept = [secret]
    if kept:
        raise Telling


def _log_it(stage, secret):
    logging.getLogger("camsync.test").debug("the password is %s", secret)


def _log_extra(stage, secret):
    logging.getLogger("urllib3.test").debug("a request", extra={"camsync_header": secret})


def _log_without_propagation(stage, secret):
    logger = logging.getLogger("camsync.apart")
    stage.patch.setattr(logger, "propagate", False)
    logger.info(secret)


def _log_an_error(stage, secret):
    try:
        raise Telling(secret)
    except Telling:
        logging.getLogger("camsync.test").exception("it failed")


def _print_it(stage, secret):
    sys.stdout.write(secret)


def _print_to_stderr(stage, secret):
    os.write(2, secret.encode())


def _child_prints(stage, secret):
    subprocess.run([sys.executable, "-c", "print(input())"], input=secret, text=True, check=True)


def _child_argument(stage, secret):
    stage.child("-c", "import time; time.sleep(0.2)", secret)


def _warn(stage, secret):
    warnings.warn(f"insecure: {secret}", stacklevel=2)


def _thread_ends(stage, secret):
    def work():
        raise Telling(secret)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def _unraisable(stage, secret):
    class Failing:
        def __del__(self):
            raise Telling(secret)

    Failing()


def _file(stage, secret):
    (stage.folder / "work" / "store").write_text(secret)


def _file_name(stage, secret):
    (stage.folder / "work" / base64.b16encode(secret.encode()).decode()[:120]).touch()


def _base64_in_a_file(stage, secret):
    blob = base64.b64encode(f"xy{secret}".encode())
    (stage.folder / "home" / "token").write_bytes(b"{" + blob + b"}")


def _file_that_is_gone(stage, secret):
    path = stage.folder / "temp" / "short-lived"
    path.write_text(secret)
    path.unlink()


def _file_that_was_replaced(stage, secret):
    path, fresh = stage.folder / "work" / "store", stage.folder / "work" / "store.new"
    path.write_text(secret)
    fresh.write_text("encrypted")
    fresh.replace(path)


def _archive(stage, secret):
    with zipfile.ZipFile(stage.folder / "work" / "bundle.zip", "w", 8) as archive:
        archive.writestr("log.txt", secret * 50)


def _result(make):
    return lambda stage, secret: stage.keep(make(secret))


def _error(function, *arguments):
    def leak(stage, secret):
        made = [each(secret) if callable(each) else each for each in arguments]
        secret = None
        with stage.fails(Telling):
            function(*made)

    return leak


CHANNELS = {
    "log message": _log_it,
    "log attribute": _log_extra,
    "log message of a logger apart": _log_without_propagation,
    "error text in a log": _log_an_error,
    "stdout": _print_it,
    "stderr": _print_to_stderr,
    "stdout of a child": _child_prints,
    "process list": _child_argument,
    "command line": _child_argument,
    "warning": _warn,
    "thread error": _thread_ends,
    "error text that cannot be raised": _unraisable,
    "file content": _file,
    "file name": _file_name,
    "file content in base64": _base64_in_a_file,
    "file content, removed": _file_that_is_gone,
    "file content, replaced": _file_that_was_replaced,
    "file content (.zip archive)": _archive,
    "result: repr": _result(lambda secret: {"password": secret}),
    "result: attribute ._secret": _result(Careless),
    "result: attribute ._hidden": _result(Slotted),
    "result: asdict": _result(Shown),
    "result: json": _result(lambda secret: {"inside": Careless(secret)}),
    "result: pickle": _result(Pickled),
    "result: copy": _result(lambda secret: [Careless(secret)]),
    "error text": _error(_raise, Telling),
    "error attribute": _error(_raise, lambda secret: Telling("x", held={"a": secret})),
    "pickled error": _error(_raise, lambda secret: Telling("x", held=Pickled(secret))),
    "local variable": _error(_with_local, str),
    "traceback with locals": _error(_with_local, str),
    "traceback of rich": _error(_with_local, str),
    "error text of a cause": _error(_raise, Telling("x"), Telling),
    "error text of a suppressed context": _error(_raise, Telling("x"), None, Telling),
    "error text of an argument": _error(_raise, lambda secret: Telling(OSError(secret))),
}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_leak_is_found_on_each_channel(channel: str, stage: Stage):
    """What is leaked there on purpose is reported, under the channel's own name."""
    with stage.watch:
        CHANNELS[channel](stage, stage.plain())

    found = {leak.channel for leak in stage.watch.leaks()}
    name = channel.partition(" of ")[0] if channel != "traceback of rich" else channel
    name = name.partition(" in ")[0].partition(",")[0].partition(" that ")[0]
    assert any(each.startswith(name) for each in found), found


FORMS = {
    "plain": str,
    "repr": repr,
    "ascii": ascii,
    "JSON": json.dumps,
    "JSON in Unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "URL": quote,
    "form": quote_plus,
    "XML": escape,
    "upper case": str.upper,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of the login": lambda text: base64.b64encode(f"admin:{text}".encode()).decode(),
    "base64 with one byte before it": lambda text: base64.b64encode(f"x{text}y".encode()).decode(),
    "base64 with two bytes before it": lambda text: base64.b64encode(f"xx{text}".encode()).decode(),
    "URL-safe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "upper hex": lambda text: text.encode().hex().upper(),
    "UTF-16": lambda text: text.encode("utf-16-le"),
    "UTF-16, other order": lambda text: text.encode("utf-16-be"),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "HA1": lambda text: hashlib.md5(f"admin:here:{text}".encode()).hexdigest(),
    "HA1 in capitals": lambda text: hashlib.md5(f"admin:here:{text}".encode()).hexdigest().upper(),
    "SHA-256 HA1": lambda text: hashlib.sha256(f"admin:here:{text}".encode()).hexdigest(),
    "raw HA1": lambda text: hashlib.md5(f"admin:here:{text}".encode()).digest(),
    "base64 of HA1": lambda text: base64.b64encode(
        b"?" + hashlib.md5(f"admin:here:{text}".encode()).digest()
    ).decode(),
    "cut off": lambda text: text[:20],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["password", "wrong"])
def test_a_secret_is_found_in_each_form(name: str, form: str):
    """However it is written, and whatever stands around it."""
    vault = Vault()
    vault.keep_realm("here")
    text = FORMS[form](vault.plain(name))
    data = text.encode() if isinstance(text, str) else text

    found = {needle.secret.partition(" as ")[0] for needle, _ in vault.find(b"{ " + data + b" }")}
    assert {name} == found


@pytest.mark.parametrize(
    "form",
    [str.encode, base64.urlsafe_b64decode, lambda text: repr(text).encode()],
)
def test_a_key_is_found_as_text_and_as_bytes(form):
    """A file's key is 32 bytes; it could come out as such, in hex or in either base64."""
    vault = Vault()
    data = form(vault.plain("key"))

    for each in (data, data.hex().encode(), b"x" + data, base64.b64encode(data)):
        assert {"key"} == {needle.secret for needle, _ in vault.find(each)}


def test_nothing_is_found_where_nothing_is(stage: Stage):
    """A quiet run, a wrapped secret, and an error that says nothing give no alarm."""
    with stage.watch:
        stage.keep(Secret(stage.plain()), [Secret(stage.plain("cloud"))], {"x": 1})
        logging.getLogger("camsync").info("login with %s", Secret(stage.plain()))
        msg = f"refused: {Secret(stage.plain())!r}"
        with stage.fails(CamsyncError):
            raise CamsyncError(msg)

    assert [] == stage.watch.leaks()


def test_a_file_that_the_user_made_is_no_leak(stage: Stage):
    """A password file holds the password; only its content is left out, and no copy of it."""
    with stage.watch:
        given = stage.secret_file("mine")
        copied = stage.folder / "work" / "copy"
        copied.write_bytes(given.read_bytes())

    assert ["file content (no suffix)"] == [leak.channel for leak in stage.watch.leaks()]


def test_a_declaration_cannot_lie(stage: Stage):
    """What a scenario says that it drives, and does not, is named."""
    honest = Scenario("x", lambda _: None, frozenset({"camsync.RetryPolicy", "camsync.connect"}))
    stage.expect(honest.covers)
    with stage.watch:
        __import__("camsync").RetryPolicy()

    assert ["camsync.connect"] == [name for name, _ in stage.watch.wanted.values()]


def test_an_operation_that_does_not_fail_is_noticed(stage: Stage):
    """A scenario of a failure must fail."""
    with pytest.raises(AssertionError, match="nothing was raised"), stage.fails(CamsyncError):
        pass


def test_the_report_does_not_show_the_secret(stage: Stage):
    """Its surroundings are enough to find the place."""
    with stage.watch:
        sys.stdout.write(f"before {stage.plain()} after")

    (leak,) = stage.watch.leaks()
    assert Leak("stdout", "password", "core") == leak
    assert stage.vault.core("password") not in str(leak)
    assert "before" in str(leak)


def test_the_hooks_are_put_back(stage: Stage):
    """Logging, warnings and the hooks for errors are as they were."""
    before = logging.Logger.callHandlers, sys.excepthook, sys.unraisablehook, threading.excepthook
    with stage.watch:
        assert before[0] is not logging.Logger.callHandlers

    after = logging.Logger.callHandlers, sys.excepthook, sys.unraisablehook, threading.excepthook
    assert before == after
    assert sys.getprofile() is None
