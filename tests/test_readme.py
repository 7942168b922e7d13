"""Every command of README, tutorial and how-tos runs, in order, as a reader would type it.

Each page gets a copy of the repository with the present environment as its `.venv`, one shell
whose variables last from block to block, and ports of its own. `pages.py` has the comments that
say which blocks are servers, which show output, and which cannot run here and why.
"""

import http.client
import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ota_http_server.cli.sample import write_sample
from ota_http_server.levels import read_settings
from tests.pages import REPOSITORY, Block, blocks, pages
from tests.running import PATIENCE_SECONDS, free_port, wait_until
from tests.storage.databases import new_postgresql

ELSEWHERE = {
    "apache.md": "tests/proxy runs the same configuration with a real Apache",
    "nginx.md": "tests/proxy runs the same configuration with a real nginx",
    "systemd.md": "it needs a systemd that runs as the first process",
}

NEEDED = {"swupdate.md": ("swupdate", "cpio")}
"""Programs of one page, beside those of all."""

SHELL = ("sh", "bash")
PORTS = ("8070", "8071", "8072", "8073", "8080")
POSTGRESQL = "postgresql://ota:PASSWORD@db.example.com/ota"
"""A page that names it gets a throw-away database in its place."""

# What differs from run to run, on a page and in its pattern.
VARIES = {
    r"eyJ[\w.…-]+": r"eyJ[\w.-]+",
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:Z|\+00:00))?": r"[0-9TZ:+-]+",
    r"\b1[67]\d{8}\b": r"[0-9]{10}",
    r"\b(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{16})\b": r"[0-9a-f]+",
    r"…": r".*",
}
_VARIES = re.compile("|".join(f"({text})" for text in VARIES))


def read_here() -> list[Any]:
    """Pages, each with the programs that it needs."""
    found = [page for page in pages() if page.parent.name in ("tutorial", "how-to")]
    here = [REPOSITORY / "README.md", *(page for page in found if page.name not in ELSEWHERE)]
    return [
        pytest.param(p, marks=pytest.mark.needs(*NEEDED.get(p.name, ())), id=p.stem) for p in here
    ]


@pytest.mark.needs("curl", "make", "openssl", "bash")
@pytest.mark.parametrize("page", read_here())
def test_every_command_of_the_page_runs_and_prints_what_it_shows(page, tmp_path):
    reader = Reader(tmp_path)
    printed = ""
    try:
        for block in blocks(page):
            where = f"{page.name}:{block.line}"
            if block.word == "output":
                assert_alike(reader.here(block.text), printed, where)
            elif block.language in SHELL and block.word == "background":
                reader.serve(block, where)
            elif block.language in SHELL and block.word != "skip":
                printed = reader.run(block, where)
    finally:
        reader.stop_servers()


@pytest.mark.parametrize("page", pages(), ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_every_example_of_toml_and_json_is_valid(page, tmp_path):
    for block in blocks(page):
        if block.language == "json":
            json.loads(block.text)
        if block.language == "toml" and "parameters" in tomllib.loads(block.text):
            (tmp_path / "config.toml").write_text(block.text)
            read_settings({}, {}, tmp_path / "config.toml", Path.read_text)


def test_the_checks_that_pages_leave_to_make_check_are_in_it():
    makefile = (REPOSITORY / "Makefile").read_text()

    assert "mypy --strict" in makefile
    assert "pylint src/ota_http_server" in makefile


class Reader:
    """Somebody with a fresh clone, a terminal for commands and others for servers."""

    def __init__(self, tmp_path: Path) -> None:
        self._folder = clone(tmp_path / "ota")
        self._state = tmp_path / "state"
        self._ports = {port: str(free_port()) for port in PORTS}
        self._servers: list[subprocess.Popen[bytes]] = []
        self._logs = tmp_path / "logs"
        self._logs.mkdir()
        self._postgresql: str | None = None
        self._environ = {
            "PATH": f"{self._folder}/.venv/bin:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(tmp_path),
            "PYTHONPATH": str(self._folder / "src"),
            "PORT": self._ports["8071"],
            "OTA_PORT": self._ports["8071"],
            "OTA_WORKERS": "1",
        }

    def here(self, text: str) -> str:
        """The text with the ports and addresses that it may use on this machine."""
        text = re.sub(rf"\b({'|'.join(PORTS)})\b", lambda port: self._ports[port[1]], text)
        if POSTGRESQL in text:
            self._postgresql = self._postgresql or new_postgresql()
            text = text.replace(POSTGRESQL, self._postgresql)
        return text.replace("0.0.0.0", "127.0.0.1")

    def run(self, block: Block, where: str) -> str:
        """What the commands print; they end as the page says, or the test fails."""
        if block.word == "given":
            image = self._folder / block.rest
            image.parent.mkdir(parents=True, exist_ok=True)
            write_sample(image, image.stem, "1.4.0", 64)
        status = int(block.rest) if block.word == "exit" else 0
        script = f"{self._resumed()}\nset -eao pipefail\n{self.here(block.text)}"
        script += f"\nset +ea; export -p > {shlex.quote(str(self._state))}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE_SECONDS,  # a simulated rollout takes its minute
            check=False,
        )
        said = f"{where} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}\n"
        assert done.returncode == status, said + self._said_by_servers()
        return done.stdout

    def serve(self, block: Block, where: str) -> None:
        """Starts one server for each command, in place of those that ran before."""
        self.stop_servers()
        for command in self.here(block.text).replace("\\\n", " ").splitlines():
            with (self._logs / f"{len(list(self._logs.iterdir()))}.log").open("wb") as log:
                # pylint: disable-next=consider-using-with  # it lives until `stop_servers`
                server = subprocess.Popen(
                    ["bash", "-c", f"{self._resumed()}\nexec {command}"],
                    cwd=self._folder,
                    env=self._environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._servers.append(server)
        for port in self._ports_of(block.text):
            wait_until(
                lambda port=port: self._ready(port), lambda: f"{where}: {self._said_by_servers()}"
            )

    def stop_servers(self) -> None:
        for server in self._servers:
            end(server)
        self._servers = []

    def _resumed(self) -> str:
        return f"if [ -f {self._state} ]; then . {self._state}; fi"

    def _ports_of(self, text: str) -> list[int]:
        named = re.findall(r"--port (\d+)", self.here(text))
        return [int(port) for port in named] or [int(self._ports["8071"])]

    def _ready(self, port: int) -> bool:
        assert all(server.poll() is None for server in self._servers), self._said_by_servers()
        return any(answers(port, context) for context in (None, unverified()))

    def _said_by_servers(self) -> str:
        return "\n".join(log.read_text(errors="replace") for log in sorted(self._logs.iterdir()))


def clone(folder: Path) -> Path:
    """A copy of the repository as a clone would have it, with this environment as `.venv`."""

    def left_out(place: str, names: list[str]) -> set[str]:
        if Path(place) == REPOSITORY:
            made = {"data", "build", "dist", "tests", "benchmarks", "ota_audit.log"}
            return {name for name in names if name.startswith(".") or name in made}
        if Path(place) == REPOSITORY / "www" / "firmware":
            return {name for name in names if name != "README.md"}
        return {name for name in names if name.endswith(".pem")}

    shutil.copytree(REPOSITORY, folder, ignore=left_out)
    environment = folder / ".venv"
    environment.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if not entry.name.startswith("."):
            (environment / entry.name).symlink_to(entry)
    for stamp in (".run", ".dev"):  # what `make` looks at to know that all is installed
        (environment / stamp).touch()
    return folder


def assert_alike(shown: str, printed: str, where: str) -> None:
    """The page shows what was printed, but for tokens, dates, digests and what it leaves out."""
    pattern, end_of_last = "", 0
    shown = shown.strip()
    for found in _VARIES.finditer(shown):
        pattern += re.escape(shown[end_of_last : found.start()])
        pattern += list(VARIES.values())[(found.lastindex or 1) - 1]
        end_of_last = found.end()
    pattern += re.escape(shown[end_of_last:])
    said = f"{where} shows\n{shown}\nbut this is printed:\n{printed}"
    assert re.fullmatch(pattern, printed.strip(), re.DOTALL), said


def answers(port: int, context: ssl.SSLContext | None) -> bool:
    connection: Any = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    if context is not None:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        return bool(connection.getresponse().status == 200)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def unverified() -> ssl.SSLContext:
    """Only to see whether somebody is there; the pages themselves verify with curl."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def end(server: subprocess.Popen[bytes]) -> None:
    """Ctrl-C for the whole group, and no patience with what is left of it."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
        except ProcessLookupError:
            break
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            continue
    server.wait(PATIENCE_SECONDS)
