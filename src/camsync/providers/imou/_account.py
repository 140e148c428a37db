"""From a URL's parts to a client: ``imou://sg``, ``imou://APPID@fk``, ``imou://127.0.0.1:8080``."""

from __future__ import annotations

from typing import Any

from ..._secret import Secret
from ...transport import Address
from ._client import ImouClient
from ._regions import REGIONS


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
            a gateway.
        port: For such a host.
        https: Use TLS with such a host; the vendor's are never spoken to without.
        options: Passed on to `ImouClient`.

    Raises:
        ConfigurationError: An argument is unusable.
    """
    app_secret = Secret.of(app_secret)  # first of all: tracebacks can show arguments
    if host in REGIONS and port is None:
        return ImouClient(app_id, app_secret, region=host, **options)
    place = Address.of(host, port, secure=https)
    return ImouClient(app_id, app_secret, base_url=place.url, **options)
