"""Which segment of an HLS recording is next, and where it is now.

Addresses expire: that is answered by one new address, after which it goes on at the same segment,
if the new playlist proves to be the same recording's. A playlist that grows is looked at again
until it is complete. What cannot be proven, what is missing and what never comes is an error.
"""

from __future__ import annotations

import logging

from collections.abc import Callable
from typing import TypeVar

import attrs

from ... import _retry
from ..._cancel import CancelToken, pause
from ..._retry import RetryPolicy
from ..._secret import Secret
from ...errors import (
    CamsyncError,
    PermissionDeniedError,
    ProtocolError,
    RecordingNotFoundError,
    ShortReadError,
)
from ._playlist import MOST_SEGMENTS, Allowed, Master, Playlist, Segment, read_playlist
from ._segments import AddressExpiredError, Loader, Stop
from ._spool import Spool
from ._timeline import Timeline
from ._wire import PlaySource


_MOST_WAITS = 5
"""Target durations without a new segment after which a recording is held to have stopped."""

_SHORTEST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_A_SECOND = 1.0
"""Segments of less may be alike by chance: fillers without a picture."""

_GONE = frozenset({404, 410})
_logger = logging.getLogger("camsync.imou")

Source = Callable[[CancelToken], PlaySource]
_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Bookmark:
    """A place between two segments, at which a later stream of the same recording can go on.

    Attributes:
        segments: Segments before it, from the recording's begin.
        bytes: Bytes before it.
        seconds: Seconds before it, as the playlist says.
        last: The segment before it.
        timeline: Its length by the time stamps, and where they have to go on.
    """

    segments: int = 0
    bytes: int = 0
    seconds: float = 0.0
    last: Segment | None = None
    timeline: Timeline = attrs.field(factory=Timeline)

    @classmethod
    def skipping(cls, segments: int) -> Bookmark:
        """Return the place behind so many segments of which nothing is known."""
        return cls(segments=segments, timeline=Timeline(whole=not segments))

    def behind(self, segment: Segment, spool: Spool, usual: float) -> Bookmark:
        """Return the place behind *segment*, which stands here.

        Raises:
            ShortReadError: It does not belong here.
        """
        return Bookmark(
            segments=self.segments + 1,
            bytes=self.bytes + spool.size,
            seconds=self.seconds + segment.seconds,
            last=segment,
            timeline=self.timeline.behind(segment, spool.measure, usual),
        )

    def fits(self, playlist: Playlist) -> bool:
        """Whether *playlist* has the same segment before this place."""
        found = playlist.get(playlist.first + self.segments - 1)
        if self.last is None or found is None:
            return self.segments <= len(playlist.segments)
        return found.is_like(self.last) and found.name == self.last.name


class Feed:
    """Fetches one segment after the other.

    Attributes:
        place: Behind the last segment that was fetched.
    """

    def __init__(
        self,
        source: Source,
        loader: Loader,
        stop: Stop,
        *,
        policy: RetryPolicy,
        start: Bookmark,
        seconds: float | None,
        in_progress: bool,
        allowed: Allowed | None,
    ) -> None:
        self.place = start
        self._source = source
        self._loader = loader
        self._stop = stop
        self._policy = policy
        self._seconds = seconds
        self._in_progress = in_progress
        self._allowed = allowed
        self._play: PlaySource | None = None
        self._url: Secret | None = None
        self._playlist: Playlist | None = None
        self._number = 0
        self._renewed_at = -1
        self._waits = 0
        self._seen: set[bytes] = set()

    # -- from the first address to the last segment

    def begin(self) -> None:
        """Fetch the playlist, and find the place in it."""
        self._with_new_address(self._load_first)

    def _load_first(self) -> None:
        playlist = self._load()
        if not self.place.fits(playlist):
            self.place = Bookmark()
        self._number = playlist.first + self.place.segments
        self._playlist = playlist

    def fetch(self) -> tuple[Bookmark, Spool] | None:
        """Return the next segment, and the place behind it; None behind the last one.

        Raises:
            ShortReadError: A part of the recording is missing, or is not where it belongs.
        """
        found = self._with_new_address(self._next)
        if found is None:
            return None
        segment, spool = found
        try:
            self._check_new(spool)
            place = self.place.behind(segment, spool, self._known.usual)
        except ShortReadError:
            spool.close()
            raise
        if place.timeline.exaggerated and not self.place.timeline.exaggerated:
            _logger.warning("segments are shorter than the playlist says")
        self.place = place
        self._number += 1
        self._waits = 0
        return place, spool

    def _check_new(self, spool: Spool) -> None:
        """Refuse the same bytes once more: no camera films the same twice.

        The time stamps cannot tell where the playlist says that they begin anew.
        """
        if (spool.measure.seconds or 0.0) < _A_SECOND:
            return
        if spool.measure.digest in self._seen:
            msg = "the service sends the same segment twice, in the place of another"
            raise ShortReadError(msg, received=self.place.timeline.seconds)
        self._seen.add(spool.measure.digest)

    def _next(self) -> tuple[Segment, Spool] | None:
        if self._url is None:
            self._load_first() if self.place.last is None else self._reload()
        while (segment := self._known.get(self._number)) is None:
            if self._is_complete():
                self._check_content()
                return None
            self._wait_for_more()
        believe = not self.place.timeline.exaggerated
        return segment, self._retried(
            lambda: self._loader.segment(segment, self._current, believe=believe)
        )

    # -- addresses

    def _with_new_address(self, work: Callable[[], _T]) -> _T:
        """Do *work*; the first refusal since the last segment is answered by a new address."""
        while True:
            try:
                return work()
            except AddressExpiredError as error:
                status = error.status
            if self._renewed_at == self.place.segments:
                raise _refused(status)
            _logger.debug("HTTP %d: asking for a new address", status)
            self._renewed_at = self.place.segments
            self._play = self._url = None

    @property
    def _current(self) -> PlaySource:
        if self._play is None:
            self._play = self._source(self._stop)
            self._stop.check()
        return self._play

    @property
    def _known(self) -> Playlist:
        assert self._playlist is not None  # noqa: S101 - begin() comes first
        return self._playlist

    def _retried(self, work: Callable[[], _T]) -> _T:
        return _retry.call(self._policy, work, cancel=self._stop, sleep=pause)

    # -- playlists

    def _load(self) -> Playlist:
        """Fetch the playlist; behind a playlist of playlists, the best one."""
        url = self._url or self._current.url
        found = self._retried(lambda: self._read(url))
        if isinstance(found, Master):
            url = found.best
            found = self._retried(lambda: self._read(url))
        if isinstance(found, Master):
            msg = "the playlist only leads to further playlists of playlists"
            raise ProtocolError(msg)
        self._url = url
        return found

    def _read(self, url: Secret) -> Master | Playlist:
        """Read a playlist; what it names lies beside where it came from, redirects included."""
        body, url = self._loader.document(url, self._current)
        return read_playlist(body, url, self._allowed)

    def _reload(self) -> None:
        """Fetch the playlist again; it must still lead to the same segment."""
        renewed, last = self._url is None, self.place.last
        playlist = self._load()
        if playlist.first > self._number:
            msg = "the service has dropped a part of the recording that was not fetched yet"
            raise ShortReadError(msg, received=self.place.segments)
        lost = renewed and last is not None and playlist.get(self._number - 1) is None
        if lost or not playlist.continues(self._known):
            msg = "under its new address the recording is cut into other segments"
            raise ShortReadError(msg, received=self.place.segments)
        if self.place.segments + len(playlist.segments) > 2 * MOST_SEGMENTS:
            msg = "the playlist grows without end"
            raise ProtocolError(msg)
        self._playlist = playlist

    def _is_complete(self) -> bool:
        """Whether the playlist says that it is complete, or all that was announced is there.

        The latter by the playlist, and by the time stamps as far as that is exact.
        """
        announced, place = self._seconds, self.place
        if self._known.ended or announced is None:
            return self._known.ended
        return place.seconds >= announced and place.timeline.is_enough(announced)

    def _wait_for_more(self) -> None:
        """Look again after a while.

        Raises:
            ShortReadError: Nothing has come for long, and more was announced.
        """
        if self._waits >= _MOST_WAITS:
            self._check_stopped()
            self._playlist = attrs.evolve(self._known, ended=True)
            return
        self._waits += 1
        pause(min(max(self._known.target, _SHORTEST_WAIT), _LONGEST_WAIT), self._stop)
        self._reload()

    def _check_content(self) -> None:
        """Compare what has come with what was announced, whatever the playlist says of itself.

        A recording that is still being written has an end in the future: nothing to compare.
        """
        if not self.place.segments:
            msg = "the playlist names no footage at all"
            raise ShortReadError(msg, expected=self._seconds, received=0)
        if self._seconds is not None and not self._in_progress:
            self.place.timeline.check_end(self._seconds)

    def _check_stopped(self) -> None:
        announced, timeline = self._seconds, self.place.timeline
        if announced is None or not timeline.is_enough(announced):
            msg = "the recording stopped growing before its end"
            raise ShortReadError(msg, expected=announced, received=timeline.seconds)


def _refused(status: int) -> CamsyncError:
    msg = "the media server refuses the recording, also under a new address"
    if status in _GONE:
        msg = "the media server has no such recording, also under a new address"
        return RecordingNotFoundError(msg, http_status=status, next_step="search again")
    step = "try again later; check in the vendor's app that the recording can be played"
    return PermissionDeniedError(msg, http_status=status, next_step=step)
