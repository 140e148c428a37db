"""Credentials, their names, chains of stores, and moving from one store to another."""

from __future__ import annotations

import pickle

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync.credentials import Credential, CredentialName, CredentialStore, first_of, migrate
from camsync.credentials.env import EnvStore
from camsync.credentials.file import EncryptedFileStore, new_key
from camsync.credentials.memory import MemoryStore
from camsync.errors import (
    ConfigurationError,
    CredentialNotFoundError,
    ReadOnlyStoreError,
    StoreUnavailableError,
    WrongKeyError,
)


SECRET = "Plain-secret-81"
ADMIN = Credential(username="admin", secret=SECRET)
OTHER = Credential(username="other", secret="x")


class Broken:
    """A store without a place, such as a keyring on a machine that has none."""

    def get(self, provider, account, *, owner=None):
        """Fail."""
        msg = "no keyring here"
        raise StoreUnavailableError(msg)

    delete = get

    def set(self, provider, account, credential, *, owner=None):
        """Fail."""
        self.get(provider, account)

    def names(self, provider=None, *, owner=None):
        """Fail."""
        self.get(provider, "")


def test_a_credential_shows_its_user_only():
    """The secret is masked, and keeps a credential from being pickled."""
    assert "Credential(username='admin', secret=Secret('***'))" == repr(ADMIN)
    assert SECRET == ADMIN.secret.reveal()
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(ADMIN)


@pytest.mark.parametrize("username", ["", " ", "a\nb", "a\0", "\x7f", "a" * 256, "\ud800", None, 7])
def test_unusable_user_names_are_refused(username):
    """A user name is one line of text; the message does not repeat it."""
    with pytest.raises(
        ConfigurationError, match="the user name is empty, longer than 255"
    ) as caught:
        Credential(username=username, secret=SECRET)

    assert "a" * 41 not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "half \udc80"])
def test_unusable_secrets_are_refused(secret):
    """A secret is some text, and the message does not show it."""
    with pytest.raises(ConfigurationError, match="the secret") as caught:
        Credential(username="admin", secret=secret)

    assert "half" not in str(caught.value).replace("half of a character", "")


@pytest.mark.parametrize("provider", ["", "Hikvision", "hik-vision", "1a", "a/b", None])
def test_unusable_providers_are_refused(provider):
    """A provider is called as in a URL."""
    with pytest.raises(ConfigurationError, match="is not the name of a provider"):
        CredentialName(provider, "a")


@pytest.mark.parametrize("part", ["", "  ", "a\nb", "a" * 256, "\udfff", 5])
def test_unusable_accounts_and_owners_are_refused(part):
    """Both are a line of text."""
    with pytest.raises(ConfigurationError, match="the account is empty"):
        CredentialName("hikvision", part)
    with pytest.raises(ConfigurationError, match="the owner is empty"):
        CredentialName("hikvision", "a", part)


def test_names_read_well():
    """A name as it stands in messages."""
    assert "hikvision account 'shop'" == str(CredentialName("hikvision", "shop"))
    assert "hikvision account 'shop' of anna" == str(CredentialName("hikvision", "shop", "anna"))


@given(st.text(min_size=1))
def test_a_usable_secret_is_kept_as_it_is(text):
    """Every text but half characters."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        with pytest.raises(ConfigurationError):
            Credential(username="a", secret=text)
    else:
        assert text == Credential(username="a", secret=text).secret.reveal()


def test_the_stores_are_what_the_protocol_says():
    """Every store can be used where a CredentialStore is asked for."""
    for store in (MemoryStore(), EnvStore(), first_of(MemoryStore())):
        assert isinstance(store, CredentialStore)


def test_a_chain_needs_a_store():
    """Nothing to ask is a mistake in the program."""
    with pytest.raises(ConfigurationError, match="at least one store"):
        first_of()


def test_the_first_store_that_has_it_gives_it():
    """Later stores are asked only when earlier ones have nothing or are not there."""
    first, second = MemoryStore(), MemoryStore()
    chain = first_of(Broken(), first, second)
    second.set("hikvision", "a", OTHER)

    assert OTHER == chain.get("hikvision", "a")
    first.set("hikvision", "a", ADMIN)
    assert ADMIN == chain.get("hikvision", "a")
    assert "first_of(<" in repr(chain)
    assert "MemoryStore(1 stored), MemoryStore(1 stored))" in repr(chain)


def test_a_chain_says_where_it_looked():
    """Not found lists what each store says."""
    with pytest.raises(CredentialNotFoundError, match=r"no keyring here; .* MemoryStore"):
        first_of(Broken(), MemoryStore()).get("hikvision", "a")


def test_a_chain_does_not_hide_a_wrong_key(tmp_path):
    """Passing over it would ask the user for a password that is stored already."""
    EncryptedFileStore(tmp_path / "c", key=new_key()).set("hikvision", "a", ADMIN)
    wrong = EncryptedFileStore(tmp_path / "c", key=new_key())

    with pytest.raises(WrongKeyError):
        first_of(wrong, MemoryStore()).get("hikvision", "a")


def test_a_chain_writes_to_the_first_that_can_be_written():
    """The environment is passed over; what is unavailable is not."""
    store = MemoryStore()
    first_of(EnvStore(), store).set("hikvision", "a", ADMIN)

    assert ADMIN == store.get("hikvision", "a")
    with pytest.raises(StoreUnavailableError):
        first_of(Broken(), store).set("hikvision", "a", ADMIN)
    with pytest.raises(ReadOnlyStoreError, match="none of the stores"):
        first_of(EnvStore()).set("hikvision", "a", ADMIN)


def test_a_chain_says_which_store_keeps_it(monkeypatch):
    """What is still there after a deletion is an error: a yes would hide a password."""
    monkeypatch.setenv("CAMSYNC_HIKVISION_A_USERNAME", "admin")
    monkeypatch.setenv("CAMSYNC_HIKVISION_A_SECRET", SECRET)
    store = MemoryStore()
    for first, kind in ((EnvStore(), ReadOnlyStoreError), (Broken(), StoreUnavailableError)):
        store.set("hikvision", "a", OTHER)
        with pytest.raises(kind):
            first_of(first, store).delete("hikvision", "a")
        assert () == tuple(store.names())


def test_a_chain_deletes_everywhere():
    """What is deleted does not come back from a later store."""
    stores = [MemoryStore(), MemoryStore()]
    for store in stores:
        store.set("hikvision", "a", ADMIN)
    chain = first_of(EnvStore(), *stores)
    chain.delete("hikvision", "a")

    assert [(), ()] == [store.names() for store in stores]
    with pytest.raises(CredentialNotFoundError):
        chain.delete("hikvision", "a")


def test_a_chain_lists_every_name_once():
    """Names of all stores that are there; if none is, that is the error."""
    first, second = MemoryStore(), MemoryStore()
    first.set("hikvision", "b", ADMIN)
    second.set("hikvision", "b", ADMIN)
    second.set("hikvision", "a", ADMIN, owner="anna")
    names = first_of(Broken(), first, second).names()

    assert [("a", "anna"), ("b", None)] == [(name.account, name.owner) for name in names]
    with pytest.raises(StoreUnavailableError, match="no keyring here"):
        first_of(Broken()).names()


def test_migrating_copies_and_reads_back():
    """Everything, or what belongs to a provider and an owner; the source stays as it is."""
    source, target, some = MemoryStore(), MemoryStore(), MemoryStore()
    source.set("hikvision", "a", ADMIN)
    source.set("hikvision", "a", OTHER, owner="anna")
    source.set("imou", "b", OTHER, owner="anna")

    assert source.names() == migrate(source, target) == target.names() == source.names()
    assert OTHER == target.get("hikvision", "a", owner="anna")
    moved = migrate(source, some, provider="hikvision", owner="anna")
    assert (CredentialName("hikvision", "a", "anna"),) == moved == some.names()


def test_migrating_notices_a_store_that_keeps_something_else():
    """A store that cuts secrets off is found out before the old one is deleted."""

    class Cutting(MemoryStore):
        def set(self, provider, account, credential, *, owner=None):
            super().set(provider, account, OTHER, owner=owner)

    source = MemoryStore()
    source.set("hikvision", "a", ADMIN)

    with pytest.raises(StoreUnavailableError, match="reads back differently"):
        migrate(source, Cutting())


def test_a_memory_store_stays_in_its_process():
    """It cannot be pickled, and says so; its text form is a number."""
    store = MemoryStore()
    store.set("hikvision", "a", ADMIN)

    assert "MemoryStore(1 stored)" == repr(store)
    with pytest.raises(TypeError, match="other processes need a store that lasts"):
        pickle.dumps(store)
