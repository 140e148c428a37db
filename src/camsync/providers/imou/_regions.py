"""Data centres: where an account is, and which hosts are the vendor's. No I/O.

Named by host code, not by continent: the vendor's own documents and its own program disagree about
which is which.
"""

from __future__ import annotations

import re

from typing import Final

from ..._secret import Secret
from ...errors import CamsyncError, ConfigurationError
from ...transport import read_url


REGIONS: Final = {
    "sg": "https://openapi-sg.easy4ip.com",
    "fk": "https://openapi-fk.easy4ip.com",
    "or": "https://openapi-or.easy4ip.com",
    "cn": "https://openapi.lechange.cn",
}
_PLATFORM: Final = re.compile(
    r"openapi(-[a-z0-9]{1,8})?\.easy4ip\.com|openapi\.lechange\.cn", re.ASCII
)
_MEDIA: Final = re.compile(
    r"(?:[a-z0-9-]{1,63}\.)+(?:easy4ip\.com|lechange\.cn|imoulife\.com|imou\.com|aliyuncs\.com"
    r"|amazonaws\.com)",
    re.ASCII,
)
_HTTPS: Final = 443


def checked_id(app_id: object, app_secret: Secret) -> str:
    """Return the app id as it is sent.

    Raises:
        ConfigurationError: It is no text, or one of the two is empty.
    """
    step = "take app id and app secret from the vendor's developer console"
    if not isinstance(app_id, str):
        msg = f"app_id must be text, not {type(app_id).__name__}"
        raise ConfigurationError(msg, next_step=step)
    if not app_id.strip() or not app_secret:
        msg = "app_id and app_secret must not be empty"
        raise ConfigurationError(msg, next_step=step)
    return app_id.strip()


def is_platform(url: str) -> bool:
    """Whether *url* is the root of one of the vendor's data centres."""
    try:
        place = read_url(url).address
    except CamsyncError:
        return False
    return place.secure and place.port == _HTTPS and _PLATFORM.fullmatch(place.host) is not None


def media_host_allowed(host: str) -> bool:
    """Whether the vendor keeps media there: a redirect may lead to it."""
    return _MEDIA.fullmatch(host.lower()) is not None


def root_of(region: object, base_url: str | None, learnt: object = None) -> str:
    """Return the root URL of an account.

    Args:
        learnt: Where the cloud has sent this account before; used only if it is the vendor's.

    Raises:
        ConfigurationError: There is no such region.
    """
    if base_url is not None:
        return base_url.rstrip("/")
    code = region.lower() if isinstance(region, str) else ""
    if code not in REGIONS:
        raise no_such_region(region)
    if isinstance(learnt, str) and is_platform(learnt):
        return learnt
    return REGIONS[code]


def no_such_region(region: object) -> ConfigurationError:
    """Build the error for what is no data centre's code."""
    step = f"use {', '.join(REGIONS)} (the vendor's console shows which), as in imou://APPID@sg"
    return ConfigurationError(f"there is no data centre {region!r}", next_step=step)
