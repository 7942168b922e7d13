"""Devices: what each is, what it runs, what became of its updates, and why it gets what it gets."""

from dataclasses import fields

from ota_http_server.api.v1.device_words import (
    AttemptPage,
    AttemptTold,
    AttemptWithLinesTold,
    DevicePage,
    DeviceQuery,
    DeviceSaid,
    DeviceTold,
    ExplanationTold,
    NewDeviceSaid,
    verdict,
)
from ota_http_server.api.v1.endpoint import Answer, Call, Noun, Page
from ota_http_server.api.v1.numbers import number_in
from ota_http_server.api.v1.paging import Paged, limit_of, page
from ota_http_server.domain.attempt import Attempt
from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import device_key
from ota_http_server.domain.operator import Role
from ota_http_server.domain.sighting import chip_name
from ota_http_server.operations.find_device import NO_SUCH_DEVICE
from ota_http_server.storage.devices import Wanted
from ota_http_server.storage.transaction import Reading

DEVICES = Noun("devices", "Boards: what each is, what it runs, what became of its updates.")


@DEVICES.route("GET", "/devices", asks=DeviceQuery, tells=DevicePage, pages=True)
def list_devices(call: Call) -> Answer:
    """List the devices, by id."""
    asked = dict(call.query)
    limit, after = asked.pop("limit"), asked.pop("after")
    only = call.operator.project
    if only is not None and asked.get("project") not in (None, only):
        return Answer(Page([], None))
    if only is not None:
        asked["project"] = only
    if "chip" in asked:
        asked["chip"] = chip_name(asked["chip"])
    with call.door.database.reading() as rows:
        found = rows.devices.page(Wanted(**asked), after, limit + 1)
    return page(call, found, lambda device: device.id)


@DEVICES.route("GET", "/devices/{device}", tells=DeviceTold, has_edition=True)
def get_device(call: Call) -> Answer:
    """Read what is known of a device."""
    with call.door.database.reading() as rows:
        device = device_of(call, rows)
    return Answer(device, edition=device.edition)


@DEVICES.route(
    "PUT",
    "/devices/{device}",
    Role.OPERATOR,
    says=NewDeviceSaid,
    tells=DeviceTold,
    status=201,
    refuses=(409,),
)
def register_device(call: Call) -> Answer:
    """Put a device into the registry.

    One that is there already is a conflict: change it with `PATCH`.
    """
    facts = dict(call.said)
    project = facts.pop("project")
    device = call.door.enroll.register(call.operator, project, call.path["device"], facts)
    return Answer(device, edition=device.edition, location=f"/devices/{device.id}")


@DEVICES.route(
    "PATCH",
    "/devices/{device}",
    Role.OPERATOR,
    says=DeviceSaid,
    tells=DeviceTold,
    has_edition=True,
    refuses=(409,),
)
def change_device(call: Call) -> Answer:
    """Change what is settled about a device.

    `null` takes back what may be unknown. Moved to another project, it takes its credentials along.
    """
    device = call.door.look_after.change(
        call.operator, call.path["device"], call.said, call.expected
    )
    return Answer(device, edition=device.edition)


@DEVICES.route("DELETE", "/devices/{device}", Role.OPERATOR, status=204, has_edition=True)
def remove_device(call: Call) -> Answer:
    """Forget a device, its updates and all that it had.

    Its credentials and its tokens so far are revoked. Where its project lets devices in at their
    first check-in, it can come back with a new one.
    """
    call.door.look_after.remove(call.operator, call.path["device"], call.expected)
    return Answer()


@DEVICES.route("POST", "/devices/{device}/retry", Role.OPERATOR, tells=DeviceTold)
def retry_device(call: Call) -> Answer:
    """Let a device try again.

    Earlier failures and deliveries count no more against it.
    """
    return Answer(call.door.look_after.wipe(call.operator, call.path["device"]))


@DEVICES.route("POST", "/devices/{device}/cancel", Role.OPERATOR, tells=AttemptTold, refuses=(409,))
def cancel_update(call: Call) -> Answer:
    """Call a device's update off.

    At once if nothing began, else as soon as the device agrees; what it has installed stays.
    """
    return Answer(call.door.look_after.cancel(call.operator, call.path["device"]))


@DEVICES.route("GET", "/devices/{device}/explain", tells=ExplanationTold)
def explain_device(call: Call) -> Answer:
    """Say in words why the device gets what it gets, now."""
    said = call.door.explain(call.operator, call.path["device"])
    return Answer(
        {
            "device": said.device,
            "channel": said.channel,
            "decision": verdict(said.decision),
            "sentences": said.sentences,
            "releases": [verdict(judged, release.version) for release, judged in said.releases],
            "attempts": said.attempts,
        }
    )


@DEVICES.route("GET", "/devices/{device}/attempts", asks=Paged, tells=AttemptPage, pages=True)
def list_attempts(call: Call) -> Answer:
    """List a device's updates, the latest first."""
    after = call.query["after"]
    with call.door.database.reading() as rows:
        device = device_of(call, rows)
        before = None if not after else number_in(after, "after")
        found = rows.attempts.of_device(device.id, limit_of(call) + 1, before)
    return page(call, found, lambda attempt: attempt.id)


@DEVICES.route("GET", "/devices/{device}/attempts/{attempt}", tells=AttemptWithLinesTold)
def get_attempt(call: Call) -> Answer:
    """Read one of a device's updates, with what the device said on the way."""
    with call.door.database.reading() as rows:
        device = device_of(call, rows)
        attempt = rows.attempts.get(number_in(call.path["attempt"], "attempt"))
        if attempt is None or attempt.device != device.id:
            raise NotFound("the device has no such attempt")
        return Answer({**_facts(attempt), "lines": rows.attempts.lines(attempt.id)})


def device_of(call: Call, rows: Reading) -> Device:
    """The device that the path names, if the caller may see it."""
    device = rows.devices.get(device_key(call.path["device"]))
    if device is None or not call.operator.may_see(device.project):
        raise NotFound(NO_SUCH_DEVICE)
    return device


def _facts(attempt: Attempt) -> dict[str, object]:
    return {one.name: getattr(attempt, one.name) for one in fields(attempt)}
