"""Reads the syntax of libconfig (hyperrealm.github.io/libconfig), as far as SWUpdate's files go.

It is tolerant where nothing depends on it: what separates settings, which brackets a list has. JSON
is such a file too, and is read the same way. Numbers and booleans stay the text that they are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

from ota_http_server.domain.formats.reading import printable
from ota_http_server.domain.image_facts import Damaged

DEPTH_MAX = 32  # groups in groups; SWUpdate's own search goes four deep

Value = Union[str, list["Value"], "Group"]

_TOKEN = re.compile(
    r"""
    (?P<blank> \s++ | \#[^\n]*+ | //[^\n]*+ | /\*(?:[^*]|\*(?!/))*+\*/ )
    | (?P<string> "(?:[^"\\]|\\.)*+" )
    | (?P<word> [-+*$@%.A-Za-z0-9_]++ )
    | (?P<mark> [=:;,{}()\[\]] )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "b": "\b", "v": "\v", "a": "\a"}
_CLOSING = {"{": "}", "(": ")", "[": "]"}
_SEPARATORS = (";", ",")


@dataclass(frozen=True, slots=True)
class Group:
    """Named settings."""

    settings: dict[str, Value] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Value | None:
        return self.settings.get(name)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


_END = _Token("end", "the end", 0)


def read_settings(text: str) -> Group:
    """The settings of a file; `Damaged` names the line that cannot be understood."""
    reader = _Reader(_tokens(text))
    if reader.next.text == "{":  # JSON, or braces around all
        group = reader.value(0)
        if not isinstance(group, Group):
            raise Damaged("the description is no group of settings")
    else:
        group = reader.group(0)
    reader.expect("end")
    return group


class _Reader:
    """Takes one token after the other; `next` is the one that comes."""

    def __init__(self, tokens: Iterator[_Token]) -> None:
        self._tokens = tokens
        self.next = next(tokens, _END)

    def take(self) -> _Token:
        token, self.next = self.next, next(self._tokens, _END)
        return token

    def expect(self, *kinds: str) -> _Token:
        if self.next.kind not in kinds and self.next.text not in kinds:
            raise Damaged(
                f"line {self.next.line} of the description has {printable(self.next.text)[:40]}"
                f" where {' or '.join(kinds)} should be"
            )
        return self.take()

    def group(self, depth: int) -> Group:
        """Settings up to a closing brace or the end."""
        settings: dict[str, Value] = {}
        while self.next.kind in ("word", "string"):
            name = self._name()
            self.expect("=", ":")
            settings[name] = self.value(depth)
            self._separators()
        return Group(settings)

    def value(self, depth: int) -> Value:
        if depth > DEPTH_MAX:
            raise Damaged(f"the description is more than {DEPTH_MAX} groups deep")
        opening = self.expect("string", "word", "{", "(", "[")
        if opening.kind == "string":
            return _unquoted(opening.text) + self._strings()
        if opening.kind == "word":
            return opening.text
        content = self.group(depth + 1) if opening.text == "{" else self._list(depth + 1)
        self.expect(_CLOSING[opening.text])
        return content

    def _list(self, depth: int) -> list[Value]:
        values: list[Value] = []
        while self.next.kind in ("string", "word") or self.next.text in _CLOSING:
            values.append(self.value(depth))
            self._separators()
        return values

    def _name(self) -> str:
        token = self.take()
        return _unquoted(token.text) if token.kind == "string" else token.text

    def _strings(self) -> str:
        """Strings that follow each other are one."""
        words = ""
        while self.next.kind == "string":
            words += _unquoted(self.take().text)
        return words

    def _separators(self) -> None:
        while self.next.text in _SEPARATORS and self.next.kind == "mark":
            self.take()


def _tokens(text: str) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Damaged(f"line {line} of the description has a character that means nothing")
        if match.lastgroup and match.lastgroup != "blank":
            yield _Token(match.lastgroup, match[0], line)
        line += match[0].count("\n")
        at = match.end()


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(_unescaped, text[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    word = match[1]
    if len(word) > 1:
        return chr(int(word[1:], 16))
    return _ESCAPES.get(word, word)
