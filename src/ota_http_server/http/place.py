"""What a path below the firmware prefix names.

    <project>/[<credential>/][sha256-<16 hex>/]<file>

The credential is a JWT, an opaque one, or a download ticket; clients that can keep one nowhere
else have it here.
"""

import re
from dataclasses import dataclass

from ota_http_server.domain.identity import FILE_PATTERN, PROJECT_PATTERN

DIGEST_PATTERN = re.compile(r"sha256-([0-9a-f]{16})\Z")
DIGEST_CHARACTERS = 16
CREDENTIAL_PATTERN = re.compile(
    r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\Z|[A-Za-z0-9]{32}\Z"
)
SEGMENTS_MAX = 4  # project, credential, digest, file; a deeper path names nothing


@dataclass(frozen=True, slots=True)
class Place:
    """A name in a project; `digest_start` says that it means these very bytes."""

    project: str
    name: str
    digest_start: str | None = None


def parsed(rest: str) -> tuple[Place | None, str | None]:
    """The place that a path below the prefix names, and the credential in it; None for either."""
    project, *between, name = rest.split("/", SEGMENTS_MAX) if "/" in rest else ("", rest)
    credential = between.pop(0) if between and CREDENTIAL_PATTERN.match(between[0]) else None
    digest = DIGEST_PATTERN.match(between[0]) if len(between) == 1 else None
    if between and digest is None:
        return None, credential
    if not PROJECT_PATTERN.match(project) or not FILE_PATTERN.match(name):
        return None, credential
    return Place(project, name, digest[1] if digest else None), credential


def immutable(project: str, sha256: str, name: str, ticket: str | None = None) -> str:
    """The path below the prefix of these very bytes under this name."""
    middle = f"{ticket}/" if ticket else ""
    return f"{project}/{middle}sha256-{sha256[:DIGEST_CHARACTERS]}/{name}"
