"""How an image for MCUboot is laid out (boot/bootutil/include/bootutil/image.h), little-endian.

0    header: magic, load address, header length, protected bytes, body length, flags, version
…    body
…    protected entries, which the digest covers: 0x6908, length of all, then type, length, value
…    other entries, likewise after 0x6907: the digest and the signatures
"""

from struct import Struct

MAGIC = 0x96F3B83D
# magic, load address, header length, protected entries' length, body length, flags,
# version: major, minor, revision, build
HEADER = Struct("<IIHHIIBBHI4x")
ENTRIES = Struct("<HH")  # magic, length with these four bytes
PROTECTED_MAGIC = 0x6908
ENTRIES_MAGIC = 0x6907
ENTRY = Struct("<HH")  # type, length of the value

ENCRYPTED = 0x04 | 0x08  # IMAGE_F_ENCRYPTED_AES128, …_AES256
COMPRESSED = 0x200 | 0x400  # IMAGE_F_COMPRESSED_LZMA1, …_LZMA2

SHA256 = 0x10
SHA384 = 0x11
SHA512 = 0x12
SECURITY_COUNTER = 0x50
SIGNATURES = {
    0x20: "rsa-2048",
    0x21: "ecdsa-p224",
    0x22: "ecdsa",
    0x23: "rsa-3072",
    0x24: "ed25519",
}
