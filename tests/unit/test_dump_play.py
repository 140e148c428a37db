"""Reading dumps: what they decide, and that no dump, however odd, does worse than be refused."""

from __future__ import annotations

import contextlib
import json

import pytest

from hypothesis import given
from hypothesis import strategies as st

from camsync import ConfigurationError
from camsync.testing import RecorderSimulator
from camsync.testing.recorder._dump import load


PROXY = "GET /ISAPI/ContentMgmt/InputProxy/channels"
STATUS = f"{PROXY}/status"
INFO = "GET /ISAPI/System/deviceInfo"


def _dump(observed: object = None, **answers) -> dict[str, object]:
    names = {"proxy": PROXY, "status": STATUS, "info": INFO}
    endpoints = {names.get(name, name): answer for name, answer in answers.items()}
    return {"camsync_dump": 1, "observed": observed, "endpoints": endpoints}


def _xml(text: str) -> dict[str, object]:
    return {"status": 200, "body": text}


def test_observations_decide_about_the_behaviour():
    """What Z means, a list tag that the model is not known for, and the cap of a page."""
    profile = _xml("<p><maxSearchMatchResults>7</maxSearchMatchResults></p>")
    dump = _dump(
        {"z_means": "utc", "search": {"list_tag": "trackIDList"}},
        info=_xml("<i><model>DS-N308</model></i>"),
        **{"GET /ISAPI/ContentMgmt/search/profile": profile},
    )
    who = RecorderSimulator(dump=dump).personality

    assert (who.model, who.z_means, who.page_cap) == ("DS-N308", "utc", 7)
    assert who.list_tags == {"trackIDList"}


@pytest.mark.parametrize(
    "observed",
    [None, [], {"z_means": "mars", "search": 3}, {"z_means": [], "search": {"list_tag": "x"}}],
)
def test_observations_without_sense_decide_nothing(observed):
    """Then the model's own habits are played."""
    who = RecorderSimulator(dump=_dump(observed)).personality

    assert (who.z_means, who.list_tags) == ("local", {"trackList", "trackIDList"})


def test_states_of_channels():
    """Offline channels stay offline, whichever list says so."""
    channels = "".join(f"<c><id>{n}</id><name>n</name></c>" for n in (1, 2, 2, 0, "x", "٣"))
    old = "<c><id>4</id><connectionStatus>offline</connectionStatus></c>"
    states = "<s><c><id>2</id><online>false</online></c><c><id>1</id><online>true</online></c></s>"
    dump = load(_dump(proxy=_xml(f"<l size='9'>{channels}{old}</l>"), status=_xml(states)))

    assert [(one.number, one.online) for one in dump.proxied] == [(1, True), (2, False), (4, False)]
    assert dump.slots == 12


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "200"},
        {"status": True},
        {"status": 99},
        {"status": 600},
        {"status": 10**400},
        {"body": 7},
        {"body": "\ud800"},
        {"content_type": 3},
        {"content_type": "a\r\nSet-Cookie: x"},
    ],
)
def test_unusable_answers_are_refused(answer):
    """Wrong types, impossible statuses and header injection, before anything listens."""
    with pytest.raises(ConfigurationError, match=r"unusable|no text"):
        load(_dump(**{"GET /x": answer}))


def test_unusable_documents_are_refused(tmp_path):
    """NUL, unknown encodings, bombs, and more channels than any recorder has."""
    bomb = (
        "<!DOCTYPE a [<!ENTITY a '"
        + "x" * 1000
        + "'>"
        + "".join(
            f"<!ENTITY a{n} '{f'&a{n - 1 if n else chr(32)};'.replace(' ', '') * 50}'>"
            for n in range(6)
        )
        + "]><l>&a5;</l>"
    )
    crowd = "<l>" + "<c><id>1</id></c>" * 1025 + "</l>"
    for text in ("\0", "<?xml version='1.0' encoding='x-none'?><a/>", bomb, crowd):
        with pytest.raises(ConfigurationError):
            load(_dump(proxy=_xml(text)))
    with pytest.raises(ConfigurationError):
        load({"camsync_dump": 1, "endpoints": {7: {}}})
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    with pytest.raises(ConfigurationError, match="no JSON"):
        load(deep)


def test_a_huge_file_is_not_read(tmp_path):
    """The size is looked at first."""
    huge = tmp_path / "huge.json"
    with huge.open("wb") as stream:
        stream.truncate((64 << 20) + 1)

    with pytest.raises(ConfigurationError, match="longer"):
        load(huge)


def test_names_that_are_no_line_are_not_taken():
    """The model stands in messages and headers: it must be a line of text."""
    for model in (7, "a\nb", "x" * 201, "\ud800", ""):
        assert load({"camsync_dump": 1, "model": model, "endpoints": {}}).model is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


NAMES = st.sampled_from([PROXY, STATUS, INFO, "GET /ISAPI/System/time", "GET /a b", "x"])
ANSWERS = st.fixed_dictionaries(
    {}, optional={"status": JSON, "body": JSON, "content_type": JSON, "error": JSON}
)


@given(st.dictionaries(NAMES, JSON | ANSWERS, max_size=3), JSON)
def test_any_dump_is_played_or_refused(endpoints, observed):
    """Nothing but a ConfigurationError comes out of a dump that makes no sense."""
    dump = {"camsync_dump": 1, "endpoints": endpoints, "observed": observed}
    with contextlib.suppress(ConfigurationError):
        assert RecorderSimulator(dump=dump).personality.page_cap > 0


def test_bytes_that_are_no_text_come_back(tmp_path):
    """A body in another encoding is played byte for byte."""
    path = tmp_path / "dump.json"
    body = b"<a>\xb3\xf8</a>".decode("utf-8", "surrogateescape")
    path.write_text(json.dumps(_dump(**{"GET /x": {"body": body}})))

    assert load(path).static["GET /x"].body == b"<a>\xb3\xf8</a>"
