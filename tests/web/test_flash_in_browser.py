"""The flash page in a real Chromium, down to the bytes in a board's flash."""

import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.web.browser import Browser
from tests.web.flash_site import CREDENTIAL, FOLDER, IMAGE, MANIFEST, Site

pytestmark = pytest.mark.needs("chromium", "chromedriver")

HERE = Path(__file__).parent
WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""
WITHOUT_WEB_SERIAL = "delete Navigator.prototype.serial;"
IMPROV = "Improv initialization failed"  # what the component says of boards that do not speak it


@contextmanager
def browsing(*options, scripts=(), **size):
    with Browser(*options, **size) as browser:
        browser.before_each_page(WATCH_POLICY)
        for script in scripts:
            browser.before_each_page(script)
        yield browser


@pytest.fixture(name="site")
def a_site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture(name="shared", scope="module")
def a_shared_browser():
    with browsing() as browser:
        yield browser


@pytest.fixture(name="browser")
def a_browser(shared):
    """The same for all tests that need no other: each opens a page anew."""
    shared.complaints()  # those of the test before
    return shared


@pytest.fixture(name="board_script", scope="session")
def a_board_script():
    return (HERE / "board.js").read_text()


def show(browser, credential=CREDENTIAL):
    """Types the credential and waits for what comes of it."""
    browser.run("document.getElementById('credential').value = ''")
    browser.type("#credential", credential)
    browser.click("#form button")
    browser.wait_for(
        "const said = document.getElementById('answer').textContent;"
        "return !document.getElementById('found').hidden || said && !said.startsWith('Looking')"
    )


def manifest_in(browser):
    """Where the component would look."""
    return browser.run("return document.getElementById('install').getAttribute('manifest')")


def unexpected(browser):
    """Whatever the browser complained of, the policy first."""
    said = [line for line in browser.complaints() if IMPROV not in line]
    return browser.run("return window.violations") + said


def test_the_page_moves_the_credential_into_the_place_of_the_manifest(browser, site):
    browser.open(site.page())
    component = browser.run("return !!customElements.get('esp-web-install-button')")
    show(browser)
    manifest = manifest_in(browser)
    fetched = browser.run("return fetch(arguments[0]).then((answer) => answer.json())", manifest)
    left = browser.run("return document.getElementById('credential').value")
    asked = browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")

    assert unexpected(browser) == []
    assert component
    assert manifest == f"{FOLDER}/manifest.json?chip=any"
    assert fetched == MANIFEST
    assert (browser.address(), left) == (site.page(), "")
    assert all(name.startswith(f"http://127.0.0.1:{site.port}/") for name in asked), asked
    assert browser.text("#found-name") == "lamp 1.4.0"
    assert browser.text("#chips") == "ESP32"
    assert browser.text("#left-out-chips") == "ESP8266"


def test_a_board_gets_the_image_byte_for_byte(site, board_script):
    with browsing(scripts=[board_script]) as browser:
        browser.open(site.page())
        show(browser)
        browser.click("#install button")
        dialog = "const dialog = document.querySelector('ewt-install-dialog');"
        browser.wait_for(f"{dialog} return dialog?._client === null")
        for choice in ("ew-list-item", "ew-text-button:last-of-type"):
            browser.wait_for(f"{dialog} return dialog.shadowRoot.querySelector('{choice}')")
            browser.run(f"{dialog} dialog.shadowRoot.querySelector('{choice}').click()")
        browser.wait_for(
            f"{dialog} return ['finished', 'error'].includes(dialog._installState?.state)"
        )
        written = zlib.decompress(bytes(browser.run("return board.written")))

        assert unexpected(browser) == []
        assert browser.run("return board.erased")
        assert written[: len(IMAGE)] == IMAGE
        assert written[len(IMAGE) :].strip(b"\xff") == b""


def test_every_dialog_of_the_component_keeps_to_the_policy(site, board_script):
    """The states are set by hand: a board cannot be brought into each of them."""
    progress = "{state, message: 'text', details: {done: false, percentage: 42}}"
    wifi = """
        dialog._info = {name: "lamp", firmware: "lamp", version: "1", chipFamily: "ESP32"};
        dialog._client = {state: 2, nextUrl: "http://lamp.local/", close() {}, provision() {},
          addEventListener() {}, removeEventListener() {},
          subscribeSSIDs: (hear) => {
            hear([{name: "near", rssi: -40, secured: true},
                  {name: "far", rssi: -80, secured: false}]);
            return async () => {};
          }};
        dialog._provisionForce = true;
    """
    states = [
        *("dialog._state = 'ASK_ERASE'", "dialog._state = 'INSTALL'"),
        "dialog._installConfirmed = true",
        *(
            f"const state = '{state}'; dialog._installState = {progress}"
            for state in ("initializing", "preparing", "erasing", "writing", "finished", "error")
        ),
        f"{wifi} dialog._state = 'DASHBOARD'",
        "dialog._state = 'PROVISION'",
        "dialog.shadowRoot.querySelector('ew-filled-select').open = true",
        "dialog.shadowRoot.querySelector('ew-filled-select').open = false",
        "dialog._selectedSsid = null",
        "dialog._client = undefined; dialog._state = 'LOGS'",
    ]
    rendered = "await dialog.updateComplete; await new Promise(requestAnimationFrame)"
    with browsing(scripts=[board_script]) as browser:
        browser.open(site.page())
        show(browser)
        browser.run("board.hidden = true")
        browser.click("#install button")
        browser.wait_for("return document.querySelector('ewt-no-port-picked-dialog')")
        browser.run(
            "document.querySelector('ewt-no-port-picked-dialog').remove(); board.hidden = false"
        )
        browser.click("#install button")
        browser.wait_for("return document.querySelector('ewt-install-dialog')?._client === null")
        for state in states:
            browser.run(
                "const dialog = document.querySelector('ewt-install-dialog');"
                f"return (async () => {{ {state}; {rendered}; }})()"
            )
        background = browser.wait_for(
            "const dialog = document.querySelector('ewt-install-dialog');"
            "const console = dialog.shadowRoot.querySelector('ewt-console');"
            "return console && getComputedStyle(console.shadowRoot.querySelector('.log'))"
            ".backgroundColor"
        )

        assert unexpected(browser) == []
        assert background == "rgb(28, 28, 28)"


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        ("Aa" * 16, "does not accept this credential"),
        ("abc", "This is no credential"),
        ("../../flash/static", "This is no credential"),
        ("?" * 32, "This is no credential"),
    ],
)
def test_a_credential_that_does_not_hold_is_told_in_words(browser, site, credential, said):
    browser.open(site.page())
    show(browser, credential)

    assert said in browser.text("#answer")
    assert not browser.is_shown("#found")
    assert manifest_in(browser) is None
    assert browser.run("return document.activeElement.id") == "credential"


@pytest.mark.parametrize(
    ("status", "manifest", "said"),
    [
        (404, {}, "nothing to install for lamp with this credential"),
        (409, {"detail": "the newest releases differ by chip"}, "newest releases differ by chip"),
        (503, {}, "cannot answer at this moment"),
        (200, MANIFEST | {"builds": MANIFEST["builds"][1:]}, "has no complete (factory) image"),
        (200, [], "is no manifest"),
    ],
)
def test_what_cannot_be_installed_is_told_in_words(browser, site, status, manifest, said):
    site.status, site.manifest = status, manifest
    browser.open(site.page())
    show(browser)

    assert said in browser.text("#answer")
    assert not browser.is_shown("#found")


def test_names_from_the_manifest_are_text_and_nothing_else(browser, site):
    site.manifest = MANIFEST | {"name": "<img src=x onerror=alert(1)>"}
    browser.open(site.page())
    show(browser)

    assert browser.text("#found-name") == "<img src=x onerror=alert(1)> 1.4.0"
    assert unexpected(browser) == []


def test_another_credential_can_be_used_and_the_first_one_is_gone(browser, site):
    browser.open(site.page())
    show(browser)
    browser.click("#other")

    assert browser.is_shown("#form")
    assert CREDENTIAL not in browser.run("return document.documentElement.outerHTML")


def test_without_tokens_one_press_is_enough(browser, tmp_path):
    site = Site(tmp_path, no_jwt=True)
    try:
        browser.open(site.page())
        browser.click("#again")
        browser.wait_for("return !document.getElementById('found').hidden")

        assert manifest_in(browser) == "/firmware/lamp/manifest.json?chip=any"
        assert unexpected(browser) == []
    finally:
        site.close()


def test_a_page_over_plain_http_says_to_use_https(site):
    with browsing("--host-resolver-rules=MAP ota.test 127.0.0.1") as browser:
        browser.open(site.page("ota.test"))

        assert browser.is_shown("#insecure")
        assert not browser.is_shown("#ask")
        assert not browser.is_shown("#unsupported")
        assert unexpected(browser) == []


def test_a_browser_without_web_serial_is_told_which_ones_have_it(site):
    with browsing(scripts=[WITHOUT_WEB_SERIAL]) as browser:
        browser.open(site.page())

        assert "Chrome, Edge" in browser.text("#unsupported")
        assert not browser.is_shown("#ask")
        assert not browser.is_shown("#insecure")


def test_the_page_fits_phones_and_desks(site):
    with browsing() as browser:
        for width in (320, 360, 768, 1280):
            browser.of_size(width, 800)
            browser.open(site.page())
            show(browser)

            assert browser.run("return document.documentElement.scrollWidth") <= width
