"""Editions as entity tags (RFC 9110 §13): `"7"` is the seventh edition."""

import re

from ota_http_server.domain.edition import ANY_EDITION, Expected

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
DIGITS_MAX = 18


def tag_of(edition: int) -> str:
    return f'"{edition}"'


def expected(if_match: str | None) -> Expected:
    """What an `If-Match` names. `*` is any edition; a weak tag, or none of ours, is no edition."""
    if if_match is None or if_match.strip() == "*":
        return ANY_EDITION
    return Expected(
        frozenset(
            int(tag)
            for weak, tag in _TAG.findall(if_match)
            if not weak and tag.isascii() and tag.isdigit() and len(tag) <= DIGITS_MAX
        )
    )


def is_known(if_none_match: str | None, edition: int) -> bool:
    """Whether the caller has this edition already."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(tag == str(edition) for _, tag in _TAG.findall(if_none_match))
