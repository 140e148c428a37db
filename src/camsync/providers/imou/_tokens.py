"""`ImouTokens`: what linking an account gives, and how a credential store keeps it."""

from __future__ import annotations

import datetime as dt
import json

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from ..._secret import Secret
from ..._time import ensure_aware
from ...credentials import Credential
from ...errors import DamagedStoreError


_MARK: Final = "camsync_imou_tokens"
_VERSION: Final = 1
_NOBODY: Final = "imou-user"
_LONGEST: Final = 255
_REST: Final = 60.0
"""Seconds before its end from which a token is not used."""


@attrs.frozen(kw_only=True)
class ImouTokens:
    """The right to use somebody's account at one gateway. Keep it in a credential store.

    Attributes:
        base: The root of the gateway that gave it: it is sent nowhere else.
        access: Goes along with each call.
        refresh: Gets new tokens, perhaps once only; None where the gateway gives none.
        renew: From when on new tokens are got (UTC), shortly before the end; None when it is not
            said.
        account: What the gateway calls the account, such as an address; may be a placeholder.
    """

    base: str
    access: Secret
    refresh: Secret | None = None
    renew: dt.datetime | None = None
    account: str = _NOBODY

    @classmethod
    def issued(
        cls,
        base: str,
        access: Secret,
        refresh: Secret | None,
        seconds: int | None,
        *,
        now: dt.datetime,
        account: str = "",
    ) -> ImouTokens:
        """Make tokens of an answer in which they are good for *seconds*."""
        renew = None
        if seconds is not None:
            seconds = min(seconds, 10**9)
            renew = now + dt.timedelta(seconds=max(seconds - _REST, seconds / 2))
        account = "".join(char for char in account if char.isprintable()).strip()[:_LONGEST]
        return cls(
            base=base, access=access, refresh=refresh, renew=renew, account=account or _NOBODY
        )

    def credential(self) -> Credential:
        """Return the form that a credential store keeps: the account, and all else as its secret."""
        return Credential(
            username=self.account,
            secret=Secret(
                json.dumps(
                    {
                        _MARK: _VERSION,
                        "base": self.base,
                        "access": self.access.reveal(),
                        "refresh": None if self.refresh is None else self.refresh.reveal(),
                        "renew": None if self.renew is None else self.renew.isoformat(),
                    }
                )
            ),
        )

    @classmethod
    def of(cls, credential: Credential) -> ImouTokens:
        """Read what `credential` has made.

        Raises:
            DamagedStoreError: It is something else, such as an app's secret.
        """
        found = _read(cls, credential)
        if found is None:
            msg = "what the store holds for this account is no link that camsync has made"
            raise DamagedStoreError(msg, next_step="link the account, and store its tokens")
        return found


def _read(make: Callable[..., ImouTokens], credential: Credential) -> ImouTokens | None:
    """Do it in a frame of its own: the errors of the libraries quote the document."""
    try:
        fields = json.loads(credential.secret.reveal())
        if fields[_MARK] != _VERSION:
            return None
        return make(account=credential.username, **_values(fields))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    refresh, renew = fields["refresh"], fields["renew"]
    return {
        "base": str(fields["base"]),
        "access": Secret(fields["access"]),
        "refresh": None if refresh is None else Secret(refresh),
        "renew": None if renew is None else ensure_aware(dt.datetime.fromisoformat(renew), "renew"),
    }
