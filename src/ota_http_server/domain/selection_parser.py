"""How a selection is spelt: its comparisons, and how they are joined. `selection.py` gives meaning.

The spelling is a subset of FIQL, as hawkBit's users know it:

    either     = every { ( "," | "or" ) every }
    every      = one { ( ";" | "and" ) one }
    one        = "(" either ")" | comparison
    comparison = name operator value | name ( "=in=" | "=out=" ) "(" value { "," value } ")"
    name       = word | "attr." quoted
    value      = word | quoted

A mistake is refused with the character where it stands and with what would be right there.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from ota_http_server.domain.errors import Invalid

TEXT_CHARACTERS_MAX = 4_000  # a list of a hundred UUIDs; for more devices there are tags
DEPTH_MAX = 20  # people nest three deep; far below what the interpreter's stack holds
COMPARISONS_MAX = 200  # each may be asked of every device of a fleet
VALUES_MAX = 500  # of one list; what the longest text holds of words with seven letters
SHOWN_CHARACTERS_MAX = 40  # of a word, in a refusal

_TOKEN = re.compile(
    r"""
      (?P<blank> [ \t\r\n]++ )
    | (?P<mark> [();,] )
    | (?P<operator> == | != | <= | >= | < | > | =[A-Za-z]{1,16}= )
    | (?P<quoted> '(?:[^'\\]|\\.)*+' | "(?:[^"\\]|\\.)*+" )
    | (?P<word> [A-Za-z0-9._:+/*~-]++ )
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z0-9._:+/*~-]+")
_IN_QUOTES = re.compile(r"\\(?P<escaped>.)|(?P<star>\*)|(?P<plain>[^\\*]+)", re.DOTALL)


class Operator(StrEnum):
    """How a fact is compared, in the spelling that is kept."""

    IS = "=="
    IS_NOT = "!="
    IN = "=in="
    OUT = "=out="
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="


LISTS = (Operator.IN, Operator.OUT)
_SPELLINGS: dict[str, Operator] = {
    **{str(operator): operator for operator in Operator},
    "=lt=": Operator.BELOW,
    "=le=": Operator.AT_MOST,
    "=gt=": Operator.ABOVE,
    "=ge=": Operator.AT_LEAST,
}


class Join(StrEnum):
    """What stands between comparisons."""

    AND = "and"
    OR = "or"


@dataclass(frozen=True, slots=True)
class Value:
    """Texts with a wildcard between each two; most are one text and have none."""

    texts: tuple[str, ...]
    at: int = field(default=0, compare=False)

    @property
    def has_wildcard(self) -> bool:
        return len(self.texts) > 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name` is what stands before the first dot, `key` what stands behind it."""

    name: str
    key: str | None
    operator: Operator
    values: tuple[Value, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Joined:
    """Two parts or more; no part is joined by the same word again (`joined`)."""

    by: Join
    parts: tuple["Tree", ...]


Tree = Comparison | Joined


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    def is_one_of(self, *texts: str) -> bool:
        return self.kind != "quoted" and self.text.lower() in texts


def tree_of(text: str) -> Tree:
    """The comparisons of a text as they are joined, or `Invalid`."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Invalid(f"a selection has at most {TEXT_CHARACTERS_MAX:,} characters")
    return _Reader(text).whole()


def joined(by: Join, parts: Iterable[Tree]) -> Tree:
    """The parts in their order, without parentheses that change nothing."""
    flat: list[Tree] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Joined) and part.by is by else (part,))
    return flat[0] if len(flat) == 1 else Joined(by, tuple(flat))


def spelt(*texts: str) -> str:
    """A value in its shortest spelling: these texts, with a wildcard between each two."""
    whole = "*".join(texts)
    if _WORD.fullmatch(whole) and whole.count("*") == len(texts) - 1:
        return whole
    quote = '"' if whole.count("'") > whole.count('"') else "'"
    escape = str.maketrans({sign: f"\\{sign}" for sign in ("\\", "*", quote)})
    return quote + "*".join(text.translate(escape) for text in texts) + quote


def refuse(at: int, what: str) -> NoReturn:
    raise Invalid(f"selection, character {at + 1}: {what}")


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about a word that is not known."""
    names = list(known)
    near = difflib.get_close_matches(word[:SHOWN_CHARACTERS_MAX].lower(), names, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(names)}"


class _Reader:
    """Goes through the tokens once, from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._read = 0
        self._comparisons = 0

    def whole(self) -> Tree:
        tree = self._either(0)
        if self._token.is_one_of(")"):
            refuse(self._token.at, "this ) closes nothing")
        self._expect("and, or, or the end", "")
        return tree

    @property
    def _token(self) -> _Token:
        return self._tokens[self._read]

    def _take(self) -> _Token:
        token = self._token
        self._read += token.kind != "end"
        return token

    def _takes(self, *texts: str) -> bool:
        found = self._token.is_one_of(*texts)
        if found:
            self._take()
        return found

    def _expect(self, what: str, *texts: str) -> None:
        if not self._takes(*texts):
            self._miss(what)

    def _miss(self, what: str) -> NoReturn:
        found = self._token.text[:SHOWN_CHARACTERS_MAX] or "the end"
        refuse(self._token.at, f"{what} belongs here, not {found}")

    def _either(self, depth: int) -> Tree:
        return self._joined(Join.OR, ",", self._every, depth)

    def _every(self, depth: int) -> Tree:
        return self._joined(Join.AND, ";", self._one, depth)

    def _joined(self, by: Join, sign: str, part: Callable[[int], Tree], depth: int) -> Tree:
        parts = [part(depth)]
        while self._takes(sign, by):
            parts.append(part(depth))
        return joined(by, parts)

    def _one(self, depth: int) -> Tree:
        opened = self._token.at
        if not self._takes("("):
            return self._comparison()
        if depth == DEPTH_MAX:
            refuse(opened, f"parentheses stand in each other at most {DEPTH_MAX} deep")
        inside = self._either(depth + 1)
        self._expect(f"and, or, or the ) for the ( of character {opened + 1}", ")")
        return inside

    def _comparison(self) -> Comparison:
        at = self._token.at
        self._comparisons += 1
        if self._comparisons > COMPARISONS_MAX:
            refuse(at, f"a selection has at most {COMPARISONS_MAX} comparisons")
        name, key = self._name()
        operator = self._operator(name)
        values = self._values(operator) if operator in LISTS else (self._value(operator),)
        return Comparison(name, key, operator, values, at)

    def _name(self) -> tuple[str, str | None]:
        if self._token.kind != "word":
            self._miss("a name such as tag or version")
        word = self._take()
        name, dot, key = word.text.partition(".")
        quoted = self._token
        texts = _texts(word)
        if dot and not key and quoted.kind == "quoted" and quoted.at == word.at + len(word.text):
            texts = _texts(self._take())
            key = texts[0]
        if len(texts) > 1:
            refuse(word.at, "a name has no wildcard")
        return name, key if dot else None

    def _operator(self, name: str) -> Operator:
        if self._token.kind != "operator":
            self._miss(f"an operator such as == after {name[:SHOWN_CHARACTERS_MAX]}")
        token = self._take()
        operator = _SPELLINGS.get(token.text.lower())
        if operator is None:
            refuse(token.at, f"{token.text} compares nothing{nearest(token.text, _SPELLINGS)}")
        return operator

    def _values(self, operator: Operator) -> tuple[Value, ...]:
        opened = self._token.at
        self._expect("a list such as (a,b)", "(")
        values = [self._value(operator)]
        while self._takes(","):
            values.append(self._value(operator))
            if len(values) > VALUES_MAX:
                refuse(opened, f"a list has at most {VALUES_MAX} values")
        self._expect(", or the ) of the list", ")")
        return tuple(values)

    def _value(self, operator: Operator) -> Value:
        token = self._token
        if token.is_one_of("(") and operator not in LISTS:
            refuse(
                token.at, f"{operator} takes one value; for several write =in=(a,b) or =out=(a,b)"
            )
        if token.kind not in ("word", "quoted"):
            self._miss(f"a value for {operator}")
        return Value(_texts(self._take()), token.at)


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            _refuse_sign(text[at], at)
        if match.lastgroup != "blank":
            tokens.append(_Token(str(match.lastgroup), match[0], at))
        at = match.end()
    return [*tokens, _Token("end", "", at)]


def _refuse_sign(sign: str, at: int) -> NoReturn:
    if sign in ("'", '"'):
        refuse(at, f"nothing closes this {sign}")
    if sign == "=":
        refuse(at, "to compare, write ==; in a value, a = stands in quotes, as in 'a=b'")
    refuse(at, f"{sign!a} means nothing outside of quotes; join comparisons by and, or")


def _texts(token: _Token) -> tuple[str, ...]:
    """What stands between the wildcards of a word or of a text in quotes."""
    if token.kind == "word":
        return _without_repeats(token.text.split("*"))
    if not token.text.isprintable():
        refuse(token.at, "a text in quotes is of printable characters")
    texts = [""]
    for match in _IN_QUOTES.finditer(token.text, 1, len(token.text) - 1):
        if match["star"]:
            texts.append("")
        elif (escaped := match["escaped"]) is not None and escaped not in "\\'\"*":
            refuse(token.at + match.start(), "behind a \\ stands one of \\ ' \" *")
        else:
            texts[-1] += match["escaped"] or match["plain"]
    return _without_repeats(texts)


def _without_repeats(texts: list[str]) -> tuple[str, ...]:
    """Two wildcards side by side are one."""
    return tuple(text for n, text in enumerate(texts) if text or n in (0, len(texts) - 1))
