"""Which of two firmware versions is the newer one.

Versions reach us as people and tools write them: `1.4.0`, `01.00.02`, `v1.2-3-gabc1234-dirty`
(git describe), `1.4.0-rc.1` (SemVer), `1.4rc1` (PEP 440), `15.0.1(tasmota32)`. One sort key
orders them all. What is no version number (a plain word, a bare commit hash) does not order: it
stands below everything that does, and its own order is when it was first seen, which the caller
knows: `sorted(…, key=lambda v: (version_key(v), first_seen_index))`.
"""

import re
from functools import lru_cache
from typing import NamedTuple

VERSION_CHARACTERS_MAX = 64  # an ESP-IDF descriptor holds 31; a tag with git's suffix under 60
NAME_CHARACTERS_MAX = 255  # a file name on every usual file system
VERSIONS_REMEMBERED = 4096  # under a kilobyte each; more than the files of a usual server

_VERSION = re.compile(
    r"""
    v?(?P<fields> [0-9]{1,20} (?:\.[0-9]{1,20}){0,7} )
    (?P<before>
        (?: (?:[-_~]|\.(?=[a-z])) [0-9a-z]+
          | (?:(?:rc|alpha|beta|preview|pre|dev)[0-9]* | [ab][0-9]+)(?![0-9a-z]) )
        (?: [-_.~][0-9a-z]+ )*?
    )??
    (?P<describe> [-+](?P<commits>[0-9]{1,20})[-.]g[0-9a-f]{4,40} )?
    (?P<dirty> [-+.]dirty )?
    (?: \+[0-9a-z.-]* )?
    (?: \s?\([^()]*\) )?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

_LIKE_A_HASH = re.compile(r"0*[0-9]{7}(?![0-9.])|[0-9]++[a-z]", re.IGNORECASE | re.ASCII)

# Only what is known to mean "before the release" belongs to a version in a file name:
# in `lamp-1.4.0-esp32.bin` the rest is about the board.
_IN_NAME = re.compile(
    r"""
    [-_]
    (?P<version>
        v?[0-9]++(?:\.[0-9]++)*+
        (?: [-_.]?(?:rc|alpha|beta|preview|pre|dev|snapshot)
            (?:[-_.]?[0-9]++(?:\.[0-9]++)*+)?+(?![0-9a-z]) )?+
        (?: [-+][0-9]{1,20}[-.]g[0-9a-f]{4,40}(?![0-9a-z]) )?+
        (?: [-+.]dirty(?![0-9a-z]) )?+
    )
    (?![0-9a-z])
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


class VersionKey(NamedTuple):
    """What is compared, in this order."""

    orders: bool
    fields: tuple[int, ...]
    """The numbers without trailing zeros, so that `1.0` is `1.0.0`."""
    released: bool
    before: tuple[tuple[bool, int, str], ...]
    """Of a pre-release: numbers below words (SemVer 2.0 §11), `rc2` below `rc10`."""
    commits: int
    """How many commits git describe counted after the tag."""
    clean: bool


_DOES_NOT_ORDER = VersionKey(False, (), False, (), 0, False)


def version_key(text: str) -> VersionKey:
    """The sort key of any text; all that do not order share the lowest one.

    What says nothing about newer or older does not count: a leading `v`, leading zeros, the
    commit hash, SemVer's build metadata (`+build5`), a board in brackets (`(tasmota32)`).
    """
    return _read(_bounded(text))[0]


def orders(text: str) -> bool:
    """This is a version number, not a word or a bare commit hash."""
    return version_key(text).orders


def normalised(text: str) -> str:
    """The version as it is listed: no leading `v` or zeros, no build metadata or board.

    The number of fields stays as written (`1.0.0` is not shortened to `1`) and so does the commit
    hash, which helps people. Two spellings may therefore be one version: compare `identity`.
    """
    return _read(_bounded(text))[1]


def identity(text: str) -> tuple[VersionKey, str]:
    """Equal for two texts exactly if they are one version; its first part is the sort key."""
    key = version_key(text)
    return key, "" if key.orders else normalised(text)


def version_in_name(file_name: str) -> str | None:
    """The version in a file's name: the last group of numbers after `-` or `_`, normalised.

    `projectA-01.00.02.bin` is 1.0.2, `firmware_v1` is 1, `lamp-1.4.0-esp32.bin` is 1.4.0. A
    pre-release (`-rc1`) and git describe's suffix that follow at once belong to it. A number that
    runs on into letters (`lamp-4MB.bin`) is none.
    """
    if len(file_name) > NAME_CHARACTERS_MAX:
        return None
    found = [match["version"] for match in _IN_NAME.finditer(file_name)]
    return next((normalised(version) for version in reversed(found) if orders(version)), None)


def _bounded(text: str) -> str:
    """A longer text is cut, and marked so that the rest is not taken for a version."""
    stripped = text.strip()
    if len(stripped) <= VERSION_CHARACTERS_MAX:
        return stripped
    return stripped[: VERSION_CHARACTERS_MAX - 1] + "…"


@lru_cache(maxsize=VERSIONS_REMEMBERED)
def _read(text: str) -> tuple[VersionKey, str]:
    """The key and the normalised text."""
    match = _VERSION.fullmatch(text)
    if match is None or _may_be_a_hash(text):
        return _DOES_NOT_ORDER, text
    numbers = [int(field) for field in match["fields"].split(".")]
    parts = (match[part] or "" for part in ("before", "describe", "dirty"))
    plain = ".".join(map(str, numbers)) + "".join(parts)
    while numbers and numbers[-1] == 0:
        numbers.pop()
    key = VersionKey(
        orders=True,
        fields=tuple(numbers),
        released=match["before"] is None,
        before=_before(match["before"] or ""),
        commits=int(match["commits"] or 0),
        clean=match["dirty"] is None,
    )
    return key, f"v{plain}" if _may_be_a_hash(plain) else plain


def _may_be_a_hash(text: str) -> bool:
    """`4081234` and `123b456` are as likely a commit as a number: git cuts hashes to 7 digits.

    Read as a number, such a commit would stand above every release to come. `v4081234` is one.
    """
    return _LIKE_A_HASH.match(text) is not None


def _before(text: str) -> tuple[tuple[bool, int, str], ...]:
    parts = re.findall(r"[0-9]+|[a-z]+", text.lower())
    return tuple((False, int(part), "") if part.isdigit() else (True, 0, part) for part in parts)
