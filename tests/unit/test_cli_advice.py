"""Next steps in the words of the command line."""

from __future__ import annotations

import datetime as dt

import pytest

from camsync import errors
from camsync.cli import _advice
from camsync.cli._advice import LOCKED, REFUSED, next_step, words


NOW = dt.datetime(2026, 9, 26, 8, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("library", "command"),
    [
        ("and pin it: verify='sha256:…'", "and pin it: --verify sha256:…"),
        ("verify: there is no CA file 'x'", "--verify: there is no CA file 'x'"),
        ("verify=False accepts any", "--insecure-no-verify accepts any"),
        ("pass old_tls=True if", "pass --old-tls if"),
        ("or pass old_tls=True (--old-tls), best", "or pass --old-tls, best"),
        ("verify= or old_tls= was given", "--verify or --old-tls was given"),
        ("give that proxy's CA file as verify=", "give that proxy's CA file as --verify"),
        ("use EncryptedFileStore, with", "use --store file, with"),
        ("give its key as key=", "set CAMSYNC_KEY_FILE or CAMSYNC_KEY"),
        ("give it as store= or", "give it as --store or"),
        ("camsync login NAME, or the store's set()", "camsync login NAME"),
        ("use https=True (hikvisions://…) if", "use hikvisions:// if"),
        ("use https=True, or", "use hikvisions://, or"),
        ("pass allow_basic=True if", "pass --insecure-basic if"),
        ("with container='original' to", "with --container original to"),
        ("pass time_mode='local' or 'utc' once", "pass --time-mode local or utc once"),
        ("pass time_mode='local'", "pass --time-mode local"),
        ("time_mode= settles it", "--time-mode settles it"),
        ("pass timezone= to say", "pass --timezone to say"),
        ("try again, or raise the timeout", "try again, or raise --timeout"),
        ("check these cameras", "check these cameras"),
        ("there is no profile 'max_calls'", "there is no profile 'max_calls'"),
        (
            "there is no channel 'raise the timeout', or verify=",
            "there is no channel 'raise the timeout', or --verify",
        ),
        ('"it\'s store=", max_calls', '"it\'s store=", --max-calls'),
        (
            "the device's max_calls, and others' max_calls",
            "the device's --max-calls, and others' --max-calls",
        ),
        ("camsync.toml, line 4: max_calls: raise max_bytes", None),
        ("shops, [[source]] 2: storage='sd' (--storage sd)", None),
        ("my.toml: since: verify=", None),
    ],
)
def test_arguments_become_options(library, command):
    """What Python programs pass is an option here; everything else stays as it is."""
    assert (library if command is None else command) == words(library)


def test_a_refused_login_asks_for_the_right_password():
    """Nobody can call a method from a shell, and every command is a new try."""
    assert REFUSED == next_step(errors.AuthenticationError("refused"))


@pytest.mark.parametrize(
    "kind",
    [each for each in vars(errors).values() if isinstance(each, type)],
    ids=lambda each: each.__name__,
)
def test_no_default_advice_is_a_call_or_an_argument(kind):
    """The next steps that the errors bring are all in the words of the command line."""
    advice = words(getattr(kind, "default_next_step", None) or "")

    assert "()" not in advice
    assert "=" not in advice


def test_a_lock_says_how_long(monkeypatch):
    """The moment when it ends, and the minutes until then; without it, only what to do."""
    monkeypatch.setattr(_advice, "utcnow", lambda: NOW)
    unlock = NOW + dt.timedelta(minutes=29, seconds=30)
    timed = errors.AccountLockedError("locked", unlock_at=unlock)

    assert f"the lock ends in 30 minutes, 2026-09-26 08:29:30Z: {LOCKED}" == next_step(timed)
    assert LOCKED == next_step(errors.AccountLockedError("locked"))


def test_advice_on_a_file_is_in_its_own_words():
    """What stands in the file is no option."""
    message = "camsync.toml, line 2, [[source]] 1: there is no key 'x' here"
    error = errors.ConfigurationError(message, next_step="there are: max_bytes, max_calls")

    assert "there are: max_bytes, max_calls" == next_step(error)


def test_no_advice_stays_none():
    """Nothing is made up."""
    assert None is next_step(errors.UnsupportedError("not here"))
