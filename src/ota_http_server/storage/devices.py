"""Rows about devices: what each is, what it runs, and how it is to be treated."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    select,
    update,
)

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.storage.counters import Counters, of_device
from ota_http_server.storage.schema import attempts, devices
from ota_http_server.storage.upserts import insert_into

CLOCKS_DIFFER_SECONDS_MAX = 3_600  # of two servers, and of a visit that waited to be written


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which devices a listing is about; None: any."""

    project: str | None = None
    channel: str | None = None
    version: str | None = None
    tag: str | None = None
    chip: str | None = None
    blocked: bool | None = None
    seen_before: int | None = None
    seen_after: int | None = None
    text: str | None = None
    """Part of the id, the board or the notes, in any case."""


class Devices:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, device_id: str) -> Device | None:
        row = self._connection.execute(select(devices).where(devices.c.id == device_id)).first()
        return None if row is None else _device(row)

    def lock(self, device_id: str) -> None:
        """From here to the end of the transaction nobody else changes it (SQLite: nor anything)."""
        self._connection.execute(
            select(devices.c.id).where(devices.c.id == device_id).with_for_update()
        )

    def page(self, wanted: Wanted, after: str, limit: int) -> list[Device]:
        """The next devices by id."""
        query = select(devices).where(devices.c.id > after, *_conditions(wanted))
        rows = self._connection.execute(query.order_by(devices.c.id).limit(limit))
        return [_device(row) for row in rows]

    def count(self, wanted: Wanted) -> int:
        query = select(func.count()).select_from(devices).where(*_conditions(wanted))
        return self._connection.scalar(query) or 0

    def add(self, device: Device) -> None:
        # Another instance may have met it in the same moment.
        new = insert_into(self._connection, devices, id=device.id, wiped_after=0, **_values(device))
        self._connection.execute(new.on_conflict_do_nothing(index_elements=["id"]))
        Counters(self._connection).move(of_device(device.id))

    def change(self, device: Device) -> None:
        """Writes all that is known of it; `edition` is the caller's to count."""
        self._connection.execute(
            update(devices).where(devices.c.id == device.id).values(_values(device))
        )
        Counters(self._connection).move(of_device(device.id))

    def wipe(self, device_id: str) -> None:
        """Its attempts so far count no more against it."""
        last = select(func.max(attempts.c.id)).where(attempts.c.device == device_id)
        self._connection.execute(
            update(devices)
            .where(devices.c.id == device_id)
            .values(wiped_after=func.coalesce(last.scalar_subquery(), 0))
        )
        Counters(self._connection).move(of_device(device_id))

    def remove(self, device_id: str) -> None:
        self._connection.execute(delete(devices).where(devices.c.id == device_id))
        Counters(self._connection).move(of_device(device_id))

    def see(self, seen: Iterable[tuple[str, int, str]]) -> None:
        """Id, unix second and address of devices that were here; the latest second counts.

        Sorted, so that two processes never wait for each other's rows crosswise.
        """
        rows = [{"i": one, "s": at, "a": address} for one, at, address in sorted(seen)]
        if not rows:
            return
        # Far in the future was a clock that has been set back since.
        future = devices.c.last_seen > bindparam("s") + CLOCKS_DIFFER_SECONDS_MAX
        newer = (func.coalesce(devices.c.last_seen, 0) < bindparam("s")) | future
        self._connection.execute(
            update(devices)
            .where(devices.c.id == bindparam("i"), newer)
            .values(last_seen=bindparam("s"), address=bindparam("a")),
            rows,
        )


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    equal = {
        devices.c.project: wanted.project,
        devices.c.channel: wanted.channel,
        devices.c.version: wanted.version,
        devices.c.chip: wanted.chip,
        devices.c.blocked: wanted.blocked,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if wanted.tag is not None:
        # Not LIKE: SQLite's takes Test for test.
        told = json.dumps(wanted.tag)
        conditions.append(func.replace(devices.c.tags, told, "") != devices.c.tags)
    if wanted.seen_before is not None:
        conditions.append(func.coalesce(devices.c.last_seen, 0) < wanted.seen_before)
    if wanted.seen_after is not None:
        conditions.append(func.coalesce(devices.c.last_seen, 0) >= wanted.seen_after)
    if wanted.text is not None:
        places = func.lower(
            devices.c.id + "\n" + func.coalesce(devices.c.board, "") + "\n" + devices.c.notes
        )
        conditions.append(places.contains(wanted.text.lower(), autoescape=True))
    return conditions


def _values(device: Device) -> dict[str, object]:
    return {
        "project": device.project,
        "chip": device.chip,
        "revision": device.revision,
        "revision_min": device.revision_min,
        "board": device.board,
        "tags": json.dumps(device.tags),
        "channel": device.channel,
        "version": device.version,
        "version_from": device.version_from.value if device.version_from else None,
        "image_sha256": device.image_sha256,
        "running_since": device.running_since,
        "secure_version": device.secure_version,
        "free_bytes": device.free_bytes,
        "last_seen": device.last_seen,
        "address": device.address,
        "notes": device.notes,
        "blocked": device.blocked,
        "pinned": device.pinned,
        "attributes": json.dumps(dict(device.attributes), sort_keys=True),
        "attributes_wanted": device.attributes_wanted,
        "created_at": device.created_at,
        "created_by": device.created_by,
        "edition": device.edition,
    }


def _device(row: Row[tuple[object, ...]]) -> Device:
    return Device(
        id=row.id,
        project=row.project,
        chip=row.chip,
        revision=row.revision,
        revision_min=row.revision_min,
        board=row.board,
        tags=tuple(json.loads(row.tags)),
        channel=row.channel,
        version=row.version,
        version_from=VersionFrom(row.version_from) if row.version_from else None,
        image_sha256=row.image_sha256,
        running_since=row.running_since,
        secure_version=row.secure_version,
        free_bytes=row.free_bytes,
        last_seen=row.last_seen,
        address=row.address,
        notes=row.notes,
        blocked=row.blocked,
        pinned=row.pinned,
        attributes=json.loads(row.attributes),
        attributes_wanted=row.attributes_wanted,
        created_at=row.created_at,
        created_by=row.created_by,
        edition=row.edition,
    )
