"""The root, and what is wrong before anything is sent."""

from __future__ import annotations

from typing import ClassVar

from .._category import Category


class CamsyncError(Exception):
    """The root of all camsync errors.

    Args:
        message: What happened, in words, without secrets.
        next_step: What the user can do about it. A class may bring a default.
        vendor_code: The vendor's own number (ISAPI ``statusCode``), as text.
        vendor_sub_code: The vendor's own word (ISAPI ``subStatusCode``).
        http_status: The HTTP status that carried the failure.
        retry_after: Seconds that the device asked to wait.
        retryable: Overrides the class's verdict on whether a later try can succeed.
    """

    category: ClassVar[Category] = Category.DEVICE
    default_next_step: ClassVar[str | None] = None
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        next_step: str | None = None,
        vendor_code: str | None = None,
        vendor_sub_code: str | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.default_next_step
        self.vendor_code = vendor_code
        self.vendor_sub_code = vendor_sub_code
        self.http_status = http_status
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        text = self.message
        details = self._details()
        if details:
            text = f"{text} [{details}]"
        return f"{text} - {self.next_step}" if self.next_step else text

    def _details(self) -> str:
        status = f"HTTP {self.http_status}" if self.http_status is not None else ""
        vendor = " ".join(part for part in (self.vendor_code, self.vendor_sub_code) if part)
        return ", ".join(part for part in (status, vendor) if part)


class ConfigurationError(CamsyncError, ValueError):
    """An argument, a URL or an option is unusable. Nothing was sent anywhere."""

    category = Category.INPUT


class MissingExtraError(ConfigurationError, ImportError):
    """An optional dependency is needed; ``next_step`` holds the pip command."""

    category = Category.SETUP

    @classmethod
    def for_extra(cls, extra: str, purpose: str) -> MissingExtraError:
        """Build the error for *purpose* (a noun phrase) that needs *extra*."""
        return cls(
            f"{purpose} needs the optional extra {extra!r}",
            next_step=f"install camsync with the extra {extra!r}; "
            f"in a checkout: python -m pip install '.[{extra}]'",
        )
