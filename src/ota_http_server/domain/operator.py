"""Who runs the server, as far as the server can tell."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operator:
    """A person or program that may change things."""

    name: str
    """`shared-secret` for whoever knows the admin secret, `shell` at the command line."""
    address: str | None
    """Where the request came from; None at the command line."""
