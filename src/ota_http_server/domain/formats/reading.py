"""How every reader takes an image apart: in pieces, with one way to say that bytes are missing."""

from collections.abc import Iterator

from ota_http_server.domain.image_facts import ImageSource, Incomplete, Part

BLOCK_BYTES = 2**17  # read at a time; some sums need it to be a power of two


def exactly(source: ImageSource, offset: int, length: int) -> bytes:
    """These bytes; `Incomplete` if the source ends before."""
    data = source.read_at(offset, length)
    if len(data) < length:
        # Not more than the size: a file that shrinks while it is read tells by the piece itself.
        held = min(source.size, offset + len(data))
        raise incomplete(source, offset + length, held=held, at_least=True)
    return data


def incomplete(
    source: ImageSource, promised: int, *, held: int | None = None, at_least: bool = False
) -> Incomplete:
    """The refusal of a source that ends too soon, in numbers of the file that a person sees."""
    has = _in_file(source, source.size if held is None else held)
    wants = f"{'at least ' if at_least else ''}{_in_file(source, promised)}"
    return Incomplete(f"truncated: the file has {has} bytes, its header promises {wants}")


def _in_file(source: ImageSource, at: int) -> int:
    return _in_file(source.whole, source.start + at) if isinstance(source, Part) else at


def whole(source: ImageSource, length: int) -> int:
    """The length that a header promises, if the source has as much."""
    if source.size < length:
        raise incomplete(source, length)
    return length


def blocks(source: ImageSource, start: int, end: int) -> Iterator[bytes]:
    """The bytes from here to there, a block at a time."""
    for offset in range(start, end, BLOCK_BYTES):
        yield exactly(source, offset, min(BLOCK_BYTES, end - offset))


def text(field: bytes) -> str:
    """A C string from outside: to its NUL, and nothing in it that a terminal would obey."""
    return printable(field.split(b"\0", 1)[0].decode("utf-8", "replace"))


def printable(words: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words).strip()
