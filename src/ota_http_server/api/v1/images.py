"""Images of releases: bytes that stream in, and what is known of them."""

from dataclasses import fields

from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.release_words import ImageQuery, ImageWithHeaderTold, ReleaseTold
from ota_http_server.api.v1.releases import release_of
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Role
from ota_http_server.operations.release_wish import Upload

IMAGES = Noun("images", "The files of a release, each for some hardware or part.")


@IMAGES.route(
    "PUT",
    "/projects/{project}/releases/{version}/images/{file}",
    Role.PUBLISHER,
    asks=ImageQuery,
    uploads=True,
    tells=ReleaseTold,
    refuses=(409, 422),
)
def add_image(call: Call) -> Answer:
    """Send an image of a release; the draft is made if it is not there.

    The body is the file's own bytes, with `Content-Length`. It is read for what it is as it comes:
    cut off, damaged or mistaken bytes are `unfit`, and so is what stands against it (another
    project's name, another version, a lower counter) unless `force` overrules that. The same bytes
    again are fine, other bytes under the name are a conflict.
    """
    return _added(call, call.path["version"])


@IMAGES.route(
    "PUT",
    "/projects/{project}/images/{file}",
    Role.PUBLISHER,
    asks=ImageQuery,
    uploads=True,
    tells=ReleaseTold,
    refuses=(409, 422),
)
def add_versioned_image(call: Call) -> Answer:
    """Send an image that carries its version itself.

    It goes into the draft of that version, as above.
    """
    return _added(call, None)


@IMAGES.route(
    "GET", "/projects/{project}/releases/{version}/images/{file}", tells=ImageWithHeaderTold
)
def get_image(call: Call) -> Answer:
    """Read what is known of an image, all that its header says included."""
    with call.door.database.reading() as rows:
        release = release_of(call, rows)
        image = next((i for i in release.images if i.name == call.path["file"]), None)
        row = None if image is None else rows.images.get(image.sha256)
    if image is None or row is None:
        raise NotFound("the release has no such image")
    facts = {one.name: getattr(image, one.name) for one in fields(image)}
    return Answer({**facts, "header": row.header})


def _added(call: Call, version: str | None) -> Answer:
    asked, arriving = call.query, call.arriving
    assert arriving is not None  # the endpoint says that it takes one
    upload = Upload.of(
        call.path["file"],
        arriving.blocks(),
        arriving.length,
        chip=asked.get("chip"),
        hardware=[board.strip() for board in asked.get("hardware", "").split(",") if board.strip()],
        part=asked.get("part"),
        sha256=asked.get("sha256"),
    )
    release = call.door.publish.add_image(
        call.operator, call.path["project"], version, upload, force=asked.get("force")
    )
    place = f"/projects/{release.project}/releases/{release.version}"
    return Answer(release, edition=release.edition, location=place)
