"""Key pairs of devices: asked with, announced, accepted, rejected."""

from ota_http_server.api.v1.claim_words import (
    AnnouncedSaid,
    DeviceKeyPage,
    DeviceKeyQuery,
    DeviceKeyTold,
)
from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.paging import limit_of, page
from ota_http_server.domain.device_key import ANY_DEVICE, KeyState, fingerprint_of
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Role

DEVICE_KEYS = Noun(
    "device-keys", "Public keys with which devices ask to be let in; no secret is ever shared."
)


@DEVICE_KEYS.route("GET", "/device-keys", asks=DeviceKeyQuery, tells=DeviceKeyPage, pages=True)
def list_device_keys(call: Call) -> Answer:
    """List devices' keys, by fingerprint.

    With `state=pending` those that wait for somebody to decide.
    """
    state = call.query.get("state")
    with call.door.database.reading() as rows:
        found = rows.device_keys.page(
            call.operator.project,
            None if state is None else KeyState(state),
            call.query["after"],
            limit_of(call) + 1,
        )
    return page(call, found, lambda key: key.fingerprint)


@DEVICE_KEYS.route(
    "POST",
    "/device-keys",
    Role.OPERATOR,
    says=AnnouncedSaid,
    tells=DeviceKeyTold,
    refuses=(409,),
)
def preauthorize_device_key(call: Call) -> Answer:
    """Announce a device's key: it is accepted when it comes.

    At once if it waits already.
    """
    said = call.said
    device = said.get("device") or ANY_DEVICE
    announce = call.door.device_keys.preauthorize
    return Answer(announce(call.operator, said["project"], said["fingerprint"], device))


@DEVICE_KEYS.route("GET", "/device-keys/{fingerprint}", tells=DeviceKeyTold)
def get_device_key(call: Call) -> Answer:
    """Read a device's key, and how far it has come."""
    with call.door.database.reading() as rows:
        key = rows.device_keys.get(fingerprint_of(call.path["fingerprint"]))
    if key is None or not call.operator.may_see(key.project):
        raise NotFound("there is no such key of a device")
    return Answer(key)


@DEVICE_KEYS.route(
    "POST",
    "/device-keys/{fingerprint}/accept",
    Role.OPERATOR,
    tells=DeviceKeyTold,
    refuses=(409,),
)
def accept_device_key(call: Call) -> Answer:
    """Let the device of a key in.

    The device comes into the registry unless it is there; a key that it had before gives way.
    """
    return Answer(call.door.device_keys.accept(call.operator, call.path["fingerprint"]))


@DEVICE_KEYS.route("POST", "/device-keys/{fingerprint}/reject", Role.OPERATOR, tells=DeviceKeyTold)
def reject_device_key(call: Call) -> Answer:
    """Give a key nothing, or nothing more, however often it asks.

    What the device got by it is revoked.
    """
    return Answer(call.door.device_keys.reject(call.operator, call.path["fingerprint"]))
