"""The parts of the Imou client that need no network: signatures, codes, answers, zones, tokens."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import traceback
import zoneinfo

import hypothesis
import pytest

from hypothesis import strategies as st

from camsync import TimeSpan
from camsync._secret import Secret
from camsync.errors import (
    AuthenticationError,
    CamsyncError,
    ConfigurationError,
    DeviceOfflineError,
    ProtocolError,
    QuotaError,
    UnreachableError,
    UnsupportedError,
)
from camsync.providers.imou import ImouClient, _codes, _parse, _token
from camsync.providers.imou._codes import error_of, family_of
from camsync.providers.imou._parse import (
    clean_message,
    items,
    listed,
    number,
    plain,
    read_card,
    read_channel,
    read_days,
    read_device,
    read_plan,
    read_records,
    read_result,
    read_status,
    read_storage,
    read_wall,
    text,
    write_wall,
)
from camsync.providers.imou._regions import is_platform, media_host_allowed, root_of
from camsync.providers.imou._sign import HmacSigner, Md5Signer, signers
from camsync.providers.imou._token import Token, Tokens
from camsync.providers.imou._zones import Zones, local_days, read_zone, to_utc
from camsync.transport import Address, Answer


UTC = dt.timezone.utc
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
SAIGON = zoneinfo.ZoneInfo("Asia/Ho_Chi_Minh")
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)


# -- Signatures


def test_both_signatures_give_the_documented_example():
    """The vendor's example: time, nonce and secret give these two texts."""
    example = (
        Secret("test123456789test123456789"),
        1706511734,
        "f5a1ae2d-c09c-4d39-a744-83a5c2c653c2",
    )

    assert "fd37b62889e4757c58b8f3bf05fb9976" == Md5Signer().sign(*example).reveal()
    assert "xjhCQBoJ9hRDsCjyDcHjtDNzRZ3ZJezcawsfWeiaoxU=" == HmacSigner().sign(*example).reveal()


def test_signers_are_tried_in_the_learnt_order():
    """What worked before comes first; a choice leaves no other; a signer of one's own is taken."""
    own = HmacSigner()

    assert ["md5", "hmac"] == [one.name for one in signers("auto")]
    assert ["hmac", "md5"] == [one.name for one in signers("auto", "hmac")]
    assert ["hmac"] == [one.name for one in signers("hmac", "md5")]
    assert (own,) == signers(own)


@pytest.mark.parametrize("choice", ["sha1", None, 5])
def test_an_unknown_signature_is_refused(choice):
    """Only two are known."""
    with pytest.raises(ConfigurationError, match="sign must be"):
        signers(choice)


# -- Codes


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("DV9999", "fault"),
        ("SUB9", "permission"),
        ("ZZ1", "foreign"),
        ("77", "foreign"),
        ("", "foreign"),
    ],
)
def test_unknown_codes_are_judged_by_their_letters(code, family):
    """A code that nobody has seen yet has an answer too."""
    assert family == family_of(code)


@hypothesis.given(st.text(max_size=12), st.text(max_size=30))
def test_every_code_gives_a_typed_error_with_a_next_step(code, msg):
    """Whatever comes, it is an error of ours with advice, and its code is kept."""
    error = error_of(code, msg, "method")

    assert isinstance(error, CamsyncError)
    assert error.next_step
    assert code == error.vendor_code


def test_only_a_busy_cloud_is_asked_again():
    """Each try is paid for: quotas, logins and failures are not tried again."""
    again = {code for code in _codes._CODES if error_of(code, "", "x").retryable}

    assert {"SN1005", "OP1026", "DV1009", "DV1010", "WF1001"} == again


# -- Answers


def _answer(**result) -> bytes:
    return json.dumps({"result": result, "id": "1"}).encode()


def test_an_answer_without_data_has_none():
    """Absent and null are the same, and a code may be a number."""
    assert {} == read_result(_answer(code="0"), "m").data
    assert {} == read_result(_answer(code="0", data=None), "m").data
    assert "13202" == read_result(_answer(code=13202), "m").code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"result": 5}',
        _answer(msg="x"),
        _answer(code=True),
        _answer(code="0", data=[1]),
    ],
)
def test_answers_that_make_no_sense_are_protocol_errors(body):
    """And nothing of the document is in the error."""
    with pytest.raises(ProtocolError) as caught:
        read_result(body, "m")

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"result": {"code": "0", "data": {"accessToken": "At_planted0000", "expireT',
        b'{"result": {"msg": "x", "data": {"accessToken": "At_planted0000", "expireTime": 5}}}',
        b'{"result": {"code": true, "data": {"other": "At_planted0000"}}}',
        b'{"result": {"code": "0", "data": ["At_planted0000"]}}',
        b'{"result": {"code": "0", "data": "At_planted0000"}}',
        b'{"result": "At_planted0000"}',
        b'["At_planted0000"]',
        b"At_planted0000",
        b'{"result": {"code": "0", "data": {"value": "At_planted0000"}}}',
        b'{"result": {"code": "0", "data": {"accessToken": ["At_planted0000"], "x": "At_planted"}}}',
        b'{"result": {"code": "0", "data": {"accessToken": "At_planted0000", "expireTime": "x"}}}',
    ],
)
def test_a_malformed_answer_shows_no_token_even_with_its_variables(body):
    """Some tracebacks print what the frames hold: none of them holds the answer."""

    class _Web:
        home = Address.of("127.0.0.1", 80)

        def post(self, *_args, **_options):
            return Answer(status=200, headers={}, body=body)

    caller = ImouClient("app", Secret("s"))._wire._caller
    caller._web = _Web()

    with pytest.raises(ProtocolError) as caught:
        caller.call("listDeviceDetailsByPage", {})
    below = caught.value.__traceback__.tb_next  # this function holds the answer, of course
    trace = traceback.TracebackException(
        type(caught.value), caught.value, below, capture_locals=True
    )

    assert "_begun" in "".join(trace.format()) or "read_result" in "".join(trace.format())
    assert "planted" not in "".join(trace.format())


def test_secrets_in_an_answer_are_wrapped_at_once():
    """Tokens, URLs and keys; the name of a host is none."""
    data = read_result(
        _answer(
            code="0",
            data={
                "accessToken": "At_1",
                "currentDomain": "https://openapi-fk.easy4ip.com:443",
                "deviceList": [{"playToken": "x", "picUrl": "y", "psk": "z", "deviceId": "D"}],
                "url": "https://a/b?c",
                "expireTime": 5,
            },
        ),
        "m",
    ).data

    assert Secret("At_1") == data["accessToken"]
    assert Secret("https://a/b?c") == data["url"]
    assert "https://openapi-fk.easy4ip.com:443" == data["currentDomain"]
    assert {"deviceId": "D"} == plain(data["deviceList"][0])


def test_the_vendor_s_words_are_cleaned():
    """No token, no URL, no control character, and not without end."""
    words = clean_message("bad\x00 At_0000ea00 at https://a/b?c=d or " + "f" * 32 + " x" * 200)

    assert words.startswith("bad  *** at *** or *** x")
    assert len(words) <= 160
    assert not clean_message(None)


def test_fields_are_read_whatever_their_type():
    """Numbers as text and text as numbers are both usual."""
    assert ("5", "7", "") == (
        text({"a": 5}, "a"),
        text({"a": " ", "b": "7"}, "a", "b"),
        text({"a": True}, "a"),
    )
    assert (12, 12, None, None, None, None) == tuple(
        number(value) for value in (12, " 12 ", True, "x", None, "9" * 30)
    )
    assert [{"a": 1}] == items({"x": [{"a": 1}, 5]}, "x")
    assert [] == items({"x": 5}, "x")


def test_a_list_that_has_to_be_there_is_missed():
    """A device list without the list is an error, not an empty account."""
    with pytest.raises(ProtocolError, match="deviceList"):
        listed({"count": 1}, "deviceList", "m")


def test_states_are_read_as_digits_and_as_words():
    """Both are documented; what is unknown says so."""
    assert ["online", "offline", "asleep", "asleep", "upgrading", "unknown"] == [
        read_status(word) for word in ("1", "OFFLINE", "4", "sleep", "3", "x")
    ]
    assert ["none", "active", "expired", "suspended", "unknown"] == [
        read_plan(word) for word in ("notExist", "using", "0", "2", "")
    ]
    assert ["normal", "empty", "unknown"] == [
        read_card({"status": word}) for word in ("normal", "Empty", "x")
    ]


def test_a_card_without_a_file_system_is_told_by_its_total():
    """A total of 0 is an unformatted card; without a total only the state is known."""
    assert ["unformatted", "unformatted", "recovering"] == [
        read_storage({"totalBytes": 0}, status).status
        for status in ("normal", "abnormal", "recovering")
    ]
    assert ["unknown", "abnormal"] == [
        read_storage({}, status).status for status in ("normal", "abnormal")
    ]
    card = read_storage({"totalBytes": "10", "usedBytes": 12}, "normal")
    assert (10, 10, "normal") == (card.total, card.used, card.status)


def test_devices_of_both_lists_are_read():
    """Old and new names of fields, numbers as text, channels without an id left out."""
    old = read_device(
        {
            "deviceId": "D",
            "name": "webcam",
            "version": "2.6",
            "catalog": "IPC",
            "encryptMode": 1,
            "status": "online",
            "channels": [
                {"channelId": 0, "storageStrategyStatus": "notExist"},
                {"channelName": "x"},
            ],
        }
    )

    assert old is not None
    assert ("webcam", "2.6", "IPC", "online") == (old.name, old.version, old.kind, old.status)
    assert [("0", "webcam", "none", True)] == [
        (one.id, one.name, one.plan, one.encrypted) for one in old.channels
    ]
    assert read_device({"deviceName": "x"}) is None
    assert read_channel({"channelId": "1"}).encrypted is None


def test_records_without_times_or_names_are_left_out():
    """They must not hide the others."""
    good = {"beginTime": "2026-09-30 02:00:00", "endTime": "2026-09-30 02:05:00", "recordId": "a"}
    found = read_records(
        [
            {**good, "fileLength": 5, "recordRegionId": "r"},
            {**good, "endTime": ""},
            {**good, "recordId": ""},
        ],
        "D",
        "0",
        "sd",
    )

    assert [("a", "", 5)] == [(one.id, one.region, one.size) for one in found]


@hypothesis.given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 12, 31)))
def test_wall_times_are_written_as_they_are_read(moment):
    """Reading gives back what was written."""
    assert moment.replace(microsecond=0) == read_wall(write_wall(moment))


@pytest.mark.parametrize("value", ["", None, 5, "2026-13-01 00:00:00", "2026-01-01T00:00:00Z"])
def test_what_is_no_wall_time_is_none(value):
    """Other forms and impossible dates."""
    assert read_wall(value) is None


def test_a_bitmap_gives_the_days_of_a_month():
    """One character per day, as in the vendor's example; anything else is no bitmap."""
    assert {1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 21, 22, 23, 24, 25, 31} == read_days(
        {"bitmap": "1111100000111110000011111000001"}, 2016, 5
    )
    assert read_days({}, 2016, 6) is None
    assert read_days({"bitmap": "2" * 30}, 2016, 6) is None


# -- Regions


def test_regions_are_named_by_host():
    """A host that was learnt is used if it is the vendor's, a base URL always."""
    assert "https://openapi-sg.easy4ip.com" == root_of("sg", None)
    assert "https://openapi-fk.easy4ip.com:443" == root_of(
        "sg", None, "https://openapi-fk.easy4ip.com:443"
    )
    assert "https://openapi-sg.easy4ip.com" == root_of("sg", None, "https://evil.example")
    assert "http://127.0.0.1:5" == root_of("sg", "http://127.0.0.1:5/", "https://x")
    assert "https://openapi-sg.easy4ip.com" == root_of("SG", None)
    for region in ("eu", None):
        with pytest.raises(ConfigurationError, match=r"no data centre .* use sg, fk, or, cn"):
            root_of(region, None)


@pytest.mark.parametrize(
    ("url", "theirs"),
    [
        ("https://openapi-or.easy4ip.com:443", True),
        ("https://openapi.lechange.cn", True),
        ("http://openapi-or.easy4ip.com", False),
        ("https://openapi-or.easy4ip.com:8443", False),
        ("https://openapi-or.easy4ip.com.evil.example", False),
        ("https://openapi-or_easy4ip.com", False),
        ("https://evileasy4ip.com", False),
        ("nonsense", False),
    ],
)
def test_the_vendor_s_hosts_are_known(url, theirs):
    """Signed requests go nowhere else."""
    assert theirs is is_platform(url)


def test_media_may_be_redirected_within_the_vendor_s_hosts():
    """And to the stores that the vendor uses."""
    assert media_host_allowed("x.oss-ap-southeast-1.aliyuncs.com")
    assert not media_host_allowed("aliyuncs.com.evil.example")


# -- Time


def test_the_repeated_hour_is_settled_by_what_came_before():
    """Wall times that repeat are the second ones when the first would go back in time."""
    wall = dt.datetime(2026, 10, 25, 2, 30)
    first, second = (dt.datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))

    assert first == to_utc(wall, BERLIN)
    assert first == to_utc(wall, BERLIN, first)
    assert second == to_utc(wall, BERLIN, first + dt.timedelta(seconds=1))
    assert first == to_utc(wall, BERLIN, first - dt.timedelta(hours=1))


def test_outside_of_it_nothing_is_shifted():
    """A time before the one before it (overlapping clips) stays what it is."""
    wall = dt.datetime(2026, 7, 1, 12)

    assert dt.datetime(2026, 7, 1, 5, tzinfo=UTC) == to_utc(
        wall, SAIGON, dt.datetime(2026, 7, 1, 6, tzinfo=UTC)
    )


def test_a_span_within_a_day_is_asked_for_with_some_reach():
    """From ten minutes before, but never across midnight."""
    span = TimeSpan(
        dt.datetime(2026, 7, 1, 12, 5, tzinfo=SAIGON), dt.datetime(2026, 7, 2, 0, 3, tzinfo=SAIGON)
    )
    first, second = local_days(span, SAIGON)

    assert (dt.datetime(2026, 7, 1, 11, 55), dt.datetime(2026, 7, 1, 23, 59, 59)) == (
        first.begin,
        first.end,
    )
    assert (dt.datetime(2026, 7, 2), dt.datetime(2026, 7, 2, 0, 3)) == (second.begin, second.end)


def test_a_span_that_ends_at_midnight_does_not_touch_the_next_day():
    """Ends are excluded: that saves a call."""
    span = TimeSpan(dt.datetime(2026, 7, 1, tzinfo=SAIGON), dt.datetime(2026, 7, 2, tzinfo=SAIGON))

    assert [dt.date(2026, 7, 1)] == [day.date for day in local_days(span, SAIGON)]


@pytest.mark.parametrize("date", [dt.date(2026, 3, 29), dt.date(2026, 10, 25)])
def test_days_of_23_and_25_hours_are_asked_for_whole(date):
    """Parts of such a day have no unique bounds."""
    noon = dt.datetime.combine(date, dt.time(12), tzinfo=BERLIN)
    (day,) = local_days(TimeSpan(noon, noon + dt.timedelta(hours=1)), BERLIN)

    assert dt.datetime.combine(date, dt.time()) == day.begin
    assert dt.datetime.combine(date, dt.time(23, 59, 59)) == day.end


@hypothesis.given(
    st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(dt.timedelta(seconds=1), dt.timedelta(days=5)),
    st.sampled_from([BERLIN, SAIGON, UTC, zoneinfo.ZoneInfo("America/New_York")]),
)
def test_days_cover_their_span(start, length, zone):
    """Every instant of the span has a wall time within one of the days, and days do not overlap."""
    span = TimeSpan(start, start + length)
    days = list(local_days(span, zone))

    for part in range(8):
        wall = (start + length * part / 8).astimezone(zone).replace(tzinfo=None)
        assert any(day.begin <= wall < day.end + dt.timedelta(seconds=1) for day in days)
    assert all(one.end < two.begin for one, two in itertools.pairwise(days))


@pytest.mark.parametrize(
    ("answer", "hours"),
    [
        ({"timeZone": "8"}, 8),
        ({"timeZone": "-3.5"}, -3.5),
        ({"timeZone": "UTC+05:30"}, 5.5),
        ({"timeZone": "Asia/Ho_Chi_Minh"}, 7),
        ({"timeZone": "0", "beginSunTime": ""}, 0),
    ],
)
def test_zones_without_summer_time_are_read(answer, hours):
    """Hours east of Greenwich, an offset, or a name."""
    zone = read_zone(answer)

    assert zone is not None
    assert dt.timedelta(hours=hours) == zone.utcoffset(dt.datetime(2026, 7, 1))


def test_summer_time_is_read_from_its_weekly_rules():
    """The last Sundays of March and October are Berlin's."""
    zone = read_zone(
        {
            "timeZone": "1",
            "beginSunTime": "03-29 02:00:00",
            "endSunTime": "10-25 03:00:00",
            "beginWeekSunTime": "3-5-0 02:00:00",
            "endWeekSunTime": "10-5-0 03:00:00",
        }
    )

    assert zone is not None
    for day in range(0, 366, 7):
        wall = dt.datetime(2027, 1, 1, 12) + dt.timedelta(days=day)
        assert BERLIN.utcoffset(wall) == zone.utcoffset(wall)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"timeZone": "No/Where"},
        {"timeZone": "27"},
        {"timeZone": "x"},
        {"timeZone": "1", "beginSunTime": "03-29 02:00:00", "endSunTime": "10-25 03:00:00"},
        {"timeZone": "1", "beginSunTime": "13-5-0 02:00:00", "endSunTime": "10-5-0 03:00:00"},
        {"timeZone": "1", "beginSunTime": "3-5-0 02:00:00"},
    ],
)
def test_zones_that_cannot_be_relied_on_are_not_taken(answer):
    """No guess: wrong times would be worse than a question."""
    assert read_zone(answer) is None


def test_zones_are_given_or_asked_once():
    """One for all, one for each, or the device's own answer, which is kept."""
    asked = []

    def ask(device):
        asked.append(device)
        return BERLIN

    assert SAIGON is Zones(SAIGON, ask).of("a")
    zones = Zones({"a": "Asia/Ho_Chi_Minh"}, ask, now=lambda: NOON)
    assert SAIGON == zones.of("a")
    assert {} == zones.learnt
    assert BERLIN is zones.of("b") is zones.of("b")
    assert ["b"] == asked
    assert {"b": {"zone": "Europe/Berlin", "asked": "2026-11-22"}} == zones.learnt


@pytest.mark.parametrize(
    "zone",
    [
        BERLIN,
        UTC,
        dt.timezone(dt.timedelta(hours=-5, minutes=-30)),
        read_zone(
            {
                "timeZone": "1",
                "beginSunTime": "3-5-0 02:00:00",
                "endSunTime": "10-5-0 03:00:00",
            }
        ),
    ],
)
def test_zones_that_devices_told_are_remembered(zone):
    """Written as JSON and read back they give the same times, and nobody is asked again."""
    first = Zones(None, lambda _: zone, now=lambda: NOON)
    first.of("a")
    learnt = json.loads(json.dumps(first.learnt))
    again = Zones(None, pytest.fail, learnt=learnt, now=lambda: NOON + dt.timedelta(days=30))

    assert learnt == again.learnt
    for month in range(1, 13):
        wall = dt.datetime(2027, month, 5, 12)
        assert zone.utcoffset(wall) == again.of("a").utcoffset(wall)


@pytest.mark.parametrize("days", [-1, 31])
def test_a_zone_that_was_told_long_ago_is_asked_for_again(days):
    """The answer replaces it; while the device is offline, the old one is better than none."""
    learnt = {"a": {"zone": "Asia/Ho_Chi_Minh", "asked": "2026-11-22"}}
    later = NOON + dt.timedelta(days=days)

    def offline(_):
        msg = "off"
        raise DeviceOfflineError(msg)

    assert SAIGON == Zones(None, offline, learnt=learnt, now=lambda: later).of("a")
    zones = Zones(None, lambda _: BERLIN, learnt=learnt, now=lambda: later)
    assert BERLIN is zones.of("a")
    assert {"a": {"zone": "Europe/Berlin", "asked": str(later.date())}} == zones.learnt


@pytest.mark.parametrize(
    "learnt",
    [
        5,
        ["a"],
        {"a": "Europe/Berlin"},
        {"a": {"zone": "Mars/Base", "asked": "2026-11-22"}},
        {"a": {"zone": 5, "asked": "2026-11-22"}},
        {"a": {"zone": "Europe/Berlin", "asked": "yesterday"}},
        {"a": {"zone": "Europe/Berlin", "asked": 5}},
        {"a": {"zone": "Europe/Berlin"}},
    ],
)
def test_what_was_learnt_may_be_nonsense(learnt):
    """Then the device is asked."""
    assert SAIGON is Zones(None, lambda _: SAIGON, learnt=learnt).of("a")


def test_a_wrong_zone_is_refused():
    """A number is none."""
    with pytest.raises(ConfigurationError, match="timezone must be"):
        Zones(5, lambda _: None)
    with pytest.raises(ConfigurationError):
        Zones({"a": None}, lambda _: None)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (None, ConfigurationError),
        (UnsupportedError("no"), ConfigurationError),
        (DeviceOfflineError("off"), DeviceOfflineError),
        (QuotaError("used up"), QuotaError),
        (UnreachableError("gone"), UnreachableError),
    ],
)
def test_a_zone_that_nobody_says_is_an_error_with_advice(failure, kind):
    """What later tries can mend keeps its kind; the rest says to pass timezone=."""

    def ask(_):
        if failure is not None:
            raise failure

    with pytest.raises(kind) as caught:
        Zones(None, ask).of("a")
    if kind not in {QuotaError, UnreachableError}:
        assert "timezone={'a': 'Europe/Berlin'}" in caught.value.next_step
        assert "--timezone Europe/Berlin, for this device only" in caught.value.next_step


# -- Tokens


def _tokens(life=3600):
    made = []

    def login():
        made.append(Token.of(Secret(f"t{len(made)}"), life))
        return made[-1]

    return Tokens(login), made


def test_a_token_is_used_until_it_ends():
    """One login serves many calls; even a token without a life is used for a minute."""
    tokens, made = _tokens()

    assert tokens.known is None
    assert tokens.current() is tokens.current() is tokens.known
    assert 1 == len(made)
    assert 59 < Token.of(Secret("x"), 0).life <= 60


def test_a_refused_token_is_replaced_once_for_all():
    """Those who were refused with the same token share one login."""
    tokens, made = _tokens()
    old = tokens.current()
    new = tokens.current(refused=old)

    assert new is tokens.current(refused=old)
    assert 2 == len(made)


def test_a_session_that_never_works_is_not_asked_for_again(monkeypatch):
    """A storm of refusals ends in an error and costs no further login, until a minute later."""
    tokens, made = _tokens()
    new = tokens.current(refused=tokens.current())

    with pytest.raises(AuthenticationError, match="only just given"):
        tokens.current(refused=new)
    assert 2 == len(made)
    later = _token.time.monotonic() + 61
    monkeypatch.setattr(_token.time, "monotonic", lambda: later)
    assert new is not tokens.current(refused=new)


def test_a_session_that_worked_is_replaced_again():
    """Ends of sessions are normal."""
    tokens, made = _tokens()
    new = tokens.current(refused=tokens.current())
    new.worked = True

    assert new is not tokens.current(refused=new)
    assert 3 == len(made)


def test_a_forgotten_token_is_asked_for_again():
    """After retry_login or close."""
    tokens, made = _tokens()
    tokens.current()
    tokens.forget()
    tokens.current()

    assert 2 == len(made)


def test_names_of_secret_fields_are_recognised():
    """Whatever stands before or behind."""
    assert all(
        _parse._SECRET_KEY.search(key)
        for key in ("accessToken", "kitToken", "thumbUrl", "url", "encryptSecret", "sign", "hls")
    )
