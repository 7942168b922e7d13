"""An image of ours as an answer to a device, whichever dialect it speaks."""

from ota_http_server.domain.reach import check_sending
from ota_http_server.http.exchange import Headers, Reply, Request
from ota_http_server.http.files import Representation, send
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.download import Bytes
from ota_http_server.operations.registry import Registry
from ota_http_server.storage.blobs import Blobs

DIGEST_HEADERS: Headers = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Cache-Control", "private, no-cache"),
    ("Referrer-Policy", "no-referrer"),
)


class Images:
    """Where every image goes out; one for each process."""

    def __init__(self, blobs: Blobs, registry: Registry, brake: Brake) -> None:
        self._blobs = blobs
        self._registry = registry
        self._brake = brake

    def send(
        self,
        request: Request,
        project: str,
        image: Bytes,
        modified_at: int,
        *,
        device: str = "",
        extra: Headers = (),
    ) -> Reply:
        """The answer to a GET or HEAD for this image, with ranges and conditions.

        `device` is whose download it is: what arrives of it becomes that device's progress.
        Refused are a device that is blocked, and all while nothing of the project is sent. Who
        has the image already may hear that.
        """
        if device:
            self._registry.check_not_blocked(device)
        request.trust_connection()  # with tokens off this is what tells a board from a stranger
        representation = Representation(
            path=self._blobs.path(image.sha256),
            size=image.size,
            sha256=image.sha256,
            md5=image.md5,
            modified=modified_at,
            device=device,
            project=project,
        )
        reply = send(request, representation, extra)
        if reply.body:
            check_sending(self._brake.of(project))
        return reply


def send_digest(image: Bytes, name: str, kind: str) -> Reply:
    """The image's `md5` or `sha256`, the digest first, as Arduino and ESPHome read it."""
    digest = image.md5 if kind == "md5" else image.sha256
    return Reply(200, DIGEST_HEADERS, (f"{digest}  {name}\n".encode(),))
