"""Fetching: whether it is possible, and the way from a recording to its bytes."""

from __future__ import annotations

import contextlib
import functools

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Literal

import attrs

from ..._cancel import CancelToken
from ...errors import CamsyncError, DownloadUnsupportedError
from ...models import Recording
from ...provider import ByteStream
from ...transport import Web
from ._advice import in_the_cloud
from ._budget import Budget
from ._search import record_of
from ._wire import PROVIDER, PlaySource, RawRecord, Wire


if TYPE_CHECKING:
    from ._file import FileStream
    from ._hls import HlsStream
    from ._overnight import JoinedStream

_HOPELESS: Final = frozenset({"OP1005", "OP1012"})
"""Refusals of a method to an app or in a region: another recording would fare no better."""

_NOT_OVERNIGHT: Final = "OP1003"
"""A refusal of the times: some data centres play no more than one day at once."""


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
        self._day_by_day = False

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
    def open(
        self, recording: Recording, cancel: CancelToken | None, offset: int = 0
    ) -> Iterator[ByteStream]:
        """Open the bytes of *recording*, from *offset* on where that can be done."""
        record = record_of(recording)
        self._budget.check_bytes(recording.size_hint)
        self._check_hope()
        try:
            with contextlib.ExitStack() as opened:
                stream = self._stream(opened, recording, record, cancel, offset)
                yield stream
                self._note(finished=stream.finished)
        except CamsyncError as error:
            in_the_cloud(error)
            raise
        finally:
            self._budget.settle()

    def _stream(
        self,
        opened: contextlib.ExitStack,
        recording: Recording,
        record: RawRecord,
        cancel: CancelToken | None,
        offset: int,
    ) -> HlsStream | JoinedStream | FileStream:
        """Open a recording, in two parts when it runs across midnight and that is refused.

        A playlist begins at its begin, whatever the *offset*.
        """
        from ._overnight import days, open_joined

        seconds, growing = recording.duration.total_seconds(), recording.in_progress
        overnight = record.begin.date() != record.end.date()
        if not (overnight and self._day_by_day):
            try:
                whole = self._opened(record, seconds, cancel, growing=growing)
                return opened.enter_context(whole)
            except DownloadUnsupportedError as error:
                if error.vendor_code != _NOT_OVERNIGHT or not overnight:
                    raise
            self._day_by_day = True
        openers = [
            functools.partial(
                self._opened, part, length, growing=growing and part.end == record.end
            )
            for part, length in days(record, seconds)
        ]
        return opened.enter_context(open_joined(openers, cancel))

    def _opened(
        self, record: RawRecord, seconds: float, cancel: CancelToken | None, *, growing: bool
    ) -> AbstractContextManager[HlsStream]:
        from ._hls import open_hls

        return open_hls(
            lambda stop: self._source(record, stop),
            self._web,
            cancel=cancel,
            count=self._budget.count,
            check=self._budget.check_bytes,
            seconds=seconds,
            in_progress=growing,
        )

    def _note(self, *, finished: bool) -> None:
        """Remember that footage can be fetched: all of one recording was."""
        if finished:
            self._support = Support(level="yes", reason="this account has fetched footage before")

    def _check_hope(self) -> None:
        """Raise again what was refused to the whole account; nothing is sent, and nothing paid."""
        if self._refused is not None:
            msg = f"{self._refused.message}; nothing more was sent"
            step = "fetch it in the vendor's app; retry_login() lets camsync try again"
            raise DownloadUnsupportedError(
                msg, next_step=step, vendor_code=self._refused.vendor_code
            )

    def _source(self, record: RawRecord, cancel: CancelToken | None = None) -> PlaySource:
        try:
            return self._wire.play_url(record, cancel=cancel)
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
        self._day_by_day = False
