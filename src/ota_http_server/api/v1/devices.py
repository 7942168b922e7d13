"""Devices: what each is, what it runs, what became of its updates, and why it gets what it gets."""

from dataclasses import fields

from ota_http_server.api.v1.device_words import (
    AttemptPage,
    AttemptWithLinesTold,
    DevicePage,
    DeviceQuery,
    DeviceTold,
    ExplanationTold,
    verdict,
)
from ota_http_server.api.v1.endpoint import Answer, Call, Noun, Page
from ota_http_server.api.v1.paging import Paged, limit_of, page
from ota_http_server.domain.attempt import Attempt
from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import Invalid, NotFound
from ota_http_server.domain.identity import device_key
from ota_http_server.domain.sighting import chip_name
from ota_http_server.storage.devices import Wanted
from ota_http_server.storage.transaction import Reading

DEVICES = Noun("devices", "Boards: what each is, what it runs, what became of its updates.")

NUMBER_DIGITS_MAX = 15


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
        before = None if not after else _number(after, "after")
        found = rows.attempts.of_device(device.id, limit_of(call) + 1, before)
    return page(call, found, lambda attempt: attempt.id)


@DEVICES.route("GET", "/devices/{device}/attempts/{attempt}", tells=AttemptWithLinesTold)
def get_attempt(call: Call) -> Answer:
    """Read one of a device's updates, with what the device said on the way."""
    with call.door.database.reading() as rows:
        device = device_of(call, rows)
        attempt = rows.attempts.get(_number(call.path["attempt"], "attempt"))
        if attempt is None or attempt.device != device.id:
            raise NotFound("the device has no such attempt")
        return Answer({**_facts(attempt), "lines": rows.attempts.lines(attempt.id)})


def device_of(call: Call, rows: Reading) -> Device:
    """The device that the path names, if the caller may see it."""
    device = rows.devices.get(device_key(call.path["device"]))
    if device is None or not call.operator.may_see(device.project):
        raise NotFound("there is no such device in the registry")
    return device


def _facts(attempt: Attempt) -> dict[str, object]:
    return {one.name: getattr(attempt, one.name) for one in fields(attempt)}


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        raise Invalid(f"{name} must be a number")
    return int(text)
