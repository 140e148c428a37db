"""`Secret` shows itself to nobody but `reveal`."""

from __future__ import annotations

import copy
import json
import logging
import pickle

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import Secret


PLAIN = "hunter2-Åß"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        "{}".format,
        "{!r}".format,
        "{:>20}".format,
        lambda secret: f"{secret}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - logging formats this way
        lambda secret: json.dumps({"password": secret}, default=str),
        lambda secret: repr({"password": [secret]}),
        lambda secret: repr(attrs.make_class("Holder", ["password"])(secret)),
    ],
)
def test_no_text_form_shows_the_value(show):
    """However it is turned into text, only the mask appears."""
    text = show(Secret(PLAIN))

    assert PLAIN not in text
    assert "***" in text


def test_logging_shows_the_mask(caplog):
    """A secret that lands in a log call does not land in the log."""
    with caplog.at_level(logging.INFO):
        logging.getLogger("camsync").info("login as %s with %s", "admin", Secret(PLAIN))

    assert "login as admin with ***" == caplog.messages[0]


def test_format_keeps_the_width():
    """A table stays a table."""
    assert "***   |" == f"{Secret(PLAIN):<6}|"


@given(st.text())
def test_reveal_gives_the_value_back(value):
    """Nothing is trimmed or normalised: passwords may hold anything."""
    assert value == Secret(value).reveal()
    assert bool(value) is bool(Secret(value))


def test_of_wraps_once():
    """A secret stays the same object, a text becomes a secret."""
    secret = Secret(PLAIN)

    assert Secret.of(secret) is secret
    assert secret == Secret.of(PLAIN)


@pytest.mark.parametrize("value", [b"hunter2", ["hunter2"], 7331])
def test_only_text_is_accepted_and_the_message_does_not_show_it(value):
    """Bytes are a mistake in the caller's code, and its traceback goes to a log."""
    with pytest.raises(TypeError, match="a secret must be a str, not") as caught:
        Secret(value)

    assert str(value) not in str(caught.value)


def test_pickling_is_refused():
    """A secret does not travel to another process or into a cache file."""
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret(PLAIN))


def test_copies_are_the_same_object():
    """Copying a settings object does not multiply the secret."""
    secret = Secret(PLAIN)

    assert copy.copy(secret) is secret
    assert copy.deepcopy({"a": secret})["a"] is secret


def test_comparing():
    """Secrets compare with secrets only, and have no hash that would tell them apart."""
    assert Secret(PLAIN) == Secret(PLAIN)
    assert Secret(PLAIN) != Secret("other")
    assert Secret(PLAIN) != PLAIN
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret(PLAIN))


def test_no_attributes_leak():
    """``vars()`` and ``__dict__``, which error reporters read, do not exist."""
    assert not hasattr(Secret(PLAIN), "__dict__")
