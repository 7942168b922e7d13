"""The artifacts of an action: their list, their bytes with ranges and conditions, their MD5.

SWUpdate and rauc resume with a Range and append whatever comes, so a satisfiable one is always
answered with 206, and the bytes under an action's URL never change.
"""

from ota_http_server.http.exchange import Reply
from ota_http_server.http.images import DIGEST_HEADERS
from ota_http_server.protocols.hawkbit import documents
from ota_http_server.protocols.hawkbit.asked import Asked, Operations
from ota_http_server.protocols.hawkbit.links import MD5_SUFFIX
from ota_http_server.protocols.hawkbit.media import document

NO_SNIFFING = ("X-Content-Type-Options", "nosniff")


class Fetching:
    def __init__(self, operations: Operations) -> None:
        self._actions = operations.actions
        self._images = operations.images

    def artifacts(self, asked: Asked) -> Reply:
        action = self._actions.fetching(asked.visit, asked.number)
        return document(asked.request, documents.artifacts(action, asked.links))

    def artifact(self, asked: Asked) -> Reply:
        action = self._actions.fetching(asked.visit, asked.number)
        image, wants_md5 = action.named(asked.name)
        if wants_md5:
            line = f"{image.md5}  {asked.name.removesuffix(MD5_SUFFIX)}\n"
            return Reply(200, DIGEST_HEADERS, (line.encode(),))
        named = ("Content-Disposition", f"attachment;filename={asked.name}")
        return self._images.send(
            asked.request,
            asked.visit.project,
            image,
            image.modified_at,
            device=asked.visit.device,
            extra=(named, NO_SNIFFING),
        )
