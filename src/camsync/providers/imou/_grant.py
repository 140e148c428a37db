"""The tokens of one linked account: in a credential store, and renewed by one at a time."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading

from collections.abc import Callable, Iterator

from ..._places import config_folder
from ..._private import locked
from ..._secret import Secret
from ...credentials import CredentialStore
from ...errors import AuthenticationError, ConfigurationError, StoreUnavailableError
from ._link import LINK_AGAIN, TOKEN, ImouLink
from ._tokens import ImouTokens
from ._wire import PROVIDER


_log = logging.getLogger("camsync.imou")


class Grant:
    """Gives out tokens that are good, as far as is known. Thread-safe.

    A refresh token may work once only. So threads wait for each other, processes of this computer
    do by a lock file, and what the store holds is read again before anything is renewed: whoever
    comes second finds the new tokens there. New tokens that cannot be stored are not lost: they
    are kept in memory, and stored before the next call.

    Args:
        link: Renews.
        count: Is told of a request that is about to be sent.
    """

    def __init__(
        self,
        link: ImouLink,
        store: CredentialStore,
        account: str,
        owner: str | None,
        count: Callable[[str], object],
    ) -> None:
        self.account = account
        self._link = link
        self._store = store
        self._owner = owner
        self._count = count
        self._lock = threading.Lock()
        self._tokens: ImouTokens | None = None
        self._unsaved = False
        self._untried: ImouTokens | None = None
        self._refused: Secret | None = None

    def __repr__(self) -> str:
        return f"<Grant of {self.account}>"

    def current(self, refused: ImouTokens | None = None) -> ImouTokens:
        """Return tokens, renewed if need be: at most one request.

        Args:
            refused: Those that the gateway has just refused; other ones are returned.

        Raises:
            AuthenticationError: The account has to be linked again.
            CredentialError: The store holds nothing, or cannot be read or written.
            CamsyncError: The gateway cannot be asked.
        """
        with self._lock:
            if self._unsaved and self._tokens is not None:
                self._save(self._tokens)
            if self._tokens is None:
                self._tokens = self._load()
            if self._is_good(self._tokens, refused):
                return self._tokens
            with self._alone():
                self._tokens = self._load()
                if not self._is_good(self._tokens, refused):
                    self._check_useful(refused)
                    self._tokens = self._renewed(self._tokens)
                    self._untried = None if refused is None else self._tokens
                return self._tokens

    def worked(self, tokens: ImouTokens) -> None:
        """Note that the gateway accepts them."""
        with self._lock:
            if self._untried is tokens:
                self._untried = None

    def forget(self) -> None:
        """Read the store again at the next call, and try again what was refused."""
        with self._lock:
            self._untried = self._refused = None
            if not self._unsaved:
                self._tokens = None

    def _load(self) -> ImouTokens:
        tokens = ImouTokens.of(self._store.get(PROVIDER, self.account, owner=self._owner))
        if tokens.base != self._link.root:
            msg = f"the account {self.account} is linked at {tokens.base}, not {self._link.root}"
            raise ConfigurationError(msg, next_step="use that base_url, or link the account again")
        return tokens

    def _save(self, tokens: ImouTokens) -> None:
        self._unsaved = True
        self._store.set(PROVIDER, self.account, tokens.credential(), owner=self._owner)
        self._unsaved = False

    def _is_good(self, tokens: ImouTokens, refused: ImouTokens | None) -> bool:
        if refused is not None and tokens.access == refused.access:
            return False
        return tokens.renew is None or self._link.now() < tokens.renew

    def _check_useful(self, refused: ImouTokens | None) -> None:
        """Do not renew in a loop: what was just renewed and never worked helps nobody."""
        untried = self._untried
        if refused is not None and untried is not None and untried.access == refused.access:
            msg = "the gateway refuses a token that it has only just given"
            raise AuthenticationError(msg, next_step=LINK_AGAIN)

    def _renewed(self, tokens: ImouTokens) -> ImouTokens:
        if tokens.refresh is not None:
            if tokens.refresh == self._refused:
                msg = "the gateway has refused to renew the session; nothing more was sent"
                raise AuthenticationError(msg, next_step=LINK_AGAIN)
            self._count(TOKEN)
        try:
            fresh = self._link.refresh(tokens)
        except AuthenticationError:
            others = self._load()
            if others.access == tokens.access:
                self._refused = tokens.refresh
                raise
            return others  # without a common lock somebody else was faster
        self._tokens = fresh
        self._save(fresh)
        return fresh

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from renewing the same tokens meanwhile, where that is possible."""
        whose = f"{self._link.root}\n{self.account}\n{self._owner or ''}"
        name = f"imou-link-{hashlib.sha256(whose.encode()).hexdigest()[:16]}"
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(config_folder() / name))
            except StoreUnavailableError as error:
                _log.warning("tokens are renewed without a lock: %s", error.message)
            yield
