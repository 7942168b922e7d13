"""Rows about images: immutable bytes and what they say about themselves."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Row, or_, select

from ota_http_server.domain.image_facts import ImageFacts, Kind
from ota_http_server.storage.schema import images, release_images, releases
from ota_http_server.storage.upserts import insert_into


@dataclass(frozen=True, slots=True)
class Image:
    """Immutable bytes, named by their SHA-256. `version` and `project` are the header's own."""

    sha256: str
    size: int
    md5: str
    format: str
    version: str | None
    project: str | None
    header: Mapping[str, str | int | bool]
    sha1: str = ""
    kind: Kind = "opaque"
    chip: str | None = None
    min_chip_revision: int | None = None
    max_chip_revision: int | None = None
    secure_version: int | None = None
    hardware: tuple[str, ...] = ()
    base_sha256: str | None = None
    appended_sha256: str | None = None
    elf_sha256: str | None = None

    @classmethod
    def of(cls, facts: ImageFacts, *, sha256: str, size: int, md5: str, sha1: str) -> "Image":
        """The row for bytes of these digests, of which a reader said these facts."""
        return cls(
            sha256=sha256,
            size=size,
            md5=md5,
            format=facts.format,
            version=facts.version,
            project=facts.project,
            header=facts.header,
            sha1=sha1,
            kind=facts.kind,
            chip=facts.chip,
            min_chip_revision=facts.min_chip_revision,
            max_chip_revision=facts.max_chip_revision,
            secure_version=facts.secure_version,
            hardware=facts.hardware,
            base_sha256=facts.base_sha256,
            appended_sha256=facts.appended_sha256,
            elf_sha256=facts.elf_sha256,
        )

    @property
    def digests(self) -> frozenset[str]:
        """Each of them names this image when a device tells what it runs."""
        all_of_them = (self.sha256, self.md5, self.appended_sha256, self.elf_sha256)
        return frozenset(digest for digest in all_of_them if digest)


class Images:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, sha256: str) -> Image | None:
        row = self._connection.execute(select(images).where(images.c.sha256 == sha256)).first()
        return None if row is None else image_of(row)

    def named_by(self, digests: Iterable[str]) -> Image | None:
        """The image that any of these digests names: of the file, appended, or of the ELF."""
        known = sorted(digests)
        if not known:
            return None
        columns = (images.c.sha256, images.c.md5, images.c.appended_sha256, images.c.elf_sha256)
        query = select(images).where(or_(*(column.in_(known) for column in columns)))
        row = self._connection.execute(query.order_by(images.c.collected_at.desc()).limit(1))
        found = row.first()
        return None if found is None else image_of(found)

    def of_releases(self, project: str) -> dict[str, Image]:
        """By SHA-256, those that a release of the project has."""
        query = (
            select(images)
            .join(release_images, release_images.c.sha256 == images.c.sha256)
            .join(releases, releases.c.id == release_images.c.release)
            .where(releases.c.project == project)
        )
        return {row.sha256: image_of(row) for row in self._connection.execute(query)}

    def add(self, image: Image, at: int) -> None:
        """Adds the row: bytes with the same name are the same bytes, but more may be known of them
        to a newer version of the server than to the one that first read them."""
        facts = {
            "format": image.format,
            "version": image.version,
            "project": image.project,
            "header": json.dumps(dict(image.header), sort_keys=True),
            "sha1": image.sha1,
            "kind": image.kind,
            "chip": image.chip,
            "min_chip_revision": image.min_chip_revision,
            "max_chip_revision": image.max_chip_revision,
            "secure_version": image.secure_version,
            "hardware": json.dumps(image.hardware),
            "base_sha256": image.base_sha256,
            "appended_sha256": image.appended_sha256,
            "elf_sha256": image.elf_sha256,
        }
        self._connection.execute(
            insert_into(
                self._connection,
                images,
                sha256=image.sha256,
                size=image.size,
                md5=image.md5,
                collected_at=at,
                **facts,
            ).on_conflict_do_update(index_elements=["sha256"], set_=facts)
        )


def image_of(row: Row[tuple[object, ...]]) -> Image:
    return Image(
        sha256=row.sha256,
        size=row.size,
        md5=row.md5,
        format=row.format,
        version=row.version,
        project=row.project,
        header=json.loads(row.header),
        sha1=row.sha1,
        kind=row.kind,
        chip=row.chip,
        min_chip_revision=row.min_chip_revision,
        max_chip_revision=row.max_chip_revision,
        secure_version=row.secure_version,
        hardware=tuple(json.loads(row.hardware)),
        base_sha256=row.base_sha256,
        appended_sha256=row.appended_sha256,
        elf_sha256=row.elf_sha256,
    )
