"""ESPHome on an ESP32: `update.http_request` reads a manifest, `ota.http_request` flashes.

Read from esphome/components/http_request of 2026.6. The manifest must answer 200; every build
before the one for this variant must name its chip; versions are compared by equality. A `path`
with "http" in it is a URL, one with a leading slash belongs to the manifest's host, any other to
the manifest's folder: a token in the query is lost there. Requests have to fit into 512 bytes.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from ota_http_server.simulation.address import Address, request_bytes
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.board import Board, Device, Did, Outcome
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.https_ota import fit_transmit_buffer
from ota_http_server.simulation.line import ANYBODY, Access, Words
from ota_http_server.simulation.redirects import Rules, follow

PATIENCE_SECONDS = 4.5
MD5_CHARACTERS = 32
USER_AGENT = ("User-Agent", "ESPHome/2026.6.5 (https://esphome.io)")
NO_FIELDS = "Manifest does not contain required fields"

WORDS = Words(
    refused="HTTP Request failed: ESP_ERR_HTTP_CONNECT",
    silent="HTTP Request failed: ESP_ERR_HTTP_EAGAIN",
    cut="Stream closed",
    nonsense="HTTP Request failed: ESP_ERR_HTTP_FETCH_HEADER",
)
REDIRECTS = Rules(
    most=3,
    relative_over_tls=False,
    to_plain=False,
    complaint="esp_http_client_set_redirection failed",
    too_many="Reach redirect limit count=3",
)


@dataclass(frozen=True, slots=True)
class Build:
    """What the manifest offers this variant."""

    version: str
    path: str
    md5: str


class EspHome(Device):
    """`url` is a manifest if its path ends in `.json`, else an image with `.md5` beside it."""

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access = ANYBODY,
        *,
        md5_url: str | None = None,
        variant: str = "ESP32",
    ) -> None:
        super().__init__(board, access, WORDS, PATIENCE_SECONDS)
        self.url = url
        self.address = Address.of(url)
        self.variant = variant
        self.md5_address = Address.of(md5_url) if md5_url else self._sidecar()

    @property
    def has_manifest(self) -> bool:
        return self.address.path.endswith(".json")

    def read_manifest(self, answer: Answer) -> Build:
        if answer.status != 200:
            raise Failed(f"Failed to fetch manifest from {self.address.shown} ({answer.status})")
        document = answer.json_object(f"Failed to parse JSON from {self.address.shown}")
        return build_for(document, self.variant)

    def read_md5(self, answer: Answer) -> str:
        if not 200 <= answer.status < 300:
            raise Failed(
                f"HTTP Request failed; Code: {answer.status}: Failed to connect to MD5 URL"
            )
        if len(answer.body) < MD5_CHARACTERS:
            raise Failed(f"MD5 file must be 32 bytes; {len(answer.body)} bytes reported")
        return answer.body[:MD5_CHARACTERS].decode("latin-1")

    def fetch(self, address: Address, expected_md5: str) -> bytes:
        """`ota.http_request.flash` up to the point where the image is checked."""
        with self.board.link(self.line):
            answer = self.get(address)
        if answer.status != 200:
            raise Failed(f"HTTP Request failed; URL: {address.shown}; Code: {answer.status}")
        if answer.body[:1] != b"\xe9":
            raise Failed("Error code (8A) writing binary data to flash at offset 0")
        counted = md5(answer.body, usedforsecurity=False).hexdigest()
        if counted != expected_md5:
            raise Failed(f"MD5 computed: {counted} - Aborting due to MD5 mismatch")
        return answer.body

    def firmware_address(self, path: str) -> Address:
        """Where a path of the manifest leads: strings put together, as the component does it."""
        if "http" in path:
            return Address.of(path)
        if path.startswith("/"):
            host_end = self.url.find("/", 8)
            return Address.of((self.url if host_end < 0 else self.url[:host_end]) + path)
        return Address.of(self.url[: self.url.rfind("/") + 1] + path)

    def get(self, address: Address) -> Answer:
        def ask(there: Address) -> Answer:
            return self.line.ask(there, self.request(there))

        answer = follow(address, ask, REDIRECTS)[1]
        self.line.close()  # every request has a client of its own
        return answer

    def request(self, address: Address) -> bytes:
        fields = [USER_AGENT, ("Host", address.host_field)]
        basic = address.user_and_password
        if basic is None and self.access.token is not None:
            basic = f"device:{self.access.token}"
        if basic is not None:
            fields.append(("Authorization", f"Basic {base64.b64encode(basic.encode()).decode()}"))
        first = f"GET {address.target} HTTP/1.1"
        fields += self.access.headers
        fit_transmit_buffer(first, fields)
        return request_bytes(first, fields)

    def _check_in(self) -> Outcome:
        if not self.has_manifest:
            digest = self.read_md5(self.get(self.md5_address))
            return self._install(self.fetch(self.address, digest))
        build = self.read_manifest(self.get(self.address))
        if build.version in ("", self.board.said_version):
            return self._outcome(Did.NOTHING)
        return self._install(self.fetch(self.firmware_address(build.path), build.md5), build)

    def _install(self, image: bytes, build: Build | None = None) -> Outcome:
        version = build.version if build else None
        self.board.flash(image, "Error ending update! error_code: 137", version)
        return self._outcome(self.board.reboot())

    def _sidecar(self) -> Address:
        path, mark, query = self.address.target.partition("?")
        return self.address.at(f"{path}.md5{mark}{query}")


def build_for(manifest: Mapping[str, Any], variant: str) -> Build:
    """The build for this variant, read as strictly as the component reads it."""
    name, version, builds = (manifest.get(key) for key in ("name", "version", "builds"))
    if not (isinstance(name, str) and isinstance(version, str) and isinstance(builds, list)):
        raise Failed(NO_FIELDS)
    for build in builds:
        family = build.get("chipFamily") if isinstance(build, dict) else None
        if not isinstance(family, str):
            raise Failed(NO_FIELDS)
        if family == variant:
            ota = build.get("ota")
            path, digest = (
                (ota.get("path"), ota.get("md5")) if isinstance(ota, dict) else (None, None)
            )
            if not (isinstance(path, str) and isinstance(digest, str)):
                raise Failed(NO_FIELDS)
            return Build(version, path, digest)
    raise Failed(f"Failed to parse JSON: no build for {variant}")
