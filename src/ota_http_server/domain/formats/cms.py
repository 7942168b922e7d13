"""Reads as much of a CMS message (RFC 5652) as tells its kind and, if it is signed, its content.

No signature is verified: whose it must be is known to the device alone.
"""

from dataclasses import dataclass

SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2
ENVELOPED_DATA = bytes.fromhex("2a864886f70d010703")

_SEQUENCE, _OBJECT_ID, _OCTETS, _INTEGER, _SET, _EXPLICIT_0 = 0x30, 0x06, 0x04, 0x02, 0x31, 0xA0
_LENGTH_BYTES_MAX = 4


class NotCms(ValueError):
    """The bytes are no such message."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a CMS message is; the content of a signed one is None where it lies elsewhere."""

    encrypted: bool
    content: bytes | None


def read_message(data: bytes) -> Message:
    """The message that these bytes are, exactly; `NotCms` otherwise."""
    outer = _Elements(data).take(_SEQUENCE, last=True)
    info = _Elements(outer)
    kind = info.take(_OBJECT_ID)
    if kind == ENVELOPED_DATA:
        return Message(encrypted=True, content=None)
    if kind != SIGNED_DATA:
        raise NotCms("neither signed nor encrypted")
    signed = _Elements(_Elements(info.take(_EXPLICIT_0)).take(_SEQUENCE))
    signed.take(_INTEGER)
    signed.take(_SET)
    encapsulated = _Elements(signed.take(_SEQUENCE))
    encapsulated.take(_OBJECT_ID)
    if encapsulated.ended:
        return Message(encrypted=False, content=None)
    return Message(encrypted=False, content=_Elements(encapsulated.take(_EXPLICIT_0)).take(_OCTETS))


class _Elements:
    """DER elements (ITU-T X.690 §8.1) that follow each other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)

    def take(self, tag: int, *, last: bool = False) -> bytes:
        """The content of the next element, which must have this tag."""
        if self._data[self._at : self._at + 1] != bytes([tag]):
            raise NotCms(f"no element {tag:#x}")
        length, start = self._length(self._at + 1)
        self._at = start + length
        if self._at > len(self._data) or (last and not self.ended):
            raise NotCms("an element has the wrong length")
        return self._data[start : self._at]

    def _length(self, at: int) -> tuple[int, int]:
        first = self._data[at : at + 1]
        if not first:
            raise NotCms("no length")
        count = first[0] & 0x7F
        if first[0] < 0x80:
            return first[0], at + 1
        if not 1 <= count <= _LENGTH_BYTES_MAX:
            raise NotCms("a length without end, or too long")
        return int.from_bytes(self._data[at + 1 : at + 1 + count], "big"), at + 1 + count
