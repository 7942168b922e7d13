"""What holds for the source as a whole."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ota_http_server import __version__

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ota_http_server"
MODULES = sorted(SOURCE.rglob("*.py"))
NAMES_THAT_SAY_NOTHING = {"utils", "util", "common", "base", "manager", "helpers", "helper"}
NAMES_THAT_SAY_NOTHING |= {"core", "misc", "tools", "lib"}
LINES_MAX = 320


def tree(module):
    return ast.parse(module.read_text())


def test_the_rooms_import_each_other_only_as_the_contracts_say():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_module_says_what_it_is_for(module):
    if "migrations" in module.parts and module.name == "__init__.py":
        return
    assert ast.get_docstring(tree(module)), module


def test_no_module_has_a_name_that_says_nothing():
    names = {part for path in MODULES for part in path.relative_to(SOURCE).with_suffix("").parts}

    assert names & NAMES_THAT_SAY_NOTHING == set()


def test_no_module_is_too_long_to_read_at_once():
    lengths = {path.name: len(path.read_text().splitlines()) for path in MODULES}

    assert {name: n for name, n in lengths.items() if n > LINES_MAX} == {}


def test_nothing_is_left_for_later():
    for path in [*MODULES, *(ROOT / "tests").rglob("*.py")]:
        assert not re.search(r"\b(TODO|FIXME|XXX)\b(?![|)])", path.read_text()), path


def test_no_failure_is_swallowed_whole():
    for module in MODULES:
        for handler in (n for n in ast.walk(tree(module)) if isinstance(n, ast.ExceptHandler)):
            names = {node.id for node in ast.walk(handler.type or handler) if hasattr(node, "id")}
            broad = handler.type is None or names & {"Exception", "BaseException"}
            assert not (broad and [type(n) for n in handler.body] == [ast.Pass]), (
                f"{module}:{handler.lineno}"
            )


def test_modules_can_be_imported_without_doing_anything():
    command = "import ota_http_server.app, ota_http_server.cli.serve, threading, sys; "
    command += "sys.exit(threading.active_count() - 1)"

    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_locks_are_hashed_and_name_no_package_host():
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text()
        pinned = re.findall(r"^[a-z0-9][^\s\[=;]*(?:\[[^]]*\])?==", text, re.MULTILINE)
        assert pinned, lock
        assert len(re.findall(r"\\\n    --hash=sha256:", text)) >= len(pinned)
        assert "://" not in text
        assert "index" not in text.casefold()


def test_the_version_is_written_once_and_repeated_truly():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__


def test_the_places_that_the_first_server_had_are_there():
    for place in (
        *("src/ota_http_server/cli", "tests", "certs/gen", "certs/gen.bat", "www/favicon.ico"),
        *("www/firmware", "pyproject.toml", "config.toml", "ota_start.bat", "README.md"),
        *("http_server.py", "LICENSE"),
    ):
        assert (ROOT / place).exists(), place


def test_scripts_for_windows_have_its_line_ends():
    for script in (ROOT / "ota_start.bat", ROOT / "certs" / "gen.bat"):
        lines = script.read_bytes().splitlines(keepends=True)
        assert all(line.endswith(b"\r\n") for line in lines), script
    assert b"python http_server.py %*" in (ROOT / "ota_start.bat").read_bytes()


def test_static_analysis_is_set_as_the_project_promises():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    promised = {
        "warn_return_any": True,
        "warn_unused_ignores": True,
        "disallow_untyped_defs": True,
        "strict_optional": True,
        "check_untyped_defs": True,
        "show_error_codes": True,
        "pretty": True,
    }
    assert promised.items() <= tools["mypy"].items()
    assert {"module": ["tests.*"], "ignore_errors": True} in tools["mypy"]["overrides"]
    assert tools["pylint"]["FORMAT"]["max-line-length"] == 100
    assert {
        "missing-module-docstring",
        "missing-class-docstring",
        "missing-function-docstring",
    } <= set(tools["pylint"]["MESSAGES CONTROL"]["disable"])
    assert {"i", "j", "k", "x", "y", "z", "cfg"} <= set(tools["pylint"]["BASIC"]["good-names"])


def test_what_must_be_executable_is():
    for script in (".ci/run", "certs/gen"):
        assert (ROOT / script).stat().st_mode & 0o111, script


def test_hooks_before_a_commit_are_local():
    repositories = re.findall(
        r"^\s*- repo: (.*)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.M
    )

    assert set(repositories) == {"local"}
