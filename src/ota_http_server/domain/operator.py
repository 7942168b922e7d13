"""Who runs the server, as far as the server can tell, and what they may do."""

from dataclasses import dataclass
from enum import IntEnum

from ota_http_server.domain.errors import Forbidden


class Role(IntEnum):
    """Each may what the one before it may."""

    VIEWER = 1
    """Reads everything but secrets."""
    PUBLISHER = 2
    """Publishes releases: what a build pipeline needs."""
    OPERATOR = 3
    """Looks after devices, withdraws releases, lets devices in."""
    ADMIN = 4
    """Gives keys to others."""

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Operator:
    """A person or program that may change things."""

    name: str
    """`shared-secret` for whoever knows the admin secret, `shell` at the command line, else the
    name of the API key."""
    address: str | None
    """Where the request came from; None at the command line."""
    role: Role = Role.ADMIN
    project: str | None = None
    """The one project that it may see and change; None: all."""

    def must(self, role: Role, project: str | None) -> None:
        """The first line of every operation: `Forbidden` if this one may not.

        `project` None: it is about the whole server.
        """
        if self.role < role:
            raise Forbidden(f"this needs the role {role.word}; {self.name} is {self.role.word}")
        if self.project is not None and self.project != project:
            raise Forbidden(f"the key {self.name} is for project {self.project} alone")

    def may_see(self, project: str) -> bool:
        return self.project is None or self.project == project
