"""The reader of LittleFS images, which are written into a data partition.

The superblock (littlefs/SPEC.md): `littlefs` at 8, then a tag, version, size and count of the
blocks. SPIFFS has no such mark: its images are opaque.
"""

from struct import Struct

from ota_http_server.domain.formats.reading import exactly, whole
from ota_http_server.domain.image_facts import Fact, ImageFacts, ImageSource

FORMAT = "littlefs"
MARK = b"littlefs"
MARK_AT = 8
# two revisions and tags, the mark, a tag, version, block size, block count
SUPERBLOCK = Struct("<8x8s4xIII")
BLOCK_BYTES_MIN = 128  # LFS_BLOCK_SIZE in littlefs' own limits
IMAGE_BYTES_MAX = 2**32


def recognises(head: bytes) -> bool:
    return head[MARK_AT : MARK_AT + len(MARK)] == MARK


def read(source: ImageSource) -> ImageFacts:
    """How large it is; what the superblock cannot say leaves an opaque image."""
    _, version, block_bytes, block_count = SUPERBLOCK.unpack(exactly(source, 0, SUPERBLOCK.size))
    length = block_bytes * block_count
    if block_bytes < BLOCK_BYTES_MIN or not 0 < length <= IMAGE_BYTES_MAX:
        return ImageFacts(format=FORMAT, kind="filesystem")
    header: dict[str, Fact] = {
        "littlefs_version": f"{version >> 16}.{version & 0xFFFF}",
        "block_bytes": block_bytes,
        "blocks": block_count,
    }
    return ImageFacts(format=FORMAT, length=whole(source, length), header=header, kind="filesystem")
