"""The documentation as data: its pages, their headings, links and fenced blocks.

A comment right before a fence, which no reader sees, says how `test_readme.py` treats it:

    <!-- test: background -->        each command is a server; it runs while the page goes on
    <!-- test: output -->            what the block before it prints (see `test_readme.py`)
    <!-- test: given build/x.bin --> a firmware image lies there before the block runs
    <!-- test: exit 1 -->            the block ends with this status
    <!-- test: skip because … -->    not run, and why
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent

WORDS = ("background", "output", "given", "exit", "skip")

_FENCE = re.compile(
    r"(?:^ *<!-- test: (?P<word>\w+) ?(?P<rest>[^\n]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block and what its comment says of it."""

    language: str
    text: str
    word: str
    """One of `WORDS`, or nothing."""
    rest: str
    line: int
    """Where it begins in its page."""


def pages() -> list[Path]:
    """Every page that people read, README first."""
    front = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    folders = ("docs", "certs", "deploy", "www")
    rest = [page for folder in folders for page in sorted((REPOSITORY / folder).rglob("*.md"))]
    return [*front, REPOSITORY / "CHANGELOG.md", *rest]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        word, rest = found["word"] or "", found["rest"] or ""
        line = text.count("\n", 0, found.start("language")) + 1
        assert not word or word in WORDS, f"{page.name}:{line}: {word} is no word for a test"
        assert word not in ("skip", "given", "exit") or rest, f"{page.name}:{line}: {word} what?"
        yield Block(found["language"], textwrap.dedent(found["text"]), word, rest, line)


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    return [match[2].strip() for match in _HEADING.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """What may stand behind `#` in a link to this page, as GitHub makes it of the headings."""
    found: set[str] = set()
    for heading in headings(page):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (unique := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(unique)
    return found


def links(page: Path) -> list[str]:
    """The targets of the page's links, those in code left out."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page)))
