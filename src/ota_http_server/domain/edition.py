"""Editions: whoever changes something may say which edition of it was read.

Everything that people change counts its changes in `edition`. A change that names the edition it
was made for is refused once somebody else was faster, so that nobody undoes what was never seen.
"""

from dataclasses import dataclass

from ota_http_server.domain.errors import Outdated


@dataclass(frozen=True, slots=True)
class Expected:
    """The editions that the caller would change; None: whichever it is."""

    editions: frozenset[int] | None = None

    def check(self, edition: int) -> None:
        """Raises `Outdated` if this is another one. Call it inside the transaction that writes."""
        if self.editions is not None and edition not in self.editions:
            raise Outdated(f"it was changed since: this is edition {edition} now; read it again")


ANY_EDITION = Expected()
