"""Fetching: whether it is possible, and the way from a recording to its bytes."""

from __future__ import annotations

import contextlib

from collections.abc import Iterator
from typing import Final, Literal

import attrs

from ..._cancel import CancelToken
from ...errors import DownloadUnsupportedError
from ...models import Recording
from ...provider import ByteStream
from ...transport import Web
from ._budget import Budget
from ._search import record_of
from ._wire import PROVIDER, PlaySource, RawRecord, Wire


_HOPELESS: Final = frozenset({"OP1005", "OP1012"})
"""Refusals of a method to an app or in a region: another recording would fare no better."""


@attrs.frozen(kw_only=True)
class Support:
    """Whether the bytes of a recording can be fetched.

    Attributes:
        level: ``"experimental"`` until this account has fetched something: the vendor documents
            downloads for some data centres only.
        reason: Why, in words.
    """

    level: Literal["yes", "experimental", "no"]
    reason: str


_UNTRIED: Final = Support(
    level="experimental",
    reason="nothing was fetched with this account yet, and not every region allows it",
)


class Playing:
    """Opens recordings of one account, and remembers whether that can work at all."""

    def __init__(self, wire: Wire, web: Web, budget: Budget) -> None:
        self._wire = wire
        self._web = web
        self._budget = budget
        self._support = _UNTRIED
        self._refused: DownloadUnsupportedError | None = None

    @property
    def hopeless(self) -> bool:
        """Whether the account is known not to be allowed to fetch anything."""
        return self._refused is not None

    def support(self, recording: Recording) -> Support:
        """Say whether *recording* can be fetched, as far as is known."""
        if recording.key.provider != PROVIDER:
            return Support(level="no", reason="it is a recording of another provider")
        if self._support.level != "no" and recording.raw.get("encrypted") is True:
            reason = "its owner has set a key of their own, and whether it plays is not known"
            return Support(level="experimental", reason=reason)
        return self._support

    @contextlib.contextmanager
    def open(self, recording: Recording, cancel: CancelToken | None) -> Iterator[ByteStream]:
        """Open the bytes of *recording*."""
        from ._hls import open_hls

        record = record_of(recording)
        self._budget.check_bytes()
        self._check_hope()
        try:
            with open_hls(
                lambda: self._source(record),
                self._web,
                cancel=cancel,
                count=self._budget.count,
                seconds=recording.duration.total_seconds(),
            ) as stream:
                yield stream
            self._support = Support(level="yes", reason="this account has fetched footage before")
        finally:
            self._budget.settle()

    def _check_hope(self) -> None:
        """Raise again what was refused to the whole account; nothing is sent, and nothing paid."""
        if self._refused is not None:
            msg = f"{self._refused.message}; nothing more was sent"
            step = "fetch it in the vendor's app; retry_login() lets camsync try again"
            raise DownloadUnsupportedError(
                msg, next_step=step, vendor_code=self._refused.vendor_code
            )

    def _source(self, record: RawRecord) -> PlaySource:
        try:
            return self._wire.play_url(record)
        except DownloadUnsupportedError as error:
            if error.vendor_code in _HOPELESS:
                self._refused = DownloadUnsupportedError(
                    error.message, vendor_code=error.vendor_code
                )
                self._support = Support(level="no", reason=error.message)
            raise

    def reset(self) -> None:
        """Try again what was refused."""
        self._support, self._refused = _UNTRIED, None
