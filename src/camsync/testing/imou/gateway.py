"""The simulated gateway of `ImouSimulator`: an OAuth 2.0 login, and the REST surface behind it.

All of it is modelled on an integration plan, not on captures: the vendor does not document it.
"""

from __future__ import annotations

from ._rest import Gateway, gateway_of
from ._rest_faults import FAULTS


__all__ = ["FAULTS", "Gateway", "gateway_of"]
