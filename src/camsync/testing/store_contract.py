"""`CredentialStoreContract`: the test suite that every credential store passes, ours and yours.

Subclass it in a test module and give it an empty store::

    from camsync.testing.store_contract import CredentialStoreContract


    class TestMyStore(CredentialStoreContract):
        @pytest.fixture
        def store(self):
            return MyStore()

For a store that lasts and is shared by processes, set ``lasting = True`` and give it the fixture
``place`` instead: a callable without arguments that opens the store, can be pickled, and works in
another process. For a store that can only be read, set ``writable = False`` and override `plant`.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import traceback

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from .._secret import Secret
from ..credentials import Credential, CredentialName, CredentialStore
from ..errors import CamsyncError, CredentialNotFoundError, ReadOnlyStoreError


_SECRET = "Contract-secret-\u00e4-5f2c"  # noqa: S105 - made up
_ADMIN = Credential(username="admin", secret=_SECRET)
_OTHER = Credential(username="operator", secret="another one")  # noqa: S106 - made up
_THREADS = 8
_EACH = 25
_SPECIAL = (
    "p\u00e4ssw\u00f6rd",
    "\u5bc6\u7801",
    "\U0001f511\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u05e1\u05d5\u05d3 \u202e\u0633\u0631",
    "e\u0301",  # the same letter as the next, but another password
    "\u00e9",
    "\ufeff\u2028\u2029\x85",
    "\U0010ffff\ue000\uffff",
    " ",
    "  in front and behind  ",
    "\t",
    "line\nline\r\n",
    "\n",
    "\x01\x1b[31m\x7f",
    "'\"`\\ %s %% {} ${HOME} %41 &amp; <!-- #;=",
    '","secret":"x"},{',
    "0",
    "null",
)
_NAMES = (
    "a-b",
    "a_b",
    "a.b",
    "A-B",
    "a b",
    "ab",
    "a/b",
    "a%2fb",
    "../a",
    "\u00e4",
    "192.168.1.64:80",
)
_WORKER = """
import pickle, sys
from camsync.credentials import Credential
place, provider, account, count = pickle.load(sys.stdin.buffer)
store = place()
for number in range(count):
    credential = Credential(username=account, secret=f"secret of {account} {number}")
    store.set(provider, f"{account}-{number}", credential)
"""


class CredentialStoreContract:
    """What `camsync.CredentialStore` promises, as tests.

    Attributes:
        writable: Whether the store can be written.
        lasting: Whether what is stored outlives the object, and other processes see it.
        providers: Two providers whose credentials the store keeps.
        longest: How long a secret it can keep.
        nul: Whether it can keep a NUL character.
    """

    writable: ClassVar[bool] = True
    lasting: ClassVar[bool] = False
    providers: ClassVar[tuple[str, str]] = ("hikvision", "imou")
    longest: ClassVar[int] = 10_000
    nul: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        """Leave out the tests of what the store does not claim to do."""
        super().__init_subclass__(**options)
        for name in dir(CredentialStoreContract):
            group = name.split("__")[0]
            needed = {"test_writable": cls.writable, "test_lasting": cls.lasting}
            opposite = {"test_readonly": cls.writable}
            if not needed.get(group, True) or opposite.get(group, False):
                setattr(cls, name, None)

    @pytest.fixture
    def place(self) -> Callable[[], CredentialStore]:
        """Return what opens the store, here and in another process."""
        pytest.fail("give the fixture 'store', or, for a store that lasts, the fixture 'place'")

    @pytest.fixture
    def store(self, place: Callable[[], CredentialStore]) -> CredentialStore:
        """Return an empty store."""
        return place()

    def plant(self, store: CredentialStore, name: CredentialName, credential: Credential) -> None:
        """Put *credential* where the store finds it."""
        store.set(name.provider, name.account, credential, owner=name.owner)

    def _name(self, account: str, owner: str | None = None, provider: int = 0) -> CredentialName:
        return CredentialName(self.providers[provider], account, owner)

    def test_what_is_stored_comes_back(self, store: CredentialStore) -> None:
        """User name and secret are as they were."""
        self.plant(store, self._name("front-shop"), _ADMIN)

        assert store.get(self.providers[0], "front-shop") == _ADMIN

    @pytest.mark.parametrize("text", _SPECIAL)
    def test_secrets_are_kept_exactly(self, store: CredentialStore, text: str) -> None:
        """Nothing is trimmed, composed, escaped or interpreted."""
        self.plant(store, self._name("a"), Credential(username="admin", secret=text))

        assert text == store.get(self.providers[0], "a").secret.reveal()

    @pytest.mark.parametrize("text", [one for one in _SPECIAL if one.strip() and one.isprintable()])
    def test_user_names_are_kept_exactly(self, store: CredentialStore, text: str) -> None:
        """A user name is any line of text."""
        self.plant(store, self._name("a"), Credential(username=text, secret=_SECRET))

        assert text == store.get(self.providers[0], "a").username

    def test_long_secrets_are_kept(self, store: CredentialStore) -> None:
        """A token of a cloud can be long, and is not cut off."""
        text = ("0123456789" * (self.longest // 10 + 1))[: self.longest]
        self.plant(store, self._name("a"), Credential(username="u" * 255, secret=text))

        assert text == store.get(self.providers[0], "a").secret.reveal()

    def test_a_nul_is_kept_or_refused(self, store: CredentialStore) -> None:
        """A secret with a NUL comes back whole, or is refused: never cut off."""
        credential = Credential(username="admin", secret="before\0after")  # noqa: S106

        if self.nul:
            self.plant(store, self._name("a"), credential)
            assert credential == store.get(self.providers[0], "a")
        else:
            with pytest.raises((CamsyncError, ValueError)):
                self.plant(store, self._name("a"), credential)

    def test_missing_is_an_error(self, store: CredentialStore) -> None:
        """Nothing stored is an error that names what is missing, and no None."""
        with pytest.raises(CredentialNotFoundError, match="front-shop"):
            store.get(self.providers[0], "front-shop")
        with pytest.raises(CredentialNotFoundError, match="front-shop"):
            store.delete(self.providers[0], "front-shop")
        assert list(store.names()) == []

    def test_names_are_complete_sorted_and_filtered(self, store: CredentialStore) -> None:
        """Listing gives every name once, in order; of one provider or owner where asked."""
        names = [
            self._name(account, owner, provider)
            for account in ("b", "a")
            for owner in (None, "zoe@example.com", "anna")
            for provider in (1, 0)
        ]
        for name in names:
            self.plant(store, name, _ADMIN)
        ordered = sorted(names, key=lambda one: (one.provider, one.account, one.owner or ""))
        first = [name for name in ordered if name.provider == self.providers[0]]

        assert ordered == list(store.names())
        assert first == list(store.names(self.providers[0]))
        assert [one for one in ordered if one.owner == "anna"] == list(store.names(owner="anna"))
        assert [one for one in first if one.owner == "anna"] == list(
            store.names(self.providers[0], owner="anna")
        )
        assert list(store.names("nobodys")) == []

    def test_scopes_are_apart(self, store: CredentialStore) -> None:
        """Provider, account and owner are all part of the name, to the letter."""
        names = [self._name(account) for account in _NAMES]
        names += [self._name("a-b", owner) for owner in ("x", "X", "x.y", "x-y", "a-b")]
        names += [self._name("a-b", None, 1), self._name("a-b-x"), self._name("a-b/x")]
        wanted = {
            name: Credential(username="admin", secret=f"secret {number}")
            for number, name in enumerate(names)
        }
        for name, credential in wanted.items():
            self.plant(store, name, credential)

        found = {name: store.get(name.provider, name.account, owner=name.owner) for name in names}

        assert wanted == found
        assert set(names) == set(store.names())

    def test_an_owner_sees_only_what_is_theirs(self, store: CredentialStore) -> None:
        """What belongs to one owner is not there for another, nor for nobody."""
        self.plant(store, self._name("a", "anna"), _ADMIN)

        for owner in (None, "zoe", "ann", "Anna", "anna "):
            with pytest.raises(CredentialNotFoundError):
                store.get(self.providers[0], "a", owner=owner)

    def test_nothing_is_shown(self, store: CredentialStore) -> None:
        """Neither the store nor what it is made of shows a secret."""
        self.plant(store, self._name("a"), _ADMIN)
        store.get(self.providers[0], "a")

        shown = repr(store) + str(store) + f"{store}" + repr(getattr(store, "__dict__", {}))
        assert _SECRET not in shown

    def test_no_pickle_holds_a_secret(self, store: CredentialStore) -> None:
        """A store either refuses to be pickled, or leaves the secrets where they are."""
        self.plant(store, self._name("a"), _ADMIN)
        store.get(self.providers[0], "a")

        try:
            pickled = pickle.dumps(store)
        except (TypeError, AttributeError, pickle.PicklingError):
            pickled = b""

        assert _SECRET.encode() not in pickled
        assert _SECRET.encode("unicode_escape") not in pickled

    def test_errors_show_no_secret(self, store: CredentialStore) -> None:
        """A traceback that prints the variables of every frame shows no stored secret."""
        self.plant(store, self._name("a"), _ADMIN)

        with pytest.raises(CredentialNotFoundError) as caught:
            store.get(self.providers[0], "b")

        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert _SECRET not in "".join(report.format())

    def test_only_a_credential_is_taken(self, store: CredentialStore) -> None:
        """A bare secret in its place is refused, and the error shows it nowhere."""
        vault = {"given": Secret(_SECRET)}

        with pytest.raises(CamsyncError) as caught:
            store.set("hikvision", "front-shop", vault["given"].reveal())  # type: ignore[arg-type]

        error = caught.value.with_traceback(caught.tb.tb_next)
        shown = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        assert _SECRET not in "".join(shown)

    def test_reading_can_be_shared_by_threads(self, store: CredentialStore) -> None:
        """Threads that read at the same time all get what is stored."""
        self.plant(store, self._name("a"), _ADMIN)

        found = _in_threads(lambda _: [store.get(self.providers[0], "a") for _ in range(_EACH)])

        assert found == [[_ADMIN] * _EACH] * _THREADS

    def test_readonly__changes_are_refused(self, store: CredentialStore) -> None:
        """A store that cannot be written says what to do instead, and shows no secret."""
        self.plant(store, self._name("a"), _ADMIN)

        with pytest.raises(ReadOnlyStoreError) as setting:
            store.set(self.providers[0], "a", _OTHER)
        with pytest.raises(ReadOnlyStoreError) as deleting:
            store.delete(self.providers[0], "a")

        assert setting.value.next_step
        assert deleting.value.next_step
        assert store.get(self.providers[0], "a") == _ADMIN

    def test_writable__replacing(self, store: CredentialStore) -> None:
        """Storing again replaces, and there is still one name."""
        store.set(self.providers[0], "a", _ADMIN)
        store.set(self.providers[0], "a", _OTHER)

        assert store.get(self.providers[0], "a") == _OTHER
        assert [self._name("a")] == list(store.names())

    def test_writable__deleting(self, store: CredentialStore) -> None:
        """What was deleted is gone, and only that."""
        for account in ("a", "b", "c"):
            store.set(self.providers[0], account, _ADMIN)
        store.delete(self.providers[0], "b")

        with pytest.raises(CredentialNotFoundError):
            store.get(self.providers[0], "b")
        with pytest.raises(CredentialNotFoundError):
            store.delete(self.providers[0], "b")
        assert [self._name("a"), self._name("c")] == list(store.names())

    def test_writable__threads_lose_nothing(self, store: CredentialStore) -> None:
        """Several threads that write at the same time lose no entry."""

        def write(who: int) -> None:
            for number in range(_EACH):
                store.set(self.providers[0], f"{who}-{number}", _secret_of(who, number))

        _in_threads(write)

        expected = {f"{who}-{number}" for who in range(_THREADS) for number in range(_EACH)}
        assert expected == {name.account for name in store.names()}
        assert _secret_of(3, 7) == store.get(self.providers[0], "3-7")

    def test_lasting__another_object_sees_it(
        self, store: CredentialStore, place: Callable[[], CredentialStore]
    ) -> None:
        """What one object has stored, replaced or deleted is so for every other."""
        other = place()
        store.set(self.providers[0], "a", _ADMIN)
        store.set(self.providers[0], "b", _ADMIN)
        seen = other.get(self.providers[0], "a")
        other.set(self.providers[0], "a", _OTHER)
        other.delete(self.providers[0], "b")

        assert seen == _ADMIN
        assert store.get(self.providers[0], "a") == _OTHER
        assert [self._name("a")] == list(store.names()) == list(place().names())

    def test_lasting__processes_lose_nothing(
        self, store: CredentialStore, place: Callable[[], CredentialStore]
    ) -> None:
        """Two processes that write at the same time lose no entry."""
        write_in_processes(place, self.providers[0], ("first", "second"), _EACH)

        expected = {f"{who}-{number}" for who in ("first", "second") for number in range(_EACH)}
        assert expected == {name.account for name in store.names()}
        found = store.get(self.providers[0], "second-7")
        assert found == Credential(username="second", secret="secret of second 7")  # noqa: S106


def write_in_processes(
    place: Callable[[], CredentialStore], provider: str, accounts: Sequence[str], count: int
) -> None:
    """Let one process for each of *accounts* store *count* credentials, all at the same time.

    The accounts are called ``{account}-{number}``, the secrets ``secret of {account} {number}``.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    workers = []
    for account in accounts:
        worker = subprocess.Popen(  # noqa: S603 - our own interpreter and text
            [sys.executable, "-c", _WORKER],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        workers.append((worker, pickle.dumps((place, provider, account, count))))
    for worker, job in workers:
        assert worker.stdin is not None
        worker.stdin.write(job)
        worker.stdin.close()
        worker.stdin = None
    ends = [(worker.communicate()[1].decode(), worker.returncode) for worker, _ in workers]
    assert [("", 0)] * len(workers) == ends


def _secret_of(who: int, number: int) -> Credential:
    return Credential(username=str(who), secret=f"secret {who} {number}")


def _in_threads(work: Callable[[int], Any]) -> list[Any]:
    """Do *work* in several threads that start together, and return what it gave."""
    start = threading.Barrier(_THREADS)
    results: dict[int, Any] = {}
    failures: list[BaseException] = []

    def run(who: int) -> None:
        try:
            start.wait()
            results[who] = work(who)
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(who,)) for who in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[who] for who in range(_THREADS)]
