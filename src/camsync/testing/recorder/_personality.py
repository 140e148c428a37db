"""How one recorder or camera behaves: every knob in which firmwares differ.

Each ready-made personality in `PERSONALITIES` follows one device whose answers are known from
captures, field reports or both; the reference page of the simulator says which. Take one and
change it with `attrs.evolve` to build a device that nobody has seen yet.
"""

from __future__ import annotations

import datetime as dt

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from camsync.errors import ConfigurationError


HIKVISION: Final = "http://www.hikvision.com/ver20/XMLSchema"
ISAPI: Final = "http://www.isapi.org/ver20/XMLSchema"


@attrs.frozen(kw_only=True)
class Personality:
    """The behaviour of one device with one firmware.

    Attributes:
        model: As ``System/deviceInfo`` says it.
        firmware: For example ``V4.74.210``.
        build: The firmware's build, as the device writes it.
        kind: ``nvr`` (IP channels), ``dvr`` (inputs, then IP channels) or ``ipc`` (a camera).
        device_type: What ``deviceType`` claims; not always the truth (DS-7708N-I4 says DVR).
        device_name: The name of the device.
        namespace: XML namespace of the root elements, or None.
        version: The ``version`` attribute of the root elements.
        slots: ``RacmCap/inputProxyNums``, the inputs of a hybrid recorder included.
        inputs: Analog inputs of a hybrid recorder, or lenses of a camera.
        silent_inputs: Inputs with ``NO VIDEO``; they have no recordings.
        sparse: Whether channel numbers have holes.
        details: Whether IP channels are listed with model, serial number and firmware.
        transcoded: Whether ``Streaming/channels`` lists a transcoded stream (x04).
        sub_stream: Whether the sub stream is recorded too (track x02).
        ignores_case: Whether paths may be written in any case.
        guid: Whether a searchID that is no GUID gives 400 ``badXmlContent``.
        list_tags: The elements that may hold the track ids; another one is ignored, and with no
            list at all the device searches track 101.
        bare: Whether ``xmlns`` and the XML declaration in a request give 400.
        misspelt_only: Whether the correctly spelled position gives 400 (else it is ignored).
        pages: Whether a changed searchID starts again at page one.
        page_cap: Items on a page at most.
        total_cap: Matches that are counted and delivered at most, or None.
        total_matches: Whether ``totalMatches`` is there beside ``numOfMatches``.
        item_names: Whether items have ``lockStatus`` and ``name``.
        bad_track: ``400`` or ``ignore``: what a track that does not exist gives.
        empty: ``bare`` (no matchList), ``blank`` (an empty one) or ``403``: a search without hits.
        widest: The widest window; beyond it the answer is 500 ``deviceError``. None: no limit.
        searches: Searches at the same time; beyond it 503.
        verbs: The methods that ``ContentMgmt/download`` takes.
        by_window: Whether a playbackURI without a name is served by its times.
        downloads: Downloads at the same time; beyond it 503 ``deviceBusy``.
        header: ``imkh`` or ``envelope``: what stands before the program stream.
        z_means: ``local`` or ``utc``: what ``Z`` means in search.
        std_time: Whether ``?timeType=STD`` switches search to UTC (one hour off in summer).
        standard_suffix: Whether ``localTime`` shows the standard offset even in summer.
        uri_port: Whether playback URIs carry the HTTP port.
        nested_every: Every so many files one has a second, nested file inside. None: never.
        preallocated: How far in the future the file being written claims to end; None: it ends now.
        basic: Whether Basic is accepted besides Digest.
        challenge: ``nvr`` or ``camera``: the order and set of fields in the Digest challenge.
        nonce_uses: Requests that one nonce is good for, or None.
        nonce_seconds: How long a nonce is good for.
        server: The ``Server`` header, or None.
    """

    model: str
    firmware: str
    build: str = "build 240108"
    kind: str = attrs.field(default="nvr", validator=attrs.validators.in_(("nvr", "dvr", "ipc")))
    device_type: str = "NVR"
    device_name: str = "Network Video Recorder"
    namespace: str | None = HIKVISION
    version: str = "1.0"
    slots: int = 16
    inputs: int = 0
    silent_inputs: tuple[int, ...] = ()
    sparse: bool = False
    details: bool = True
    transcoded: bool = False
    sub_stream: bool = False
    ignores_case: bool = False
    guid: bool = True
    list_tags: frozenset[str] = frozenset({"trackList", "trackIDList"})
    bare: bool = False
    misspelt_only: bool = False
    pages: bool = True
    page_cap: int = attrs.field(default=40, validator=attrs.validators.ge(1))
    total_cap: int | None = None
    total_matches: bool = False
    item_names: bool = True
    bad_track: str = attrs.field(default="400", validator=attrs.validators.in_(("400", "ignore")))
    empty: str = attrs.field(
        default="bare", validator=attrs.validators.in_(("bare", "blank", "403"))
    )
    widest: dt.timedelta | None = None
    searches: int = 1
    verbs: frozenset[str] = frozenset({"POST"})
    by_window: bool = False
    downloads: int = 1
    header: str = attrs.field(default="imkh", validator=attrs.validators.in_(("imkh", "envelope")))
    z_means: str = attrs.field(default="local", validator=attrs.validators.in_(("local", "utc")))
    std_time: bool = False
    standard_suffix: bool = False
    uri_port: bool = False
    nested_every: int | None = None
    preallocated: dt.timedelta | None = dt.timedelta(minutes=20)
    basic: bool = False
    challenge: str = attrs.field(default="nvr", validator=attrs.validators.in_(("nvr", "camera")))
    nonce_uses: int | None = None
    nonce_seconds: float = 3_600.0
    server: str | None = None

    @property
    def is_camera(self) -> bool:
        """Whether this is a camera, which has its own style in nearly everything."""
        return self.kind == "ipc"


_EITHER: Final = frozenset({"GET", "POST"})
_CAMERA: Final = Personality(
    model="DS-2CD2185FWD-I",
    firmware="V5.6.3",
    build="build 190923",
    kind="ipc",
    device_type="IPCamera",
    device_name="IP CAMERA",
    version="2.0",
    slots=0,
    inputs=1,
    ignores_case=True,
    guid=False,
    pages=False,
    page_cap=50,
    verbs=frozenset({"GET"}),
    z_means="utc",
    preallocated=None,
    challenge="camera",
    server="App-webs/",
)
_V461: Final = Personality(
    model="DS-8632N-I8",
    firmware="V4.61.030",
    build="build 240123",
    namespace=ISAPI,
    version="2.0",
    slots=32,
    total_cap=4_000,
    widest=dt.timedelta(days=31),
    nested_every=8,
)
_V484: Final = Personality(
    model="DS-7804N-R2",
    firmware="V4.84.031",
    build="build 251210",
    namespace=ISAPI,
    slots=4,
    page_cap=30,
    total_matches=True,
    item_names=False,
    bad_track="ignore",
)

_TABLE: Final = (
    Personality(model="DS-7616NI-K2", firmware="V4.74.210", device_name="NVR"),
    Personality(
        model="DS-7616NI-E2",
        firmware="V3.4.106",
        build="build 200218",
        details=False,
        verbs=_EITHER,
    ),
    Personality(
        model="DS-7708N-I4",
        firmware="V4.1.18",
        build="build 180313",
        device_type="DVR",
        slots=8,
        details=False,
        guid=False,
    ),
    Personality(
        model="DS-7608NI-K2",
        firmware="V4.40.015",
        build="build 210630",
        namespace=ISAPI,
        version="2.0",
        slots=8,
        basic=True,
    ),
    Personality(
        model="DS-N308",
        firmware="V4.22.007",
        build="build 191206",
        device_name="HiWatch",
        slots=8,
        guid=False,
        list_tags=frozenset({"trackList"}),
        empty="blank",
    ),
    _V461,
    attrs.evolve(_V461, model="DS-7716NI-I4", slots=16, nested_every=None, empty="blank"),
    Personality(
        model="DVR-208G-M1",
        firmware="V4.71.410",
        build="build 230506",
        kind="dvr",
        device_type="DVR",
        device_name="DVR",
        slots=12,
        inputs=8,
        misspelt_only=True,
    ),
    Personality(
        model="iDS-7204HUHI-M1",
        firmware="V4.75.011",
        build="build 240625",
        kind="dvr",
        device_type="DVR",
        device_name="Embedded Net DVR",
        slots=6,
        inputs=4,
        silent_inputs=(2, 4),
    ),
    _V484,
    attrs.evolve(
        _V484,
        model="DS-7616NXI-K2",
        firmware="V4.84.101",
        slots=16,
        page_cap=64,
        bare=True,
        list_tags=frozenset({"trackList"}),
        verbs=_EITHER,
        std_time=True,
        standard_suffix=True,
        uri_port=True,
        transcoded=True,
    ),
    Personality(
        model="DS-7732NI-M4",
        firmware="V5.03.020",
        build="build 240904",
        namespace=ISAPI,
        version="2.0",
        slots=32,
        total_matches=True,
        transcoded=True,
        sub_stream=True,
    ),
    Personality(
        model="DS-9632NI-M8",
        firmware="V5.04.081",
        build="build 250115",
        namespace=ISAPI,
        version="2.0",
        slots=32,
        sparse=True,
        total_matches=True,
        transcoded=True,
        verbs=_EITHER,
        by_window=True,
        header="envelope",
    ),
    _CAMERA,
    attrs.evolve(_CAMERA, model="DS-2CD2143G2-I", firmware="V5.7.23", build="", empty="403"),
    attrs.evolve(
        _CAMERA, model="DS-2CD2155FWD-I", firmware="V5.4.5", build="build 170124", basic=True
    ),
)

PERSONALITIES: Final[Mapping[str, Personality]] = MappingProxyType(
    {personality.model: personality for personality in _TABLE}
)
"""The ready-made personalities by model."""


def find(model: str | Personality) -> Personality:
    """Return the personality that *model* names, in any case.

    Raises:
        ConfigurationError: There is none.
    """
    if isinstance(model, Personality):
        return model
    for name, personality in PERSONALITIES.items():
        if name.casefold() == model.casefold():
            return personality
    msg = f"the simulator does not know the model {model!r}"
    raise ConfigurationError(msg, next_step=f"use one of: {', '.join(PERSONALITIES)}")
