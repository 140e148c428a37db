"""The documentation: examples run, tables agree with the code, links lead somewhere."""

from __future__ import annotations

import ast
import doctest
import re
import socket

from pathlib import Path

import pytest

import camsync

from camsync import errors


ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

if not DOCS.is_dir():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)

PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]
RECORDER = "192.168.1.64"
PASSWORD = "Simulator-1"

_BLOCK = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_DOC_ROLE = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`<>]+?)>?`")

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def blocks(page: Path) -> list[tuple[str, str, int]]:
    """The examples of a page: kind, text, line."""
    text = page.read_text(encoding="utf-8")
    return [
        (kind, code, text.count("\n", 0, match.start(2)))
        for match in _BLOCK.finditer(text)
        for kind, code in [match.groups()]
    ]


WITH_EXAMPLES = [page for page in PAGES if blocks(page)]


def run_python(code: str, page: Path, line: int, names: dict[str, object]) -> None:
    """Run a block; the lines of a traceback are those of the page."""
    tree = ast.parse(code, filename=str(page))
    ast.increment_lineno(tree, line)
    exec(compile(tree, str(page), "exec"), names)


def run_session(code: str, page: Path, line: int, names: dict[str, object]) -> None:
    """Run an interactive session and compare what it shows."""
    test = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), line)
    test.globs = names
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    result = runner.run(test, out=report.append, clear_globs=False)
    assert 0 == result.failed, "".join(report)


@pytest.fixture
def recorder_of_the_docs(page, monkeypatch, tmp_path):
    """Answers at the address that the examples use, with the password that they ask for."""
    # A little of each minute is enough for all pages but the one that cuts a span without gaps.
    seconds = 20.0 if page.name == "clip.md" else 4.0
    gap = 0.0 if page.name == "clip.md" else 56.0
    testing = pytest.importorskip("camsync.testing")
    connect, lookup = socket.socket.connect, socket.getaddrinfo
    with testing.RecorderSimulator(
        password=PASSWORD, hours=0.6, channels=2, segment_seconds=seconds, gap_seconds=gap
    ) as simulator:

        def redirected(self, address):
            there = isinstance(address, tuple) and address[0] == RECORDER
            return connect(self, (simulator.host, simulator.port) if there else address)

        def found(host, port, *args, **options):
            if host == RECORDER:
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port or 0))]
            return lookup(host, port, *args, **options)

        monkeypatch.setattr(socket.socket, "connect", redirected)
        monkeypatch.setattr(socket, "getaddrinfo", found)
        monkeypatch.setattr("getpass.getpass", lambda *_: PASSWORD)
        # Examples of trouble try again as often as anybody; they need not wait as long.
        monkeypatch.setattr(camsync.RetryPolicy, "delay", lambda *_: 0.0)
        monkeypatch.setattr("camsync.providers.hikvision._download._GRACE", 0.2)
        monkeypatch.chdir(tmp_path)
        yield simulator


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_examples_run(page, recorder_of_the_docs, capsys):
    """Each page's examples run from top to bottom, in one namespace, against the simulator."""
    del recorder_of_the_docs
    names: dict[str, object] = {"__name__": "__example__"}

    for kind, code, line in blocks(page):
        run = run_python if kind == "python" else run_session
        run(code.replace('password="…"', f'password="{PASSWORD}"'), page, line, names)

    assert "failed:" not in capsys.readouterr().out


@every_page
def test_links_lead_somewhere(page):
    """A link to a file of the project has a file behind it."""
    text = page.read_text(encoding="utf-8")
    files = [
        page.parent / target.partition("#")[0]
        for target in _LINK.findall(text)
        if not target.startswith(("http://", "https://", "#", "mailto:"))
    ]
    pages = [page.parent / f"{target}.md" for target in _DOC_ROLE.findall(text)]

    assert [] == [str(path) for path in files + pages if not path.exists()]


@every_page
def test_pages_hold_nothing_private(page):
    """No addresses but private ones, and no real-looking secrets."""
    text = page.read_text(encoding="utf-8")
    addresses = set(re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text))

    assert addresses <= {RECORDER, "127.0.0.1"}


def test_the_two_commands_stand_on_top():
    """The first thing in the README is what to type."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert '$ python -m pip install ".[all]" && camsync demo' == lines[3]
    assert "$ python -m pip install nox && nox" == lines[4]


def test_the_ci_runs_the_test_command():
    """What the README says and what the CI runs is the same line."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()

    assert "python -m pip install nox && nox" == script[-1]


@pytest.mark.parametrize("name", sorted(set(camsync.__all__) - {"__version__"}))
def test_every_public_name_is_in_the_reference(name):
    """The reference is complete: each name has its entry."""
    api = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    if isinstance(getattr(errors, name, None), type):
        api = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
        assert f"`{name}`" in api or name == "Category"
        return

    assert re.search(rf"^\.\. auto\w+:: camsync\.{name}$", api, re.MULTILINE)


def test_the_table_of_errors_is_right():
    """Class, builtin, category and retryable are those of the code."""
    text = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+Error)` \| (?:`(\w+)`)? ?\| `(\w+)` \| (yes|no) \|$", text, re.MULTILINE
    )
    expected = []
    for cls in vars(errors).values():
        if isinstance(cls, type) and issubclass(cls, camsync.CamsyncError):
            bases = [base for parent in cls.__mro__ for base in parent.__bases__]
            plain = {Exception, BaseException, object}
            own = [each for each in bases if each.__module__ == "builtins" and each not in plain]
            builtin = own[0].__name__ if own else ""
            retryable = "yes" if cls.retryable else "no"
            expected.append((cls.__name__, builtin, cls.category.value, retryable))

    assert sorted(expected) == sorted(rows)


@pytest.fixture(scope="module")
def commands():
    """Every command with its full name, the groups included."""
    click = pytest.importorskip("click")
    app = pytest.importorskip("camsync.cli._app")
    found = {}

    def walk(name: str, command) -> None:
        found[name] = command
        if isinstance(command, click.Group):
            for child, inner in command.commands.items():
                walk(f"{name} {child}", inner)

    walk("camsync", app.cli)
    return found


def cli_page() -> str:
    """The page on the command line."""
    return (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")


def test_every_command_is_documented_and_has_help(commands):
    """A command without a heading is a command that nobody finds."""
    page = cli_page()

    for name, command in commands.items():
        assert command.help, name
        assert f"`{name}`" in page or f"`{name} " in page, name
        if not hasattr(command, "commands"):
            assert f"\n## {name}\n" in page, name


def test_every_option_is_documented(commands):
    """Each option, with all the words that it takes."""
    page = cli_page()

    for name, command in commands.items():
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", page), f"{name} {option}"
            for choice in getattr(parameter.type, "choices", ()):
                assert choice in page, f"{name} {parameter.name} {choice}"


def test_no_option_is_made_up(commands):
    """The page documents no option that does not exist."""
    known = {
        option
        for command in commands.values()
        for parameter in command.params
        for option in parameter.opts
    }

    assert set(re.findall(r"^`.*?(--[a-z-]+)", cli_page(), re.MULTILINE)) <= known | {"--help"}


def test_the_table_of_exit_codes_is_right():
    """The numbers are those that the program ends with."""
    pytest.importorskip("click")
    from camsync.cli import _exit

    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)`", cli_page(), re.MULTILINE))
    codes = {str(code): category.value for category, code in _exit.CODES.items()}

    assert codes == rows
    for code in (_exit.OK, _exit.FAILED, _exit.TERMINATED):
        assert f"| {code} | " in cli_page()
