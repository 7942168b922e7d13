"""Images of every format, written by hand from documents, not with the readers' layouts."""

import gzip
import io
import json
import struct
import tarfile
import zlib
from hashlib import md5, sha256, sha384
from hashlib import new as hash_named
from itertools import count

from ota_http_server.domain.esp8266_sample import esp8266_application
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.mcuboot_sample import mcuboot_image
from ota_http_server.domain.swupdate_sample import swupdate_bundle

NOISE = b"".join(sha256(bytes([number])).digest() for number in range(128))
APPLICATION = esp_application(version="1.4.0", project="lamp", chip="esp32s3", payload_bytes=1000)


def esp_image(first, *, chip=0, second=NOISE[:512], digest=True):
    """An ESP32 image of two segments."""
    image = bytearray(struct.pack("<BBBBI", 0xE9, 2, 2, 0x20, 0x40080400))
    image += struct.pack("<B3sHBHH4sB", 0xEE, b"", chip, 0, 0, 399, b"", digest)
    checksum = 0xEF
    for address, data in ((0x3FFF0018, first), (0x40078000, second)):
        image += struct.pack("<II", address, len(data)) + data
        for byte in data:
            checksum ^= byte
    image += bytes(15 - len(image) % 16) + bytes([checksum])
    return bytes(image) + (sha256(image).digest() if digest else b"")


def bootloader(chip=0, descriptor=True):
    words = struct.pack("<B2sBI32s24s16s", 80, b"", 3, 7, b"v5.5.1", b"Jan  1 2025 12:00:00", b"")
    return esp_image((words if descriptor else b"") + NOISE[:256], chip=chip)


def partition_table(digest=True, entries=None):
    entries = entries or [
        (1, 2, 0x9000, 0x5000, b"nvs"),
        (1, 0, 0xE000, 0x2000, b"otadata"),
        (0, 16, 0x10000, 0x140000, b"app0"),
        (0, 17, 0x150000, 0x130000, b"app1"),
        (1, 0x82, 0x290000, 0x160000, b"spiffs"),
    ]
    table = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", kind, sub, offset, size, label, 0)
        for kind, sub, offset, size, label in entries
    )
    if digest:
        table += b"\xeb\xeb" + b"\xff" * 14 + md5(table).digest()
    return table.ljust(0xC00, b"\xff")


def factory(start=0, chip=9, application=None):
    parts = {
        start: bootloader(chip),
        0x8000: partition_table(),
        0x10000: application or APPLICATION,
    }
    image = b""
    for at, part in parts.items():
        image = image.ljust(at, b"\xff") + part
    return image


def signed(image, kind="rsa", blocks=1):
    """Filled up to a sector, and signature blocks behind it as espsecure writes them."""
    body = image.ljust(-(-len(image) // 4096) * 4096, b"\xff")
    if kind == "rsa":
        block = struct.pack(
            "<BBxx32s384sI384sI384s", 0xE7, 2, sha256(body).digest(), *([b"k", 3] * 2), b"s"
        )
    elif kind == "p384":
        block = struct.pack("<BBBx48sB96s96s951x", 0xE7, 3, 1, sha384(body).digest(), 3, b"k", b"s")
    else:
        block = struct.pack(
            "<BBBx32sB64s64s1031x", 0xE7, 3, 0, sha256(body).digest(), 2, b"k", b"s"
        )
    assert len(block) == 1196
    block += struct.pack("<I16x", zlib.crc32(block))
    return body + block * blocks


def esp8266_plain(size=640):
    """One image without eboot and without a CRC."""
    data = NOISE[:size]
    checksum = 0xEF
    for byte in data:
        checksum ^= byte
    image = struct.pack("<BBBBIII", 0xE9, 1, 2, 0x40, 0x40100004, 0x40100000, len(data)) + data
    return image + bytes(15 - len(image) % 16) + bytes([checksum])


def delta(base=b"\xab" * 32, kind=0x04, size=b"\x9a\x05", window=0x44):
    return (
        struct.pack("<I32s28x", 0xFCCDDE10, base) + bytes([kind]) + size + bytes([window]) + NOISE
    )


def encrypted(plain_bytes=len(NOISE)):
    header = struct.pack("<I384s16sI16s88x", 0x0788B6CF, NOISE[:384], NOISE[:16], plain_bytes, b"t")
    return header + NOISE


def mcuboot(
    body=NOISE, *, version=(1, 2, 3, 4), protected=(), flags=0, kinds=(0x10,), extra=(), header=32
):
    """An image as the document has it, with the digests of these kinds."""
    area = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in protected)
    if area:
        area = struct.pack("<HH", 0x6908, len(area) + 4) + area
    head = struct.pack(
        "<IIHHIIBBHI4x", 0x96F3B83D, 0, header, len(area), len(body), flags, *version
    )
    covered = head.ljust(header, b"\0") + body + area
    names = {0x10: "sha256", 0x11: "sha384", 0x12: "sha512"}
    entries = [(kind, hash_named(names[kind], covered).digest()) for kind in kinds] + list(extra)
    area = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in entries)
    return covered + struct.pack("<HH", 0x6907, len(area) + 4) + area


def uf2(content=NOISE, *, family=0xE48BFF56, address=0x10000000, size=256, tags=b"", total=None):
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    total = len(pieces) if total is None else total
    flags = (0x2000 if family is not None else 0) | (0x8000 if tags else 0)
    return b"".join(
        struct.pack(
            "<IIIIIIII476sI",
            *(0x0A324655, 0x9E5D5157, flags, address + number * size, len(piece)),
            *(number, total, family or 0, piece + tags, 0x0AB16F30),
        )
        for number, piece in enumerate(pieces)
    )


def uf2_tag(kind, value):
    tag = bytes([4 + len(value)]) + kind.to_bytes(3, "little") + value
    return tag + bytes(-len(tag) % 4) + bytes(4)


def cpio(files, *, magic=b"070702", trailer=True):
    archive = b""
    names = [*files.items(), *([("TRAILER!!!", b"")] if trailer else [])]
    for (name, content), inode in zip(names, count(1)):
        named = name.encode() + b"\0"
        total = sum(content) if magic == b"070702" else 0
        archive += magic + b"".join(
            b"%08x" % number
            for number in (inode, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(named), total)
        )
        archive += named
        archive += bytes(-len(archive) % 4) + content
        archive += bytes(-len(archive) % 4)
    return archive


def swu(description, files=None, **options):
    return cpio({"sw-description": description.encode(), **(files or {"a.bin": NOISE})}, **options)


def squashfs(content=NOISE, used=None):
    used = 96 + len(content) if used is None else used
    superblock = struct.pack("<4sIIIIHHHHHHQQ", b"hsqs", 1, 0, 4096, 0, 1, 12, 0, 1, 4, 0, 0, used)
    return (superblock.ljust(96, b"\0") + content).ljust(4096 * 2, b"\0")


def der(tag, content):
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes(-(-length.bit_length() // 8), "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def signed_message(content):
    """As much of SignedData as stands before the certificates, and some bytes for the rest."""
    data = bytes.fromhex("06092a864886f70d010701")
    inside = data if content is None else data + der(0xA0, der(0x04, content))
    signed_data = der(0x02, b"\x01") + der(0x31, b"") + der(0x30, inside) + der(0x31, NOISE[:300])
    return der(0x30, bytes.fromhex("06092a864886f70d010702") + der(0xA0, der(0x30, signed_data)))


MANIFEST = b"""[update]
compatible=FooCorp Super BarBazzer
version=2024.05-1
build=20240501

[bundle]
format=verity
verity-hash=3fcb193cb4fd475aa174efa1f1e979b2d649bf7f8224cc97f4413b5ee141a4e9
verity-size=4096

[image.rootfs]
sha256=b14c1457dc10469418b4154fef29a90e1ffb4dddd308bf0f2456d436963ef5b3
filename=rootfs.ext4
size=419430400
"""


def rauc(message=None):
    message = signed_message(MANIFEST) if message is None else message
    return squashfs() + message + len(message).to_bytes(8, "big")


def tar(files):
    """By Python's own tarfile, which knows nothing of our reader."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as writer:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            writer.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


HEADER_INFO = {
    "payloads": [{"type": "rootfs-image"}],
    "artifact_provides": {"artifact_name": "release-2"},
    "artifact_depends": {"device_type": ["beaglebone", "qemux86-64"]},
}


def mender(info=None, packed=None, digest=None):
    info = json.dumps(HEADER_INFO if info is None else info).encode()
    packed = packed or gzip.compress(tar({"header-info": info}), mtime=0)
    version = b'{"format":"mender","version":3}\n'
    digest = digest or sha256(packed).hexdigest()
    manifest = f"{sha256(version).hexdigest()}  version\n{digest}  header.tar.gz\n".encode()
    payload = gzip.compress(tar({"rootfs.ext4": NOISE}), mtime=0)
    files = {"version": version, "manifest": manifest, "header.tar.gz": packed}
    return tar(files | {"data/0000.tar.gz": payload})


def littlefs(blocks=4, block_bytes=4096):
    superblock = struct.pack(
        "<II8sIIIIIII",
        1,
        0xF0000FFF,
        b"littlefs",
        0,
        0x20001,
        block_bytes,
        blocks,
        255,
        2**31 - 1,
        1022,
    )
    return superblock.ljust(blocks * block_bytes, b"\xff")


SAMPLES = {
    "esp-idf-app": APPLICATION,
    "esp-idf-app signed": signed(APPLICATION, "p384"),
    "esp-bootloader": bootloader(),
    "esp-app": esp_image(NOISE[:16], second=NOISE * 20),
    "esp-partition-table": partition_table(),
    "esp-factory": factory(),
    "esp8266-app": esp8266_application(payload_bytes=500),
    "esp8266-app plain": esp8266_plain(),
    "esp8266-app-v2": struct.pack("<BBBBIII", 0xEA, 4, 2, 0x40, 0x40100004, 0, 640) + NOISE,
    "esp8266-app-gzip": gzip.compress(esp8266_application(payload_bytes=500), mtime=0),
    "esp-idf-app-zlib": zlib.compress(APPLICATION),
    "gzip": gzip.compress(NOISE, mtime=0),
    "esp-delta": delta(),
    "esp-encrypted": encrypted(),
    "mcuboot": mcuboot(
        protected=[(0x50, b"\x07\0\0\0")], extra=[(0x01, b"k" * 32), (0x22, b"s" * 70)]
    ),
    "mcuboot sample": mcuboot_image(payload_bytes=300, security_counter=3),
    "uf2": uf2(tags=uf2_tag(0x9FC7BC, b"1.2.3")),
    "swupdate": swupdate_bundle(payload_bytes=500),
    "rauc": rauc(),
    "rauc plain": rauc(signed_message(None)),
    "squashfs": squashfs(),
    "mender": mender(),
    "littlefs": littlefs(),
}
"""By format; a word behind it tells several of one apart."""
