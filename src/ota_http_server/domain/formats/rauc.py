"""The reader of RAUC's bundles (.raucb): a squashfs, a CMS message, and its length in 8 bytes.

The message of a `verity` bundle contains the manifest, that of a `plain` one only signs: there the
manifest lies compressed in the squashfs, so version and compatible board must be declared. The
payload of a `crypt` bundle is encrypted and cannot be told from noise. A squashfs without a message
behind it is a file system's image.
"""

import configparser
from struct import Struct

from ota_http_server.domain.formats.cms import Message, NotCms, read_message
from ota_http_server.domain.formats.reading import exactly, incomplete, printable
from ota_http_server.domain.image_facts import Damaged, Fact, ImageFacts, ImageSource

FORMAT = "rauc"
SQUASHFS = "squashfs"
MAGIC = b"hsqs"
# magic, inodes, time, block size, fragments, compression, …, major, minor, root, bytes used
SUPERBLOCK = Struct("<4s24xHH8xQ")
MAJOR = 4
LENGTH_BYTES = 8
MESSAGE_BYTES_MAX = 2**20  # RAUC's own limit is 64 MiB; real ones have 2 to 20 KB
MANIFEST_BYTES_MAX = 2**16


def recognises(head: bytes) -> bool:
    return (
        len(head) >= SUPERBLOCK.size
        and head.startswith(MAGIC)
        and SUPERBLOCK.unpack(head[: SUPERBLOCK.size])[1] == MAJOR
    )


def read(source: ImageSource) -> ImageFacts:
    """A bundle or a plain squashfs."""
    used = SUPERBLOCK.unpack(exactly(source, 0, SUPERBLOCK.size))[3]
    if used > source.size:
        raise incomplete(source, used)
    message = _message(source, used)
    if message is None:
        return ImageFacts(format=SQUASHFS, kind="filesystem", header={"squashfs_bytes": used})
    if message.content is None:
        bundle = "crypt" if message.encrypted else "plain"
        return ImageFacts(
            format=FORMAT, length=source.size, header={"bundle_format": bundle}, kind="bundle"
        )
    return _described(source, message.content)


def _message(source: ImageSource, used: int) -> Message | None:
    length = int.from_bytes(source.read_at(source.size - LENGTH_BYTES, LENGTH_BYTES), "big")
    start = source.size - LENGTH_BYTES - length
    if not 0 < length <= MESSAGE_BYTES_MAX or start < used:
        return None
    try:
        return read_message(exactly(source, start, length))
    except NotCms:
        return None


def _described(source: ImageSource, content: bytes) -> ImageFacts:
    manifest = _manifest(content)
    update = manifest["update"] if manifest.has_section("update") else {}
    words = {
        key: printable(update.get(key, ""))[:128] for key in ("version", "compatible", "build")
    }
    images = [name for name in manifest.sections() if name.startswith("image.")]
    header: dict[str, Fact] = {
        "bundle_format": printable(manifest.get("bundle", "format", fallback="plain"))[:16],
        "images": ", ".join(printable(name.removeprefix("image.")) for name in images[:20]),
    }
    return ImageFacts(
        format=FORMAT,
        length=source.size,
        version=words["version"] or None,
        header=header | {key: word for key, word in words.items() if word},
        kind="bundle",
        hardware=(words["compatible"],) if words["compatible"] else (),
    )


def _manifest(content: bytes) -> configparser.ConfigParser:
    """A GKeyFile, whose sections and keys are those of an INI file."""
    manifest = configparser.ConfigParser(
        interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#",)
    )
    try:
        if len(content) > MANIFEST_BYTES_MAX:
            raise ValueError
        manifest.read_string(content.decode())
    except (ValueError, configparser.Error) as error:
        raise Damaged("the bundle's manifest cannot be read") from error
    return manifest
