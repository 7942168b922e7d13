"""The flash page and the files it loads: what they say, allow, and do not give away."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.domain.identity import PROJECT_PATTERN
from ota_http_server.web.flash import HERE, WEB_TOOLS
from tests.instance import Instance
from tests.running import Server

VENDOR = HERE / "vendor" / WEB_TOOLS
PACKAGE_HOSTS = re.compile(rb"://[a-z.]*(?:pypi|pythonhosted|npmjs|debian)", re.IGNORECASE)
OWN_IMPORT = re.compile(r"""(?:\bimport\(|\bfrom\s*|\bimport\s*)["']\./([^"']+)["']""")


@pytest.fixture(name="ota", scope="module")
def an_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("flash")) as ota:
        yield ota


def page(ota, project="lamp"):
    answer = ota.get(f"/flash/{project}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def linked(text):
    return re.findall(r'(?:src|href)="(/flash/static/[^"]+)"', text)


def policy(answer):
    directives = answer.headers["Content-Security-Policy"].split("; ")
    return dict(directive.split(" ", 1) for directive in directives)


def test_the_page_names_the_project_and_where_its_manifest_lies(ota):
    text = page(ota, "Lamp_2.x-y")

    assert "<title>Install Lamp_2.x-y on a board</title>" in text
    assert 'data-folder="/firmware/Lamp_2.x-y/"' in text


def test_the_manifest_lies_where_firmware_is_served(tmp_path):
    with Instance(tmp_path, url_firmware="ota/images") as ota:
        assert 'data-folder="/ota/images/lamp/"' in page(ota)


def test_the_page_asks_for_a_credential_that_cannot_get_into_an_address(ota):
    (field,) = re.findall(r"<input[^>]*>", page(ota))

    assert 'type="password"' in field
    assert 'autocomplete="off"' in field
    assert "name=" not in field
    assert "value=" not in field


def test_without_tokens_the_page_asks_for_none(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        text = page(ota)

    assert "<input" not in text
    assert "<form" not in text
    assert "esp-web-install-button" in text


def test_a_project_that_is_not_there_looks_like_one_that_is(ota):
    ota.drop("lamp", "lamp-1.0.0.bin", b"\xe9" * 64)
    there, missing = ota.get("/flash/lamp"), ota.get("/flash/lump")

    assert there.get_data(as_text=True).replace("lamp", "lump") == missing.get_data(as_text=True)
    assert [h for h in there.headers if h[0] != "Date"] == [
        h for h in missing.headers if h[0] != "Date"
    ]


def test_neither_a_credential_nor_anything_else_is_written_into_the_page(ota):
    plain = page(ota)

    assert page(ota, "lamp?token=abc.def.ghi&x=<script>") == plain


@pytest.mark.parametrize(
    "project",
    [
        *("-lamp", ".lamp", "..", "a%2Fb", "a%00", "lamp%0A", "l%C3%A4mpchen", "a" * 65),
        *("%3Cscript%3E", "a%22onload=", "a%20b", "{{7*7}}", "a'b"),
    ],
)
def test_what_cannot_be_a_project_has_no_page(ota, project):
    answer = ota.get(f"/flash/{project}")

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"


@given(st.text(max_size=80).filter(lambda text: "/" not in text))
def test_any_text_in_the_place_of_the_project_is_a_page_or_a_404(ota, project):
    answer = ota.client.get("/flash/" + quote(project, safe=""))

    assert answer.status_code == (200 if PROJECT_PATTERN.match(project) else 404)


def test_the_page_is_for_reading(ota):
    assert ota.ask("POST", "/flash/lamp").status_code == 405
    assert ota.ask("HEAD", "/flash/lamp").status_code == 200


def test_the_page_runs_and_loads_only_what_this_server_has(ota):
    allowed = policy(ota.get("/flash/lamp"))

    styles = allowed.pop("style-src").split()
    assert allowed == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert styles[:2] == ["'self'", "'unsafe-hashes'"]
    assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", each) for each in styles[2:])


def test_the_page_tells_no_other_site_where_it_was_and_is_not_guessed_at(ota):
    headers = ota.get("/flash/lamp").headers

    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Content-Type"] == "text/html; charset=utf-8"


def test_nothing_in_the_page_is_inline_or_from_elsewhere(ota):
    text = page(ota)

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", text)
    assert not re.search(r'(?:src|href)="(?!/)', text)
    assert "//" not in text.replace("https://</code>", "").replace("http://localhost", "")


def test_everything_the_page_loads_is_kept_for_ever(ota):
    for address in linked(page(ota)):
        answer = ota.get(address)
        assert answer.status_code == 200, address
        assert "max-age=31536000" in answer.headers["Cache-Control"]
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_scripts_and_styles_have_their_types_whatever_this_machine_thinks(ota):
    kinds = {
        (Path(address).suffix, ota.get(address).headers["Content-Type"])
        for address in linked(page(ota))
        if "LICENSE" not in address
    }

    assert kinds == {
        (".js", "text/javascript; charset=utf-8"),
        (".css", "text/css; charset=utf-8"),
    }


def test_every_module_that_a_module_asks_for_is_served(ota):
    waiting, seen = {"install-button.js"}, set()
    while waiting:
        name = waiting.pop()
        answer = ota.get(f"/flash/static/{WEB_TOOLS}/{name}")
        assert answer.status_code == 200, name
        seen.add(name)
        waiting |= set(OWN_IMPORT.findall(answer.get_data(as_text=True))) - seen

    assert seen == {path.name for path in VENDOR.glob("*.js")}


@pytest.mark.parametrize(
    "name",
    [
        "../flash.py",
        "%2e%2e/flash.py",
        "..%2fflash.py",
        "..%5cflash.py",
        f"{WEB_TOOLS}/../../../flash.py",
        f"{WEB_TOOLS}/%2e%2e/%2e%2e/README.md",
        f"{WEB_TOOLS}/install-button.js%00",
        f"{WEB_TOOLS}/",
        f"{WEB_TOOLS}",
        "esp-web-tools/9.0.0/install-button.js",
        "flash.js",
        "flash-0000000000000000.js",
        "vendor/README.md",
        "etc/passwd",
        "C:%5cWindows%5cwin.ini",
    ],
)
def test_a_name_is_never_a_path(ota, name):
    answer = ota.get(f"/flash/static/{name}")

    assert answer.status_code == 404
    assert b"Blueprint" not in answer.data


@given(st.text(max_size=60))
def test_any_other_name_is_no_file(ota, name):
    # 308 is the framework's: two slashes are one.
    assert ota.client.get("/flash/static/" + quote(name)).status_code in (308, 404)


def test_firmware_cannot_be_served_where_the_page_is(tmp_path):
    with pytest.raises(Misconfigured, match="must not begin with flash, a route of the server"):
        Instance(tmp_path, url_firmware="flash")


def test_what_others_wrote_is_served_as_they_wrote_it_with_its_licences():
    names = {path.name for path in VENDOR.iterdir()}
    said = (VENDOR.parents[1] / "README.md").read_text()

    assert {"LICENSE", "LICENSE-BUNDLED", "install-button.js"} <= names
    assert "Apache License" in (VENDOR / "LICENSE").read_text()
    assert f"`{WEB_TOOLS}`" in said
    assert [path.name for path in VENDOR.parent.iterdir()] == [VENDOR.name]


def test_nothing_of_it_names_a_package_host_or_loads_from_elsewhere():
    for path in VENDOR.iterdir():
        content = path.read_bytes()
        assert not PACKAGE_HOSTS.search(content), path.name
        assert not re.search(rb"""(?:import\(|from\s*|import\s*)["'](?!\./)""", content), path.name


def test_the_running_server_sends_the_biggest_module_whole(tmp_path):
    biggest = max(VENDOR.glob("*.js"), key=lambda path: path.stat().st_size)
    with Server(tmp_path, tls=True) as server:
        answer = server.get(f"/flash/static/{WEB_TOOLS}/{biggest.name}")

    assert (answer.status, answer.body) == (200, biggest.read_bytes())
