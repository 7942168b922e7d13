"""The dialect of the brief: plain URLs under `/firmware/<project>/`.

    <file>                   the file, with ranges and conditions
    sha256-<16 hex>/<file>   the same, for as long as it holds these very bytes
    <file>.md5, .sha256      its digest, for clients that check by a second request
    versions, latest         JSON about the project

A token may stand as a path segment right after the project, for clients that can keep a
credential nowhere else. `esp_https_ota` needs HEAD with Content-Length, ranges and keep-alive;
ESPHome and Arduino's HTTPUpdate read the MD5 from `x-MD5` or from a sidecar.
"""

import json
import re
from dataclasses import dataclass
from urllib.parse import quote

from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import FILE_PATTERN, PROJECT_PATTERN, Identity
from ota_http_server.http.callers import Callers
from ota_http_server.http.conditions import range_holds
from ota_http_server.http.exchange import Headers, Reply, Request
from ota_http_server.http.files import Representation, begins_at_zero, send, sends_bytes
from ota_http_server.operations.describe_project import DescribeProject
from ota_http_server.operations.download import NO_SUCH_PROJECT, Download, Found
from ota_http_server.storage.blobs import Blobs

DIGEST_PATTERN = re.compile(r"sha256-([0-9a-f]{16})\Z")
DIGEST_CHARACTERS = 16
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
SEGMENTS_MAX = 4  # project, token, digest, file; a deeper path names nothing

DEVICE_HEADERS: Headers = (
    ("Cache-Control", "private, no-cache"),
    ("Referrer-Policy", "no-referrer"),
)


@dataclass(frozen=True, slots=True)
class _Place:
    """What a path names."""

    project: str
    name: str
    digest_start: str | None


class _Asked:
    """Where in the image a request begins, by its Range and If-Range."""

    __slots__ = ("_if_range", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._if_range = request.header("If-Range")

    def begins_at_zero(self, size: int, /) -> bool:
        return begins_at_zero(self._request, size)

    @property
    def is_conditional(self) -> bool:
        return self._if_range is not None

    def names(self, found: Found, /) -> bool:
        return range_holds(self._if_range, f'"{found.image.sha256}"', found.modified_at)


class FirmwareUrl:
    """`/firmware/…`; `prefix` ends with a slash."""

    def __init__(
        self,
        prefix: str,
        callers: Callers,
        download: Download,
        describe: DescribeProject,
        blobs: Blobs,
    ) -> None:
        self.prefix = prefix
        self._callers = callers
        self._download = download
        self._describe = describe
        self._blobs = blobs

    def answer(self, request: Request) -> Reply:
        place, path_token = _parsed(request.path[len(self.prefix) :])
        # Who calls comes first: a stranger's request costs no look at any file.
        caller = self._callers.identify(request, path_token)
        if caller.subject:
            request.trust_connection()
        if place is None:
            raise NotFound(NO_SUCH_PROJECT)
        if place.name == "versions" and place.digest_start is None:
            return self._versions(caller, place)
        if place.name == "latest" and place.digest_start is None:
            return self._latest(request, caller, place)
        return self._file(request, caller, place)

    def _file(self, request: Request, caller: Identity, place: _Place) -> Reply:
        asked = _Asked(request)
        if place.digest_start is not None:
            found = self._download.immutable(
                caller, place.project, place.name, place.digest_start, asked
            )
            return self._image(request, caller, place, found)
        try:
            found = self._download(caller, place.project, place.name, asked)
        except NotFound:
            if sidecar := self._sidecar(caller, place):
                return sidecar
            raise
        return self._image(request, caller, place, found)

    def _image(self, request: Request, caller: Identity, place: _Place, found: Found) -> Reply:
        image = found.image
        request.trust_connection()  # with tokens off this is what tells a board from a stranger
        reply = send(
            request,
            Representation(
                path=self._blobs.path(image.sha256),
                size=image.size,
                sha256=image.sha256,
                md5=image.md5,
                modified=found.modified_at,
            ),
        )
        if sends_bytes(request, reply):
            self._download.begin(caller, place.project, place.name, found)
        return reply

    def _sidecar(self, caller: Identity, place: _Place) -> Reply | None:
        """`<file>.md5` and `<file>.sha256`: the digest first, as Arduino and ESPHome read it."""
        name, _, kind = place.name.rpartition(".")
        if kind not in ("md5", "sha256") or not name:
            return None
        try:
            image = self._download.find(caller, place.project, name).image
        except NotFound:
            return None
        digest = image.md5 if kind == "md5" else image.sha256
        headers = (("Content-Type", "text/plain; charset=utf-8"), *DEVICE_HEADERS)
        return Reply(200, headers, (f"{digest}  {name}\n".encode(),))

    def _versions(self, caller: Identity, place: _Place) -> Reply:
        versions = self._describe.versions(caller, place.project)
        latest = versions[-1] if versions else None
        return _json({"versions": versions, "count": len(versions), "latest": latest})

    def _latest(self, request: Request, caller: Identity, place: _Place) -> Reply:
        newest = self._describe.newest(caller, place.project)
        image = newest.collected.image
        digest = image.sha256[:DIGEST_CHARACTERS]
        path = f"{self.prefix}{place.project}/sha256-{digest}/{newest.listed.name}"
        return _json(
            {
                "project": place.project,
                "version": newest.listed.version,
                "version_from": newest.listed.version_from,
                "file": newest.listed.name,
                "url": request.base_url + quote(path),
                "size": image.size,
                "md5": image.md5,
                "sha256": image.sha256,
                "format": image.format,
                "header": dict(image.header),
            }
        )


def _parsed(rest: str) -> tuple[_Place | None, str | None]:
    """The place that a path below the prefix names, and the token in it; None for either."""
    project, *between, name = rest.split("/", SEGMENTS_MAX) if "/" in rest else ("", rest)
    token = between.pop(0) if between and TOKEN_PATTERN.match(between[0]) else None
    digest = DIGEST_PATTERN.match(between[0]) if len(between) == 1 else None
    if between and digest is None:
        return None, token
    if not PROJECT_PATTERN.match(project) or not FILE_PATTERN.match(name):
        return None, token
    return _Place(project, name, digest[1] if digest else None), token


def _json(document: dict[str, object]) -> Reply:
    body = json.dumps(document, separators=(",", ":")).encode()
    return Reply(200, (("Content-Type", "application/json"), *DEVICE_HEADERS), (body,))
