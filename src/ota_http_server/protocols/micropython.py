"""The dialect of glenn20's micropython-esp32-ota: `micropython.json`.

It takes whatever firmware the document names, whether it runs that already or not, and gives up at
any status but 200: so a board that told what it runs and has nothing to do gets no 200. `firmware`
is put behind the folder of the document's URL, which is the only way that works on any port: this
client sends `Host` without one. The URL must end in `.json`, so a credential stands in a header or
in the path, and a query ends in `.json` too (`?version=1.22.0&as=.json`).
"""

from ota_http_server.domain.errors import Conflict, NotFound
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.offer import Hold
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.manifest_links import ManifestLinks
from ota_http_server.http.manifests import asking_of, encoded, manifest
from ota_http_server.http.place import Place
from ota_http_server.http.said import Said
from ota_http_server.operations.present import Present, is_unknown


class MicroPython:
    """`micropython.json`."""

    def __init__(self, present: Present, links: ManifestLinks) -> None:
        self._present = present
        self._links = links

    def answer(self, request: Request, caller: Identity, place: Place) -> Reply:
        asking = asking_of(request, caller, place, Said.of(request))
        shown = self._present(asking)
        if isinstance(shown.decision, Hold) and (shown.says_what_runs or shown.image is None):
            reason = f"{shown.decision.reason}: {shown.decision.detail}"
            if is_unknown(shown.decision):
                raise Conflict(f"{reason}; ask with ?chip=…&as=.json")
            raise NotFound(reason)
        if shown.image is None:
            raise NotFound("the release has no image for this board")
        links = self._links.of(request, caller, place.project, shown.device)
        document = {
            "firmware": links.beside(shown.image),
            "sha": shown.image.sha256,
            "length": shown.image.size,
        }
        return manifest(encoded(document))
