"""What people call a device: the name of the profile with its serial number."""

from __future__ import annotations

import contextlib

from collections.abc import Iterable, Mapping, Sequence

import attrs

from .._secret import Secret
from ..errors import CamsyncError
from ..profiles import Profile, Profiles
from ._place import find_place


@attrs.frozen
class Names:
    """The profiles, as they were when a command began.

    Attributes:
        profiles: Sorted by name: of several with one device the first counts.
    """

    profiles: Sequence[Profile] = ()

    @classmethod
    def known(cls) -> Names:
        """Return what the profiles say; nothing where they cannot be read: names are but words."""
        with contextlib.suppress(CamsyncError):
            return cls(Profiles().all())
        return cls()

    def name_of(self, device: str) -> str:
        """Return the name of the profile of a serial number, or an empty text."""
        return next((one.name for one in self.profiles if device and one.device == device), "")

    def short(self, device: str) -> str:
        """Return ``front-shop``, or the serial number where no profile has it."""
        return self.name_of(device) or device

    def full(self, device: str) -> str:
        """Return ``front-shop (DS-7608NI…)``, or the serial number where no profile has it."""
        name = self.name_of(device)
        return f"{name} ({device})" if name else device

    def devices(self, places: Iterable[str]) -> Mapping[str, str]:
        """Return the serial numbers of all profiles, and of those of the *places* that are known."""
        found = {one.name: one.device for one in self.profiles if one.device}
        for place in places:
            with contextlib.suppress(CamsyncError):
                profile = find_place(Secret(place)).profile
                if profile is not None and profile.device:
                    found[place] = profile.device
        return found
