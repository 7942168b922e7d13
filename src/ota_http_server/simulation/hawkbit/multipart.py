"""Several ranges in one answer, read as SWUpdate's delta handler reads them.

It wants exactly 206 and, of each header line, exactly three words: `Content-Type:
multipart/byteranges; boundary=XYZ` with a boundary that is not quoted and has no `=`. Each part
says its `Content-Range`.
"""

import re

from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.failed import Failed

_PART_RANGE = re.compile(rb"content-range:\s*bytes (\d+)-(\d+)/", re.IGNORECASE)
Part = tuple[int, bytes]
"""Where it begins in the file, and its bytes."""


def read_ranges(answer: Answer) -> list[Part]:
    """The parts of an answer to a request for ranges, or `Failed`."""
    if answer.status != 206:
        raise Failed(f"Delta Server answered {answer.status} instead of 206")
    said = answer.content_range
    if said is not None:
        return [(said[0], answer.body)]
    boundary = boundary_of(answer.headers.get("content-type", "")).encode()
    parts = answer.body.split(b"--" + boundary)
    if len(parts) < 3 or not parts[-1].startswith(b"--"):
        raise Failed("multipart boundary not found in the answer")
    return [_part(part) for part in parts[1:-1]]


def boundary_of(content_type: str) -> str:
    words = f"Content-Type: {content_type}".split(" ")
    if len(words) != 3 or not words[2].startswith("boundary="):
        raise Failed(f"cannot parse the header: {content_type!r}")
    boundary = words[2].removeprefix("boundary=")
    if not boundary or "=" in boundary or '"' in boundary:
        raise Failed(f"cannot parse the boundary: {boundary}")
    return boundary


def _part(text: bytes) -> Part:
    head, empty_line, body = text.partition(b"\r\n\r\n")
    said = _PART_RANGE.search(head)
    if said is None or not empty_line or not body.endswith(b"\r\n"):
        raise Failed("a part of the answer has no Content-Range")
    first, last = int(said[1]), int(said[2])
    body = body[:-2]
    if len(body) != last - first + 1:
        raise Failed(f"range {first}-{last} has {len(body)} bytes")
    return first, body
