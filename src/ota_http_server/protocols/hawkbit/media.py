"""JSON in and out, with hawkBit's manners: media types with parameters, an empty body for success.

Every answer has a Content-Length (the lane adds it); Zephyr divides by it.
"""

import hashlib
import json
from functools import lru_cache
from typing import Any

from ota_http_server.http.conditions import precondition_status
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.json_body import BODY_BYTES_MAX, json_object
from ota_http_server.http.problems import body_of, plain_problem

JSON = "application/json"
HAL = "application/hal+json"
ANY = ("*/*", "application/*")
ACCEPT_CHARACTERS_MAX = 256  # rauc's has 30

_BLANKS = bytes(max(byte, 0x20) for byte in range(256))
"""SWUpdate may put a log line with a raw tab into a JSON text, where none may stand."""

DONE = Reply(200, (("Cache-Control", "no-store"),))
CREATED = Reply(201, DONE.headers)


def document(request: Request, found: dict[str, Any] | list[Any]) -> Reply:
    """This JSON as an answer; 304 where the client has it, 406 where it wants another kind."""
    media_type = _chosen((request.header("Accept") or "*/*")[:ACCEPT_CHARACTERS_MAX])
    if media_type is None:
        detail = f"answers are {JSON} or {HAL}"
        return plain_problem(406, body_of(406, "not_acceptable", detail))
    body = json.dumps(found, separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = (("Content-Type", media_type), ("ETag", etag), ("Cache-Control", "private, no-cache"))
    if request.header("If-None-Match") is not None and precondition_status(request, etag, 0) == 304:
        return Reply(304, headers)
    return Reply(200, headers, (body,))


def body_object(request: Request) -> dict[str, Any]:
    """The object in the body. Log lines of a device may hold any bytes: they do no harm."""
    said = request.environ.get("CONTENT_TYPE") or ""
    if said.partition(";")[0].strip().lower() == HAL:
        said = JSON
    body = request.read_body(BODY_BYTES_MAX)
    if len(body) <= BODY_BYTES_MAX:
        body = body.translate(_BLANKS).decode("utf-8", "replace").encode()
    return json_object(said, body)


@lru_cache(maxsize=64)
def _chosen(accept: str) -> str | None:
    """The media type that the client takes; its weights do not matter between two of one thing."""
    types = [one.partition(";")[0].strip().lower() for one in accept.split(",")]
    if HAL in types or any(one in ANY for one in types):
        return HAL
    return JSON if JSON in types else None
