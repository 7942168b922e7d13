"""Looking at an image before it is sent: what it is, and what would be refused of it anywhere."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ota_http_server.domain.admission import Candidate, objections
from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.image import ImageFacts, read_image
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import part_of
from ota_http_server.operations.receive_image import part_in_release
from ota_http_server.operations.release_wish import ReleaseWish, Upload, file_name

BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Looked:
    """A file on this disk, and what its bytes say."""

    path: Path
    size: int
    sha256: str
    facts: ImageFacts

    @property
    def name(self) -> str:
        return self.path.name

    def row(self) -> dict[str, Any]:
        """What is told of it, in the words of a release's images and a few more."""
        facts = self.facts
        return {
            "file": self.name,
            "size": self.size,
            "sha256": self.sha256,
            "format": facts.format,
            "kind": part_of(facts.kind, self.name),
            "chip": facts.chip,
            "version": facts.version,
            "project": facts.project,
            "secure_version": facts.secure_version,
            "hardware": list(facts.hardware),
        }


def look(path: Path) -> Looked:
    """`Unfit` for what no device could use, `Invalid` for a name that no URL can say."""
    file_name(path.name)
    digest = hashlib.sha256()
    with path.open("rb") as content:
        size = 0
        while block := content.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
        try:
            facts = read_image(_File(content, size))
        except Unfit as refusal:
            raise Unfit(f"{path.name}: {refusal.detail}") from refusal
    return Looked(path, size, digest.hexdigest(), facts)


def refused_anywhere(looked: Looked, wish: ReleaseWish, declared: Upload) -> list[str]:
    """What stands against it whatever was published before; `Invalid` for a part not declared.

    What was published before, only the server knows.
    """
    candidate = Candidate(
        looked.name,
        looked.facts,
        wish.version,
        part_in_release(declared, looked.facts.kind),
        declared.chip,
    )
    return [found.detail for found in objections(candidate, Project(name=wish.project), ())]


@dataclass(frozen=True, slots=True)
class _File:
    """A file as the readers of formats want it."""

    content: BinaryIO
    size: int

    def read_at(self, offset: int, length: int, /) -> bytes:
        self.content.seek(offset)
        return self.content.read(length)
