"""A real Chromium without a window, driven by chromedriver over the WebDriver protocol (W3C).

    with Browser() as browser:
        browser.open("http://127.0.0.1:8071/flash/lamp")
        browser.type("#credential", token)
        assert browser.run("return document.title") == "…"

Only what the tests of our pages need, on the standard library.
"""

import base64
import http.client
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.asking import PATIENCE_SECONDS
from tests.running import free_port, wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # what the protocol calls a reference to one


class Browser:
    """One window with a profile of its own; `options` go to Chromium."""

    def __init__(self, *options: str, width: int = 1280, height: int = 900) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="browser-"))
        self._port = free_port()
        self._options = ["--headless=new", f"--window-size={width},{height}", *options]
        self._options += ["--disable-dev-shm-usage", f"--user-data-dir={self._home}/profile"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            self._options.append("--no-sandbox")  # as root it starts no other way
        self._session = ""
        self._driver: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._home / "driver.log").open("wb") as log:
            # pylint: disable-next=consider-using-with  # it lives until the block ends
            self._driver = subprocess.Popen(
                ["chromedriver", f"--port={self._port}"],
                env={**os.environ, "HOME": str(self._home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(self._ready, lambda: "chromedriver does not start")
            wish = {
                "browserName": "chrome",
                "goog:chromeOptions": {"args": self._options},
                "goog:loggingPrefs": {"browser": "ALL"},
            }
            made = self._say("POST", "/session", {"capabilities": {"alwaysMatch": wish}})
            self._session = f"/session/{made['sessionId']}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._say("DELETE", self._session)
        finally:
            self._end()

    def open(self, url: str) -> None:
        """Returns when the page and its modules are loaded."""
        self._ask("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """What the body of a function returns; a promise is waited for."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def before_each_page(self, script: str) -> None:
        """Runs the script in every page from now on, before anything of its own."""
        wish = {
            "cmd": "Page.addScriptToEvaluateOnNewDocument",
            "params": {"source": script},
        }
        self._ask("POST", "/goog/cdp/execute", wish)

    def by_night(self) -> None:
        """Pages are asked for their dark colours from now on."""
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        wish = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": dark}}
        self._ask("POST", "/goog/cdp/execute", wish)

    def of_size(self, width: int, height: int) -> None:
        """The page gets this room, as on a telephone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": False}
        wish = {"cmd": "Emulation.setDeviceMetricsOverride", "params": size}
        self._ask("POST", "/goog/cdp/execute", wish)

    def type(self, selector: str, text: str) -> None:
        """Into a field, key by key, as a person does."""
        self._ask("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """On what is seen there; fails if something else lies above it."""
        self._ask("POST", f"/element/{self._find(selector)}/click", {})

    def is_shown(self, selector: str) -> bool:
        return bool(self._ask("GET", f"/element/{self._find(selector)}/displayed"))

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return str(self._ask("GET", f"/element/{self._find(selector)}/text"))

    def wait_for(self, script: str) -> Any:
        """What the body of a function returns as soon as that is true."""
        found: list[Any] = []

        def happened() -> bool:
            found[:] = [self.run(script)]
            return bool(found[0])

        wait_until(happened, lambda: f"not in the page: {script}\n{self.complaints()}")
        return found[0]

    def complaints(self) -> list[str]:
        """The warnings and errors of the console since the last call."""
        lines = self._ask("POST", "/se/log", {"type": "browser"})
        return [each["message"] for each in lines if each["level"] in ("WARNING", "SEVERE")]

    def address(self) -> str:
        return str(self._ask("GET", "/url"))

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def _find(self, selector: str) -> str:
        wish = {"using": "css selector", "value": selector}
        return str(self._ask("POST", "/element", wish)[ELEMENT])

    def _ask(self, method: str, path: str, body: object | None = None) -> Any:
        return self._say(method, self._session + path, body)

    def _say(self, method: str, path: str, body: object | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            said = None if body is None else json.dumps(body)
            connection.request(method, path, said, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        finally:
            connection.close()
        assert answer.status == 200, f"{path}: {value}"
        return value

    def _ready(self) -> bool:
        try:
            return bool(self._say("GET", "/status")["ready"])
        except OSError:
            return False

    def _end(self) -> None:
        if self._driver is not None:
            self._driver.terminate()
            self._driver.wait(PATIENCE_SECONDS)
        shutil.rmtree(self._home, ignore_errors=True)
