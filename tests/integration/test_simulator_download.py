"""Downloads from the simulator: whole files, the verbs, and everything that goes wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import io
import re
import socket
import threading
import time

from xml.sax.saxutils import escape

import av
import pytest
import requests

from camsync.testing import SimulatedRecording


UTC = dt.timezone.utc
NOON = dt.datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)


def _uri(client, recording: SimulatedRecording) -> str:
    device = client.sim._device
    return device.playback_uri(recording, device.wire())


def _request(uri: str) -> str:
    return (
        f'<downloadRequest version="1.0"><playbackURI>{escape(uri)}</playbackURI></downloadRequest>'
    )


def _fetch(client, recording=None, *, uri: str | None = None, **options):
    recording = recording or client.sim.recordings(1)[0]
    body = _request(uri or _uri(client, recording))
    return client.ask("ContentMgmt/download", body, **options)


def _refused(reply: requests.Response) -> tuple[int, str]:
    match = re.search(r"<subStatusCode>(\w+)<", reply.text)
    return reply.status_code, match[1] if match else ""


def _small(connect, **options):
    """A device with two short channels; its clock stands at noon."""
    settings = {"channels": 2, "hours": 0.01, "segment_seconds": 6, "clock": lambda: NOON}
    return connect(**{**settings, **options})


def _raw(client, recording: SimulatedRecording | None = None) -> tuple[bytes, bytes, bool]:
    """Download over a bare socket; return head, body, and whether the device closed.

    A device that falls silent for a quarter of a second counts as hanging.
    """
    client.ask("System/deviceInfo")
    probe = requests.Request("POST", f"{client.sim.url}/ISAPI/ContentMgmt/download")
    prepared = client.session.prepare_request(probe)
    auth = client.session.auth.build_digest_header("POST", prepared.url)
    body = _request(_uri(client, recording or client.sim.recordings(1)[0])).encode()
    data, closed = bytearray(), False
    with socket.create_connection((client.sim.host, client.sim.port), timeout=5) as sock:
        sock.sendall(
            b"POST /ISAPI/ContentMgmt/download HTTP/1.1\r\nHost: x\r\nAuthorization: "
            + f"{auth}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        sock.settimeout(0.25)
        with contextlib.suppress(TimeoutError):
            while chunk := sock.recv(2**16):
                data += chunk
            closed = True
    head, _, rest = bytes(data).partition(b"\r\n\r\n")
    return head, rest, closed


def _length(head: bytes) -> int | None:
    match = re.search(rb"Content-Length: (\d+)", head)
    return int(match[1]) if match else None


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_download_is_the_whole_file(connect, codec):
    """Opaque/data with IMKH in front, as announced, as long as announced, and playable."""
    client = _small(connect, codec=codec)
    recording = client.sim.recordings(1)[0]
    reply = _fetch(client, recording)
    assert (200, "Opaque/data") == (reply.status_code, reply.headers["Content-Type"])
    assert recording.size == len(reply.content) == int(reply.headers["Content-Length"])
    assert b"".join(client.sim.content(recording)) == reply.content
    assert recording.size == client.sim.bytes_sent
    with av.open(io.BytesIO(reply.content)) as container:
        video = container.streams.video[0]
        seconds = (recording.end - recording.start).total_seconds()
        assert seconds == pytest.approx(float(video.duration * video.time_base))
    assert codec == recording.codec


def test_range_is_ignored(connect):
    """Accept-Ranges is on every answer, and yet a part is never sent."""
    client = _small(connect)
    reply = _fetch(client, headers={"Range": "bytes=1000-"})
    assert (200, "bytes") == (reply.status_code, reply.headers["Accept-Ranges"])
    assert client.sim.recordings(1)[0].size == len(reply.content)


@pytest.mark.parametrize(
    ("model", "get", "post"),
    [("DS-7616NI-K2", 403, 200), ("DS-2CD2185FWD-I", 200, 403), ("DS-9632NI-M8", 200, 200)],
)
def test_the_verbs(connect, model, get, post):
    """POST on most recorders, GET with a body on cameras, both on a DS-9632NI-M8."""
    client = _small(connect, model=model, hours=1)
    statuses = [_fetch(client, method=verb).status_code for verb in ("GET", "POST")]
    assert [get, post] == statuses
    refused = [verb for verb, status in (("GET", get), ("POST", post)) if status == 403]
    assert all((403, "methodNotAllowed") == _refused(_fetch(client, method=v)) for v in refused)


def test_a_v5_recorder_sends_the_envelope(connect):
    """DS-9632NI-M8: the first pack stands at 64."""
    assert 64 == _fetch(_small(connect, model="DS-9632NI-M8")).content.index(b"\0\0\1\xba")


def test_only_what_the_device_issued_is_served(connect):
    """Wrong names, starts, tracks and shapes; host, port and percent signs do not matter."""
    client = _small(connect)
    uri = _uri(client, client.sim.recordings(1)[0])
    start = re.search(r"starttime=(\w+)", uri)[1]
    for old, new in (
        ("name=", "name=9"),
        (f"starttime={start}", "starttime=20200101T000000Z"),
        (f"starttime={start}", "starttime=never"),
        ("tracks/101", "tracks/201"),
        ("&name=", "&title="),
    ):
        assert (403, "noRecord") == _refused(_fetch(client, uri=uri.replace(old, new)))
    for old, new in (("tracks", "files"), ("starttime", "begin")):
        assert (400, "badParameters") == _refused(_fetch(client, uri=uri.replace(old, new)))
    day = f"{start[:4]}-{start[4:6]}-{start[6:8]}"
    spaced = f"{day}%20{start[9:11]}:{start[11:13]}:{start[13:]}"
    for old, new in (("127.0.0.1", "10.0.0.1:90"), (start, spaced)):
        assert 200 == _fetch(client, uri=uri.replace(old, new)).status_code
    empty = client.ask("ContentMgmt/download", "<downloadRequest/>")
    assert (400, "badXmlContent") == _refused(empty)


def test_std_uris_work_too(connect):
    """A URI that was found with timeType=STD is the device's own."""
    zone = "CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00"
    client = _small(connect, model="DS-7616NXI-K2", timezone=zone)
    recording, device = client.sim.recordings(1)[0], client.sim._device
    uris = {device.playback_uri(recording, device.wire(std=std)) for std in (False, True)}
    assert 2 == len(uris)
    assert {200} == {_fetch(client, uri=uri).status_code for uri in uris}


def test_a_window_without_a_name(connect):
    """DS-9632NI-M8 serves a window of time; others refuse it."""
    client = connect(model="DS-9632NI-M8", channels=1, hours=1, clock=lambda: NOON)
    window = "rtsp://x/Streaming/tracks/{}/?starttime={}&endtime={}"
    good = window.format(101, "20260701T193000Z", "20260701T193200Z")
    reply = _fetch(client, uri=good)
    with av.open(io.BytesIO(reply.content)) as container:
        assert 120 * 25 == sum(1 for packet in container.demux(video=0) if packet.size)
    for track, begin, end in (
        (901, "20260701T193000Z", "20260701T193200Z"),
        (101, "20200701T193000Z", "20200701T193200Z"),
    ):
        assert (403, "noRecord") == _refused(_fetch(client, uri=window.format(track, begin, end)))
    broken = window.format(101, "20260701T193000Z", "soon")
    assert (400, "badParameters") == _refused(_fetch(client, uri=broken))
    assert (403, "noRecord") == _refused(_fetch(_small(connect), uri=good))


def test_the_file_being_written_is_as_long_as_it_is(connect):
    """What comes is what was recorded so far."""
    client = connect(channels=1, hours=0.01, clock=lambda: NOON)
    recording = client.sim.recordings(1)[-1]
    assert recording.in_progress
    reply = _fetch(client, recording)
    assert recording.size == len(reply.content)
    with av.open(io.BytesIO(reply.content)) as container:
        seconds = (NOON - recording.start).total_seconds()
        assert seconds * 25 == sum(1 for packet in container.demux(video=0) if packet.size)


# -- How much at the same time -------------------------------------------------------------------


def test_one_download_at_a_time(connect):
    """A second one gives 503 deviceBusy, and works when the first one is gone."""
    client = _small(connect, faults=["hang-in-middle"])
    with _fetch(client, stream=True) as first:
        assert 200 == first.status_code
        assert 1 == client.sim.downloads_active
        assert (503, "deviceBusy") == _refused(_fetch(client))
    client.sim.disable("hang-in-middle")
    assert 200 == _fetch(client).status_code
    assert 0 == client.sim.downloads_active


def test_more_downloads_if_wanted(connect):
    """max_downloads overrides the personality."""
    client = _small(connect, max_downloads=2, faults=["hang-in-middle"])
    with _fetch(client, stream=True) as one, _fetch(client, stream=True) as two:
        assert [200, 200] == [one.status_code, two.status_code]
        assert 2 == client.sim.downloads_active


def test_one_after_the_other_is_never_busy(connect):
    """The place is free when the last byte has arrived."""
    client = _small(connect)
    assert {200} == {_fetch(client).status_code for _ in range(30)}


@pytest.mark.parametrize("limit", ["bandwidth", "total_bandwidth"])
def test_bandwidth(connect, limit):
    """A file of 60 kB at 200 kB/s takes about a quarter of a second."""
    client = _small(connect, **{limit: 200_000})
    began = time.monotonic()
    size = len(_fetch(client).content)
    assert size / 200_000 - 0.15 < time.monotonic() - began < 5


def test_large_files_are_fast_and_padded(connect):
    """A hundred megabytes come in a moment, with the size that the URI announces."""
    client = connect(bitrate=16_000_000, hours=0.1, segment_seconds=50, channels=1)
    recording = client.sim.recordings(1)[0]
    assert recording.size > 95_000_000
    with _fetch(client, recording, stream=True) as reply:
        assert recording.size == sum(len(part) for part in reply.iter_content(2**20))


# -- Faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "announced", "sent", "closes"),
    [
        ((), 1, 1, False),
        (("length-missing",), None, 1, True),
        (("length-zero",), 0, 1, True),
        (("length-short",), 0.75, 1, True),
        (("length-long",), 1.25, 1, True),
        (("hang-at-start",), 1, 0, False),
        (("hang-in-middle",), 1, 0.5, False),
        (("hang-at-end",), 1, 1, False),
        (("hang-at-end", "length-missing"), None, 1, False),
        (("hang-at-end", "length-zero"), 0, 1, False),
        (("drop-after-headers",), 1, 0, True),
        (("drop-in-middle",), 1, 0.5, True),
        (("drop-in-middle", "length-missing"), None, 0.5, True),
        (("send-nothing",), None, 0, True),
    ],
)
def test_lengths_and_courses(connect, faults, announced, sent, closes):
    """What Content-Length says, how much comes, and whether the connection closes."""
    client = _small(connect, faults=faults)
    size = client.sim.recordings(1)[0].size
    head, body, closed = _raw(client)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert (None if announced is None else int(size * announced)) == _length(head)
    assert (int(size * sent), closes) == (len(body), closed)
    assert dict.fromkeys(faults, 1) == client.sim.fault_hits


@pytest.mark.parametrize(
    ("fault", "expected", "retry_after"),
    [
        ("busy-503", (503, "deviceBusy"), None),
        ("busy-503-retry-after", (503, "deviceBusy"), "1"),
        ("busy-403", (403, "deviceBusy"), None),
        ("error-500", (500, "deviceError"), None),
        ("xml-error-200", (200, "deviceError"), None),
    ],
)
def test_refusals(connect, fault, expected, retry_after):
    """Busy and broken devices, once; then the download works."""
    client = _small(connect)
    client.sim.enable(fault, times=1)
    reply = _fetch(client)
    assert expected == _refused(reply)
    assert retry_after == reply.headers.get("Retry-After")
    assert "Opaque/data" == _fetch(client).headers["Content-Type"]
    assert {} == client.sim.faults


def test_other_bytes(connect):
    """Garbage, a clean short file, an envelope, and a stream without a map."""
    client = _small(connect)
    size = client.sim.recordings(1)[0].size
    bodies = {}
    for fault in ("garbage-body", "truncate-file", "envelope-64", "no-stream-map"):
        client.sim.enable(fault, times=1)
        reply = _fetch(client)
        bodies[fault] = reply.content
        assert int(reply.headers["Content-Length"]) == len(reply.content)
    assert size == len(bodies["garbage-body"])
    assert b"\0\0\1\xba" not in bodies["garbage-body"][:4096]
    with av.open(io.BytesIO(bodies["truncate-file"])) as container:
        assert 75 == sum(1 for packet in container.demux(video=0) if packet.size)
    assert (24, 64) == tuple(map(bodies["envelope-64"].index, (b"IMKH", b"\0\0\1\xba")))
    assert b"\0\0\1\xbc" not in bodies["no-stream-map"]


def test_a_slow_drip_ends_with_the_simulator(connect):
    """Half a kilobyte at a time; stopping does not wait for the rest."""
    client = _small(connect, faults=["slow-drip"])
    with _fetch(client, stream=True) as reply:
        assert 512 == len(next(reply.iter_content(512)))
        began = time.monotonic()
        client.sim.stop()
        assert time.monotonic() - began < 2


# -- The end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["hang-at-start", "hang-in-middle", "hang-at-end"])
@pytest.mark.parametrize("tls", [False, True])
def test_stop_breaks_hanging_downloads(connect, fault, tls):
    """Clients that wait are cut off within a moment, and no thread is left."""
    client = _small(connect, faults=[fault, "length-long"], tls=tls)
    client.session.verify = False
    with (
        pytest.warns(match="Unverified") if tls else contextlib.nullcontext(),
        _fetch(client, stream=True) as reply,
    ):
        began = time.monotonic()
        client.sim.stop()
        assert time.monotonic() - began < 2
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            _ = reply.content
    names = [thread.name for thread in threading.enumerate()]
    assert "recorder-simulator" not in names
    assert 0 == client.sim.downloads_active


def test_stop_ends_a_throttled_download(connect):
    """A download that would take an hour ends with the simulator."""
    client = _small(connect, bandwidth=20)
    with _fetch(client, stream=True) as reply:
        began = time.monotonic()
        client.sim.stop()
        assert time.monotonic() - began < 2
        assert reply.status_code == 200


def test_a_client_that_goes_away_frees_its_place(connect):
    """The device notices, also while it hangs."""
    client = _small(connect, faults=["hang-at-end"])
    for _ in range(3):
        connection = http.client.HTTPConnection(client.sim.host, client.sim.port, timeout=5)
        with contextlib.closing(connection):
            client.ask("System/deviceInfo")
            header = client.session.auth.build_digest_header(
                "POST", f"{client.sim.url}/ISAPI/ContentMgmt/download"
            )
            uri = _uri(client, client.sim.recordings(1)[0])
            connection.request(
                "POST", "/ISAPI/ContentMgmt/download", _request(uri), {"Authorization": header}
            )
            assert 200 == connection.getresponse().status
