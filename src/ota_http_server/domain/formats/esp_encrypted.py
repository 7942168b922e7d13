"""The reader of pre-encrypted images (esp_encrypted_img): only the device can look inside.

512 bytes: magic, 384 of key material, IV, length of the image, authentication tag, reserved; then
the image, AES-GCM.
"""

from struct import Struct

from ota_http_server.domain.formats.reading import exactly, whole
from ota_http_server.domain.image_facts import Fact, ImageFacts, ImageSource

FORMAT = "esp-encrypted"
HEADER = Struct("<I384s16sI16s88s")
MAGIC = (0x0788B6CF).to_bytes(4, "little")


def recognises(head: bytes) -> bool:
    return head.startswith(MAGIC)


def read(source: ImageSource) -> ImageFacts:
    """Whether it is whole; version and chip must be declared."""
    plain_bytes = HEADER.unpack(exactly(source, 0, HEADER.size))[3]
    header: dict[str, Fact] = {"encrypted": True, "plain_bytes": plain_bytes}
    return ImageFacts(
        format=FORMAT,
        length=whole(source, HEADER.size + plain_bytes),
        header=header,
        kind="application",
    )
