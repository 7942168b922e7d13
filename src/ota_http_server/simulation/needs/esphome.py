"""What ESPHome needs: of a manifest, or of an image and its MD5 beside it."""

import re
from hashlib import md5
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.board import Board
from ota_http_server.simulation.esphome import (
    PATIENCE_SECONDS,
    REDIRECTS,
    Build,
    EspHome,
    build_for,
)
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.line import Access
from ota_http_server.simulation.needs.finding import Need, Stop, reason
from ota_http_server.simulation.needs.image import ImageLook, ImageNeeds
from ota_http_server.simulation.needs.probe import ANSWERS, TRY_MAC, Probe

BUFFER = Need(
    "path and credential fit the transmit buffer of 512 bytes",
    "it sends a head without an end and gives up after its time-out",
    "use a shorter credential, or set buffer_size_tx under http_request",
)
STATUS = Need(
    "the manifest is answered with exactly 200",
    '"Failed to fetch manifest": it looks again six hours later',
    "check the URL and the credential",
)
FIELDS = Need(
    "the manifest has name, version and builds; every build chipFamily, ota.path and ota.md5",
    '"Failed to parse manifest JSON": it never sees an update',
    'write {"name", "version", "builds": [{"chipFamily", "ota": {"path", "md5"}}]}, all strings',
)
SIDECAR = Need(
    "the MD5 beside the image begins with 32 lower-case hexadecimal digits",
    "it does not begin the download",
    "write the digest first, as md5sum does",
)
DIGEST = Need(
    "the announced MD5 is that of the image",
    '"MD5 mismatch": it gives up after the whole download',
    "make the digest from the very bytes that are served, in lower case",
)
IMAGE = ImageNeeds.of(
    PATIENCE_SECONDS,
    status="it gives up; a token in the manifest's query is lost on the way to a relative path",
    redirect="it gives up: it follows three, absolute ones, whose URLs fit into 512 bytes",
    length="older versions flash nothing",
    wrong_magic="it gives up at the first byte",
)
MANIFEST_NEEDS = (BUFFER, ANSWERS, STATUS, FIELDS, *IMAGE.all(), DIGEST)
IMAGE_NEEDS = (BUFFER, ANSWERS, SIDECAR, *IMAGE.all(), DIGEST)

_MD5 = re.compile(r"[0-9a-f]{32}")


class EspHomeNeeds:
    def __init__(self, url: str, access: Access) -> None:
        self._client = EspHome(url, Board(mac=TRY_MAC), access)
        self.needs = MANIFEST_NEEDS if self._client.has_manifest else IMAGE_NEEDS

    def examine(self, probe: Probe) -> None:
        if self._client.has_manifest:
            build = self._manifest(probe)
            address, digest = self._client.firmware_address(build.path), build.md5
        else:
            address, digest = self._client.address, self._sidecar(probe)
        look = ImageLook(IMAGE, PATIENCE_SECONDS, REDIRECTS)
        _, answer = look.fetch(probe, address, lambda there: self._get(probe, there))
        counted = md5(answer.body, usedforsecurity=False).hexdigest()
        found = digest if digest == counted else f"{digest}, but the image has {counted}"
        probe.notes.judge(DIGEST, digest == counted, found)

    def _manifest(self, probe: Probe) -> Build:
        answer = self._followed(probe, self._client.address)
        probe.notes.demand(STATUS, answer.status == 200, str(answer.status))
        try:
            document = answer.json_object("no JSON object")
            build = build_for(document, _variant(document))
            self._client.firmware_address(build.path)
        except Failed as failed:
            probe.notes.broken(FIELDS, reason(failed))
            raise Stop from None
        probe.notes.ok(FIELDS, f"version {build.version}")
        return build

    def _sidecar(self, probe: Probe) -> str:
        answer = self._followed(probe, self._client.md5_address)
        digest = answer.body[:32].decode("latin-1")
        good = 200 <= answer.status < 300 and _MD5.fullmatch(digest) is not None
        probe.notes.demand(SIDECAR, good, f"{answer.status}, {digest!r}")
        return digest

    def _followed(self, probe: Probe, address: Address) -> Answer:
        def ask(there: Address) -> Answer:
            return probe.ask(there, self._get(probe, there))

        return probe.follow(address, ask, REDIRECTS, IMAGE.redirect)[1]

    def _get(self, probe: Probe, there: Address) -> bytes:
        return probe.request(BUFFER, lambda: self._client.request(there))


def _variant(manifest: dict[str, Any]) -> str:
    """The first chip for which there is an image to fetch."""
    builds = manifest.get("builds")
    for build in builds if isinstance(builds, list) else []:
        if isinstance(build, dict) and "ota" in build and isinstance(build.get("chipFamily"), str):
            return str(build["chipFamily"])
    return "ESP32"
