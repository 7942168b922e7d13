"""An instance with one of everything, so that every call has something to be about."""

from dataclasses import replace
from datetime import timedelta

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.device_key import DeviceKey, KeyState
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.storage.transaction import Writing
from tests.api.calling import Api
from tests.instance import Instance

DEVICE = "lamp-1"
FINGERPRINT = "ab" * 32
IMAGE = esp_application(version="1.0.0", project="lamp")


def things(ota: Instance) -> dict[str, str]:
    """What the variable parts of a path name; what an earlier call removed is there again."""
    api = Api(ota)
    ota.drop("lamp", "lamp-1.0.0.bin", IMAGE)
    api.get("/projects/lamp/releases")
    api.patch("/projects/lamp", {"notes": "there"})
    api.put(f"/devices/{DEVICE}", {"project": "lamp"})
    api.post("/keys", {"name": "ci", "role": "viewer", "project": "lamp"})
    given = api.post(f"/devices/{DEVICE}/credentials")
    if given.status_code == 409:
        api.delete(f"/devices/{DEVICE}/credentials")
        given = api.post(f"/devices/{DEVICE}/credentials")
    until = (ota.clock() + timedelta(days=30)).isoformat()
    claim = api.post("/claims", {"project": "lamp", "expires_at": until}).json["claim"]
    ota.ota.stores.database.change(_pending_key)
    return {
        "project": "lamp",
        "version": "1.0.0",
        "file": "lamp-1.0.0.bin",
        "rollout": str(rollout(api)),
        "device": DEVICE,
        "attempt": str(attempt(ota, DEVICE)),
        "key": "ci",
        "claim": str(claim["id"]),
        "digest": given.json["credential"]["digest"],
        "fingerprint": FINGERPRINT,
    }


def rollout(api: Api) -> int:
    """One of the release that runs in its first stage; its number."""
    api.post("/projects/lamp/releases/1.0.0/restore", {"reason": "there"})
    for one in api.walk("/rollouts", project="lamp"):
        if (one["version"], one["state"], one["stage"]) == ("1.0.0", "running", 1):
            return int(one["id"])
        api.post(f"/rollouts/{one['id']}/abort", {"reason": "another one"})
    begun = api.post("/projects/lamp/rollouts", {"version": "1.0.0"})
    assert begun.status_code == 201, begun.data
    return int(begun.json["id"])


def attempt(ota: Instance, device: str, state: State = State.OFFERED) -> int:
    """A new try of the device at the release; its number."""

    def opened(tx: Writing) -> int:
        latest = tx.attempts.latest_of(device)
        if latest is not None and latest.is_open:
            return latest.id
        number = open_attempt(tx, device, "1.0.0", state, from_version="0.9.0")
        tx.attempts.add_lines(number, ["one", "two"], tx.second)
        return number

    return ota.ota.stores.database.change(opened)


def open_attempt(tx: Writing, device: str, version: str, state: State, *, from_version: str) -> int:
    """A try of the device at lamp's release of this version, brought to this state; its number."""
    release = tx.releases.get("lamp", version)
    image = release.images[0]
    new = tx.attempts.open(
        Attempt(
            id=0,
            device=device,
            project="lamp",
            release=release.number,
            version=release.version,
            image_name=image.name,
            sha256=image.sha256,
            size=image.size,
            state=State.OFFERED,
            from_version=from_version,
            from_sha256=None,
            offered_at=tx.second,
            changed_at=tx.second,
        )
    )
    tx.attempts.change(replace(new, state=state, detail=str(state)))
    return new.id


def _pending_key(tx):
    tx.device_keys.put(
        DeviceKey(
            fingerprint=FINGERPRINT,
            project="lamp",
            device="lamp-2",
            public_key="-----BEGIN PUBLIC KEY-----\n",
            state=KeyState.PENDING,
            address="192.0.2.7",
            created_at=tx.second,
        )
    )
