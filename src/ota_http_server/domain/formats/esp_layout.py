"""How an ESP-IDF application image is laid out.

All little-endian (ESP-IDF: esp_app_format.h, esp_app_desc.h, esp_image_format.c):

    0    image header, 24 bytes: E9, segment count, …, chip id at 12, digest appended at 23
    24   for each segment: load address, length, data; the first one begins with the descriptor
    …    zeros, so that the checksum (0xEF and all segment data, XORed) ends a block of 16 bytes
    …    SHA-256 of everything before it, if the header says so
    …    perhaps padding and signatures, of which the header knows nothing
"""

from struct import Struct

ESP_IMAGE_BYTES_MAX = 16 * 2**20  # the largest flash that an application can be mapped from

MAGIC = 0xE9
SEGMENTS_MAX = 16  # ESP_IMAGE_MAX_SEGMENTS
CHECKSUM_SEED = 0xEF  # ESP_ROM_CHECKSUM_INITIAL
CHECKSUM_BLOCK_BYTES = 16
DESCRIPTOR_MAGIC = 0xABCD5432
DIGEST_BYTES = 32

# magic, segments, SPI mode, flash speed and size, entry, WP pin, drive, chip,
# minimal revision (old, whole numbers), minimal and maximal revision (hundredths), -, digest
HEADER = Struct("<BBBBIB3sHBHH4sB")
SEGMENT = Struct("<II")  # load address, length
# magic, secure version, -, version, project, time, date, IDF version, SHA-256 of the ELF, -
DESCRIPTOR = Struct("<II8s32s32s16s16s32s32s80s")
DESCRIPTOR_OFFSET = HEADER.size + SEGMENT.size

CHIPS = {  # esp_chip_id_t
    0: "esp32",
    2: "esp32s2",
    5: "esp32c3",
    9: "esp32s3",
    12: "esp32c2",
    13: "esp32c6",
    16: "esp32h2",
    18: "esp32p4",
    20: "esp32c61",
    23: "esp32c5",
    25: "esp32h21",
    28: "esp32h4",
    31: "esp32e22",
    32: "esp32s31",
}

SIGNATURE_SECTOR_BYTES = 4096  # Secure Boot v2: a sector with up to three blocks
SIGNATURE_BLOCK = Struct("<BB1194xI16x")  # magic, version, CRC-32 of what stands before it
SIGNATURE_BLOCKS_MAX = 3
SIGNATURE_MAGIC = 0xE7
SIGNATURE_RSA = 2  # RSA-3072 with PSS
SIGNATURE_ECDSA = 3
SIGNATURE_SHA384 = 1  # the third byte of an ECDSA block; 0 is SHA-256
SIGNATURE_CHECKED_BYTES = 1196
SIGNATURE_V1_BYTES = 68  # version 0 and a signature

BOOTLOADER_DESCRIPTOR_MAGIC = 80  # ESP_BOOTLOADER_DESC_MAGIC_BYTE
# magic, -, secure version, version, IDF version, date and time, -
BOOTLOADER_DESCRIPTOR = Struct("<B2sBI32s24s16s")

PARTITION_MAGIC = b"\xaa\x50"
PARTITION_DIGEST_MAGIC = b"\xeb\xeb"
PARTITION = Struct("<2sBBII16sI")  # magic, type, subtype, offset, length, label, flags
PARTITION_TABLE_AT = 0x8000  # CONFIG_PARTITION_TABLE_OFFSET, which hardly anybody changes
PARTITION_TABLE_BYTES = 0xC00
