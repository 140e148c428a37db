"""``camsync.toml``: what it may say, and what is said about what it may not."""

from __future__ import annotations

import datetime as dt
import sys
import traceback

import pytest

from hypothesis import given
from hypothesis import strategies as st


pytest.importorskip("sqlalchemy")

from camsync import TimeSpan
from camsync.errors import (
    ConfigurationError,
    ExposedStoreError,
    MissingExtraError,
)
from camsync.models import RecordingKind
from camsync.sync._config import SyncConfig, Wish
from camsync.sync._document import Document
from camsync.sync._values import EventKind


UTC = dt.timezone.utc

WHOLE = """
dest = "footage"
catalogue = "here.sqlite3"
layout = "{camera}/{start:%Y%m%d_%H%M%S}"
container = "original"
timezone = "Asia/Shanghai"
since = "7d"
order = "newest"
min_free = "10G"
max_files = 500
max_bytes = "50G"
bandwidth = "08:00,2M 18:00,off"
concurrency = 4
settle = "2m"
log = "camsync.log"

[hooks]
fetched = ["/usr/bin/logger", "new footage"]
failed = ["mail"]
timeout = "10s"
environment = ["MAILHOST"]

[metrics]
file = "camsync.prom"

[[source]]
profile = "front-shop"

[[source]]
url = "hikvision://admin@192.168.1.64"
channels = [1, "Back door"]
since = 2026-09-26T08:00:00+08:00
kinds = ["motion", "alarm"]
dest = "other"
layout = "{camera}/{start:%H%M}"
max_files = 10

[[source]]
profile = "roof"
"""


def _write(folder, text, mode=0o600):
    path = folder / "camsync.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def _load(folder, text):
    return SyncConfig.load(_write(folder, text))


def test_everything_that_a_file_can_say(tmp_path):
    """Words become values; paths begin at the file's folder."""
    config = _load(tmp_path, WHOLE)

    assert config.path == tmp_path / "camsync.toml"
    assert config.catalogue == tmp_path / "here.sqlite3"
    assert config.log == tmp_path / "camsync.log"
    assert config.metrics == tmp_path / "camsync.prom"
    assert config.limiter().rate is None or config.limiter().rate == 2 * 1024**2
    options = dict(config.options)
    assert dt.timedelta(hours=8) == options.pop("timezone").utcoffset(dt.datetime(2026, 1, 1))
    assert {
        "dest": tmp_path / "footage",
        "layout": "{camera}/{start:%Y%m%d_%H%M%S}",
        "container": "original",
        "since": dt.timedelta(days=7),
        "order": "newest",
        "min_free": 10 * 1024**3,
        "max_files": 500,
        "max_bytes": 50 * 1024**3,
        "concurrency": 4,
        "settle": dt.timedelta(minutes=2),
    } == options
    fetched, failed = config.hooks
    assert ("/usr/bin/logger", "new footage") == fetched.command
    assert frozenset({EventKind.FETCHED}) == fetched.kinds
    assert (10.0, ("MAILHOST",)) == (failed.timeout, failed.environment)


def test_sources_that_agree_are_one_task(tmp_path):
    """Those with a destination or options of their own are synced on their own."""
    first, second = _load(tmp_path, WHOLE).tasks()

    week = dt.timedelta(days=7)
    assert (Wish(place="front-shop", since=week), Wish(place="roof", since=week)) == first.wishes
    assert (tmp_path / "footage", False) == (first.dest, first.own_limits)
    assert 500 == first.options["max_files"]
    (wish,) = second.wishes
    assert "hikvision://admin@192.168.1.64" == wish.place
    assert frozenset({"1", "Back door"}) == wish.channels
    assert dt.datetime(2026, 9, 26, tzinfo=UTC) == wish.since
    assert (tmp_path / "other", True) == (second.dest, second.own_limits)
    assert 10 == second.options["max_files"]
    assert frozenset({RecordingKind.MOTION, RecordingKind.ALARM}) == second.options["kinds"]
    assert "since" not in second.options


def test_the_same_source_twice_is_searched_once(tmp_path):
    """What both want is joined; a source without channels wants all."""
    text = 'dest = "x"\n' + "".join(
        f'[[source]]\nurl = "a"\n{more}\n' for more in ("channels = [1]", "channels = [2]")
    )
    (task,) = _load(tmp_path, text).tasks()
    (whole,) = _load(tmp_path, text + '[[source]]\nprofile = "a"\n').tasks()

    assert (Wish(place="a", channels=frozenset("12")),) == task.wishes
    assert (Wish(place="a"),) == whole.wishes


def test_a_since_of_its_own_beats_a_span_for_all(tmp_path):
    """Each source has the one or the other."""
    text = 'dest = "x"\nspan = ["2026-01-01T00:00Z", 2026-01-02]\n[[source]]\nurl = "a"\n'
    spanned, since = _load(tmp_path, text + '[[source]]\nurl = "b"\nsince = 2026-03-04\n').tasks()

    end = dt.datetime(2026, 1, 2).astimezone()
    assert TimeSpan(dt.datetime(2026, 1, 1, tzinfo=UTC), end) == spanned.options["span"]
    assert "span" not in since.options
    assert dt.datetime(2026, 3, 4).astimezone() == since.wishes[0].since


@pytest.mark.parametrize(
    ("text", "message", "step"),
    [
        ("dset = 1", "line 1: there is no key 'dset' here", "did you mean 'dest'?"),
        ("xyzzy = 1", "there is no key 'xyzzy' here", "there are: bandwidth, "),
        ('[[source]]\nchanels = ["1"]', "line 2, [[source]] 1: there is no key", "'channels'"),
        ("[hoks]\n", "line 1: there is no key 'hoks'", "'hooks'"),
        ("[hooks]\nstarted = ['x']", "line 2, [hooks]: there is no key 'started'", "failed"),
        ("[metrics]\nfle = 'x'", "line 2, [metrics]: there is no key 'fle'", "'file'"),
        ("since = '24x'", "line 1: since: '24x' is no time", "24h"),
        ("since = '0s'", "line 1: since: '0s' is not between a second and", 'write "24h"'),
        ("since = 7", "since: expected a length of time or a moment, not a number", '"7d"'),
        ("since = ['7d']", "since: expected a length of time or a moment, not a list", '"7d"'),
        ("since = false", "a moment, not true or false", '"7d"'),
        ("settle = 5", "settle: expected a length of time, not a number", '"10m"'),
        ("settle = 2026-09-26", "settle: expected a text, not a date or a time", "quotes"),
        ("layout = {a = 1}", "layout: expected a text, not a table", None),
        ("log = ' '", "log: expected a text, not an empty one", None),
        ("order = 'both'", "order: expected 'oldest' or 'newest', not 'both'", None),
        ("max_files = 0", "max_files: it must be at least 1", None),
        ("max_files = 'many'", "max_files: it must be a whole number", None),
        ("max_bytes = 0", "max_bytes: it must be at least 1", None),
        ("min_free = -1", "min_free: it must be at least 0", None),
        ("concurrency = 99", "concurrency: concurrency must be", "leave it out"),
        ("container = 'avi'", "container: expected 'mp4' or 'original', not 'avi'", None),
        ("timezone = 'Nowhere/At all'", "timezone: ", "Asia"),
        ("layout = '{nonsense}'", "layout: ", None),
        ("bandwidth = 'fast'", "bandwidth: ", "2M"),
        ("bandwidth = 0", "bandwidth: ", None),
        (
            "kinds = 'motion'",
            "kinds: expected a list, in square brackets, not a text",
            '["motion"]',
        ),
        ("channels = 1", "channels: expected a list, in square brackets, not a number", "[1]"),
        ("channels = [true]", "channels: expected a text, not true or false", None),
        ("keep = 1", "there is no key 'keep'", None),
        ("since = '1M'", "since: '1M' may mean months: m is minutes", "write 30d for months"),
        ("settle = '1M'", "settle: '1M' may mean months", "write 30d for months"),
        ("dest = '$HOME/f'", "dest: '$HOME/f' holds $HOME, and variables are not", "~ is your"),
        ("dest = '%HOME%/f'", "holds %HOME%", "~ is your home"),
        ("dest = 'camsync.toml'", "dest: this is a folder for the files, but ", "name a folder"),
        ("kinds = ['motions']", "kinds: expected 'continuous', 'motion', ", "'motion'?"),
        ("channels = '1'", "channels: expected a list, in", 'write ["1"]'),
        ("span = ['24h']", "span: expected two times", "2026"),
        ("span = ['1h', '2h']", "span: ", None),
        ("hooks = 1", "hooks: expected a table, not a number", None),
        ("source = 'a'", "source: expected tables", "two brackets"),
        ("[source]\nurl = 'a'", "source: expected tables", "two brackets"),
        ("[hooks]\nfailed = 'rm -r /'", "failed: a command is a list", '["rm", "-r", "/"]'),
        ("[hooks]\nfailed = ''", "failed: a command is a list", "…"),
        (
            "[hooks]\nfailed = []",
            "failed: expected a list, in square brackets, not an empty one",
            None,
        ),
        ("[[source]]\ndest = 'x'", "[[source]] 1: url: a source has either", None),
        ("[[source]]\nurl = 'a'\nprofile = 'b'", "either a url or a profile", "hikvision://"),
        ("dest = 'x'", "there is no source", "[[source]]"),
        (
            "since = '1d'\nspan = ['2h', '1h']\n[[source]]\nurl = 'a'",
            "line 1: since and span con",
            "",
        ),
        ("= 1", "is no TOML: ", "toml.io"),
        ("a = " + "[" * 5000, "", ""),
        ("storage = 'sd'", "line 1: there is no key 'storage' here", "below a [[source]]"),
        ("[[source]]\nlog = 'x'", "line 2, [[source]] 1: there is no key 'log'", "at the top"),
        ("max-files = 1", "line 1: there is no key 'max-files'", "did you mean 'max_files'?"),
        ("[[source]]\nstorage = 'card'", "[[source]] 1: storage: expected 'cloud', 'sd' or", None),
        ("[[source]]\nstorage = 'Cloud'", "not 'Cloud'", "did you mean 'cloud'?"),
        ("[[source]]\nwake = 'yes'", "wake: expected true or false, not 'yes'", "without quotes"),
        ("[[source]]\nmax_calls = -1", "max_calls: it must be at least 0", None),
        ("[[source]]\nmax_traffic = '1.5 tons'", "max_traffic: ", None),
        ("[[source]]\nprofile = 'a'", "line 2, [[source]] 1: nobody says where", "--to"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, message, step):
    """Line and table, the key, and what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, text).tasks()

    assert message in caught.value.message
    assert (step or "") in (caught.value.next_step or "")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("password = 'hunter2-x'", "camsync.toml, line 1: 'password'"),
        ("[[source]]\nurl='a'\n[[source]]\nPassphrase = 'hunter2-x'", "line 4, [[source]] 2"),
        ("[hooks]\napi_token = ['hunter2-x']", "line 2, [hooks]: 'api_token'"),
        ("[hooks.deep]\nsecret = 'hunter2-x'", "'secret'"),
        ("[[source]]\nurl = 'hikvision://admin:hunter2-x@host'", "line 2, [[source]] 1: 'url'"),
        ("catalogue = 'postgresql://me:hunter2-x@db/x'", "line 1: 'catalogue'"),
        ("[hooks]\nfailed = ['curl', 'https://u:hunter2-x@host/']", "line 2, [hooks]: 'failed'"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path, text, place):
    """The error names its place and 'camsync login'; no frame of it holds the secret."""
    with pytest.raises(ConfigurationError) as caught:
        SyncConfig.load(_write(tmp_path, text))

    shown = "".join(
        line
        for frames in [
            traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ]
        for line in frames.format()
        if "camsync.toml" in line or "sync/_" in line
    )
    assert place in caught.value.message
    assert ("~/.pgpass" if "catalogue" in place else "camsync login") in caught.value.next_step
    assert "hunter2" not in shown.replace(repr(text), "")


def test_a_broken_file_with_a_secret_is_not_shown_either(tmp_path):
    """The error of the TOML reader stays out of it: it knows the whole text."""
    path = _write(tmp_path, "password = 'hunter2-x\n")
    with pytest.raises(ConfigurationError, match="is no TOML") as caught:
        SyncConfig.load(path)

    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "hunter2" not in "".join(frames.format())


def test_a_file_that_is_no_text_or_not_there(tmp_path):
    """It says which file, and how to go without one."""
    path = tmp_path / "camsync.toml"
    with pytest.raises(ConfigurationError, match=r"there is no .*camsync.toml") as caught:
        SyncConfig.load(path)
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is no text in UTF-8"):
        SyncConfig.load(path)

    assert "--to DIRECTORY" in caught.value.next_step


@pytest.mark.parametrize(
    "text",
    [
        f'dest = "a"\ncontainer = "mp4{"{" * 6000}"',
        f'dest = "a"\nsince = "{"9" * 6000}d"',
        f'dest = "a"\norder = "{"x" * 6000}"',
        f"passwor{'d' * 6000} = 1",
        f'dest = "a"\n[[source]]\nurl = "imou://a@sg"\nwake = ["{"x" * 6000}"]',
    ],
)
def test_what_is_wrong_is_said_in_one_line_however_long_it_is(tmp_path, text):
    """A value is shown by its beginning."""
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, text)

    assert len(caught.value.message) < 300


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bits")
def test_a_file_that_others_can_change_is_refused(tmp_path):
    """It names commands that are run; being read by others is fine: there is no secret in it."""
    path = _write(tmp_path, WHOLE, mode=0o666)
    with pytest.raises(ConfigurationError, match="it says what is run and written") as caught:
        SyncConfig.load(path)
    assert f"run: chmod go-w {path}" == caught.value.next_step
    assert "chmod 600" not in str(caught.value)

    assert SyncConfig.load(_write(tmp_path, WHOLE, mode=0o644)).sources


def test_a_file_of_somebody_else_or_no_file_at_all(tmp_path, monkeypatch):
    """The words are those for a file of settings, not for one of passwords."""
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        SyncConfig.load(tmp_path)
    assert "name another file" == caught.value.next_step

    def refuse(*_, **__):
        msg = "it belongs to another user"
        raise ExposedStoreError(msg, next_step="take it over")

    monkeypatch.setattr(sys.modules[Document.__module__], "read_private", refuse)
    with pytest.raises(ConfigurationError, match="it belongs to another user - take it over"):
        SyncConfig.load(_write(tmp_path, WHOLE))


def test_a_missing_file_was_looked_for_in_two_places(tmp_path, monkeypatch):
    """Both are named; one that was named is the only one."""
    monkeypatch.setenv("CAMSYNC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    places = [tmp_path / "camsync.toml", tmp_path / "home" / "camsync.toml"]
    with pytest.raises(ConfigurationError) as caught:
        SyncConfig.load()
    assert f"there is no {places[0]} and no {places[1]}" == caught.value.message
    with pytest.raises(ConfigurationError) as caught:
        SyncConfig.load("x.toml")
    assert f"there is no {tmp_path / 'x.toml'}" == caught.value.message


def test_a_folder_that_is_called_like_a_variable(tmp_path):
    """Somebody may have one: it is there."""
    (tmp_path / "$HOME").mkdir()
    config = _load(tmp_path, "dest = '$HOME/new'\n[[source]]\nurl = 'a'\n")

    assert tmp_path / "$HOME" / "new" == config.tasks()[0].dest


def test_the_file_is_looked_for_here_and_then_at_home(tmp_path, monkeypatch):
    """The working folder first, else the folder of the profiles."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("CAMSYNC_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    _write(home, 'dest = "at home"\n[[source]]\nurl = "a"\n')
    at_home = SyncConfig.load()
    _write(tmp_path, 'dest = "here"\n[[source]]\nurl = "a"\n')

    assert home / "at home" == at_home.options["dest"]
    assert tmp_path / "here" == SyncConfig.load().options["dest"]


def test_python_without_toml_says_what_to_install(tmp_path, monkeypatch):
    """On Python 3.10 it needs tomli."""
    monkeypatch.setitem(sys.modules, "tomllib", None)
    monkeypatch.setitem(sys.modules, "tomli", None)

    with pytest.raises(MissingExtraError):
        _load(tmp_path, WHOLE)


def _more(tmp_path, **values):
    spelled = {"dest": "to"}
    return SyncConfig.of(Document(folder=tmp_path, values=values, spelling=spelled), partial=True)


def test_the_command_line_beats_the_file(tmp_path):
    """Everywhere in it, the sources included; a span beats a since."""
    path = _write(tmp_path, WHOLE)
    more = _more(
        tmp_path,
        dest="all",
        span=["2026-01-01T00:00Z", "2026-01-02T00:00Z"],
        bandwidth="1M",
        source=[{"url": "front-shop"}, {"url": "192.168.1.64"}],
    )
    with pytest.raises(ConfigurationError, match=r"has no source 192\.168\.1\.64"):
        SyncConfig.load(path, more=more)
    more = _more(tmp_path, dest="all", span=["2h", "1h"], bandwidth="1M")
    config = SyncConfig.load(path, more=more)

    assert 1024**2 == config.limiter().rate
    assert {tmp_path / "all"} == {task.dest for task in config.tasks()}
    for task in config.tasks():
        assert "span" in task.options
        assert not any(wish.since for wish in task.wishes)


def test_names_choose_among_the_sources_of_the_file(tmp_path):
    """A profile by its name, also when the file has its URL."""
    text = 'dest = "x"\n[[source]]\nurl = "hikvision://front"\n[[source]]\nprofile = "roof"\n'
    path = _write(tmp_path, text)
    front = SyncConfig.load(path, more=_more(tmp_path, source=[{"url": "front"}]))

    assert ["hikvision://front"] == [source.place for source in front.sources]


ACCOUNT = """
dest = "x"
[[source]]
url = "imou://app@sg"
storage = "cloud"
wake = true
max_calls = 25000
max_traffic = "1.5G"
[[source]]
profile = "front"
"""


def test_an_account_has_options_of_its_own(tmp_path):
    """They are those of its provider, and known by their place in the file."""
    config = _load(tmp_path, ACCOUNT)
    limits = {"max_calls": 25000, "max_bytes": 3 * 1024**3 // 2}
    wanted = {"storage": "cloud", "wake": True, **limits}
    (task,) = config.tasks()

    where = "camsync.toml, line {}, [[source]] {}: "
    assert [
        ("imou://app@sg", wanted, where.format(4, 1)),
        ("front", {}, where.format(10, 2)),
    ] == list(config.places)
    assert [wanted, {}] == [wish.account for wish in task.wishes]
    assert (
        "camsync.toml, line 8, [[source]] 1: max_traffic"
        == config.sources[0].account.said["max_bytes"]
    )
    assert config == _load(tmp_path, "\n" + ACCOUNT)


def test_a_command_line_says_it_of_all_its_sources(tmp_path):
    """In the place of what the file says, and by its own name."""
    path = _write(tmp_path, ACCOUNT)
    more = _more(tmp_path, storage="sd", max_traffic="0", source=[{"url": "app@sg"}])
    (place,) = SyncConfig.load(path, more=more).sources

    assert {"storage": "sd", "wake": True, "max_calls": 25000, "max_bytes": 0} == dict(
        place.account.options
    )
    assert "--max-traffic" == place.account.said["max_bytes"]
    only = _more(tmp_path, wake=True, source=[{"url": "a"}])
    assert [("a", {"wake": True}, "")] == list(only.places)


@pytest.mark.parametrize("more", ["channels = [1]", "", "channels = [1, 2]"])
def test_one_camera_has_one_set_of_options(tmp_path, more):
    """It has one watermark: what is searched in the cloud only would count for the card, too."""
    text = (
        'dest = "x"\n[[source]]\nurl = "imou://a@sg"\nstorage = "cloud"\nchannels = [1]\n'
        '[[source]]\nurl = "imou://a@sg"\n'
    )
    with pytest.raises(ConfigurationError, match=r"line 7, \[\[source\]\] 2: imou://a@sg is there"):
        _load(tmp_path, text + more).tasks()

    (apart,) = _load(tmp_path, text + "channels = [2]").tasks()
    assert [{"storage": "cloud"}, {}] == [wish.account for wish in apart.wishes]
    assert 2 == len(_load(tmp_path, f'{text}{more}\ndest = "y"').tasks())


def test_a_command_line_is_named_by_its_options(tmp_path):
    """There is no line to name, but an option; without a destination it says what to write."""
    with pytest.raises(ConfigurationError, match="--max-files: it must be") as caught:
        _more(tmp_path, max_files=0)
    with pytest.raises(ConfigurationError, match="there is no URL"):
        SyncConfig.of(Document(folder=tmp_path))
    with pytest.raises(ConfigurationError, match="--to: expected a text"):
        _more(tmp_path, dest="")
    with pytest.raises(ConfigurationError, match="where the footage of a goes") as missing:
        _more(tmp_path, source=[{"url": "a"}]).tasks()

    assert "camsync.toml" not in str(caught.value)
    assert "--to DIRECTORY" in missing.value.next_step
    assert _more(tmp_path).limiter() is None


_KEYS = st.sampled_from(
    ["dest", "since", "span", "kinds", "hooks", "source", "max_bytes", "url", "x"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(values=st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_any_document_is_read_or_refused(values, tmp_path_factory):
    """A configuration error, or a configuration: nothing else comes out."""
    document = Document(name="x.toml", folder=tmp_path_factory.getbasetemp(), values=values)
    try:
        config = SyncConfig.of(document, partial=True)
    except ConfigurationError:
        return
    assert isinstance(config, SyncConfig)


@given(number=st.integers(1, 6), key=st.sampled_from(["since", "dset"]), noise=st.integers(0, 5))
def test_lines_are_found_wherever_they_stand(number, key, noise):
    """The line of a key in the table that is meant, whatever stands around it."""
    lines = ["# since = 1", "dest = 'x'"]
    for index in range(1, 7):
        lines += ["[[source]]", *["# dset = 2"] * noise, "url = 'a'", f"{key} = {index}"]
    text = "\n".join(lines)
    place = Document(name="c.toml", text=text).place(key, "source", number)

    line = int(place.split("line ")[1].split(",")[0])
    assert f"{key} = {number}" == text.splitlines()[line - 1]
