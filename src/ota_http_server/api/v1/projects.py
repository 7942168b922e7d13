"""Projects: which there are, and how each wants to be treated."""

from marshmallow import fields

from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.paging import Paged, TellsPage, limit_of, page
from ota_http_server.api.v1.words import Flag, Moment, Number, Said, Text, TextMap, Told
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Role
from ota_http_server.domain.project import FolderMode, Registering, Spread, UnknownVersion
from ota_http_server.domain.settling import (
    BYTES_PER_SECOND_MAX,
    BYTES_PER_SECOND_MIN,
    DOWNLOADS_MAX,
    NOTES_CHARACTERS_MAX,
)
from ota_http_server.domain.sighting import REVISION_MAX, TEXT_CHARACTERS_MAX
from ota_http_server.operations.list_projects import is_known, known_projects
from ota_http_server.storage.transaction import Reading

PROJECTS = Noun("projects", "What firmware is for, and how it is treated.")

FOLDER = "What a file dropped into the project's folder becomes: published at once, or a draft."
CHIP = "All its boards have this chip, unless one says otherwise."
REVISION = "All its chips have at least this revision, in hundredths: 301 is v3.1."
UNKNOWN_VERSION = "What a device gets that does not say what it runs."
REGISTERING = "How a device that nobody registered comes in: by its first check-in, or never."
ACCEPTS_KEYS = "Devices may ask to be let in with a key pair of their own."
TAG_CHANNELS = "Devices with this tag follow this channel."
SPREAD = "Whom a published release without a rollout reaches: all devices, or none."
DOWNLOADS = "Devices that may download at the same time; null: any number."
BYTES_PER_SECOND = "So fast all downloads together may be, at each instance; null: any."


class ProjectSaid(Said):
    """Settings to change; the others stay as they are."""

    folder = Text(FOLDER, one_of=tuple(FolderMode))
    chip = Text(CHIP, characters_max=TEXT_CHARACTERS_MAX, allow_none=True)
    revision = Number(REVISION, most=REVISION_MAX, allow_none=True)
    unknown_version = Text(UNKNOWN_VERSION, one_of=tuple(UnknownVersion))
    registering = Text(REGISTERING, one_of=tuple(Registering))
    accepts_keys = Flag(ACCEPTS_KEYS)
    tag_channels = TextMap(TAG_CHANNELS)
    spread = Text(SPREAD, one_of=tuple(Spread))
    downloads_max = Number(DOWNLOADS, least=1, most=DOWNLOADS_MAX, allow_none=True)
    download_bytes_per_second = Number(
        BYTES_PER_SECOND, least=BYTES_PER_SECOND_MIN, most=BYTES_PER_SECOND_MAX, allow_none=True
    )
    notes = Text(characters_max=NOTES_CHARACTERS_MAX)


class ProjectTold(Told):
    """A project's settings; the defaults where nobody changed them."""

    name = Text()
    folder = Text(FOLDER, one_of=tuple(FolderMode))
    chip = Text(CHIP, allow_none=True)
    revision = Number(REVISION, allow_none=True)
    unknown_version = Text(UNKNOWN_VERSION, one_of=tuple(UnknownVersion))
    registering = Text(REGISTERING, one_of=tuple(Registering))
    accepts_keys = Flag(ACCEPTS_KEYS)
    tag_channels = TextMap(TAG_CHANNELS)
    spread = Text(SPREAD, one_of=tuple(Spread))
    downloads_max = Number(DOWNLOADS, allow_none=True)
    download_bytes_per_second = Number(BYTES_PER_SECOND, allow_none=True)
    notes = Text(characters_max=NOTES_CHARACTERS_MAX)
    created_at = Moment("When its settings were first changed.", allow_none=True)
    edition = Number("Counts the changes; 0: nobody ever changed it.")


class ProjectPage(TellsPage):
    items = fields.List(fields.Nested(ProjectTold))


@PROJECTS.route("GET", "/projects", asks=Paged, tells=ProjectPage, pages=True)
def list_projects(call: Call) -> Answer:
    """List the projects.

    Those that have settings, releases, devices or a folder, by name.
    """
    with call.door.database.reading() as rows:
        seen = filter(call.operator.may_see, known_projects(rows, call.door.folders))
        behind = [name for name in sorted(seen) if name > call.query["after"]]
        some = [rows.projects.get(name) for name in behind[: limit_of(call) + 1]]
    return page(call, some, lambda project: project.name)


@PROJECTS.route("GET", "/projects/{project}", tells=ProjectTold, has_edition=True)
def get_project(call: Call) -> Answer:
    """Read a project's settings."""
    name = call.path["project"]
    with call.door.database.reading() as rows:
        check_known(call, rows)
        project = rows.projects.get(name)
    return Answer(project, edition=project.edition)


@PROJECTS.route(
    "PATCH",
    "/projects/{project}",
    Role.OPERATOR,
    says=ProjectSaid,
    tells=ProjectTold,
    has_edition=True,
)
def change_project(call: Call) -> Answer:
    """Change a project's settings.

    The project need not be there yet. `null` takes a setting back to its default.
    """
    project = call.door.projects.settle(
        call.operator, call.path["project"], call.said, call.expected
    )
    return Answer(project, edition=project.edition)


@PROJECTS.route(
    "DELETE", "/projects/{project}/settings", Role.OPERATOR, status=204, has_edition=True
)
def forget_project(call: Call) -> Answer:
    """Take a project's settings back to the defaults.

    Its releases and devices stay.
    """
    call.door.projects.forget(call.operator, call.path["project"], call.expected)
    return Answer()


def check_known(call: Call, rows: Reading) -> None:
    """Raises `NotFound` where the path names a project that is not there."""
    name = call.path["project"]
    if not call.operator.may_see(name) or not is_known(rows, call.door.folders, name):
        raise NotFound("there is no such project")
