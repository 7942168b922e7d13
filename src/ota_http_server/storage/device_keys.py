"""Rows about public keys of devices: asked for, announced, accepted, rejected."""

from sqlalchemy import Connection, Row, delete, func, select, update

from ota_http_server.domain.device_key import DeviceKey, KeyState
from ota_http_server.storage.schema import device_keys
from ota_http_server.storage.turns import Turn, take_turn
from ota_http_server.storage.upserts import put_row


class DeviceKeys:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take_turn(self) -> None:
        """From here to the end of the transaction no other key comes or moves on."""
        take_turn(self._connection, Turn.MOVING_DEVICE_KEYS)

    def get(self, fingerprint: str) -> DeviceKey | None:
        query = select(device_keys).where(device_keys.c.fingerprint == fingerprint)
        row = self._connection.execute(query).first()
        return None if row is None else _key(row)

    def of_device(self, project: str, device: str, state: KeyState) -> list[DeviceKey]:
        query = select(device_keys).where(
            device_keys.c.project == project,
            device_keys.c.device == device,
            device_keys.c.state == state.value,
        )
        return [_key(row) for row in self._connection.execute(query)]

    def page(
        self, project: str | None, state: KeyState | None, after: str, limit: int
    ) -> list[DeviceKey]:
        """The next keys by fingerprint; None: of any project, in any state."""
        query = select(device_keys).where(device_keys.c.fingerprint > after)
        if project is not None:
            query = query.where(device_keys.c.project == project)
        if state is not None:
            query = query.where(device_keys.c.state == state.value)
        rows = self._connection.execute(query.order_by(device_keys.c.fingerprint).limit(limit))
        return [_key(row) for row in rows]

    def count(self, project: str, state: KeyState) -> int:
        query = select(func.count()).select_from(device_keys)
        mine = (device_keys.c.project == project, device_keys.c.state == state.value)
        return self._connection.scalar(query.where(*mine)) or 0

    def pending_addresses(self, project: str) -> list[str]:
        """Where the pending keys of a project came from, one entry a key."""
        query = select(device_keys.c.address).where(
            device_keys.c.project == project, device_keys.c.state == KeyState.PENDING.value
        )
        return [address or "" for address in self._connection.scalars(query)]

    def put(self, key: DeviceKey) -> None:
        values = {
            "project": key.project,
            "device": key.device,
            "public_key": key.public_key,
            "state": key.state.value,
            "address": key.address,
            "created_at": key.created_at,
            "decided_at": key.decided_at,
            "decided_by": key.decided_by,
        }
        put_row(self._connection, device_keys, values, fingerprint=key.fingerprint)

    def forget_oldest(self, project: str, state: KeyState, keep: int) -> None:
        """Drops all but the latest so many that are in this state."""
        mine = (device_keys.c.project == project, device_keys.c.state == state.value)
        latest = (
            select(device_keys.c.fingerprint)
            .where(*mine)
            .order_by(device_keys.c.decided_at.desc(), device_keys.c.fingerprint)
            .limit(keep)
        )
        self._connection.execute(
            delete(device_keys).where(*mine, device_keys.c.fingerprint.not_in(latest))
        )

    def forget_device(self, device: str) -> None:
        """Drops the keys of a device that is removed itself."""
        self._connection.execute(delete(device_keys).where(device_keys.c.device == device))

    def move_device(self, device: str, project: str) -> None:
        """The device's keys are for its new project from now on."""
        self._connection.execute(
            update(device_keys).where(device_keys.c.device == device).values(project=project)
        )


def _key(row: Row[tuple[object, ...]]) -> DeviceKey:
    return DeviceKey(
        fingerprint=row.fingerprint,
        project=row.project,
        device=row.device,
        public_key=row.public_key,
        state=KeyState(row.state),
        address=row.address,
        created_at=row.created_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
    )
