"""SWUpdate's suricatta in hawkBit mode.

Read from suricatta/server_hawkbit.c and corelib/channel_curl.c. At each start it reports how the
last update ended (and goes no further until that was taken), puts its attributes, then polls.
`cancelAction` counts before `deploymentBase`; feedback goes to URLs that it builds itself, but for
a cancellation, whose link gets `/feedback` behind it. A cut download is resumed up to five times,
and whatever answers the Range is appended. Success is reported after the reboot, with the id that
was stored, and only while the poll still shows a deployment.
"""

import time
from contextlib import suppress
from hashlib import sha1
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.board import Board, Did, Outcome
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.hawkbit.ddi import Ddi, Fields, found, link, sleep_seconds, text
from ota_http_server.simulation.hawkbit.multipart import Part, read_ranges
from ota_http_server.simulation.hawkbit.swupdate_json import NO_SLEEP, action_id, chunks_of
from ota_http_server.simulation.line import ANYBODY, Access, Words
from ota_http_server.simulation.redirects import Rules, follow

RETRIES = 5
RANGES_MAX = 10  # in one request of the delta handler
BLOCK_BYTES = 64 * 1024
SHA1_CHARACTERS_COMPARED = 20  # half of it
OK = frozenset({200, 201, 204, 206, 226})
WORDS = Words(
    refused="Channel get operation failed (7): 'Couldn't connect to server'",
    silent="Channel get operation failed (28): 'Timeout was reached'",
    cut="Channel get operation failed (18): 'Transferred a partial file'",
    nonsense="Channel get operation failed (1): 'Unsupported protocol'",
)
REDIRECTS = Rules(most=50)  # it has no limit


class SwUpdate(Ddi):
    """`needs_plain_link` is a build without TLS, which takes `download-http` alone."""

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access = ANYBODY,
        *,
        controller: str | None = None,
        gateway: bool = False,
        needs_plain_link: bool = False,
    ) -> None:
        super().__init__(
            url, board, access, WORDS, 60.0, controller=controller, gateway=gateway, redials=True
        )
        self._needs_plain_link = needs_plain_link
        self._has_attributes_to_send = True
        self._result: tuple[int, str, str] | None = None
        """What is to be said of the last update: action, finished, detail."""

    def _check_in(self) -> Outcome:
        if self._result is not None:
            self._report_result(*self._result)
        if self._has_attributes_to_send:
            self.put_attributes()
        poll = self.poll()
        wait_seconds = sleep_seconds(poll)
        if cancel := link(poll, "cancelAction"):
            self.acknowledge(cancel)
            return self._outcome(Did.CANCELED, "", wait_seconds)
        if deployment := link(poll, "deploymentBase"):
            return self._deploy(self.read(deployment))
        return self._outcome(Did.NOTHING, "", wait_seconds)

    # --- what it says and reads

    def poll(self) -> dict[str, Any]:
        document = self.read(self.target.address().url)
        if sleep_seconds(document) is None:
            raise Failed(NO_SLEEP)
        return document

    def read(self, url: str) -> dict[str, Any]:
        answer = self.ask("GET", Address.of(url))
        _check(answer)
        return answer.json_object("Got malformed JSON")

    def put_attributes(self) -> None:
        document = {
            "id": "",
            "time": _local_time(),
            "status": {"result": {"finished": "success"}, "execution": "closed", "details": [""]},
            "mode": "replace",
            "data": self.attributes,
        }
        _check(self.ask("PUT", self.target.address("configData"), document))
        self._has_attributes_to_send = False

    def feedback(
        self, action: int, finished: str, execution: str, details: list[str], of: int = 0
    ) -> Answer:
        result = {"progress": {"cnt": 0, "of": of}, "finished": finished}
        document = {
            "id": action,
            "time": _local_time(),
            "status": {"result": result, "execution": execution, "details": details},
        }
        address = self.target.address("deploymentBase", str(action), "feedback")
        return self.ask("POST", address, document)

    def acknowledge(self, href: str) -> None:
        """Answers a cancellation."""
        document = self.read(href)
        action = action_id(document)
        stop = found(document, "cancelAction", "stopId")
        answer = {
            "id": int(stop) if str(stop).isdigit() else action,
            "time": _local_time(),
            "status": {
                "result": {"finished": "success"},
                "execution": "closed",
                "details": ["cancellation acknowledged."],
            },
        }
        _check(self.ask("POST", Address.of(f"{href}/feedback"), answer))

    def ask(self, method: str, address: Address, document: dict[str, Any] | None = None) -> Answer:
        return self._followed(method, address, document)

    # --- an update

    def _deploy(self, document: dict[str, Any]) -> Outcome:
        action = action_id(document)
        update = text(document, "deployment", "update", complaint="Server delivered no 'update'")
        if update not in ("forced", "attempt"):
            self.feedback(action, "success", "closed", ["Skipped Update."])
            return self._outcome(Did.NOTHING, "update=skip")
        try:
            self._install(action, chunks_of(document))
        except Failed as failed:
            with suppress(Failed):  # why it failed counts more
                self.feedback(action, "failure", "closed", [str(failed)])
            raise
        return self._rebooted(action)

    def _install(self, action: int, chunks: list[dict[str, Any]]) -> None:
        installed = 0
        for chunk in chunks:
            said = ["Installing Update Chunk Artifacts."]
            _check(self.feedback(action, "none", "proceeding", said, len(chunks)))
            for artifact in chunk["artifacts"]:
                installed += self._install_artifact(artifact, chunk["version"])
            if not self.board.behaviour.falls_silent:
                lines = ["SWUPDATE running", "Software updated successfully", "Installed Chunk."]
                self.feedback(action, "none", "proceeding", lines, len(chunks))
        if not installed:
            raise Failed("No suitable .swu image found")

    def _install_artifact(self, artifact: dict[str, Any], version: str) -> bool:
        name = artifact["filename"]
        address = Address.of(self.link_of(artifact))
        if name.endswith(".zck"):
            self.fetch_blocks(address, artifact["size"])
        if not name.endswith(".swu"):
            return False
        image = self.fetch(address)
        counted = sha1(image, usedforsecurity=False).hexdigest()
        expected = artifact["hashes"]["sha1"]
        if counted[:SHA1_CHARACTERS_COMPARED] != expected[:SHA1_CHARACTERS_COMPARED]:
            raise Failed(f"Checksum does not match: Should be '{expected}', but is '{counted}'.")
        self.board.flash(image, "SWUPDATE failed", version)
        return True

    def link_of(self, artifact: dict[str, Any]) -> str:
        plain = found(artifact, "_links", "download-http", "href")
        if self._needs_plain_link and plain is None:
            raise Failed("No artifact download HTTP URL reported by server.")
        href = found(artifact, "_links", "download", "href") or plain
        if not isinstance(href, str):
            raise Failed("No artifact download URL reported by server.")
        return href

    def fetch(self, address: Address) -> bytes:
        """HEAD, whose failure is only warned of; GET; and after a cut the rest, appended."""
        self._followed("HEAD", address, binary=True)
        image = b""
        for _ in range(RETRIES + 1):
            wanted = (("Range", f"bytes={len(image)}-"),) if image else ()
            try:
                with self.board.link(self.line):
                    answer = self._followed("GET", address, extra=wanted, binary=True)
            except Cut as cut:
                image += cut.received
                self._stop_if_canceled()
                continue
            _check(answer)
            return image + answer.body
        raise Failed(WORDS.cut)

    def fetch_blocks(self, address: Address, size: int) -> list[Part]:
        """The delta handler: the blocks that it lacks (every second one), up to ten at a time."""
        starts = range(0, size, 2 * BLOCK_BYTES)
        parts: list[Part] = []
        for at in range(0, len(starts), RANGES_MAX):
            some = starts[at : at + RANGES_MAX]
            spans = [f"{first}-{min(first + BLOCK_BYTES, size) - 1}" for first in some]
            parts += self.fetch_ranges(address, spans)
        return parts

    def fetch_ranges(self, address: Address, spans: list[str]) -> list[Part]:
        wanted = (("Range", f"bytes={','.join(spans)}"),)
        parts = read_ranges(self._followed("GET", address, extra=wanted, binary=True))
        if len(parts) != len(spans):
            raise Failed(f"asked for {len(spans)} ranges, got {len(parts)}")
        return parts

    def _stop_if_canceled(self) -> None:
        """A long download looks now and then whether it is still wanted."""
        if cancel := link(self.poll(), "cancelAction"):
            self.acknowledge(cancel)
            raise Failed("Update cancelled")

    # --- the end of an update

    def _rebooted(self, action: int) -> Outcome:
        if not self.board.behaviour.falls_silent:
            self.feedback(action, "none", "proceeding", ["Update Installed, Testing Pending."])
        did = self.board.reboot()
        self._has_attributes_to_send = True
        ended_badly = did is Did.ROLLED_BACK and not self.board.behaviour.loops
        self._result = (
            (action, "failure", "Update Failed.")
            if ended_badly
            else (action, "success", "Update Installed.")
        )
        return self._outcome(did)

    def _report_result(self, action: int, finished: str, detail: str) -> None:
        poll = self.poll()
        deployment = link(poll, "deploymentBase")
        if deployment and not link(poll, "cancelAction"):
            action_id(self.read(deployment))
            if self.feedback(action, finished, "closed", [detail]).status not in OK:
                # It asks again every ten seconds, and does nothing else until that is taken.
                raise Failed("Error while reporting installation status to server.")
        self._result = None

    def fields(self, address: Address, *, binary: bool) -> list[tuple[str, str]]:
        own = [("Host", address.host_field), ("User-Agent", "libcurl-agent/1.0")]
        return [*own, ("Accept", "*/*"), *self.authorization(), *self.access.headers]

    def _followed(
        self,
        method: str,
        address: Address,
        document: dict[str, Any] | None = None,
        *,
        extra: Fields = (),
        binary: bool = False,
    ) -> Answer:
        def ask(there: Address) -> Answer:
            return self.send(method, there, document, extra=extra, binary=binary)

        return follow(address, ask, REDIRECTS)[1]


def _check(answer: Answer) -> None:
    if answer.status not in OK:
        raise Failed(f"Channel operation returned HTTP error code {answer.status}.")


def _local_time() -> str:
    return time.strftime("%Y%m%dT%H%M%S")
