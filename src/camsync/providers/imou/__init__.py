"""Imou cameras over the vendor's Open Platform."""

from __future__ import annotations

from ._account import open_account
from ._budget import Usage
from ._client import ImouClient
from ._playing import Support


__all__ = ["ImouClient", "Support", "Usage", "open_account"]
