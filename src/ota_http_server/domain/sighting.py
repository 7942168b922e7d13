"""What a device said of itself in one exchange. Each dialect makes one; None: it did not say."""

import re
from dataclasses import dataclass, replace

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.formats.esp_layout import CHIPS
from ota_http_server.domain.version import VERSION_CHARACTERS_MAX

TEXT_CHARACTERS_MAX = 64  # a board's or compatible's name; real ones have under 40
REVISION_MAX = 9_999  # in hundredths: v99.99
BYTES_MAX = 2**40
DIGEST_PATTERN = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
DIGESTS_MAX = 4  # MD5, file, appended and ELF digest

_CHIP_NAMES = frozenset({*CHIPS.values(), "esp8266", "rp2040", "rp2350"})
_CHIP_PATTERN = re.compile(r"[a-z0-9][a-z0-9_.]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Facts about the device, from itself. `NOTHING_SAID` is the one without any."""

    version: str | None = None
    digests: frozenset[str] = frozenset()
    """Of what it runs, lower-case hex: MD5 (32) or SHA-256 (64) of the file, the appended digest,
    the ELF's. Any of them names an image that was published here."""
    chip: str | None = None
    revision: int | None = None
    """Of the chip, in hundredths: 301 is v3.1."""
    board: str | None = None
    free_bytes: int | None = None
    """The largest image that fits."""
    says_what_runs: bool = True
    """False where the same words come from a device that has not restarted yet."""
    restart_seconds: int = 0
    """So long after it reported an installation it may still run, and say, the old one."""

    @classmethod
    def of(
        cls,
        *,
        version: object = None,
        digests: tuple[object, ...] = (),
        chip: object = None,
        revision: object = None,
        board: object = None,
        free_bytes: object = None,
    ) -> "Sighting":
        """The facts in words from outside, or `Invalid`; empty texts say nothing."""
        return cls(
            version=_text("version", version, VERSION_CHARACTERS_MAX),
            digests=frozenset(d for one in digests[:DIGESTS_MAX] if (d := _digest(one))),
            chip=chip_name(chip),
            revision=_number("revision", revision, REVISION_MAX),
            board=_text("board", board, TEXT_CHARACTERS_MAX),
            free_bytes=_number("free_bytes", free_bytes, BYTES_MAX),
        )

    def beside(self, other: "Sighting") -> "Sighting":
        """These facts, and the other's where nothing is said here."""
        return replace(
            self,
            version=self.version or other.version,
            digests=self.digests or other.digests,
            chip=self.chip or other.chip,
            revision=self.revision if self.revision is not None else other.revision,
            board=self.board or other.board,
            free_bytes=self.free_bytes if self.free_bytes is not None else other.free_bytes,
        )

    def without_state(self) -> "Sighting":
        """What it is, not what it runs."""
        return replace(self, version=None, digests=frozenset())


NOTHING_SAID = Sighting()


def chip_name(value: object) -> str | None:
    """A chip in esptool's spelling (`esp32s3` for `ESP32-S3`), None for nothing said.

    `Invalid` for what names no chip at all; one that is not known here is kept as it is.
    """
    text = _text("chip", value, TEXT_CHARACTERS_MAX)
    if text is None:
        return None
    plain = text.lower()
    squeezed = plain.replace("-", "").replace(" ", "").replace("_", "")
    if squeezed in _CHIP_NAMES:
        return squeezed
    plain = plain.replace("-", "_").replace(" ", "_")
    if not _CHIP_PATTERN.fullmatch(plain):
        raise Invalid("chip must be a name such as esp32s3, of at most 32 characters")
    return plain


def _text(name: str, value: object, characters_max: int) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > characters_max or not value.isprintable():
        raise Invalid(f"{name} must be 1 to {characters_max} printable characters")
    return value.strip() or None


def _digest(value: object) -> str | None:
    """A digest in any case; one of zeros (an unset field) says nothing."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not DIGEST_PATTERN.fullmatch(value.lower()):
        raise Invalid("a digest has 32 or 64 hexadecimal digits")
    return value.lower() if value.strip("0") else None


def _number(name: str, value: object, most: int) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise Invalid(f"{name} must be a whole number from 0 to {most}")
    return value
