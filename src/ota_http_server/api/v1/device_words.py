"""What is said and told of devices and of their attempts."""

from dataclasses import dataclass

from marshmallow import fields

from ota_http_server.api.v1.paging import Paged, TellsPage
from ota_http_server.api.v1.words import Flag, Moment, Number, Said, Text, TextMap, Texts, Told
from ota_http_server.domain.attempt import State
from ota_http_server.domain.device import NOTES_CHARACTERS_MAX, VersionFrom
from ota_http_server.domain.offer import Decision, Offer, Reason, Rule
from ota_http_server.domain.sighting import REVISION_MAX

CHANNEL = "The channel it follows; null: that of its tags, or stable."
PINNED = "It gets this release and no other."
BLOCKED = "It gets nothing."
REVISION = "Of the chip, in hundredths: 301 is v3.1."


class DeviceQuery(Paged):
    project = Text(characters_max=64)
    channel = Text("The channel chosen for it alone.", characters_max=32)
    version = Text("What it runs.", characters_max=128)
    tag = Text(characters_max=64)
    chip = Text(characters_max=64)
    blocked = Flag()
    seen_before = Moment("Not seen since; never seen counts.")
    seen_after = Moment("Seen at this time or later.")
    text = Text("Part of the id, the board or the notes, in any case.", characters_max=100)


class DeviceSaid(Said):
    """What is settled about a device; what is not said stays. Its version only as long as it never
    told one itself."""

    project = Text(characters_max=64)
    chip = Text(characters_max=64, allow_none=True)
    revision = Number(REVISION, most=REVISION_MAX, allow_none=True)
    board = Text(characters_max=64, allow_none=True)
    tags = Texts(of=Text(characters_max=64))
    channel = Text(CHANNEL, characters_max=32, allow_none=True)
    version = Text("What it runs.", characters_max=128, allow_none=True)
    notes = Text(characters_max=NOTES_CHARACTERS_MAX)
    blocked = Flag(BLOCKED)
    pinned = Text(PINNED, characters_max=64, allow_none=True)


class NewDeviceSaid(DeviceSaid):
    """A device that comes into the registry; its project is needed."""

    project = Text(characters_max=64, required=True)


class DeviceTold(Told):
    """A device. Its ETag moves with what people change and what is learnt of it, not with
    `last_seen` and `address`."""

    id = Text()
    project = Text()
    chip = Text(allow_none=True)
    revision = Number(REVISION, allow_none=True)
    revision_min = Number("At least so much: it runs an image that needs it.", allow_none=True)
    board = Text(allow_none=True)
    tags = Texts()
    channel = Text(CHANNEL, allow_none=True)
    version = Text("What it runs.", allow_none=True)
    version_from = Text("How that is known.", one_of=tuple(VersionFrom), allow_none=True)
    image_sha256 = Text("The image that it runs.", allow_none=True)
    running_since = Moment(allow_none=True)
    secure_version = Number("The highest counter that it is known to have run.", allow_none=True)
    free_bytes = Number("The largest image that fits.", allow_none=True)
    last_seen = Moment(allow_none=True)
    address = Text(allow_none=True)
    notes = Text()
    blocked = Flag(BLOCKED)
    pinned = Text(PINNED, allow_none=True)
    attributes = TextMap("What it said of itself in words of its own.")
    created_at = Moment()
    created_by = Text("Who let it in.")
    edition = Number()


class DevicePage(TellsPage):
    items = fields.List(fields.Nested(DeviceTold))


class AttemptTold(Told):
    """One device's try at one release."""

    id = Number()
    device = Text()
    project = Text()
    version = Text("The release.")
    image_name = Text()
    sha256 = Text()
    size = Number()
    state = Text(
        "Verified: it was seen running the image. Installed: it says so.", one_of=tuple(State)
    )
    from_version = Text(allow_none=True)
    offered_at = Moment()
    changed_at = Moment("When anything was last heard of it.")
    downloaded_at = Moment(allow_none=True)
    installed_at = Moment(allow_none=True)
    finished_at = Moment(allow_none=True)
    sent_bytes = Number("What went out of the image, in all.")
    deliveries = Number("How often all of it went out.")
    cancel_asked = Flag()
    detail = Text("What was said of it last.")
    rollout = Number("The rollout that it was offered by.", allow_none=True)


class LineTold(Told):
    at = Moment()
    text = Text()


class AttemptWithLinesTold(AttemptTold):
    """A try with what the device said on the way."""

    lines = fields.List(fields.Nested(LineTold))


class AttemptPage(TellsPage):
    items = fields.List(fields.Nested(AttemptTold))


class DecisionTold(Told):
    """What it gets, or why nothing."""

    answer = Text(one_of=("offer", "hold"))
    reason = Text("Why nothing.", one_of=tuple(Reason), allow_none=True)
    detail = Text()
    version = Text("The release that it is about.", allow_none=True)
    image = Text("The file that is offered.", allow_none=True)
    rule = Text("Why it is newer.", one_of=tuple(Rule), allow_none=True)
    attempt = Number("The try that it goes on with.", allow_none=True)
    rollout = Number("The rollout by which it comes.", allow_none=True)


class ExplanationTold(Told):
    """Why this device gets this, now."""

    device = fields.Nested(DeviceTold)
    channel = Text("The channel that it follows.")
    decision = fields.Nested(DecisionTold)
    sentences = Texts("The same in words.")
    releases = fields.List(
        fields.Nested(DecisionTold),
        metadata={"description": "Each release of its channel, and what stands against it."},
    )
    attempts = fields.List(fields.Nested(AttemptTold))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with the fields that are told of it."""

    answer: str
    reason: Reason | None
    detail: str
    version: str | None
    image: str | None
    rule: Rule | None
    attempt: int | None
    rollout: int | None


def verdict(decision: Decision, version: str | None = None) -> Verdict:
    """`version`: of the release that was judged, where the decision does not name it."""
    if isinstance(decision, Offer):
        attempt = None if decision.attempt is None else decision.attempt.id
        rollout = None if decision.rollout is None else decision.rollout.id
        image, release = decision.image.name, decision.release.version
        return Verdict("offer", None, "", release, image, decision.rule, attempt, rollout)
    named = version if decision.release is None else decision.release.version
    return Verdict("hold", decision.reason, decision.detail, named, None, None, None, None)
