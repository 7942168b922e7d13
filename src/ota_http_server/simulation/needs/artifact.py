"""What the hawkBit clients need of an artifact: digests, length, HEAD, ranges."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer, is_number
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.hawkbit.ddi import Ddi, found
from ota_http_server.simulation.hawkbit.multipart import read_ranges
from ota_http_server.simulation.needs.finding import Need, reason
from ota_http_server.simulation.needs.probe import Probe
from ota_http_server.simulation.needs.ranges import is_exact, shown
from ota_http_server.simulation.redirects import Rules

WHOLE_BYTES_MAX = 16 * 2**20
"""Larger artifacts are only looked at in parts."""

HASHES = Need(
    "hashes are lower-case hex: sha1 (SWUpdate, rauc), sha256 (Zephyr)",
    "it compares them as text, downloads everything, and refuses it",
    "write all three, sha1, md5 and sha256, in lower case",
)
SIZE = Need(
    "size is a whole number, the artifact's, and so is Content-Length",
    "SWUpdate and rauc refuse the deployment; Zephyr counts wrong",
    "write a JSON number, and no chunks and no compression on artifacts",
)
FETCHED = Need(
    "the artifact is answered with 200, redirected no further than the client follows",
    "the update fails (Zephyr follows no redirect, rauc eight)",
    "serve it from the server itself; a controller must be allowed to fetch what it is offered",
)
HEAD = Need(
    "HEAD on the artifact answers 200 with its length",
    "SWUpdate warns and shows no progress",
    "let HEAD run through the same code as GET",
)
DIGEST = Need(
    "the bytes are those of the announced digests",
    "the update fails after the whole download",
    "bind the URL to the artifact, never to whatever is current",
)
RESUMED = Need(
    "a Range to the end (bytes=N-) gets 206 and the right bytes",
    "SWUpdate writes the beginning behind what it has; a cut download is lost",
    "serve ranges, in the proxy too",
)
BEHIND = Need(
    "a Range behind the end gets 416 with `Content-Range: bytes */size`",
    "rauc, which has all of it already, asks for ever",
    "answer 416 with the size",
)
SEVERAL = Need(
    "several ranges at once get 206 multipart/byteranges, its boundary without quotes and =",
    "delta updates (.zck) are impossible",
    "serve multipart ranges: `Content-Type: multipart/byteranges; boundary=XYZ`",
)


@dataclass(frozen=True, slots=True)
class ArtifactLook:
    """One artifact of a deployment, through the eyes of one client."""

    probe: Probe
    client: Ddi
    rules: Rules

    def examine(self, artifact: dict[str, Any], href: str, hashes: tuple[str, ...]) -> None:
        size = found(artifact, "size")
        said = {name: found(artifact, "hashes", name) for name in hashes}
        self._hashes(said)
        self.probe.notes.demand(SIZE, is_number(size) and size > 0, f"size: {size!r}")
        address = self._head(Address.of(href), size)
        beginning = self._whole(address, size, said)
        self._resumed(address, size, beginning)
        self._behind(address, size)
        self._several(address, size, beginning)

    def _hashes(self, said: dict[str, Any]) -> None:
        wrong = [
            name
            for name, digest in said.items()
            if not isinstance(digest, str)
            or not re.fullmatch(f"[0-9a-f]{{{2 * hashlib.new(name).digest_size}}}", digest)
        ]
        found_now = f"wrong: {', '.join(wrong)}" if wrong else ", ".join(said)
        self.probe.notes.judge(HASHES, not wrong, found_now)

    def _head(self, address: Address, size: int) -> Address:
        """Where it is at last."""

        def ask(there: Address) -> Answer:
            request = self.client.request("HEAD", there, binary=True)
            return self.probe.ask(there, request, bodiless=True)

        address, answer = self.probe.follow(address, ask, self.rules, FETCHED)
        said = answer.headers.get("content-length", "missing")
        good = answer.status == 200 and answer.length == size
        self.probe.notes.judge(HEAD, good, f"{answer.status}, Content-Length {said}")
        return address

    def _whole(self, address: Address, size: int, said: dict[str, Any]) -> bytes:
        """The artifact, or its beginning if it is large."""
        if size > WHOLE_BYTES_MAX:
            for need in (FETCHED, DIGEST):
                self.probe.notes.untried(need, f"{size} bytes are more than is fetched for a try")
            return b""
        answer = self._get(address)
        self.probe.notes.demand(FETCHED, answer.status == 200, str(answer.status))
        good = answer.framing_used == "length" and answer.length == size
        found_now = f"{answer.framing_used}, {len(answer.body)} bytes of {size}"
        self.probe.notes.judge(SIZE, good, found_now)
        wrong = [
            name
            for name, digest in said.items()
            if hashlib.new(name, answer.body, usedforsecurity=False).hexdigest() != digest
        ]
        found_now = f"{', '.join(wrong)} is another" if wrong else ", ".join(said)
        self.probe.notes.judge(DIGEST, not wrong, found_now)
        return answer.body

    def _resumed(self, address: Address, size: int, whole: bytes) -> None:
        first = max(0, size - 4096)
        answer = self._get(address, f"bytes={first}-")
        good = is_exact(answer, first, size - 1, size)
        good = good and (not whole or answer.body == whole[first:])
        self.probe.notes.judge(RESUMED, good, f"bytes={first}-: {shown(answer)}")

    def _behind(self, address: Address, size: int) -> None:
        answer = self._get(address, f"bytes={size}-")
        said = answer.headers.get("content-range")
        good = answer.status == 416 and said == f"bytes */{size}"
        self.probe.notes.judge(BEHIND, good, f"bytes={size}-: {shown(answer)}")

    def _several(self, address: Address, size: int, whole: bytes) -> None:
        if size < 600:
            self.probe.notes.untried(SEVERAL, f"{size} bytes are too few")
            return
        answer = self._get(address, "bytes=0-99,500-599")
        try:
            parts = read_ranges(answer)
        except Failed as failed:
            self.probe.notes.broken(SEVERAL, reason(failed))
            return
        good = [first for first, _ in parts] == [0, 500]
        good = good and (not whole or all(whole[at : at + 100] == part for at, part in parts))
        self.probe.notes.judge(SEVERAL, good, f"{len(parts)} parts of {len(answer.body)} bytes")

    def _get(self, address: Address, asked: str | None = None) -> Answer:
        extra = (("Range", asked),) if asked is not None else ()
        return self.probe.ask(
            address, self.client.request("GET", address, extra=extra, binary=True)
        )
