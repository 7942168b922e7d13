"""What is said and told of releases and their images."""

from marshmallow import fields

from ota_http_server.api.v1.paging import Paged, TellsPage
from ota_http_server.api.v1.words import Flag, Moment, Number, Said, Text, Texts, Told
from ota_http_server.domain.release import NOTES_CHARACTERS_MAX, Origin, State
from ota_http_server.domain.version import VERSION_CHARACTERS_MAX
from ota_http_server.operations.release_wish import PARTS, REASON_CHARACTERS_MAX

MIN_FROM = "The lowest version that may go to this one at once."
FLOOR = "No device goes past it: from an older version it goes to this one first."
FORCE = "Why what a check says is overruled; kept with the release and in the audit log."
FORCED = "Why a check was overruled."


class ReleaseQuery(Paged):
    state = Text(one_of=tuple(State))
    channel = Text(characters_max=32)
    security = Flag()


class ImageTold(Told):
    """An image of a release, and where it fits."""

    name = Text("The file's name in URLs.")
    sha256 = Text()
    md5 = Text()
    size = Number()
    part = Text("What it is for.", one_of=PARTS)
    format = Text()
    chip = Text(allow_none=True)
    min_chip_revision = Number("In hundredths.", allow_none=True)
    max_chip_revision = Number("In hundredths.", allow_none=True)
    hardware = Texts("Boards that it is for; empty: the chip alone decides.")
    secure_version = Number("Anti-rollback counter.", allow_none=True)
    header_version = Text("What a device that runs it may say.", allow_none=True)


class ImageWithHeaderTold(ImageTold):
    """An image with all that its bytes say of it."""

    header = fields.Dict(metadata={"description": "Names and what they are."})


class ReleaseTold(Told):
    """One version of a project's firmware."""

    project = Text()
    version = Text()
    state = Text("A withdrawn one is offered no more.", one_of=tuple(State))
    origin = Text("Which door it came through.", one_of=tuple(Origin))
    channel = Text()
    notes = Text()
    min_from = Text(MIN_FROM, allow_none=True)
    floor = Flag(FLOOR)
    security = Flag("It mends something that an attacker could use.")
    forced = Text(FORCED, allow_none=True)
    images = fields.List(fields.Nested(ImageTold))
    created_at = Moment()
    published_at = Moment(allow_none=True)
    withdrawn_at = Moment(allow_none=True)
    withdrawn_by = Text(allow_none=True)
    edition = Number()


class ReleasePage(TellsPage):
    items = fields.List(fields.Nested(ReleaseTold))


class ReleaseSaid(Said):
    """What people say of a release; what is not said stays."""

    channel = Text("Whoever follows it gets it.", characters_max=32)
    notes = Text("What is new.", characters_max=NOTES_CHARACTERS_MAX)
    min_from = Text(MIN_FROM, characters_max=VERSION_CHARACTERS_MAX)
    floor = Flag(FLOOR)
    security = Flag("It mends something that an attacker could use.")


class ReasonSaid(Said):
    """Why."""

    reason = Text("For the audit log.", characters_max=REASON_CHARACTERS_MAX, required=True)


class PublishSaid(Said):
    """How to publish."""

    force = Text(FORCE, characters_max=REASON_CHARACTERS_MAX)


class ImageQuery(Said):
    """What is declared of an image."""

    part = Text("What it is for, where its bytes do not say.", one_of=PARTS)
    chip = Text("The chip it is for, where its bytes do not say.", characters_max=64)
    hardware = Text("Boards that it is for, with commas between.", characters_max=2_000)
    sha256 = Text("Compared with what arrives.", characters_max=64)
    force = Text(FORCE, characters_max=REASON_CHARACTERS_MAX)
