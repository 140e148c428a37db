"""One scrubber: takes out of documents, text and logs what identifies somebody or opens something.

What is replaced, and by what:

- serial numbers, names of devices, channels, users, places and hosts, e-mail addresses, phone
  numbers, identifiers: stand-ins of the same form (a serial number keeps its model);
- MAC addresses, IPv4 and IPv6 addresses: stand-ins from the ranges for local use and for
  documentation;
- passwords, keys, tokens, cookies, nonces, signatures, certificates: ``scrubbed``;
- positions: digits become zeros.

Times and time zones, models, firmware, sizes, numbers of channels, ``admin`` and the names that
devices have out of the box stay: they are what helps to find a defect.
"""

from __future__ import annotations

from ._scrubber import Scrubber
from ._shapes import (
    SCRUBBED,
    Finding,
    find_identities,
    find_real_secrets,
    find_secrets,
)


__all__ = [
    "SCRUBBED",
    "Finding",
    "Scrubber",
    "find_identities",
    "find_real_secrets",
    "find_secrets",
]
