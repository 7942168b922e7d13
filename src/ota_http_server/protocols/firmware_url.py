"""The dialect of the brief: plain URLs under `/firmware/<project>/`.

    <file>                   the file, with ranges and conditions
    sha256-<16 hex>/<file>   the same, for as long as it holds these very bytes
    <file>.md5, .sha256      its digest, for clients that check by a second request
    versions, latest         JSON about the project

A token may stand as a path segment right after the project, for clients that can keep a
credential nowhere else. `esp_https_ota` needs HEAD with Content-Length, ranges and keep-alive;
ESPHome and Arduino's HTTPUpdate read the MD5 from `x-MD5` or from a sidecar.
"""

from urllib.parse import quote

from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import Identity
from ota_http_server.http.conditions import range_holds
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.files import begins_at_zero, sends_bytes
from ota_http_server.http.images import Images, send_digest
from ota_http_server.http.manifests import encoded, manifest
from ota_http_server.http.place import Place, immutable
from ota_http_server.http.said import device_of
from ota_http_server.operations.describe_project import DescribeProject
from ota_http_server.operations.download import Download, Found
from ota_http_server.operations.take_up import TakeUp
from ota_http_server.operations.visit import Visit


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
        download: Download,
        describe: DescribeProject,
        images: Images,
        take_up: TakeUp,
    ) -> None:
        self._prefix = prefix
        self._take_up = take_up
        self._download = download
        self._describe = describe
        self._images = images

    def answer(self, request: Request, caller: Identity, place: Place) -> Reply:
        if place.name == "versions" and place.digest_start is None:
            return self._versions(caller, place)
        if place.name == "latest" and place.digest_start is None:
            return self._latest(request, caller, place)
        return self._file(request, caller, place)

    def _file(self, request: Request, caller: Identity, place: Place) -> Reply:
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

    def _image(self, request: Request, caller: Identity, place: Place, found: Found) -> Reply:
        device = device_of(caller, request)
        reply = self._images.send(
            request, place.project, found.image, found.modified_at, device=device
        )
        if sends_bytes(request, reply):
            self._download.begin(caller, place.project, place.name, found)
            if device and place.digest_start and begins_at_zero(request, found.image.size):
                visit = Visit(device, place.project, request.address)
                self._take_up(visit, found.image.sha256)
        return reply

    def _sidecar(self, caller: Identity, place: Place) -> Reply | None:
        """`<file>.md5` and `<file>.sha256`."""
        name, _, kind = place.name.rpartition(".")
        if kind not in ("md5", "sha256") or not name:
            return None
        try:
            image = self._download.find(caller, place.project, name).image
        except NotFound:
            return None
        return send_digest(image, name, kind)

    def _versions(self, caller: Identity, place: Place) -> Reply:
        versions = self._describe.versions(caller, place.project)
        latest = versions[-1] if versions else None
        found = {"versions": versions, "count": len(versions), "latest": latest}
        return manifest(encoded(found))

    def _latest(self, request: Request, caller: Identity, place: Place) -> Reply:
        newest = self._describe.newest(caller, place.project)
        image = newest.image
        path = immutable(place.project, image.sha256, newest.listed.name)
        found = {
            "project": place.project,
            "version": newest.listed.version,
            "version_from": newest.listed.version_from,
            "file": newest.listed.name,
            "url": request.base_url + quote(self._prefix + path),
            "size": image.size,
            "md5": image.md5,
            "sha256": image.sha256,
            "format": image.format,
            "header": dict(image.header),
        }
        return manifest(encoded(found))
