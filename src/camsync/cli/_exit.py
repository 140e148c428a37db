"""The exit codes: one per category of error, so that scripts can tell them apart."""

from __future__ import annotations

from types import MappingProxyType

from ..errors import CamsyncError, Category


OK = 0
FAILED = 1
"""Some recordings failed, or something that camsync did not expect."""
INTERRUPTED = 130
"""128 + SIGINT: what shells report for Ctrl-C."""
CLOSED_PIPE = 141
"""128 + SIGPIPE: nobody reads stdout any more."""
TERMINATED = 143
"""128 + SIGTERM."""

CODES = MappingProxyType(
    {
        Category.INPUT: 2,
        Category.SETUP: 3,
        Category.NETWORK: 4,
        Category.TLS: 5,
        Category.AUTHENTICATION: 6,
        Category.PERMISSION: 7,
        Category.BUSY: 8,
        Category.DEVICE: 9,
        Category.UNSUPPORTED: 10,
        Category.PROTOCOL: 11,
        Category.NOT_FOUND: 12,
        Category.IN_PROGRESS: 13,
        Category.MEDIA: 14,
        Category.DISK: 15,
        Category.CREDENTIALS: 16,
        Category.OFFLINE: 17,
        Category.QUOTA: 18,
        Category.CANCELLED: INTERRUPTED,
    }
)


def code_for(error: CamsyncError) -> int:
    """Return the exit code that stands for *error*."""
    return CODES[error.category]
