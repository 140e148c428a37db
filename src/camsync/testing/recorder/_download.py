"""``ContentMgmt/download``: whole files, by the name and start of a URI that search gave."""

from __future__ import annotations

import datetime as dt
import random
import re

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

import attrs

from camsync._time import WireTime
from camsync.errors import ProtocolError

from ._device import Device
from ._media import FRAME_RATE, ProgramStream
from ._replies import (
    BAD_CONTENT,
    BAD_PARAMETERS,
    BUSY,
    DEVICE_ERROR,
    NO_RECORD,
    WRONG_METHOD,
    Delivery,
    Refusal,
    Reply,
    Request,
    error_reply,
)
from ._search import read_xml, refuse_decoration, texts
from ._timeline import SimulatedRecording


_TRACK: Final = re.compile(r".*/tracks/(\d+)/?", re.ASCII | re.IGNORECASE)
_CLOCK_RUNS: Final = 36_000
"""Seconds after which the clock of simulated streams begins anew."""


def media_of(device: Device, recording: SimulatedRecording) -> ProgramStream:
    """Return the bytes of a file, as far as it is written.

    The clock in it runs on from file to file: so no two of a day are the same.
    """
    end = min(recording.end, device.clock())
    seconds = (end - recording.start) // dt.timedelta(seconds=1)
    begins = (int(recording.start.timestamp()) + 61 * recording.track) % _CLOCK_RUNS
    return attrs.evolve(device.timeline.plan.media(recording.codec, seconds), begins=begins)


def answer(device: Device, request: Request) -> Reply:
    """Answer one request.

    Raises:
        Refusal: The device does not like it.
    """
    if request.method not in device.who.verbs:
        raise Refusal(WRONG_METHOD)
    busy = _busy(device, request)
    if busy is not None:
        return busy
    media = _media(device, _uri(device, request))
    if not device.downloads.take():
        raise Refusal(BUSY)
    return Reply(content_type="Opaque/data", delivery=_delivery(device, media))


def _busy(device: Device, request: Request) -> Reply | None:
    """Return the reply of a fault that keeps the download from beginning, if one is on."""
    fault = device.faults.first(
        "busy-503", "busy-503-retry-after", "busy-403", "error-500", "xml-error-200"
    )
    if fault is None:
        return None
    failed = fault in ("error-500", "xml-error-200")
    reply = error_reply(
        device.who,
        request.path,
        DEVICE_ERROR if failed else BUSY,
        status={"busy-403": 403, "xml-error-200": 200}.get(fault),
    )
    if fault == "busy-503-retry-after":
        return attrs.evolve(reply, headers=(("Retry-After", "1"),))
    return reply


def _uri(device: Device, request: Request) -> str:
    root = read_xml(request.body)
    refuse_decoration(device, request.body, root)
    found = texts(root, "playbackURI")
    if not found:
        raise Refusal(BAD_CONTENT)
    return found[0]


def _media(device: Device, uri: str) -> ProgramStream:
    parts = urlsplit(uri)
    match = _TRACK.fullmatch(parts.path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if match is None or "starttime" not in query:
        raise Refusal(BAD_PARAMETERS)
    track = int(match[1])
    if "name" not in query and device.who.by_window:
        return _by_window(device, track, query)
    found = device.timeline.named(track, query.get("name", ""), device.clock())
    if found is None or not _starts(device, found, query["starttime"]):
        raise Refusal(NO_RECORD)
    return media_of(device, found)


def _starts(device: Device, recording: SimulatedRecording, text: str) -> bool:
    """Whether *text* is the start as search wrote it, with or without ``timeType=STD``."""
    try:
        wall = WireTime.parse(text).wall
    except ProtocolError:
        return False
    return wall in {device.wire(std=std).write(recording.start) for std in (False, True)}


def _by_window(device: Device, track_id: int, query: dict[str, str]) -> ProgramStream:
    """Return what a window of time holds; gaps in it are left out."""
    track, wire, now = device.timeline.track(track_id), device.wire(), device.clock()
    try:
        begin, until = wire.read(query["starttime"]), wire.read(query.get("endtime", ""))
    except ProtocolError as error:
        raise Refusal(BAD_PARAMETERS) from error
    files = [] if track is None else device.timeline.search((track_id,), now, begin, until)[:]
    seconds = 0
    for item in files:
        begin = max(begin, item.start)
        end = min(until, item.end, now)
        seconds += max((end - begin) // dt.timedelta(seconds=1), 0)
        begin = max(begin, end)
    if track is None or not seconds:
        raise Refusal(NO_RECORD)
    return device.timeline.plan.media(track.channel.codec, seconds)


# -- How it is sent ------------------------------------------------------------------------------


def _delivery(device: Device, media: ProgramStream) -> Delivery:
    take = device.faults.take
    if take("envelope-64"):
        media = attrs.evolve(media, header="envelope")
    if take("no-stream-map"):
        media = attrs.evolve(media, with_map=False)
    if take("truncate-file"):
        media = attrs.evolve(media, frames=media.frames // 2 // FRAME_RATE * FRAME_RATE)
    size = media.size
    garbage = take("garbage-body")
    limit, ending = _course(device, size)
    announced, ending = _length(device, size, ending)
    return Delivery(
        chunks=_garbage(size) if garbage else media,
        announced=announced,
        limit=limit,
        ending=ending,
        drip=take("slow-drip"),
        finished=device.downloads.give_back,
    )


def _course(device: Device, size: int) -> tuple[int | None, str]:
    fault = device.faults.first(
        "hang-at-start",
        "hang-in-middle",
        "hang-at-end",
        "drop-after-headers",
        "drop-in-middle",
        "send-nothing",
    )
    return {
        None: (None, "keep"),
        "hang-at-start": (0, "hang"),
        "hang-in-middle": (size // 2, "hang"),
        "hang-at-end": (None, "hang"),
        "drop-after-headers": (0, "close"),
        "drop-in-middle": (size // 2, "close"),
        "send-nothing": (0, "nothing"),
    }[fault]


def _length(device: Device, size: int, ending: str) -> tuple[int | None, str]:
    """Return what Content-Length says; a connection with a wrong one cannot be kept."""
    if ending == "nothing":
        return None, "close"
    fault = device.faults.first("length-missing", "length-zero", "length-short", "length-long")
    if fault is None:
        return size, ending
    announced = {
        "length-missing": None,
        "length-zero": 0,
        "length-short": size * 3 // 4,
        "length-long": size * 5 // 4,
    }[fault]
    return announced, "hang" if ending == "hang" else "close"


def _garbage(size: int) -> Iterator[bytes]:
    piece = random.Random(0).randbytes(2**18)
    for at in range(0, size, len(piece)):
        yield piece[: size - at]


def limited(chunks: Iterable[bytes], limit: int | None) -> Iterator[bytes]:
    """Yield *chunks* up to *limit* bytes."""
    left = limit
    for chunk in chunks:
        if left is None:
            yield chunk
            continue
        if left <= 0:
            return
        yield chunk[:left]
        left -= len(chunk)


def pieces(chunks: Iterable[bytes], size: int | None) -> Iterator[memoryview]:
    """Cut *chunks* into pieces of at most *size* bytes."""
    for chunk in chunks:
        view = memoryview(chunk)
        step = size or len(view) or 1
        yield from (view[at : at + step] for at in range(0, len(view), step))
