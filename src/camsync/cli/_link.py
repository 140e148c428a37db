"""A connection as the commands have it: the provider, and how to name it in advice."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .. import registry
from ..errors import CamsyncError, Category
from ..models import Channel
from ..provider import Provider
from ._vendors import vendor_of


class NoChannelsError(CamsyncError):
    """The login works, but there is no camera to ask for anything."""

    category = Category.NOT_FOUND


@attrs.frozen(kw_only=True)
class Link:
    """What a command is connected to.

    Attributes:
        place: As the user has named it.
        username: Who logs in there.
    """

    provider: Provider
    place: registry.Target
    username: str

    @property
    def shown(self) -> str:
        """What to type for it: the name of its profile, or its URL (which holds no password)."""
        profile, url = self.place.profile, self.place.url
        return str(url) if profile is None or url.username is not None else profile.name

    def channels(self) -> Sequence[Channel]:
        """List all channels.

        Raises:
            NoChannelsError: There is none, which is what a wrong data centre looks like.
            CamsyncError: They cannot be listed.
        """
        found = self.provider.channels()
        if not found:
            raise no_channels(self.place, self.username)
        return found


def no_channels(place: registry.Target, username: str) -> NoChannelsError:
    """Build the error for an account, or a recorder, without cameras."""
    vendor = vendor_of(place.url.provider)
    if not vendor.cloud:
        return NoChannelsError(
            "the login works, but the recorder lists no channels",
            next_step="check on the recorder that its cameras are added and switched on",
        )
    owner = "check that the cameras belong to the account that owns the app"
    msg = "the login works, but this account has no cameras"
    if place.host not in vendor.places:
        return NoChannelsError(msg, next_step=owner)
    first, *more = (code for code in vendor.places if code != place.host)
    others = ", ".join(f"@{code}" for code in more)
    step = f"try camsync channels {place.url.provider}://{username}@{first} (or {others})"
    return NoChannelsError(f"{msg} in data centre {place.host!r}", next_step=f"{step}, and {owner}")
