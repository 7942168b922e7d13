"""What the documents have in common that clients read before they fetch an image."""

import json

from ota_http_server.domain.identity import Identity
from ota_http_server.http.exchange import Headers, Reply, Request
from ota_http_server.http.place import Place
from ota_http_server.http.said import Said
from ota_http_server.operations.present import Asking

HEADERS: Headers = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "private, no-cache"),
    ("Referrer-Policy", "no-referrer"),
)


def asking_of(
    request: Request, caller: Identity, place: Place, said: Said, claimed: str | None = None
) -> Asking:
    """Who asks; `claimed` is which device it says it is, where the client has its own word."""
    return Asking(
        caller=caller,
        project=place.project,
        address=request.address,
        claimed=said.get("device") or claimed,
        sighting=said.sighting(),
    )


def encoded(document: object) -> bytes:
    """Without a blank too many: some clients count every byte."""
    return json.dumps(document, separators=(",", ":")).encode()


def manifest(body: bytes) -> Reply:
    return Reply(200, HEADERS, (body,))
