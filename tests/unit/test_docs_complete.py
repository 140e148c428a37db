"""The documentation is complete: what exists in the code stands in a page, and the reverse."""

from __future__ import annotations

import ast
import importlib
import re
import shlex

from pathlib import Path

import pytest

import camsync

from camsync import errors


ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = ROOT / "src" / "camsync"

if not DOCS.is_dir() or not SOURCES.is_dir():
    pytest.skip("documentation and sources are not beside the tests", allow_module_level=True)

PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]
BUILTINS = {"KeyboardInterrupt", "PermissionError", "TimeoutError", "LookupError"}
PLAN = (
    "get_device_info",
    "get_channels",
    "search_videos",
    "download_video",
    "get_storage_status",
    "validate_nvr_credentials",
    "store_nvr_credentials",
    "load_nvr_credentials",
    "initiate_oauth_flow",
    "complete_oauth_flow",
    "load_tokens",
    "get_access_token",
    "get_devices",
    "get_cloud_recordings",
    "get_download_url",
    "get_device_storage_info",
)
PLACEHOLDERS = {"COMMAND"}
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    """The page as it is called in the list of tests."""
    return page.relative_to(ROOT).as_posix()


def text_of(*parts: str) -> str:
    """The text of a page of the documentation."""
    return DOCS.joinpath(*parts).read_text(encoding="utf-8")


def commands_in(page: Path) -> list[str]:
    """What a page tells to type that begins with camsync's own name."""
    lines = [
        line.removeprefix("$ ")
        for block in _CONSOLE.findall(page.read_text(encoding="utf-8"))
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("$ ")
    ]
    parts = [
        part.strip() for line in lines for part in re.split(r"&&|\|\||;|(?<!\|)\|(?!\|)", line)
    ]
    return [part for part in parts if re.match(r"camsync( |$)", part)]


def rows_of(text: str, columns: int) -> list[list[str]]:
    """The rows of all tables with so many columns, without their heads."""
    rows = re.findall(r"^\|(.+)\|$", text, re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows]
    return [row for row in cells if len(row) == columns and not set(row[0]) <= {"-", ":"}]


def codes_in(cell: str) -> list[str]:
    """What stands between single back ticks."""
    return re.findall(r"`([^`]+)`", cell)


def error_names() -> set[str]:
    """Every error class of the library."""
    return {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, camsync.CamsyncError)
    }


def test_every_error_has_cause_and_cure():
    """Each class has one row that says where it comes from and what helps."""
    _, _, text = text_of("reference", "errors.md").partition("## Cause and cure")
    rows = [row for row in rows_of(text, 3) if row[0] != "Error"]

    assert sorted(f"`{name}`" for name in error_names()) == sorted(row[0] for row in rows)
    assert [] == [row for row in rows if not all(row)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_errors_in_the_pages_exist(page):
    """A page that names an error names one that can be caught."""
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = set(re.findall(r"`(?:camsync\.)?([A-Z]\w+Error)`", prose))
    builtin = {base.__name__ for name in error_names() for base in getattr(errors, name).__mro__}

    assert set() == named - error_names() - BUILTINS - builtin


@pytest.mark.parametrize(
    "module",
    [
        "camsync.catalogue",
        "camsync.credentials.keys",
        "camsync.download",
        "camsync.providers.hikvision",
        "camsync.providers.imou",
        "camsync.providers.imou.oauth",
        "camsync.sync",
        "camsync.testing",
        "camsync.testing.imou",
    ],
)
def test_public_names_of_the_modules_are_documented(module):
    """What a module offers for importing stands in some page."""
    names = getattr(importlib.import_module(module), "__all__", ())
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert [] == [name for name in names if not re.search(rf"\b{name}\b", everything)]


@pytest.fixture(scope="module")
def cli():
    """The command line's root."""
    pytest.importorskip("click")
    pytest.importorskip("rich")
    return importlib.import_module("camsync.cli._app").cli


@pytest.mark.parametrize("page", [page for page in PAGES if commands_in(page)], ids=name_of)
def test_what_to_type_is_understood(page, cli, tmp_path, monkeypatch):
    """Each line that begins with camsync is a command with options that exist."""
    import click

    monkeypatch.chdir(tmp_path)
    for line in commands_in(page):
        words = shlex.split(re.sub(r"\s+#.*|\s+>.*", "", line))[1:]
        command, context, name = cli, click.Context(cli, info_name="camsync"), "camsync"
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name = words.pop(0)
            if name in PLACEHOLDERS:
                break
            found = command.get_command(context, name)
            assert found is not None, f"{line}: there is no {name}"
            command, context = found, click.Context(found, parent=context, info_name=name)
        if name not in PLACEHOLDERS:
            known = {option for each in command.params for option in each.opts}
            given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            assert given <= known | {"--help", "-h", "--version", "-vv"}, line


def test_the_tutorial_can_be_typed(recorder_simulator, tmp_path, monkeypatch, capsys):
    """Its commands work, one after the other, in the order in which they stand there."""
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("av")
    from camsync.cli import main
    from camsync.credentials.keys import new_key

    simulator = recorder_simulator(channels=1, hours=0.08, segment_seconds=30.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMSYNC_STORE", "file")
    monkeypatch.setenv("CAMSYNC_KEY", new_key().reveal())
    monkeypatch.setenv("CAMSYNC_PASSWORD", simulator.password)
    lines = commands_in(DOCS / "tutorial" / "first-night.md")
    typed = [line for line in lines if "simulate" not in line and "--watch" not in line]
    for line in typed:
        here = line.replace("127.0.0.1:8080", f"{simulator.host}:{simulator.port}")
        words = shlex.split(here.replace("75m 60m", "240s 210s"))
        assert 0 == main(words[1:]), f"{line}\n{capsys.readouterr()}"

    assert {"login", "channels", "plan", "sync", "status", "clip"} == {
        line.split()[1] for line in typed
    }
    assert (tmp_path / "evidence.mp4").is_file()


@pytest.mark.parametrize(
    ("page", "suite", "least"),
    [("write-a-provider", "TestArchiveFolder", 15), ("write-a-store", "TestTableStore", 15)],
)
def test_the_guides_pass_their_contracts(page, suite, least, pytester):
    """The examples that are to be copied pass the suite that the page recommends."""
    blocks = _PYTHON.findall(text_of("howto", f"{page}.md"))
    wanted = [
        block
        for block in blocks
        if any(isinstance(node, (ast.ClassDef, ast.FunctionDef)) for node in ast.parse(block).body)
        or "archive = Path" in block
    ]
    pytester.makepyfile(test_it="\n".join(wanted))

    outcomes = pytester.runpytest_inprocess("-q", "-p", "no:randomly").parseoutcomes()

    assert outcomes.pop("passed") >= least
    assert set(outcomes) <= {"warnings", "warning"}
    assert suite in "".join(wanted)


def test_the_plans_functions_have_an_answer():
    """Each function of the integration plans has a row that says what to call instead."""
    rows = rows_of(text_of("howto", "migrate.md"), 3)
    named = " ".join(row[0] for row in rows if codes_in(row[1]) or "none" in row[1])

    assert [] == [name for name in PLAN if not re.search(rf"\b{name}\b", named)]


def test_the_codes_of_isapi_are_those_of_the_code():
    """Sub codes, numbers and HTTP statuses mean in the table what they mean in the program."""
    code = importlib.import_module("camsync.providers.hikvision._errors")
    text = text_of("reference", "hikvision.md")
    told = {
        word: codes_in(cells[-1])[0]
        for columns in (2, 3)
        for cells in rows_of(text, columns)
        if codes_in(cells[-1])
        for word in codes_in(cells[0])
    }
    known = {
        **{word: cls.__name__ for word, cls in code._BY_SUB_CODE.items()},
        **{word: cls.__name__ for word, cls in code._BY_STATUS_CODE.items()},
        **{str(status): cls.__name__ for status, cls in code._BY_HTTP.items()},
    }

    assert known == {word: told.get(word) for word in known}


def test_the_endpoints_of_isapi_are_all_there():
    """Every path below /ISAPI/ that the provider asks for is in the table."""
    text = text_of("reference", "hikvision.md")
    asked = {
        path
        for file in (SOURCES / "providers" / "hikvision").glob("*.py")
        for path in re.findall(
            r'f?"((?:System|ContentMgmt|Security|Streaming)/[^"\s]+)"', file.read_text("utf-8")
        )
    }

    assert len(asked) > 10
    assert [] == sorted(path for path in asked if path not in text)


def test_the_methods_of_imou_are_all_there():
    """Every method that the provider calls is in the table."""
    text = text_of("reference", "imou-api.md")
    method = re.compile(r'"((?:get|query|list|device|timeZone|create|wakeUp)[A-Z]\w+)"')
    fields = {"deviceId", "deviceList", "queryRange"}
    files = ("_call", "_lists", "_openapi", "_plans", "_refusals")
    asked = {
        found
        for file in files
        for found in method.findall(
            (SOURCES / "providers" / "imou" / f"{file}.py").read_text(encoding="utf-8")
        )
    } - fields

    assert len(asked) > 10
    assert [] == sorted(found for found in asked if f"`{found}`" not in text)


def test_the_codes_of_imou_are_those_of_the_code():
    """Each code has the error, and the verdict on another try, that the program has for it."""
    code = importlib.import_module("camsync.providers.imou._codes")
    told = {
        word: (codes_in(row[2])[0], row[3])
        for row in rows_of(text_of("reference", "imou-api.md"), 4)
        for word in codes_in(row[0])
    }
    known = {}
    for word, family in code._CODES.items():
        meaning = code._FAMILIES[family]
        known[word] = (meaning.error.__name__, "yes" if meaning.again else "no")

    assert known == told


def test_every_page_can_be_found():
    """The start page leads to each page, so that nobody needs to know the tree."""
    index = text_of("index.md")
    pages = [
        page.relative_to(DOCS).with_suffix("").as_posix()
        for page in PAGES
        if page.is_relative_to(DOCS) and page.name != "index.md" and page.parent != DOCS
    ]

    assert [] == [page for page in pages if f"<{page}>`" not in index and f"`{page}`" not in index]


def test_the_picture_is_small_and_fetches_nothing():
    """The picture of the status is a plain drawing, whose maker stands beside it."""
    picture = text_of("pictures", "status.svg")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(picture) < 40_000
    assert {"http://www.w3.org/2000/svg"} == set(re.findall(r"https?://[^\"'\s<)]+", picture))
    assert "<script" not in picture
    assert "(docs/pictures/status.svg)" in readme
    assert (DOCS / "pictures" / "make_status.py").is_file()
