"""The dialect of clients that know one URL only: `latest.bin` is the newest image that fits.

A plain GET has the bytes at once, because Arduino's libraries follow no redirect. HEAD and ranges
are sent on to the image's own URL, so that the pieces of a download are pieces of one image; and
whoever began an image under this name stays with it for an hour. `latest.bin.md5` and
`latest.bin.sha256` answer with its digest.
"""

from collections.abc import Callable
from typing import Protocol

from ota_http_server.domain.identity import Identity
from ota_http_server.http.exchange import Headers, Reply, Request
from ota_http_server.http.files import begins_at_zero, sends_bytes
from ota_http_server.http.images import Images, send_digest
from ota_http_server.http.manifest_links import ManifestLinks
from ota_http_server.http.place import Place
from ota_http_server.http.said import Said, device_of
from ota_http_server.operations.newest_image import NEWEST_NAME, Newest, NewestImage

MEANWHILE: Headers = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
)
DONE_WITH = (304, 412)


class Files(Protocol):
    """Whoever serves files by their own names."""

    def answer(self, request: Request, caller: Identity, place: Place) -> Reply: ...


class LatestImage:
    """For the door below the firmware prefix."""

    names = (NEWEST_NAME, f"{NEWEST_NAME}.md5", f"{NEWEST_NAME}.sha256")

    def __init__(
        self,
        newest: NewestImage,
        links: ManifestLinks,
        images: Images,
        files: Files,
        lies_there: Callable[[str, str], bool],
    ) -> None:
        self._newest = newest
        self._links = links
        self._images = images
        self._files = files
        self._lies_there = lies_there

    def answer(self, request: Request, caller: Identity, place: Place) -> Reply:
        if caller.may_see(place.project) and self._lies_there(place.project, NEWEST_NAME):
            # A file that really has this name comes first.
            return self._files.answer(request, caller, place)
        device = device_of(caller, request)
        newest = self._newest(caller, place.project, device, Said.of(request).sighting())
        if place.name != NEWEST_NAME:
            return send_digest(newest.image, NEWEST_NAME, place.name.rpartition(".")[2])
        reply = self._images.send(
            request, place.project, newest.image, newest.modified_at, device=device
        )
        if reply.status in DONE_WITH:
            return reply
        if request.method == "HEAD" or request.header("Range") is not None:
            return self._elsewhere(request, caller, place.project, newest, device)
        if sends_bytes(request, reply):
            self._newest.begin(caller, place.project, newest)
        return reply

    def _elsewhere(
        self, request: Request, caller: Identity, project: str, newest: Newest, device: str
    ) -> Reply:
        """Who asks by HEAD may be about to go on; who asks for the first byte begins."""
        if request.method == "HEAD" or not begins_at_zero(request, newest.image.size):
            in_the_middle = request.method != "HEAD"
            newest = self._newest.begun(caller, project, newest, in_the_middle=in_the_middle)
        self._newest.begin(caller, project, newest)
        links = self._links.of(request, caller, project, device)
        return Reply(302, (("Location", links.absolute(newest.image)), *MEANWHILE))
