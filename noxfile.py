"""How camsync is checked and built.

``nox`` alone is the test command: lint, typing, the tests on the oldest and the newest Python
that are installed here, and the coverage gate, which is measured on the newest. ``nox --list``
shows everything else.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile

from collections.abc import Iterator
from pathlib import Path

import nox


nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
# Whatever Pythons a machine has, PYTHONS below names only those that run, so that nothing is
# skipped silently; nox's own CI=true default would turn the ones that are absent into failures.
nox.options.error_on_missing_interpreters = False

PYPROJECT = nox.project.load_toml("pyproject.toml")
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def _runs(version: str) -> bool:
    """Whether ``python<version>`` starts: a pyenv shim exists for Pythons that are switched off."""
    if version == HERE:
        return True
    command = shutil.which(f"python{version}")
    if command is None:
        return False
    return subprocess.run([command, "-c", ""], check=False, capture_output=True).returncode == 0


def _pythons() -> list[str]:
    wanted = nox.project.python_versions(PYPROJECT)
    if HERE not in wanted:
        wanted.append(HERE)
    return [version for version in wanted if _runs(version)]


PYTHONS = _pythons()
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]

nox.options.sessions = [
    "lint",
    "typing",
    *(f"tests-{version}" for version in dict.fromkeys((OLDEST, NEWEST))),
    "cover",
]

# The oldest releases that pyproject.toml admits, on the oldest Python.
MINIMUMS = (
    "attrs==23.1.0",
    "av==17.0.0",
    "certifi==2023.7.22",
    "click==8.1.3",
    "cryptography==41.0.7",
    "filelock==3.12.0",
    "keyring==24.0.0",
    "lxml==4.9.4",
    "m3u8==4.0.0",
    "oauthlib==3.2.2",
    "platformdirs==3.0.0",
    "psycopg[binary]==3.1.12",
    "requests==2.31.0",
    "rich==13.0.0",
    "sqlalchemy==2.0.20",
    "urllib3==2.0.0",
)


IMOU_PEERS = ("imouapi==1.0.15", "pyimouapi==1.4.4")


def _group(session: nox.Session, *names: str) -> None:
    session.install(*nox.project.dependency_groups(PYPROJECT, *names))


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff (rules and format) and the import contracts of the layers."""
    _group(session, "lint")
    # import-linter follows imports, and needs camsync to be found for that; nothing is executed.
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": "src"})


@nox.session
def typing(session: nox.Session) -> None:
    """Mypy (strict) on the package, this file and the typing tests; pyright on what users see."""
    session.install(".[all,postgres]")
    _group(session, "typing")
    session.run("mypy", "src", "noxfile.py", "tests/typing")
    # basedpyright is pyright with its own Node.js in the wheel: no download at the first run.
    session.run("basedpyright", "--pythonpath", _python(session))


def _python(session: nox.Session) -> str:
    return shutil.which("python", path=session.bin) or "python"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The test suite against the installed package: ``nox -s tests-3.12 -- -k name``."""
    session.install(".[all]")
    _group(session, "tests")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    if session.python != NEWEST:
        # Nothing in src depends on the version of Python, so one measurement is enough; and
        # CPython 3.10 and 3.11 now and then let a thread die that starts while another one
        # switches its trace function ("Cannot install a trace function while another ...").
        session.run("pytest", "-n", "auto")
        return
    data = f".coverage.{session.python}"
    for stale in Path().glob(f"{data}.*"):
        stale.unlink()
    session.run("coverage", "run", "-m", "pytest", "-n", "auto", env={"COVERAGE_FILE": data})
    session.notify("cover")


@nox.session(python=OLDEST)
def minimums(session: nox.Session) -> None:
    """The test suite with the oldest dependencies that are promised to work."""
    session.install(".[all]", *MINIMUMS)
    _group(session, "tests")
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session
def cover(session: nox.Session) -> None:
    """Combine what the test sessions measured; every branch must have run."""
    if not any(Path().glob(".coverage.*")):
        session.error("nothing was measured: run a tests session without arguments first")
    _group(session, "tests")
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error. Run every example in it, and in README."""
    session.install(".[all]")
    _group(session, "docs", "tests")
    session.run("sphinx-build", "-n", "-T", "-W", "-b", "html", "docs", "docs/_build/html")
    session.run("pytest", "tests/unit/test_docs.py", "tests/unit/test_docs_complete.py")


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel and sdist, look inside, and import the wheel where nothing else is installed."""
    dist = Path("dist")
    shutil.rmtree(dist, ignore_errors=True)
    _group(session, "build")
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))
    (wheel,) = dist.glob("*.whl")
    _look_inside(session, wheel)
    fresh = Path(session.create_tmp()) / "fresh"
    session.run("python", "-m", "venv", "--clear", str(fresh))
    folder = fresh / ("Scripts" if os.name == "nt" else "bin")
    session.run(str(folder / "python"), "-m", "pip", "install", "-q", str(wheel), external=True)
    session.run(
        str(folder / "python"),
        "-c",
        "import camsync; print(camsync.__version__, camsync.HikvisionISAPI)",
        external=True,
    )


def _look_inside(session: nox.Session, wheel: Path) -> None:
    """Check that the marker for type checkers and the simulator's footage are shipped."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = Path("src/camsync")
    expected = {
        f"camsync/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    missing = sorted(expected - names)
    if missing or "camsync/py.typed" not in names:
        session.error(f"the wheel lacks {missing}")


@nox.session
def cassettes(session: nox.Session) -> None:
    """Fail when anything that is committed has the shape of a secret."""
    session.install(".[all]")
    session.run("python", "-m", "camsync.testing.scrub", ".")


@nox.session(python=OLDEST)  # hikload pins an lxml without wheels for newer ones
def interop(session: nox.Session) -> None:
    """Other people's clients against the simulator, and camsync against Apache httpd.

    Needs curl, and for the second half Debian's apache2; what is absent is skipped and said so.
    """
    session.install(".[all]")
    _group(session, "tests")
    # A virtual environment of their own: hikload pins a requests that camsync does not admit.
    peers = Path(session.create_tmp()) / "peers"
    session.run("python", "-m", "venv", "--clear", str(peers))
    python = str(peers / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "-q", "hikload", "hikvisionapi", external=True)
    session.run(
        "pytest",
        "-p",
        "no:randomly",
        "tests/interop",
        *session.posargs,
        env={"CAMSYNC_PEERS_PYTHON": python, "CAMSYNC_IMOU_PEERS_PYTHON": _imou_peers(session)},
    )


def _imou_peers(session: nox.Session) -> str:
    """Install the Imou clients in an environment of their own: they want Python 3.11 and newer."""
    if NEWEST == "3.10":
        session.log("imouapi and pyimouapi need Python 3.11: their tests are skipped")
        return ""
    peers = Path(session.create_tmp()) / "imou-peers"
    newest = sys.executable if NEWEST == HERE else f"python{NEWEST}"
    session.run(newest, "-m", "venv", "--clear", str(peers), external=True)
    python = str(peers / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "-q", *IMOU_PEERS, external=True)
    return python


@nox.session
def record(session: nox.Session) -> None:
    """Record the cassettes again, against the simulator, and scan them for secrets."""
    session.install(".[all]")
    _group(session, "tests")
    session.run(
        "pytest",
        "tests/integration/test_cassettes.py",
        "tests/integration/test_cassettes_imou.py",
        env={"CAMSYNC_RECORD_CASSETTES": "1"},
    )
    session.run("python", "-m", "camsync.testing.scrub", ".")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure side by side with other programs; writes benchmarks/results (see performance.md).

    Root on Debian gets the programs that are missing from apt-get; for others it names them.
    """
    _debian(session)
    session.install(".[all,postgres]", "xmltodict")
    peers = Path(session.create_tmp()) / "peers"
    oldest = sys.executable if OLDEST == HERE else f"python{OLDEST}"
    session.run(oldest, "-m", "venv", "--clear", str(peers), external=True)
    python = str(peers / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "-q", "hikload", external=True)
    env = {"CAMSYNC_PEERS_PYTHON": python}
    programs = _postgres_programs()
    with contextlib.ExitStack() as stack:
        if programs is not None:
            env["CAMSYNC_TEST_POSTGRES"] = stack.enter_context(
                _postgres_server(programs, lasting=True)
            )
        session.run("python", "benchmarks/run.py", *session.posargs, env=env)
    if not session.posargs:
        session.run("python", "benchmarks/sync.py")


def _debian(session: nox.Session) -> None:
    """Install the programs that camsync is measured against, where that can be done."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    wanted = {
        "apache2": "apache2",
        "curl": "curl",
        "wget": "wget",
        "aria2c": "aria2",
        "ffmpeg": "ffmpeg",
    }
    missing = [name for program, name in wanted.items() if not shutil.which(program, path=folders)]
    if _postgres_programs() is None:
        missing.append("postgresql")
    if not missing:
        return
    command = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing]
    if os.name == "nt" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        session.warn(f"what needs these is not measured; install them with: {' '.join(command)}")
        return
    session.run("apt-get", "update", "-q", external=True)
    session.run(*command, external=True, env={"DEBIAN_FRONTEND": "noninteractive"})


@nox.session
def crash(session: nox.Session) -> None:
    """Kill a running sync 200 times at random, then finish it; and run all tests that are slow."""
    session.install(".[all]")
    _group(session, "tests")
    kills = session.posargs[0] if session.posargs else "200"
    env = {"CAMSYNC_KILLS": kills}
    session.run("pytest", "tests/integration/test_sync_kill.py", env=env)
    session.run("pytest", "-m", "slow", env=env)


@nox.session
def soak(session: nox.Session) -> None:
    """Sync simulated devices for 30 minutes while everything goes wrong: ``nox -s soak``."""
    session.install(".[all]")
    session.run("python", "tools/soak.py", *(session.posargs or ["--minutes", "30"]))


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed hostile input to every parser: ``nox -s fuzz -- --seconds 60 --target isapi``."""
    session.install(".[all]")
    _group(session, "tests")
    words = session.posargs or ["--runs", "20000", "--processes", "2"]
    session.run("python", "-m", "fuzz", *words)
    try:
        session.install("--only-binary", ":all:", "atheris")
    except nox.command.CommandFailed:
        session.log("no atheris for this Python: hypothesis in its place")
        session.run("python", "-m", "fuzz", "--engine", "hypothesis", "--runs", "1000")
        return
    session.run("python", "-m", "fuzz", "--engine", "atheris", "--seconds", "20")


@nox.session
def postgres(session: nox.Session) -> None:
    """Run the catalogue's tests against a PostgreSQL server of their own, on loopback.

    Needs PostgreSQL's programs (Debian: ``apt-get install postgresql``); installs none itself.
    """
    programs = _postgres_programs()
    if programs is None:
        session.error("initdb is missing: install PostgreSQL (Debian: apt-get install postgresql)")
    session.install(".[all,postgres]")
    _group(session, "tests")
    usual = ["tests/integration/test_catalogue.py", "tests/integration/test_sync_postgres.py"]
    tests = session.posargs or usual
    with _postgres_server(programs) as url:
        env = {"CAMSYNC_TEST_POSTGRES": url}
        session.run("pytest", "-m", "postgres", *tests, env=env)


def _postgres_programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, which Debian keeps out of PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return newest[0].parent if newest else None


@contextlib.contextmanager
def _postgres_server(programs: Path, *, lasting: bool = False) -> Iterator[str]:
    """Start a server with a password in a temporary folder, and give the URL of its database.

    Args:
        programs: The folder of initdb and pg_ctl.
        lasting: Whether it syncs what it commits, as a server that is measured must.
    """
    password = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="camsync-postgres-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(password)
        prefix = _not_root(folder, secret)
        port = _free_port()
        data, log = str(folder / "data"), str(folder / "log")
        login = ["-A", "scram-sha-256", "-U", "camsync", f"--pwfile={secret}"]
        _quietly(*prefix, str(programs / "initdb"), "-D", data, *login)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        if not lasting:
            options += " -c fsync=off -c synchronous_commit=off"  # nothing of it is to survive
        control = [*prefix, str(programs / "pg_ctl"), "-D", data, "-w"]
        _quietly(*control, "-l", log, "-o", options, "start")
        try:
            yield f"postgresql://camsync:{password}@127.0.0.1:{port}/postgres"
        finally:
            _quietly(*control, "-m", "fast", "stop")


def _not_root(*paths: Path) -> list[str]:
    """Give *paths* away, and return what a command begins with that root must not run itself."""
    if os.name == "nt" or os.geteuid() != 0:
        return []
    for path in paths:
        shutil.chown(path, "nobody")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quietly(*command: str) -> None:
    # Without pipes: the server inherits them, and would keep them open.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
