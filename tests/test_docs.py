"""The documentation says what the code does: nothing is missing in it, and nothing is invented."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from urllib.parse import unquote

import click
import pytest

from ota_http_server.app import create_app
from ota_http_server.cli import cli
from ota_http_server.cli.sample import write_sample
from ota_http_server.domain import errors, formats
from ota_http_server.domain.offer import Reason
from ota_http_server.http.firmware_door import FirmwareDoor
from ota_http_server.http.problems import status_of
from ota_http_server.protocols.enrollment import Enrollment
from ota_http_server.protocols.json_check import JsonCheck
from ota_http_server.settings import Settings, env_name, knobs
from ota_http_server.storage.audit_line import audit_line
from ota_http_server.storage.events import Event
from tests.pages import REPOSITORY, anchors, blocks, headings, links, pages

README = REPOSITORY / "README.md"
REFERENCE = REPOSITORY / "docs" / "reference"
SOURCE = REPOSITORY / "src" / "ota_http_server"

# What the brief's own page has, in its words; where ours differ, they stand behind the colon.
BRIEF = """
OTA Firmware Server
Architecture
Quick Start (source installation)
Prerequisites
Installing ota_http_server as a editable project: Installing ota_http_server as an editable project
Run the server
Features
Editable project - directory Structure
Configuration
Default Hardcoded Values (Lowest Priority)
Configuration File (config.toml)
Environment Variables
Command-Line Options (Highest Priority)
Configuration Hierarchy (Visual)
Standalone Mode
Start with SSL (default)
Start without SSL (for Apache reverse proxy)
Apache Reverse Proxy Mode
Running multiple http_server.py
Apache VirtualHost configuration
httpd-proxy-ota.conf
JWT-Based Authentication for OTA Access
Token Generation
JWT Payload Fields
JWT Generation Logic
Token Usage (Devices)
Audit Logging
Security Notes
Favicon
Example OTA Firmware URL
Code Quality and Static Analysis
Type Checking with mypy
Code Linting with pylint
mypy vs pylint — Comparison Overview
Summary
"""

# What the framework and the server answer by themselves, beside the refusals of the domain.
OTHER_CODES = {"method_not_allowed", "not_acceptable", "gone", "internal"}


@pytest.fixture(name="app")
def an_app(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "www" / "firmware" / "lamp"
    folder.mkdir(parents=True)
    write_sample(folder / "lamp-1.4.0.bin", "lamp", "1.4.0", 4)
    (tmp_path / "www" / "favicon.ico").write_bytes(b"\0\0\1\0")
    app = create_app(Settings(no_jwt=True))
    yield app
    app.extensions["ota"].stores.database.close()


def test_every_heading_of_the_brief_has_its_place_in_the_readme():
    ours = {plain(heading) for heading in headings(README)}
    wanted = {plain(line.rpartition(": ")[2]) for line in BRIEF.strip().splitlines()}

    assert wanted - ours == set()


def test_everything_in_the_directory_structure_exists():
    tree = next(b.text for b in blocks(README) if b.text.startswith("project_root/"))
    named = list(paths_of(tree))

    assert len(named) > 30
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_every_room_of_the_package_is_in_the_directory_structure():
    tree = next(b.text for b in blocks(README) if b.text.startswith("project_root/"))
    rooms = {
        p.name for p in SOURCE.iterdir() if p.suffix in ("", ".py") and not p.name.startswith("_")
    }

    assert rooms - {Path(path).name for path in paths_of(tree)} == set()


def test_every_setting_is_in_the_reference_with_all_its_names():
    page = (REFERENCE / "settings.md").read_text()

    for key, (_, knob) in knobs().items():
        for name in (key, "--" + key.replace("_", "-"), env_name(key, knob)):
            assert f"`{name}`" in page, name


def test_every_command_is_documented():
    page = (REFERENCE / "cli.md").read_text()

    for path in commands(cli, "ota_http_server"):
        assert path in page, path


def test_every_route_is_in_the_reference_and_none_that_is_not_there(app):
    documented = {
        heading.strip("`") for heading in headings(REFERENCE / "http.md") if "/" in heading
    }
    # The admin API has a page of its own, made from its document; `tests/api` compares the two.
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    framework = {rule for rule in rules if not rule.startswith("/api/v1/")}
    firmware = {route for route in documented if route.startswith("/firmware/")}
    device = {route for route in documented if route.startswith("/api/device/")}

    assert documented - firmware - device == framework
    named = {f"/firmware/<project>/{name}" for name in named_below_firmware(app)}
    assert named - firmware == set()
    assert len(firmware - named) == 6


def test_every_documented_device_route_answers(app):
    client = app.test_client()
    latest = client.get("/firmware/lamp/latest").get_json()
    digest = "sha256-" + latest["sha256"][:16]
    for heading in headings(REFERENCE / "http.md"):
        route = heading.strip("`").replace("sha256-<16 hex>", digest)
        route = route.replace("<project>", "lamp").replace("<file>", "lamp-1.4.0.bin")
        if route.startswith("/firmware/"):
            # No real chip has the revision that the sample image asks for.
            assert client.get(f"{route}?revision=9999").status_code == 200, route
            assert client.post(route).status_code == 405, route


def test_every_documented_way_to_a_first_credential_is_there(app):
    client = app.test_client()
    routes = {heading.strip("`") for heading in headings(REFERENCE / "http.md")}

    for name in Enrollment.names:
        assert f"/api/device/v1/{name}" in routes
        answer = client.post(f"/api/device/v1/{name}", json={})
        assert answer.status_code == (200 if name == "challenge" else 400), name


def test_checks_and_reports_have_the_fields_of_the_reference(app):
    page = (REFERENCE / "http.md").read_text()
    client = app.test_client()
    who = {"device": "board", "project": "lamp", "chip": "esp32", "revision": 9999}

    held = client.post("/api/device/v1/check", json=who | {"version": "1.4.0"}).get_json()
    offer = client.post("/api/device/v1/check", json=who | {"version": "1.0.0"}).get_json()
    told = client.post("/api/device/v1/report", json=who | {"state": "installed"}).get_json()

    assert (held["update"], offer["update"], told["state"]) == (False, True, "installed")
    assert [name for name in (*held, *offer, *told) if f"`{name}`" not in page] == []
    routes = {heading.strip("`") for heading in headings(REFERENCE / "http.md")}
    assert {f"/api/device/v1/{name}" for name in JsonCheck.names} - routes == set()


def test_every_hold_reason_is_explained():
    named = {h.strip("`") for h in headings(REFERENCE / "hold-reasons.md") if h.startswith("`")}

    assert named == {str(reason) for reason in Reason}


def test_a_damaged_image_is_refused_as_the_reference_says(app, tmp_path):
    whole = tmp_path / "www" / "firmware" / "lamp" / "lamp-1.4.0.bin"
    damaged = bytearray(whole.read_bytes())
    damaged[-1] ^= 1
    whole.with_name("damaged.tmp").write_bytes(damaged)
    whole.with_name("damaged.tmp").rename(whole.with_name("damaged.bin"))

    answer = app.test_client().get("/firmware/lamp/damaged.bin")

    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
    assert "`404`; `detail` says what is wrong" in (REFERENCE / "http.md").read_text()


def test_the_fields_of_latest_are_those_of_the_reference(app):
    page = (REFERENCE / "http.md").read_text()

    latest = app.test_client().get("/firmware/lamp/latest").get_json()

    assert [name for name in latest if f"`{name}`" not in page] == []


def test_the_headers_of_an_image_are_those_of_the_reference(app):
    page = (REFERENCE / "http.md").read_text()

    headers = app.test_client().get("/firmware/lamp/lamp-1.4.0.bin").headers

    assert [name for name, _ in headers if f"`{name}`" not in page] == []


def test_every_refusal_is_explained_with_its_status():
    page = (REFERENCE / "problems.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", page, re.MULTILINE))
    refusals = {kind.code: str(status_of(kind.__new__(kind))) for kind in refusal_kinds()}

    assert {code: rows.get(code) for code in refusals} == refusals
    assert set(rows) - set(refusals) == OTHER_CODES


def test_what_the_framework_refuses_by_itself_is_explained_too(app):
    page = (REFERENCE / "problems.md").read_text()
    client = app.test_client()
    asked = [client.get("/nope"), client.put("/status"), client.get("/admin/revoke_token")]
    asked.append(client.post("/admin/generate_token", data=b"x" * 100_000))

    codes = {answer.get_json()["code"] for answer in asked}

    assert [code for code in codes if f"| `{code}` |" not in page] == []


def test_every_audit_word_and_fact_is_explained():
    page = (REFERENCE / "audit.md").read_text()
    words, facts = audited()
    documented = set(re.findall(r"^\| `(\w+)` \|[^|]+\|[^|]+\|$", page, re.MULTILINE))

    assert words == documented
    assert [fact for fact in facts if f"`{fact}`" not in page] == []


def test_the_facts_of_audit_words_stand_in_the_order_of_the_line():
    rows = re.findall(
        r"^\| `(\w+)` \|[^|]+\| `([\w ]+)` \|$", (REFERENCE / "audit.md").read_text(), re.MULTILINE
    )

    assert len(rows) > 20
    for action, facts in rows:
        event = Event(1, 0, action, dict.fromkeys(facts.split(), "x"), "", "")
        assert re.findall(r" (\w+)=x", audit_line(event)) == facts.split(), action


def test_every_format_is_in_the_reference():
    modules = [
        import_module(f"{formats.__name__}.{m.name}") for m in iter_modules(formats.__path__)
    ]
    names = {
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, str)
        and name in {"FORMAT", "FORMAT_V2", "BOOTLOADER", "APPLICATION", "SQUASHFS"}
    }
    page = (REFERENCE / "formats.md").read_text()

    assert len(names) > 10
    assert {name for name in names if f"| `{name}` |" not in page} == set()


def test_every_link_leads_somewhere():
    broken = [
        f"{page.relative_to(REPOSITORY)} → {link}"
        for page in pages()
        for link in links(page)
        if not leads(page, link)
    ]

    assert broken == []


def test_every_page_of_the_documentation_is_in_its_index():
    docs = REPOSITORY / "docs"
    linked = {(docs / link.partition("#")[0]).resolve() for link in links(docs / "index.md")}

    assert set(docs.rglob("*.md")) - linked == {docs / "index.md"}


def test_no_page_names_a_place_of_one_machine():
    for page in pages():
        assert not re.search(r"/(?:home|root|work)/|C:\\Users", page.read_text()), page


def test_the_readme_tells_the_version_that_the_changelog_begins_with():
    changelog = (REPOSITORY / "CHANGELOG.md").read_text()
    version = re.search(r'^version = "(.+)"', (REPOSITORY / "pyproject.toml").read_text(), re.M)

    assert version is not None
    assert f"## {version[1]}" in changelog


def plain(heading: str) -> str:
    """A heading without its dress: case, code marks, what stands around the words."""
    return re.sub(r"[^\w() -]", "", heading).strip().casefold()


def paths_of(tree: str) -> Iterator[str]:
    """The paths that a drawn tree names, without its root."""
    folders: list[str] = []
    for line in tree.splitlines()[1:]:
        found = re.match(r"(?P<depth>(?:[│ ] {3})*)[├└]── (?P<name>\S+)", line)
        assert found, line
        depth = len(found["depth"]) // 4
        folders[depth:] = [found["name"].rstrip("/")]
        yield "/".join(folders)


def commands(command: click.Command, path: str) -> Iterator[str]:
    """`ota_http_server token mint` and all the others that do something."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from commands(below, f"{path} {name}")


def named_below_firmware(app) -> set[str]:
    """The names that mean something in every project; a digest beside one is no other thing."""
    (door,) = (one for _, one in app.wsgi_app._dialects if isinstance(one, FirmwareDoor))
    return {name for name in door._named if not name.endswith((".md5", ".sha256"))}


def refusal_kinds() -> list[type[errors.Refusal]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.Refusal)
    ]


NOTE_WORD_AT = {"events.add": 0, "note_release": 2, "note_rollout": 2, "note_move": 2}
"""Which argument of a function that notes an event is its word."""


def audited() -> tuple[set[str], set[str]]:
    """The words and facts of every event that the source notes."""
    words: set[str] = set()
    facts: set[str] = set()
    for file in (SOURCE / "operations").glob("*.py"):
        tree = ast.parse(file.read_text())
        for call in ast.walk(tree):
            name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            if (place := NOTE_WORD_AT.get(name.removeprefix("tx."))) is not None:
                facts |= {keyword.arg for keyword in call.keywords if keyword.arg}
                words |= words_of(call.args[place], tree)
    return words, facts


def words_of(said: ast.expr, tree: ast.Module) -> set[str]:
    """The word itself, or those that a function is called with in this file."""
    if isinstance(said, ast.Constant):
        return {str(said.value)}
    return {
        str(argument.value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("_note", "self._move")
        for argument in call.args
        if isinstance(argument, ast.Constant)
    }


def leads(page: Path, link: str) -> bool:
    """A relative link leads to a file of the repository, and its anchor to a heading there."""
    if re.match(r"https?://|mailto:", link):
        return True
    place, _, anchor = unquote(link).partition("#")
    target = (page.parent / place).resolve() if place else page
    return target.exists() and (not anchor or anchor in anchors(target))
