"""An image on the disk, requests for it, and what comes over the wire."""

from email import message_from_bytes
from hashlib import md5, sha256

from ota_http_server.http.exchange import FilePart, Request
from ota_http_server.http.files import Representation

CONTENT = bytes(range(256)) * 4
MODIFIED = 1_760_024_052
MODIFIED_DATE = "Thu, 09 Oct 2025 15:34:12 GMT"
DIGEST = sha256(CONTENT).hexdigest()
ETAG = f'"{DIGEST}"'
STALE = '"' + "0" * 64 + '"'

ALWAYS = {
    "ETag": ETAG,
    "Last-Modified": MODIFIED_DATE,
    "Accept-Ranges": "bytes",
    "x-MD5": md5(CONTENT).hexdigest(),
    "x-SHA256": DIGEST,
    "Cache-Control": "private, no-transform",
    "Referrer-Policy": "no-referrer",
}


def laid_down(path, content, **said):
    path.write_bytes(content)
    digests = {"sha256": sha256(content).hexdigest(), "md5": md5(content).hexdigest()}
    return Representation(path, len(content), **digests, **{"modified": MODIFIED} | said)


def asking(method="GET", **headers):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/"}
    return Request(environ | {f"HTTP_{n.upper()}": v for n, v in headers.items()}, "::1", "")


def body_of(reply):
    """The bytes that a lane would send."""
    return b"".join(
        part.path.read_bytes()[part.start : part.start + part.length]
        if isinstance(part, FilePart)
        else part
        for part in reply.body
    )


def parts_of(reply):
    """Content-Range, Content-Type and bytes of each part, read by a mail library."""
    head = f"Content-Type: {dict(reply.headers)['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + body_of(reply))
    return [
        (part["Content-Range"], part["Content-Type"], part.get_payload(decode=True))
        for part in message.get_payload()
    ]
