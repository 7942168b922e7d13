"""Numbers in paths and cursors."""

from ota_http_server.domain.errors import Invalid

DIGITS_MAX = 15  # more than any row has, and less than any database refuses


def number_in(text: str, name: str) -> int:
    """The number that stands there, or `Invalid`."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise Invalid(f"{name} must be a number of at most {DIGITS_MAX} digits")
    return int(text)
