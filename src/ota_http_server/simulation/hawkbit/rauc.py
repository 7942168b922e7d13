"""rauc-hawkbit-updater.

Read from src/hawkbit-client.c (1.4). The interface must answer exactly 200 and without redirects;
a PUT or POST is repeated on 409 and 429. One chunk with one artifact, `sha1` in lower case, a size
that is not 0. Success is reported right after the installation, before the reboot. While it works
it goes on polling: a cancellation that comes during the installation is rejected.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer, is_number
from ota_http_server.simulation.board import Board, Did, Outcome
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.hawkbit.ddi import Ddi, found, link, sleep_seconds, text
from ota_http_server.simulation.line import ANYBODY, Access, Words
from ota_http_server.simulation.redirects import Rules, follow

RETRIES_MAX = 10
RESUMES_MAX = 10  # the real one never gives up
MODES = ("skip", "attempt", "forced")
JSON = "application/json;charset=UTF-8"
WORDS = Words(
    refused="Couldn't connect to server",
    silent="Timeout was reached",
    cut="Transferred a partial file",
    nonsense="Unsupported protocol",
)
REDIRECTS = Rules(most=8, too_many="Number of redirects hit maximum amount")


@dataclass(frozen=True, slots=True)
class Artifact:
    """What it reads of a deployment."""

    version: str
    size: int
    sha1: str
    url: str


class Rauc(Ddi):
    """One service; it goes on where it was after a reboot."""

    media_type = JSON

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access = ANYBODY,
        *,
        controller: str | None = None,
        gateway: bool = False,
        retry_seconds: float = 1.0,
    ) -> None:
        super().__init__(
            url, board, access, WORDS, 60.0, controller=controller, gateway=gateway, redials=True
        )
        self._retry_seconds = retry_seconds

    def _check_in(self) -> Outcome:
        poll = self.rest("GET", self.target.address()).json_object("no JSON in the answer")
        if link(poll, "configData"):
            self.identify()
        if deployment := link(poll, "deploymentBase"):
            return self._deploy(deployment)
        wait_seconds = sleep_seconds(poll)
        if cancel := link(poll, "cancelAction"):
            self.cancel(cancel, "closed", "Action canceled.")
            return self._outcome(Did.CANCELED, "", wait_seconds)
        return self._outcome(Did.NOTHING, "No new software.", wait_seconds)

    # --- what it says and reads

    def identify(self) -> None:
        document = _status("success", "closed") | {"data": self.attributes}
        self.rest("PUT", self.target.address("configData"), document)

    def feedback(self, action: str, finished: str, execution: str, detail: str) -> None:
        address = self.target.address("deploymentBase", action, "feedback")
        self.rest("POST", address, {"id": action} | _status(finished, execution, detail))

    def cancel(self, href: str, execution: str, detail: str) -> None:
        document = self.rest("GET", Address.of(href)).json_object("no JSON in the answer")
        stop = text(document, "cancelAction", "stopId", complaint="JsonPath $.cancelAction.stopId")
        address = self.target.address("cancelAction", stop, "feedback")
        self.rest("POST", address, {"id": stop} | _status("success", execution, detail))

    def rest(self, method: str, address: Address, document: Any = None) -> Answer:
        """One call of the interface: 200, or it failed."""
        answer = self.send(method, address, document)
        for _ in range(RETRIES_MAX):
            if method == "GET" or answer.status not in (409, 429):
                break
            time.sleep(self._retry_seconds)
            answer = self.send(method, address, document)
        if answer.status == 401:
            raise Failed("Failed to authenticate. Check if auth_token is correct?")
        if answer.status != 200:
            shown = answer.body[:200].decode("utf-8", "replace")
            raise Failed(f"HTTP request failed: {answer.status}; server response: {shown}")
        return answer

    def fields(self, address: Address, *, binary: bool) -> list[tuple[str, str]]:
        return [
            ("Host", address.host_field),
            ("User-Agent", "rauc-hawkbit-c-agent/1.0"),
            ("Accept", "application/octet-stream" if binary else JSON),
            *self.authorization(),
            *self.access.headers,
        ]

    # --- an update

    def _deploy(self, href: str) -> Outcome:
        document = self.rest("GET", Address.of(href)).json_object("no JSON in the answer")
        action = text(document, "id", complaint="Failed to get value of $.id")
        try:
            download, update = modes_of(document)
            if download == "skip":
                return self._outcome(Did.NOTHING, "download=skip")
            artifact = artifact_of(document)
            self._fetch_and_check(action, artifact)
            if update == "skip":
                return self._only_downloaded(action, document)
            self._reject_cancellation()
        except Failed as failed:
            with suppress(Failed):  # why it failed counts more
                self.feedback(action, "failure", "closed", str(failed))
            raise
        if not self.board.behaviour.falls_silent:
            self.feedback(action, "none", "proceeding", "100% Installing done.")
            done = "Software bundle installed successfully."
            self.feedback(action, "success", "closed", done)
        return self._outcome(self.board.reboot())

    def _fetch_and_check(self, action: str, artifact: Artifact) -> None:
        bundle = self.fetch(Address.of(artifact.url))
        self.feedback(action, "none", "proceeding", "Download complete. 1.00 MB/s")
        counted = sha1(bundle, usedforsecurity=False).hexdigest()
        if counted != artifact.sha1:
            raise Failed(f"Invalid checksum: {counted} expected {artifact.sha1}")
        self.feedback(action, "none", "proceeding", "File checksum OK.")
        self.board.flash(bundle, "Failed to install software bundle.", artifact.version)

    def _only_downloaded(self, action: str, document: dict[str, Any]) -> Outcome:
        if found(document, "deployment", "maintenanceWindow") is None:
            self.feedback(action, "success", "downloaded", "Download complete.")
        return self._outcome(Did.NOTHING, "update=skip")

    def _reject_cancellation(self) -> None:
        """Every five seconds it polls, while it installs too."""
        poll = self.rest("GET", self.target.address()).json_object("no JSON in the answer")
        if cancel := link(poll, "cancelAction"):
            self.cancel(cancel, "rejected", "Action already in progress.")

    def fetch(self, address: Address) -> bytes:
        """With resumption; 416 means that all of it is there already."""
        bundle = b""
        for _ in range(RESUMES_MAX):
            try:
                with self.board.link(self.line):
                    answer = self._get(address, len(bundle))
            except Cut as cut:
                bundle = bundle + cut.received if cut.status == 206 else cut.received
                continue
            if answer.status == 416 and bundle:
                return bundle
            if answer.status not in (200, 206):
                raise Failed(f"Download failed: HTTP request failed: {answer.status}")
            return bundle + answer.body if bundle else answer.body
        raise Failed(f"Download failed: {WORDS.cut}")

    def _get(self, address: Address, have_bytes: int) -> Answer:
        def ask(there: Address) -> Answer:
            extra = (("Range", f"bytes={have_bytes}-"),) if have_bytes else ()
            return self.send("GET", there, extra=extra, binary=True)

        return follow(address, ask, REDIRECTS)[1]


def modes_of(document: dict[str, Any]) -> tuple[str, str]:
    """`deployment.download` and `deployment.update`."""
    download, update = (
        text(document, "deployment", name, complaint=f"Failed to get value of $.deployment.{name}")
        for name in ("download", "update")
    )
    if download not in MODES or update not in MODES:
        raise Failed(f"Unknown mode: download={download}, update={update}")
    return download, update


def artifact_of(document: dict[str, Any]) -> Artifact:
    """The only artifact of the only chunk."""
    chunk = _only(found(document, "deployment", "chunks"), "chunks")
    artifact = _only(found(chunk, "artifacts"), "artifacts")
    version = text(chunk, "version", complaint="Failed to get value of $.version")
    text(chunk, "name", complaint="Failed to get value of $.name")
    if not is_number(size := found(artifact, "size")) or size == 0:
        raise Failed("Failed to get value of $.size")
    digest = text(artifact, "hashes", "sha1", complaint="Failed to get value of $.hashes.sha1")
    href = found(artifact, "_links", "download", "href")
    href = href or found(artifact, "_links", "download-http", "href")
    if not isinstance(href, str):
        raise Failed('"$._links.download{-http,}.href": not found')
    return Artifact(version, size, digest, href)


def _only(values: Any, name: str) -> Any:
    if not isinstance(values, list) or len(values) != 1:
        count = len(values) if isinstance(values, list) else 0
        raise Failed(f"Deployment has {count} {name}, expected exactly 1")
    return values[0]


def _status(finished: str, execution: str, detail: str | None = None) -> dict[str, Any]:
    status: dict[str, Any] = {"result": {"finished": finished}, "execution": execution}
    if detail is not None:
        status["details"] = [detail]
    return {"time": time.strftime("%Y%m%dT%H%M%S", time.gmtime()), "status": status}
