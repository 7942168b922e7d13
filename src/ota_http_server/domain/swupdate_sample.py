"""Makes minimal bundles for SWUpdate: for a first try with the real client, and for tests.

A bundle has a description and one file that is copied to where the description says. Builds that
insist on a signature (Debian's does) want one of the description as its second member.
"""

import re
from collections.abc import Callable
from hashlib import sha256, shake_128

from ota_http_server.domain.errors import Invalid

PAYLOAD_BYTES_MAX = 64 * 2**20
PAYLOAD_NAME = "payload.bin"

# A description is written from these, so they may not carry a quote or a backslash.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}", re.ASCII)
_PATH = re.compile(r"/[A-Za-z0-9._/-]{1,200}", re.ASCII)
_FILE_MODE = 0o100644


def swupdate_bundle(
    *,
    version: str = "1.0.0",
    hardware: tuple[str, ...] = ("1.0",),
    path: str = "/tmp/ota-sample.bin",  # noqa: S108 - on the device
    payload_bytes: int = 64 * 1024,
    seed: int = 0,
    sign: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """A bundle that copies `payload_bytes` to `path`; same arguments, same bytes.

    `sign` makes the signature of the description: CMS in DER, as `openssl cms` does.
    """
    if not all(_WORD.fullmatch(word) for word in (version, *hardware)) or not hardware:
        raise Invalid("version and hardware must be of A-Z a-z 0-9 . _ + ~ -")
    if not _PATH.fullmatch(path):
        raise Invalid("path must be an absolute path of A-Z a-z 0-9 . _ / -")
    if not 0 < payload_bytes <= PAYLOAD_BYTES_MAX:
        raise Invalid(f"payload_bytes must be 1 to {PAYLOAD_BYTES_MAX}")
    payload = shake_128(f"payload {seed}".encode()).digest(payload_bytes)
    description = _description(version, hardware, path, sha256(payload).hexdigest())
    signature = {} if sign is None else {"sw-description.sig": sign(description)}
    return cpio_archive({"sw-description": description, **signature, PAYLOAD_NAME: payload})


def cpio_archive(files: dict[str, bytes]) -> bytes:
    """As `cpio -o -H crc` writes it: every header with the sum of the file's bytes."""
    archive = b"".join(
        _member(number, name, content) for number, (name, content) in enumerate(files.items(), 1)
    )
    archive += _member(0, "TRAILER!!!", b"")
    return archive + bytes(-len(archive) % 512)


def _description(version: str, hardware: tuple[str, ...], path: str, digest: str) -> bytes:
    revisions = ", ".join(f'"{revision}"' for revision in hardware)
    return f"""software =
{{
    version = "{version}";
    hardware-compatibility: [ {revisions} ];
    files: (
        {{
            filename = "{PAYLOAD_NAME}";
            path = "{path}";
            sha256 = "{digest}";
        }}
    );
}}
""".encode()


def _member(inode: int, name: str, content: bytes) -> bytes:
    named = name.encode() + b"\0"
    mode, links = (_FILE_MODE, 1) if inode else (0, 1)
    numbers = (
        inode,
        mode,
        0,  # user
        0,  # group
        links,
        0,  # time
        len(content),
        *(0, 0, 0, 0),  # devices
        len(named),
        sum(content) & 0xFFFFFFFF,
    )
    head = b"070702" + b"".join(b"%08X" % number for number in numbers) + named
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
