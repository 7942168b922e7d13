"""An image of ours as an answer to a device, whichever dialect it speaks."""

from ota_http_server.http.exchange import Headers, Reply, Request
from ota_http_server.http.files import Representation, send
from ota_http_server.operations.download import Bytes
from ota_http_server.storage.blobs import Blobs

DIGEST_HEADERS: Headers = (
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Cache-Control", "private, no-cache"),
    ("Referrer-Policy", "no-referrer"),
)


def send_image(
    request: Request,
    blobs: Blobs,
    image: Bytes,
    modified_at: int,
    *,
    device: str = "",
    extra: Headers = (),
) -> Reply:
    """The answer to a GET or HEAD for this image, with ranges and conditions.

    `device` is whose download it is: what arrives of it becomes that device's progress.
    """
    request.trust_connection()  # with tokens off this is what tells a board from a stranger
    representation = Representation(
        path=blobs.path(image.sha256),
        size=image.size,
        sha256=image.sha256,
        md5=image.md5,
        modified=modified_at,
    )
    reply = send(request, representation, extra)
    return Reply(reply.status, reply.headers, reply.body, device) if device else reply


def send_digest(image: Bytes, name: str, kind: str) -> Reply:
    """The image's `md5` or `sha256`, the digest first, as Arduino and ESPHome read it."""
    digest = image.md5 if kind == "md5" else image.sha256
    return Reply(200, DIGEST_HEADERS, (f"{digest}  {name}\n".encode(),))
