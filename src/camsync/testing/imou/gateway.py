"""The simulated gateway, `ImouSimulator.gateway`: an OAuth 2.0 login, and the REST surface behind it.

All of it is modelled on an integration plan, not on captures: the vendor does not document it.
"""

from __future__ import annotations

from ._rest import Gateway
from ._rest_faults import FAULTS


__all__ = ["FAULTS", "Gateway"]
