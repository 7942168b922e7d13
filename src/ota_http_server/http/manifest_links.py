"""Links from a document that a client reads first to the images in it.

Some clients put a path behind the folder of the document's URL: a credential in that path, or in
front of the host, then stays in force. Whoever showed one only in the query gets a download ticket
in the link, and so does everybody without a header where the link must be absolute. While tokens
are off, the link tells for which device it is, if one was named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from ota_http_server.domain.identity import Identity
from ota_http_server.domain.release import ReleaseImage
from ota_http_server.http.callers import shows_again
from ota_http_server.http.exchange import Request
from ota_http_server.http.place import immutable, parsed
from ota_http_server.security.credentials import Opaque


@dataclass(frozen=True, slots=True)
class ManifestLinks:
    """`prefix` ends with a slash; `wall` is in unix seconds."""

    prefix: str
    opaque: Opaque
    wall: Callable[[], float]

    def of(self, request: Request, caller: Identity, project: str, device: str) -> "Links":
        """Those of one answer; `device` is whose download it will be, "" if nobody knows."""
        return Links(self, request, caller, project, device)


@dataclass(frozen=True, slots=True)
class Links:
    """Those of one answer."""

    made_by: ManifestLinks
    request: Request
    caller: Identity
    project: str
    device: str

    def beside(self, image: ReleaseImage) -> str:
        """Relative to the document's folder."""
        _, in_path = parsed(self.request.path[len(self.made_by.prefix) :])
        path = self._path(image, kept_in_path=in_path is not None)
        return path.removeprefix(f"{self.project}/")

    def absolute(self, image: ReleaseImage) -> str:
        return self.request.base_url + self.rooted(image)

    def rooted(self, image: ReleaseImage) -> str:
        """From the root of this host."""
        return self.made_by.prefix + self._path(image, kept_in_path=False)

    def _path(self, image: ReleaseImage, *, kept_in_path: bool) -> str:
        if kept_in_path or self._needs_no_ticket():
            named = "" if self.caller.subject or not self.device else self._named()
            return immutable(self.project, image.sha256, image.name) + named
        now = int(self.made_by.wall())
        ticket = self.made_by.opaque.new_ticket(self.device, self.project, image.sha256, now)
        return immutable(self.project, image.sha256, image.name, ticket)

    def _needs_no_ticket(self) -> bool:
        return self.caller.project is None or shows_again(self.request)

    def _named(self) -> str:
        return f"?device={quote(self.device)}"
