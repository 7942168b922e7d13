"""Which devices a rollout is for: `tag==kitchen and version<1.4.0`, a filter that people write.

Nobody should become part of a rollout by accident. So what is not known of a device compares as
false, with `!=` and `=out=` too: a board of unknown chip is not "another chip than esp32". There is
no "not" that could turn this round. Tags and attributes are otherwise: those that a device has are
known, so one that is absent is a fact.

The spelling is read in `selection_parser.py`, and described in `docs/reference/selection.md`.
"""

import operator
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ota_http_server.domain.device import ATTRIBUTE_CHARACTERS_MAX, Device
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.identity import device_key
from ota_http_server.domain.release import channel_name
from ota_http_server.domain.selection_parser import (
    SHOWN_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    Comparison,
    Join,
    Joined,
    Operator,
    Tree,
    Value,
    joined,
    nearest,
    refuse,
    spelt,
    tree_of,
)
from ota_http_server.domain.sighting import Sighting, chip_name
from ota_http_server.domain.version import (
    VERSION_CHARACTERS_MAX,
    identity,
    normalised,
    orders,
    version_key,
)

EXAMPLE = "tag==kitchen and version<1.4.0"

Covers = Callable[[Device, str], bool]
Facts = Callable[[Device, str], tuple[str, ...] | None]
"""What a device has of something: several, one or none; None: that is not known."""

_SAYS_YES = (Operator.IS, Operator.IN)
_COMPARES: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.BELOW: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.ABOVE: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Says of every device whether it is meant. Two are equal whose canonical texts are."""

    text: str
    """In the one spelling that is kept; it is read as the same selection again."""
    _covers: Covers = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: object) -> "Selection":
        """The selection that somebody wrote, or `Invalid` with the place of the mistake."""
        if not isinstance(text, str) or not text.strip():
            raise Invalid(f"a selection is a text such as {EXAMPLE}")
        tree = _meant(tree_of(text))
        return cls(_bounded(_text(tree)), _rule(tree))

    def covers(self, device: Device, channel: str) -> bool:
        """Whether the device is meant; `channel` is the one that it follows."""
        return self._covers(device, channel)


def all_of(*texts: str) -> str:
    """The selection of what each of them covers; of none an empty text, which is no selection."""
    if not texts:
        return ""
    return Selection.parse(_text(joined(Join.AND, [_meant(tree_of(t)) for t in texts]))).text


def is_one_of(name: str, values: Sequence[str]) -> str:
    """The selection of devices with one of these values, in which a `*` is just a character."""
    if not values:
        raise Invalid(f"{name} needs at least one value")
    text = f"{name}=in=({','.join(map(spelt, values))})"
    if isinstance(tree_of(text), Joined):
        raise Invalid(f"a name such as tag or version belongs here, not {name}")
    return Selection.parse(text).text


@dataclass(frozen=True, slots=True)
class _Name:
    """What stands behind a name, and how it is compared."""

    facts: Facts
    value: Callable[[str], str] = str
    """Of a text, the spelling in which such values are kept here, or `Invalid`."""
    pattern: Callable[[str], str] = str
    """The same for what stands beside a wildcard."""
    same: Callable[[str], Hashable] = str
    """Equal for two texts exactly if they are one value."""
    order: Callable[[str], Any] | None = None
    at_least: Facts | None = None
    """What it is at the least, where not even the fact itself is known."""
    may_be_empty: bool = False


def _known(fact: object) -> tuple[str, ...] | None:
    return None if fact is None else (str(fact),)


def _revision(text: str) -> str:
    return str(Sighting.of(revision=text).revision)


def _no_pattern(_: str) -> str:
    raise Invalid("revision is compared with a whole number, without *")


def _versions(device: Device, _: str) -> tuple[str, ...] | None:
    """As the device tells it, and as releases are listed: a wildcard may be meant for either."""
    version = device.version
    return None if version is None else (version, normalised(version))


def _version(text: str) -> str:
    if len(text) > VERSION_CHARACTERS_MAX:
        raise Invalid(f"a version has at most {VERSION_CHARACTERS_MAX} characters")
    return normalised(text)


_NAMES: dict[str, _Name] = {
    "id": _Name(lambda device, _: (device.id,), value=device_key),
    "tag": _Name(lambda device, _: device.tags),
    "channel": _Name(lambda _, channel: (channel.lower(),), value=channel_name, pattern=str.lower),
    "chip": _Name(
        lambda device, _: _known(device.chip and device.chip.lower()),
        value=lambda text: chip_name(text) or "",
        pattern=str.lower,
    ),
    "board": _Name(lambda device, _: _known(device.board)),
    "revision": _Name(
        lambda device, _: _known(device.revision),
        value=_revision,
        pattern=_no_pattern,
        order=int,
        at_least=lambda device, _: _known(device.known_revision),
    ),
    "version": _Name(_versions, value=_version, same=identity, order=version_key),
}
_ATTRIBUTE = "attr"
NAMES = (*_NAMES, _ATTRIBUTE)
"""All that can be compared; what a device says in words of its own stands behind `attr.`."""


def _name_of(comparison: Comparison) -> _Name:
    name, key = comparison.name, comparison.key
    if key is None and name in _NAMES:
        return _NAMES[name]
    if name != _ATTRIBUTE:
        shown = (name if key is None else f"{name}.{key}")[:SHOWN_CHARACTERS_MAX]
        refuse(comparison.at, f"{shown} is no name{nearest(name, NAMES)}")
    if not key or len(key) > ATTRIBUTE_CHARACTERS_MAX:
        most = ATTRIBUTE_CHARACTERS_MAX
        refuse(comparison.at, f"attr takes a name of 1 to {most} characters, as in attr.colour")
    return _Name(
        lambda device, _: (device.attributes[key],) if key in device.attributes else (),
        may_be_empty=True,
    )


def _meant(tree: Tree) -> Tree:
    """The same with every value in its kept spelling, or `Invalid`."""
    if isinstance(tree, Joined):
        return Joined(tree.by, tuple(map(_meant, tree.parts)))
    name = _name_of(tree)
    if tree.operator in _COMPARES and name.order is None:
        ordered = " and ".join(known for known, one in _NAMES.items() if one.order)
        refuse(tree.at, f"{tree.name} has no order; only {ordered} compare by {tree.operator}")
    values = tuple(dict.fromkeys(_value(tree, name, value) for value in tree.values))
    alone = {Operator.IN: Operator.IS, Operator.OUT: Operator.IS_NOT} if len(values) == 1 else {}
    return replace(tree, values=values, operator=alone.get(tree.operator, tree.operator))


def _value(comparison: Comparison, name: _Name, value: Value) -> Value:
    if value.has_wildcard and comparison.operator not in (Operator.IS, Operator.IS_NOT):
        refuse(value.at, "a * is a wildcard with == and != only; write '\\*' for the character")
    keep = name.pattern if value.has_wildcard else name.value
    try:
        texts = tuple(map(keep, value.texts))
    except Invalid as refusal:
        refuse(value.at, refusal.detail)
    if texts == ("",) and not name.may_be_empty:
        refuse(value.at, f"{comparison.name} is never empty; {comparison.name}==* means any")
    if comparison.operator in _COMPARES and comparison.name == "version" and not orders(texts[0]):
        refuse(value.at, "it is no version number, so nothing is below or above it")
    return Value(texts, value.at)


def _text(tree: Tree) -> str:
    if isinstance(tree, Joined):
        # Only an `or` in an `and` needs parentheses: `and` binds stronger.
        loose = tree.by is Join.AND
        texts = (
            f"({_text(p)})" if loose and isinstance(p, Joined) else _text(p) for p in tree.parts
        )
        return f" {tree.by} ".join(texts)
    name = tree.name if tree.key is None else f"{tree.name}.{spelt(tree.key)}"
    values = ",".join(spelt(*value.texts) for value in tree.values)
    return f"{name}{tree.operator}{f'({values})' if len(tree.values) > 1 else values}"


def _bounded(text: str) -> str:
    """What would be too long to be read again is refused now."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise Invalid(f"a selection has at most {TEXT_CHARACTERS_MAX:,} characters, spelt in full")
    return text


def _rule(tree: Tree) -> Covers:
    if isinstance(tree, Joined):
        rules = tuple(map(_rule, tree.parts))
        if tree.by is Join.AND:
            return lambda device, channel: all(rule(device, channel) for rule in rules)
        return lambda device, channel: any(rule(device, channel) for rule in rules)
    name = _name_of(tree)
    if tree.operator in _COMPARES and name.order is not None:
        return _ordering(tree, name, name.order)
    return _equality(tree, name)


def _equality(comparison: Comparison, name: _Name) -> Covers:
    first, says_yes = comparison.values[0], comparison.operator in _SAYS_YES
    wanted = {name.same(value.texts[0]) for value in comparison.values}

    def matches(fact: str) -> bool:
        return _fits(first.texts, fact) if first.has_wildcard else name.same(fact) in wanted

    def covers(device: Device, channel: str) -> bool:
        facts = name.facts(device, channel)
        return facts is not None and any(map(matches, facts)) is says_yes

    return covers


def _ordering(comparison: Comparison, name: _Name, order: Callable[[str], Any]) -> Covers:
    compares, bound = _COMPARES[comparison.operator], order(comparison.values[0].texts[0])
    upwards = comparison.operator in (Operator.ABOVE, Operator.AT_LEAST)
    facts_of = name.at_least if upwards and name.at_least else name.facts

    def covers(device: Device, channel: str) -> bool:
        facts = facts_of(device, channel)
        return facts is not None and compares(order(facts[0]), bound)

    return covers


def _fits(texts: tuple[str, ...], fact: str) -> bool:
    """Whether the fact is these texts with anything between each two.

    The first place where a text is found leaves the most room for the next, so nothing is ever
    tried twice.
    """
    first, *between, last = texts
    at, end = len(first), len(fact) - len(last)
    if at > end or not fact.startswith(first) or not fact.endswith(last):
        return False
    for text in between:
        at = fact.find(text, at, end)
        if at < 0:
            return False
        at += len(text)
    return True
