"""From a URL's parts to a client: ``imou://sg``, ``imou://APPID@fk``, ``imou://127.0.0.1:8080``."""

from __future__ import annotations

from typing import Any

from ..._secret import Secret
from ...transport import Address, is_loopback
from ._client import ImouClient
from ._regions import REGIONS, no_such_region


def open_account(
    host: str,
    app_id: str,
    app_secret: str | Secret,
    *,
    port: int | None = None,
    https: bool = False,
    **options: Any,
) -> ImouClient:
    """Make a client, as the registry does for the URL of any provider.

    Args:
        host: A data centre's code (``sg``, ``fk``, ``or``, ``cn``), or the host of a simulator or
            a gateway; one without a dot needs a *port*.
        port: For such a host.
        https: Use TLS with such a host; the vendor's are never spoken to without.
        options: Passed on to `ImouClient`.

    Raises:
        ConfigurationError: An argument is unusable.
    """
    app_secret = Secret.of(app_secret)  # first of all: tracebacks can show arguments
    if port is None and host.lower() in REGIONS:
        return ImouClient(app_id, app_secret, region=host, **options)
    if port is None and set(host).isdisjoint(".:") and not is_loopback(host):
        raise no_such_region(host)
    place = Address.of(host, port, secure=https)
    return ImouClient(app_id, app_secret, base_url=place.url, **options)
