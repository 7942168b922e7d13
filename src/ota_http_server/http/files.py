"""An image as an answer: whole, in ranges, or not at all because it is there already.

Nothing is read or opened here: a `Reply` names the file and the bytes, the lane transfers them.
Boards need an exact Content-Length, an ETag that is the same on every instance and after every
restart (so it is the digest), and few headers: an nRF91 has 2,048 bytes for a whole answer.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ota_http_server.http.conditions import (
    MODIFIED_MAX,
    http_date,
    precondition_status,
    range_holds,
)
from ota_http_server.http.exchange import FilePart, Headers, Reply, Request
from ota_http_server.http.ranges import wanted

REMEMBERED_IMAGES_MAX = 1024
"""Images whose headers are kept made up: about 2 KB each, more than a busy server sends at once."""


@dataclass(frozen=True, slots=True)
class Representation:
    """An image as it would be sent now."""

    path: Path
    """Of the blob."""
    size: int
    """Bytes."""
    sha256: str
    """Lower-case hex; in quotes it is the strong ETag."""
    md5: str
    """Lower-case hex; Arduino and ESPHome check it."""
    modified: int
    """Unix seconds, for Last-Modified."""
    media_type: str = "application/octet-stream"
    device: str = ""
    """Whose download it is, and"""
    project: str = ""
    """of which project; for the `Reply` that has its bytes."""


@dataclass(frozen=True, slots=True)
class _Manners:
    """What every answer about an image says, made once and sent a thousand times."""

    etag: str
    modified: int
    headers: Headers
    typed: Headers
    """The same with the Content-Type of the image."""


def send(request: Request, file: Representation, extra: Headers = ()) -> Reply:
    """Answer a GET or HEAD for this image: 200, 206, 304, 412 or 416.

    The reply to HEAD is the one to GET without Range (RFC 9110 §14.2 defines Range for GET
    alone, and ESP-IDF wants 200 and the whole length from its HEAD).
    """
    manners = _manners(file.sha256, file.md5, file.modified, file.media_type)
    status = precondition_status(request, manners.etag, manners.modified)
    if status is not None:
        return Reply(status, manners.headers + extra)
    spans = _spans(request, file, manners)
    if spans is None:
        body = (FilePart(file.path, 0, file.size),) if file.size else ()
        return Reply(200, manners.typed + extra, body, file.device, file.project)
    if not spans:
        unsatisfied = ("Content-Range", f"bytes */{file.size}")
        return Reply(416, (*manners.headers, unsatisfied, *extra))
    if len(spans) > 1:
        return _send_several(file, manners, spans, extra)
    # Also when several were asked for and one was in reach: §15.3.7.2 allows a multipart of one
    # part, but whoever reads that reads this too.
    content_range = ("Content-Range", _content_range(spans[0], file.size))
    headers = (*manners.typed, content_range, *extra)
    return Reply(206, headers, (_part(file, spans[0]),), file.device, file.project)


def begins_at_zero(request: Request, size: int) -> bool:
    """Whether the answer would begin with byte 0 of an image of `size` bytes.

    True without a Range that counts, or with one that starts there; False for a download that
    goes on in the middle, or beyond the end because the image that it began was longer.
    """
    header = request.header("Range") if request.method == "GET" else None
    if header is None:
        return True
    # An empty image has no byte 0, yet `0-` asks for it: it begins anew.
    spans = wanted(header, max(size, 1))
    return spans is None or (spans != [] and spans[0].start == 0)


def sends_bytes(request: Request, reply: Reply) -> bool:
    """Whether bytes of the image go out with this reply; HEAD, 304 and 412 only tell of it."""
    return reply.status in (200, 206) and request.method == "GET"


def _spans(request: Request, file: Representation, manners: _Manners) -> list[range] | None:
    """The ranges to send, none of them if none is satisfiable; None for the whole."""
    if request.method != "GET" or (header := request.header("Range")) is None:
        return None
    if not range_holds(request.header("If-Range"), manners.etag, manners.modified):
        return None
    return wanted(header, file.size)


def _send_several(
    file: Representation, manners: _Manners, spans: list[range], extra: Headers
) -> Reply:
    """206 multipart/byteranges (RFC 9110 §14.6), its length known before the first byte.

    The boundary needs no quotes, which some clients keep as part of it, and cannot stand in the
    image: no file holds its own digest. As nginx and Apache do, the first one has its line break
    in front too.
    """
    boundary = file.sha256[:32]
    body: list[bytes | FilePart] = []
    for span in spans:
        head = (
            f"\r\n--{boundary}\r\n"
            f"Content-Type: {file.media_type}\r\n"
            f"Content-Range: {_content_range(span, file.size)}\r\n\r\n"
        )
        body += (head.encode("latin-1"), _part(file, span))
    body.append(f"\r\n--{boundary}--\r\n".encode("latin-1"))
    content_type = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
    headers = (content_type, *manners.headers, *extra)
    return Reply(206, headers, tuple(body), file.device, file.project)


def _part(file: Representation, span: range) -> FilePart:
    return FilePart(file.path, span.start, len(span))


def _content_range(span: range, size: int) -> str:
    return f"bytes {span.start}-{span.stop - 1}/{size}"


@lru_cache(maxsize=REMEMBERED_IMAGES_MAX)
def _manners(sha256: str, md5: str, modified: int, media_type: str) -> _Manners:
    etag = f'"{sha256}"'
    modified = min(max(0, modified), MODIFIED_MAX)  # a file's clock may say anything
    headers = (
        ("ETag", etag),
        ("Last-Modified", http_date(modified)),
        ("Accept-Ranges", "bytes"),
        ("x-MD5", md5),
        ("x-SHA256", sha256),
        # A credential opened it, so no shared cache keeps it, and no proxy compresses it: boards
        # flash what they read.
        ("Cache-Control", "private, no-transform"),
        # The URL may hold a credential.
        ("Referrer-Policy", "no-referrer"),
    )
    return _Manners(etag, modified, headers, (("Content-Type", media_type), *headers))
