"""Footage from HLS as a `camsync.provider.ByteStream`: every segment once, in order.

One thread fetches a little ahead over one connection that is kept; the reader gets whole segments
that have been checked. What is missing is an error, never a shorter recording.
"""

from __future__ import annotations

import collections
import contextlib
import threading

from collections.abc import Callable, Iterator

from ..._cancel import BreakOff, CancelToken
from ..._retry import RetryPolicy
from ._feed import Bookmark, Feed, Source
from ._playlist import Allowed
from ._segments import Getter, Loader, Stop
from ._spool import Spool


POLICY = RetryPolicy(attempts=3, initial=0.5, maximum=5.0)
"""For one playlist, one key or one segment; the download engine has a policy of its own."""

MOST_SPOOLS = 3
"""Segments in memory at once: the one that is read, and two ahead."""

_FAREWELL = 5.0
"""Seconds for the fetching thread to notice that it is over; it may be asking for an address."""

_POLL = 0.2


@contextlib.contextmanager
def open_hls(
    source: Source,
    web: Getter,
    *,
    cancel: CancelToken | None = None,
    count: Callable[[int], object] = lambda _: None,
    check: Callable[[], int | None] = lambda: None,
    offset_segments: int = 0,
    resume: Bookmark | None = None,
    seconds: float | None = None,
    in_progress: bool = False,
    allowed: Allowed | None = None,
    policy: RetryPolicy = POLICY,
) -> Iterator[HlsStream]:
    """Open the footage behind a playlist.

    The playlist is fetched before the block begins; everything else in a thread that ends with it.

    Args:
        source: Asks for an address; once at the begin, and once whenever the last one expires. It
            is given a token that is set when nobody waits for the address any more.
        web: The transport. It refuses peers in private networks.
        cancel: Ends every wait.
        count: Is told of all bytes as they come, from either thread. What it raises, `readinto`
            raises.
        check: Is asked before each request, and while bytes come: how many more may come, None for
            no limit. It raises when none may.
        offset_segments: Leave out so many segments. The stream's offset counts from there.
        resume: Go on at a `HlsStream.bookmark` of an earlier stream. If the playlist does not
            prove to be the same, the stream begins at the begin: its ``offset`` says so.
        seconds: The announced length. Less is an error, whatever the playlist says; one that never
            says that it is complete is so when all of that is there.
        in_progress: Whether the recording is still being written, so that its end is not known.
        allowed: Whether media may come from a host; None for every public one.
        policy: How often to try one thing again.

    Raises:
        CancelledError: *cancel* was set.
        PermissionDeniedError: The server refuses, also under a new address.
        RecordingNotFoundError: There is nothing, also under a new address.
        ShortReadError: A part of the recording is missing. (From `readinto`, most often.)
        DownloadUnsupportedError: The playlist needs what camsync does not do.
        CamsyncError: Whatever else the cloud or the media server says.
    """
    stop = Stop(cancel)
    feed = Feed(
        source,
        Loader(web, stop, count, check),
        stop,
        policy=policy,
        start=resume or Bookmark.skipping(offset_segments),
        seconds=seconds,
        in_progress=in_progress,
        allowed=allowed,
    )
    with BreakOff(cancel, stop.set):
        feed.begin()
    stream = HlsStream(feed, stop)
    try:
        yield stream
    finally:
        stream.close()


class HlsStream:
    """The open footage of one recording (a `camsync.provider.ByteStream`)."""

    container = "mpeg-ts"
    size: int | None = None

    def __init__(self, feed: Feed, stop: Stop) -> None:
        self.offset = feed.place.bytes
        self.bookmark = feed.place
        """The last border between two segments that was handed out."""
        self.finished = False
        """Whether the recording was read to its end."""
        self._feed = feed
        self._stop = stop
        self._changed = threading.Condition()
        self._ready: collections.deque[tuple[Bookmark, Spool]] = collections.deque()
        self._held = 0
        self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="camsync-hls", daemon=True)
        self._thread.start()

    # -- the fetching thread

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            while self._take_room():
                found = self._feed.fetch()
                if found is None:
                    break
                self._hand_over(*found)
        except BaseException as caught:  # noqa: BLE001 - it is raised where somebody can see it
            error = caught
        with self._changed:
            self._error, self._over = error, True
            self._changed.notify_all()

    def _take_room(self) -> bool:
        """Wait until one more segment may be held; return False when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._held < MOST_SPOOLS or self._stop.is_set())
            self._held += 1
            return not self._stop.is_set()

    def _hand_over(self, place: Bookmark, spool: Spool) -> None:
        with self._changed:
            if self._stop.is_set():
                spool.close()
                return
            self._ready.append((place, spool))
            self._changed.notify_all()

    # -- the reader

    def readinto(self, buffer: memoryview) -> int:
        """Fill *buffer*; see `camsync.provider.ByteStream.readinto`."""
        while self._wait():
            place, spool = self._ready[0]
            got = spool.readinto(buffer)
            if got:
                return got
            self.bookmark = place
            self._drop()
        self.finished = True
        return 0

    def _wait(self) -> bool:
        """Wait for a segment; return False at the end of the recording."""
        with self._changed:
            while not (self._ready or self._over or self._stop.is_set()):
                self._changed.wait(_POLL)
            self._stop.check()
            if self._ready:
                return True
            if self._error is not None:
                raise self._error
            return False

    def _drop(self) -> None:
        with self._changed:
            _, spool = self._ready.popleft()
            self._held -= 1
            self._changed.notify_all()
        spool.close()

    def abort(self) -> None:
        """Break off from any thread; a blocked `readinto` raises at once."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Break off, and forget what was not read."""
        self.abort()
        self._thread.join(_FAREWELL)
        while self._ready:
            self._drop()

    def __repr__(self) -> str:
        return f"<HlsStream {self.bookmark.segments} segments>"
