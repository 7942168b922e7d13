"""Zephyr's hawkBit client, on a microcontroller with MCUboot.

Read from subsys/mgmt/hawkbit/hawkbit.c (state machine of 4.x). One connection for a whole run, and
`Content-Length` on every answer. It polls again after each thing that it did, so a link that stays
is a loop. One chunk with `part` "bApp", one artifact with `sha256` and `download-http`, of whose
absolute URL only the path counts. After the reboot the same action id means: report success.
"""

import re
from hashlib import sha256
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer, is_number
from ota_http_server.simulation.board import Board, Did, Outcome
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.hawkbit.ddi import Ddi, found, link, sleep_seconds
from ota_http_server.simulation.line import ANYBODY, Access, Words

PATIENCE_SECONDS = 300.0  # HAWKBIT_RECV_TIMEOUT
TOKEN_CHARACTERS_MAX = 32  # DDI_SECURITY_TOKEN_SIZE
ROUNDS_MAX = 10  # the real one would go on for ever
SLEEP_CHARACTERS = 8
URL_CHARACTERS_MAX = 299  # URL_BUFFER_SIZE
WORDS = Words(
    refused="Failed to connect to server",
    silent="Failed to send request: -116",
    cut="Failed to send request: -104",
    nonsense="HTTP parsing error",
)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_HREF = re.compile(r"[a-z]+://[^/]+(/.*)")


class Zephyr(Ddi):
    """`saves_progress` is CONFIG_HAWKBIT_SAVE_PROGRESS: a cut download goes on at the next run."""

    media_type = "application/json;charset=UTF-8"

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access = ANYBODY,
        *,
        controller: str | None = None,
        gateway: bool = False,
        saves_progress: bool = True,
    ) -> None:
        super().__init__(
            url, board, access, WORDS, PATIENCE_SECONDS, controller=controller, gateway=gateway
        )
        self._saves_progress = saves_progress
        self._stored_action = 0
        self._progress = b""

    def _check_in(self) -> Outcome:
        """One run of the state machine."""
        did = Did.NOTHING
        for _ in range(ROUNDS_MAX):
            poll = self.probe()
            if cancel := link(poll, "cancelAction"):
                self._cancel(cancel)
                did = Did.CANCELED
            elif config := link(poll, "configData"):
                self.put_attributes(config)
            elif deployment := link(poll, "deploymentBase"):
                document = self.read(path_of(deployment))
                action = action_id(document)
                if action != self._stored_action:
                    return self._install(action, document)
                self._report(action)
            else:
                return self._outcome(did, "", sleep_seconds(poll))
        raise Failed("Polling target data from hawkBit: it never ends, a link does not go away")

    # --- what it says and reads

    def probe(self) -> dict[str, Any]:
        document = self.read(self.target.address().target)
        sleep = found(document, "config", "polling", "sleep")
        if isinstance(sleep, str) and len(sleep) != SLEEP_CHARACTERS:
            raise Failed(f"Invalid poll sleep: {sleep}")
        return document

    def put_attributes(self, href: str) -> None:
        document = {"mode": "merge", "data": self.attributes}
        self.ask("PUT", path_of(href), document)

    def read(self, path: str) -> dict[str, Any]:
        return self.ask("GET", path).json_object("Decode error: -22")

    def ask(self, method: str, path: str, document: dict[str, Any] | None = None) -> Answer:
        """On the one connection of this run; exactly 200, with a length."""
        if len(path) > URL_CHARACTERS_MAX:
            raise Failed(f"URL of {len(path)} characters does not fit the buffer")
        answer = self.send(method, self.target.address().at(path), document)
        if answer.status != 200:
            raise Failed(f"HTTP request denied: {answer.status}")
        if answer.framing_used != "length":
            got = len(answer.body)
            raise Failed(f"HTTP response len mismatch, expected 0, got {got}")
        return answer

    def fields(self, address: Address, *, binary: bool) -> list[tuple[str, str]]:
        token = self.access.token or ""
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise Failed(f"hawkbit/ddi_token too long: {len(token)} characters")
        host = ("Host", f"{address.host}:{address.port}")
        return [host, *self.authorization(), *self.access.headers]

    def _cancel(self, href: str) -> None:
        said = re.search(r"cancelAction/(\d{1,10})", href)
        if said is None or int(said[1]) == 0:
            raise Failed("Invalid action_id in the cancelAction href")
        finished = "failure" if int(said[1]) == self._stored_action else "success"
        self.ask("POST", f"{path_of(href)}/feedback", _closed(finished))

    def _report(self, action: int) -> None:
        path = self.target.address("deploymentBase", str(action), "feedback").target
        self.ask("POST", path, _closed("success"))
        self._stored_action = 0

    # --- an update

    def _install(self, action: int, document: dict[str, Any]) -> Outcome:
        version, size, digest, path = self.artifact_of(document)
        image = self._fetch(path)
        if len(image) != size or sha256(image).hexdigest() != digest:
            raise Failed("Failed to validate stored firmware")
        self.board.flash(image, "Failed to mark the image in slot 1 as pending", version)
        # It stays stored if MCUboot goes back to the old image, which then reports success.
        self._stored_action = action
        return self._outcome(self.board.reboot())

    def artifact_of(self, document: dict[str, Any]) -> tuple[str, int, str, str]:
        """Version, size, sha256 and path."""
        chunk = _only(found(document, "deployment", "chunks"), "chunk")
        if (part := found(chunk, "part")) != "bApp":
            raise Failed(f"Only part 'bApp' is supported; got {part}")
        artifact = _only(found(chunk, "artifacts"), "artifact")
        digest = found(artifact, "hashes", "sha256")
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise Failed("Failed to parse deploymentBase: -22 (hashes.sha256)")
        if not is_number(size := found(artifact, "size")):
            raise Failed("Decode error (deploymentBase): -22 (size)")
        if size > self.board.free_bytes:
            raise Failed(f"Artifact file size too big (got {size}, max is {self.board.free_bytes})")
        if not isinstance(href := found(artifact, "_links", "download-http", "href"), str):
            raise Failed("Missing expected download-http href")
        return str(found(chunk, "version") or ""), size, digest.lower(), path_of(href)

    def _fetch(self, path: str) -> bytes:
        have, self._progress = self._progress, b""
        extra = (("Range", f"bytes={len(have)}-"),) if have else ()
        address = self.target.address().at(path)
        try:
            with self.board.link(self.line):
                answer = self.send("GET", address, extra=extra, binary=True)
        except Cut as cut:
            if self._saves_progress and cut.status in (200, 206):
                self._progress = (have if cut.status == 206 else b"") + cut.received
            raise
        if answer.status not in (200, 206):
            raise Failed(f"HTTP request denied: {answer.status}")
        if answer.framing_used != "length":
            raise Failed("Download incomplete")
        return have + answer.body if answer.status == 206 else answer.body


def path_of(href: str) -> str:
    """What stands behind the host of an absolute URL."""
    said = _HREF.fullmatch(href)
    if said is None:
        raise Failed(f"Unexpected href format: {href}")
    return said[1]


def action_id(document: dict[str, Any]) -> int:
    """A string that begins with digits."""
    value = document.get("id")
    said = re.match(r"\d{1,10}", value) if isinstance(value, str) else None
    if said is None or not 0 < int(said[0]) < 2**31:
        raise Failed(f"Invalid action_id: {value}")
    return int(said[0])


def _only(values: Any, name: str) -> Any:
    count = len(values) if isinstance(values, list) else 0
    if count != 1:
        raise Failed(f"Expecting 1 {name} (got {count})")
    return values[0]


def _closed(finished: str) -> dict[str, Any]:
    return {"status": {"execution": "closed", "result": {"finished": finished}}}
