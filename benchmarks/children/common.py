"""What several children begin with."""

from __future__ import annotations

from typing import Any


Arguments = dict[str, Any]


def provider(a: Arguments) -> Any:
    """Return a provider for an address."""
    import camsync

    return camsync.HikvisionISAPI(
        "127.0.0.1",
        a["user"],
        a["password"],
        port=a["port"],
        https=a["https"],
        verify=a["ca"] if a["https"] else True,
        retry=camsync.RetryPolicy(attempts=1),
    )
