"""`make run` as a stranger has it, and `.ci/run`: what they install, start, print and refuse."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tools.run import what_to_try

from ota_http_server.settings import Settings
from tests.running import PATIENCE_SECONDS, free_port

ROOT = Path(__file__).parents[1]
LAST_LINE = "revision=9999'"
CI_PROGRAMS = (
    *("apache2", "nginx", "wrk", "openssl", "cpio", "curl", "make", "apt-get", "sudo"),
    *("chromium", "chromedriver", "swupdate"),
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="make and sh are for POSIX systems")


class Run:
    """`tools/run.py` in a copy of the repository, and what it has printed."""

    def __init__(self, folder, *options):
        (folder / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "run.py", folder / "tools")
        self.folder = folder
        self.output = folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(folder / "tools" / "run.py"), *options],
                env={"PATH": os.environ["PATH"], "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while LAST_LINE not in self.text and self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    @property
    def text(self):
        return self.output.read_text(errors="replace")

    @property
    def commands(self):
        """From the first comment on, without the server's own lines."""
        lines = self.text[self.text.index("# The server is ready") :].splitlines()
        return "\n".join(line for line in lines if not re.match(r"\d{4}-\d\d-\d\dT", line))

    def paste(self, folder):
        """The printed commands, as they are, in another folder's shell."""
        folder.mkdir()
        return subprocess.run(
            ["sh"],
            input=self.commands.encode(),
            cwd=folder,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


@pytest.mark.needs("curl")
def test_what_it_prints_can_be_pasted_and_downloads_the_sample(tmp_path):
    # A space, a quote and a dollar sign: the folder of a stranger may be called so.
    with Run(tmp_path / "it's a $copy", "--port", str(free_port())) as run:
        done = run.paste(tmp_path / "elsewhere")

        assert done.stdout.startswith(b'the same\n{"update":true,'), (done.stdout, run.text)
        assert done.stderr == b""
        sample = run.folder / "www/firmware/sample/sample-1.0.0.bin"
        assert (tmp_path / "elsewhere/downloaded.bin").read_bytes() == sample.read_bytes()
        assert "https:" not in run.commands
        secret = (run.folder / "data/secrets/admin").read_text().strip()
        assert secret not in run.text


@pytest.mark.needs("curl")
def test_for_boards_it_serves_tls_and_says_what_they_need(tmp_path):
    port = free_port()
    with Run(tmp_path / "copy", "--host", "0.0.0.0", "--port", str(port)) as run:
        done = run.paste(tmp_path / "elsewhere")

        assert done.stdout.startswith(b'the same\n{"update":true,'), (done.stdout, run.text)
        assert done.stderr == b""
        authority = run.folder / "data/tls/ca_cert.pem"
        assert f"--cacert {authority}" in run.commands
        assert re.search(
            rf"# On the network this server is https://[0-9a-f.:\[\]]+:{port}\n", run.text
        )
        for words in ("esp_http_client_config_t", ".cert_pem = ", "EMBED_TXTFILES", str(authority)):
            assert words in run.commands


def test_a_configured_secret_is_taken_from_the_environment():
    commands = what_to_try(Settings(no_certs=True, admin_secret="canary"))

    assert "canary" not in commands
    assert "$(printf 'X-Admin-Secret: %s' \"$OTA_ADMIN_SECRET\" | curl" in commands


def test_a_polite_stop_reaches_the_server(tmp_path):
    with Run(tmp_path / "copy", "--port", str(free_port())) as run:
        run.process.terminate()

        assert run.process.wait(PATIENCE_SECONDS) == 0
        assert "Action=server_stop" in (run.folder / "ota_audit.log").read_text()


def test_a_port_that_is_taken_is_said_and_nothing_is_printed_to_paste(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with Run(tmp_path / "copy", "--port", str(taken.getsockname()[1])) as run:
            assert run.process.wait(PATIENCE_SECONDS) == 2
            assert "another process is listening there" in run.text
            assert "# The server is ready" not in run.text


def test_a_port_that_is_none_is_one_line(tmp_path):
    with Run(tmp_path / "copy", "--port", "http") as run:
        assert run.process.wait(PATIENCE_SECONDS) == 1
        assert run.text == "make run: --port: port must be a whole number, not 'http'\n"


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path):
    """A checkout, and a Python whose venv and pip only write down what they are asked."""
    for name in ("Makefile", "pyproject.toml", "requirements", "tools"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    pip = 'echo "pip $*" >> asked'
    venv = f"""
case "$*" in
  -c*) exit 0 ;;
  --version) echo "Python 3.x" ;;
  "-m venv "*)
    mkdir -p "$3/bin"
    printf '#!/bin/sh\\n{pip}\\n' > "$3/bin/pip"
    printf '#!/bin/sh\\necho "python $*" >> asked\\n' > "$3/bin/python"
    printf '#!/bin/sh\\necho "pytest $*" >> asked\\n' > "$3/bin/pytest"
    chmod +x "$3"/bin/* ;;
esac"""
    program(tmp_path / "python3", venv)
    return tmp_path


def make(checkout, *words):
    done = subprocess.run(
        ["make", *words, f"PYTHON={checkout}/python3"],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    asked = checkout / "asked"
    lines = asked.read_text().splitlines() if asked.exists() else []
    asked.unlink(missing_ok=True)
    return done.stdout, [line.replace(" --quiet --disable-pip-version-check", "") for line in lines]


needs_make = pytest.mark.needs("make")


@needs_make
def test_make_run_installs_the_lock_once_says_so_and_starts_on_loopback(checkout):
    first, asked = make(checkout, "run")
    again, asked_again = make(checkout, "run")

    start = "python tools/run.py --host 127.0.0.1 --port 8071"
    assert asked == [
        "pip install --require-hashes -r requirements/run.txt -r requirements/build.txt",
        "pip install --no-build-isolation --no-deps -e .",
        start,
    ]
    assert first.splitlines()[0] == "Making .venv with Python 3.x"
    assert "Installing what the server needs into .venv, once; this takes a minute" in first
    assert (again, asked_again) == ("", [start])


@needs_make
def test_make_run_takes_host_port_and_venv(checkout):
    _, asked = make(checkout, "run", "HOST=0.0.0.0", "PORT=9000", "VENV=other")

    assert asked[-1] == "python tools/run.py --host 0.0.0.0 --port 9000"
    assert (checkout / "other" / "bin" / "pip").exists()


@needs_make
def test_make_test_installs_what_developers_need_and_runs_the_tests(checkout):
    _, asked = make(checkout, "test")

    assert asked[0] == "pip install --require-hashes -r requirements/dev.txt"
    assert asked[-1].startswith("pytest")


@needs_make
def test_an_environment_that_was_left_without_pip_is_completed(checkout):
    program(checkout / ".venv" / "bin" / "python", "exit 1")

    _, asked = make(checkout, "run")

    assert asked[-1].startswith("python tools/run.py")


@needs_make
def test_an_older_python_is_refused_with_a_way_out(checkout):
    program(checkout / "python3", "exit 1")

    done = subprocess.run(
        ["make", "run", f"PYTHON={checkout}/python3"],
        cwd=checkout,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "Python 3.11 or newer is needed; say which: make run PYTHON=" in done.stderr


def ci(folder, tests, *, made=0):
    """`.ci/run` where every program it calls only writes down that it was called."""
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    programs = folder / "programs"
    for name in CI_PROGRAMS:
        program(programs / name, f'echo "{name} $*" >> {folder}/asked')
    program(
        programs / "make",
        f'echo "make $*" >> {folder}/asked\n[ "$1" = test ] || exit 0\n'
        f"cat <<'END'\n{tests}\nEND\nexit {made}",
    )
    for name in ("bash", "dirname", "id", "env", "mktemp", "rm", "tee", "grep", "cat"):
        (programs / name).symlink_to(shutil.which(name))
    (programs / "python3").symlink_to(sys.executable)
    (folder / "mod_xsendfile.so").touch()
    done = subprocess.run(
        [str(folder / ".ci" / "run")],
        cwd=folder,
        env={"PATH": str(programs), "APACHE_MODULES": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, (folder / "asked").read_text().splitlines()


def test_ci_runs_the_tests_and_then_the_checks_and_shows_the_closing_line(tmp_path):
    done, asked = ci(tmp_path, "SKIPPED [1] tests/x.py:1: only root gives away\n== 9 passed ==")

    assert done.returncode == 0, done.stderr
    assert asked == ["make test", "make check"]
    assert "== 9 passed ==" in done.stdout


@pytest.mark.parametrize(
    "reason",
    [
        "nginx is not installed (Debian: apt-get install nginx)",
        "needs the openssl command (Debian: openssl)",
        "PostgreSQL cannot start here: OSError: no",
    ],
)
def test_ci_fails_if_a_test_was_skipped_for_want_of_a_component(tmp_path, reason):
    done, asked = ci(tmp_path, f"SKIPPED [2] tests/proxy/test_x.py:1: {reason}\n== 9 passed ==")

    assert done.returncode == 1
    assert asked == ["make test"]
    assert "need a real component and were skipped" in done.stderr


def test_ci_fails_if_a_test_fails(tmp_path):
    done, asked = ci(tmp_path, "== 1 failed ==", made=2)

    assert done.returncode == 2
    assert asked == ["make test"]
