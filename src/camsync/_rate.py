"""How fast something goes, smoothed so that a display does not flicker. Pure."""

from __future__ import annotations


_SMOOTHING = 0.3
"""Weight of the newest measurement."""


class Rate:
    """A smoothed rate.

    Attributes:
        value: Bytes a second; 0.0 until something was measured.
    """

    def __init__(self) -> None:
        self.value = 0.0

    def measured(self, count: int, seconds: float) -> None:
        """Note that *count* bytes have come within *seconds*."""
        if seconds > 0:
            weight = _SMOOTHING if self.value else 1.0
            self.value += weight * (max(count, 0) / seconds - self.value)

    def seconds_for(self, left: int | None) -> float | None:
        """Return how long *left* bytes will take; None where nobody can tell."""
        return left / self.value if left is not None and self.value else None
