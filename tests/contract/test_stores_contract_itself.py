"""The contract of the stores finds what is wrong with a store."""

from __future__ import annotations

import pytest


MODULE = """
import json
import pytest
from camsync.credentials import Credential, CredentialName
from camsync.credentials.memory import MemoryStore
from camsync.testing.store_contract import CredentialStoreContract


class Store(MemoryStore):
    pass


{body}


class TestIt(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return Store()
"""
WRONG = {
    "trims": (
        (
            "def set(self, provider, account, credential, *, owner=None):\n"
            "    text = credential.secret.reveal().strip() or 'x'\n"
            "    credential = Credential(username=credential.username, secret=text)\n"
            "    MemoryStore.set(self, provider, account, credential, owner=owner)\n"
        ),
        "secrets_are_kept_exactly",
    ),
    "cuts": (
        (
            "def set(self, provider, account, credential, *, owner=None):\n"
            "    text = credential.secret.reveal()[:255]\n"
            "    credential = Credential(username=credential.username, secret=text)\n"
            "    MemoryStore.set(self, provider, account, credential, owner=owner)\n"
        ),
        "long_secrets_are_kept",
    ),
    "gives-none": (
        (
            "def get(self, provider, account, *, owner=None):\n"
            "    return self._entries.get(CredentialName(provider, account, owner))\n"
        ),
        "missing_is_an_error",
    ),
    "ignores-case": (
        (
            "def set(self, provider, account, credential, *, owner=None):\n"
            "    MemoryStore.set(self, provider, account.lower(), credential, owner=owner)\n"
            "def get(self, provider, account, *, owner=None):\n"
            "    return MemoryStore.get(self, provider, account.lower(), owner=owner)\n"
        ),
        "scopes_are_apart",
    ),
    "ignores-owners": (
        (
            "def get(self, provider, account, *, owner=None):\n"
            "    return next(iter(self._entries.values()))\n"
        ),
        "an_owner_sees_only_what_is_theirs",
    ),
    "does-not-sort": (
        (
            "def names(self, provider=None, *, owner=None):\n"
            "    return MemoryStore.names(self, provider, owner=owner)[::-1]\n"
        ),
        "names_are_complete_sorted_and_filtered",
    ),
    "shows": (
        (
            "def __repr__(self):\n"
            "    return str([each.secret.reveal() for each in self._entries.values()])\n"
        ),
        "nothing_is_shown",
    ),
    "pickles": (
        (
            "def __reduce__(self):\n"
            "    return list, ([[each.secret.reveal() for each in self._entries.values()]],)\n"
        ),
        "no_pickle_holds_a_secret",
    ),
    "tells": (
        (
            "def get(self, provider, account, *, owner=None):\n"
            "    plain = [each.secret.reveal() for each in self._entries.values()]\n"
            "    return MemoryStore.get(self, provider, account, owner=owner)\n"
        ),
        "errors_show_no_secret",
    ),
    "keeps-the-old": (
        (
            "def set(self, provider, account, credential, *, owner=None):\n"
            "    self._entries.setdefault(CredentialName(provider, account, owner), credential)\n"
        ),
        "writable__replacing",
    ),
    "deletes-all": (
        (
            "def delete(self, provider, account, *, owner=None):\n"
            "    MemoryStore.delete(self, provider, account, owner=owner)\n"
            "    self._entries.clear()\n"
        ),
        "writable__deleting",
    ),
    "fails-in-threads": (
        (
            "def set(self, provider, account, credential, *, owner=None):\n"
            "    if account == '3-7':\n"
            "        raise RuntimeError('busy')\n"
        ),
        "writable__threads_lose_nothing",
    ),
}


@pytest.mark.parametrize(("body", "test"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_store_is_found_out(pytester: pytest.Pytester, body, test):
    """For each promise, a store that breaks it fails the test of that promise."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    pytester.makepyfile(test_it=MODULE.format(body="").replace("    pass\n", indented, 1))

    result = pytester.runpytest_inprocess("-p", "no:randomly", "-k", test)

    assert result.parseoutcomes().get("failed", 0) > 0


def test_a_store_that_only_reads_is_not_asked_to_write(pytester: pytest.Pytester):
    """What a store does not claim to do is not tested, and not reported as skipped."""
    body = MODULE.format(body="") + "    writable = False\n"
    pytester.makepyfile(test_it=body)

    result = pytester.runpytest_inprocess("-p", "no:randomly", "--collect-only", "-q")

    names = "".join(result.outlines)
    assert "readonly__" in names
    assert "writable__" not in names
    assert "lasting__" not in names


def test_a_missing_fixture_is_said(pytester: pytest.Pytester):
    """The suite says what to give it."""
    pytester.makepyfile(
        test_it="from camsync.testing.store_contract import CredentialStoreContract\n"
        "class TestIt(CredentialStoreContract):\n    lasting = True\n"
    )

    result = pytester.runpytest_inprocess("-p", "no:randomly", "-k", "missing_is_an_error")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*give the fixture 'store', or*"])
