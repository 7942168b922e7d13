"""Staging a fleet of simulated devices: each is in the registry and has its own credential.

They belong to projects of their own, whose names say what they are, so that nobody takes them for
boards, and so that they can be cleared away together.
"""

from dataclasses import dataclass, field
from functools import partial

from ota_http_server.domain.attempt import State
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.operations.verify_token import credential_of
from ota_http_server.security.credentials import Opaque
from ota_http_server.storage.credentials import Credential, Kind
from ota_http_server.storage.database import Database
from ota_http_server.storage.devices import Wanted
from ota_http_server.storage.transaction import Writing

AT_ONCE = 500  # devices in one transaction: a tenth of a second
PREFIX = "sim-"
"""Of every project and device that is not real."""


@dataclass(frozen=True, slots=True)
class Staged:
    """One device that waits to be simulated."""

    device: str
    credential: str = field(repr=False)


class StageFleet:
    """The operation, and its undoing."""

    def __init__(self, database: Database, opaque: Opaque) -> None:
        self._database = database
        self._opaque = opaque

    def __call__(
        self, operator: Operator, project: str, names: list[str], *, chip: str | None, version: str
    ) -> list[Staged]:
        """Devices of these names, which run this version."""
        operator.must(Role.OPERATOR, project)
        staged = [Staged(name, self._opaque.new_credential()) for name in names]
        for start in range(0, len(staged), AT_ONCE):
            some = staged[start : start + AT_ONCE]
            self._database.change(
                partial(_add, project=project, staged=some, chip=chip, version=version)
            )
        return staged

    def verdicts(self, names: list[str]) -> dict[State | None, int]:
        """What the server believes of each one's latest attempt, counted; None: it has none."""
        counted: dict[State | None, int] = {}
        with self._database.reading() as rows:
            for name in names:
                latest = rows.attempts.latest_of(name)
                state = latest.state if latest is not None else None
                counted[state] = counted.get(state, 0) + 1
        return counted

    def clear(self, operator: Operator, project: str) -> int:
        """Removes the simulated devices of a project; how many there were."""
        operator.must(Role.OPERATOR, project)
        removed = 0
        while True:
            with self._database.reading() as rows:
                page = rows.devices.page(Wanted(project=project, text=PREFIX), "", AT_ONCE)
            names = [device.id for device in page if device.id.startswith(PREFIX)]
            if not names:
                return removed
            self._database.change(partial(_remove, project=project, names=names))
            removed += len(names)


def _add(
    tx: Writing, *, project: str, staged: list[Staged], chip: str | None, version: str
) -> None:
    for one in staged:
        tx.devices.add(
            Device(
                id=one.device,
                project=project,
                chip=chip,
                version=version,
                version_from=VersionFrom.OPERATOR,
                notes="simulated",
                created_at=tx.second,
                created_by="simulate",
            )
        )
        digest = credential_of(one.credential).hex()
        tx.credentials.add(
            Credential(digest, Kind.DEVICE, one.device, project, tx.second, "simulate")
        )


def _remove(tx: Writing, *, project: str, names: list[str]) -> None:
    for name in names:
        tx.attempts.forget_device(name)
        tx.credentials.revoke_all_of(project, name, tx.second)
        tx.devices.remove(name)
