"""Following redirects, as far as each client does."""

from collections.abc import Callable
from dataclasses import dataclass

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.failed import Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a client follows, and what it logs about the rest."""

    most: int
    relative: bool = True
    """A `Location` without scheme and host, on plain HTTP."""
    relative_over_tls: bool = True
    to_plain: bool = True
    """From https to http."""
    complaint: str = "redirect refused"
    too_many: str = "too many redirects"


NO_REDIRECTS = Rules(most=0)
"""A redirect is the answer."""


def next_address(here: Address, answer: Answer, rules: Rules) -> Address:
    """Where this redirect leads, or `Failed`."""
    location = answer.headers["location"]
    is_relative = "://" not in location
    may_be_relative = rules.relative_over_tls if here.secure else rules.relative
    if is_relative and not may_be_relative:
        raise Failed(f"{rules.complaint} (a relative Location)")
    there = here.moved(location)
    if here.secure and not there.secure and not rules.to_plain:
        raise Failed(f"{rules.complaint} (from https to {there.shown})")
    return there


def follow(
    address: Address, ask: Callable[[Address], Answer], rules: Rules
) -> tuple[Address, Answer]:
    """The first answer that is no redirect, and where it came from."""
    if not rules.most:
        return address, ask(address)
    for _ in range(rules.most + 1):
        answer = ask(address)
        if not answer.is_redirect:
            return address, answer
        address = next_address(address, answer, rules)
    raise Failed(rules.too_many)
