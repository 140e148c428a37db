"""Linking Imou accounts by OAuth 2.0 at a gateway that offers it; needs the extra ``oauth``.

The vendor does not document this surface. It is that of an integration plan, for gateways and
account-linking services; everything here was tested against the simulator only.
"""

from __future__ import annotations

from ._link import ImouLink
from ._linked import linked
from ._session import LinkSession, MemorySessions, PendingLink, SessionStore
from ._tokens import ImouTokens


__all__ = [
    "ImouLink",
    "ImouTokens",
    "LinkSession",
    "MemorySessions",
    "PendingLink",
    "SessionStore",
    "linked",
]
