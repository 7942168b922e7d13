"""Releases: versions of a project's firmware, from the draft to the withdrawal."""

from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.numbers import number_in
from ota_http_server.api.v1.paging import page
from ota_http_server.api.v1.projects import check_known
from ota_http_server.api.v1.release_words import (
    PublishSaid,
    ReasonSaid,
    ReleasePage,
    ReleaseQuery,
    ReleaseSaid,
    ReleaseTold,
)
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Role
from ota_http_server.domain.release import Release, release_version
from ota_http_server.domain.version import VersionKey, version_key
from ota_http_server.operations.release_wish import ReleaseWish
from ota_http_server.storage.transaction import Reading

RELEASES = Noun("releases", "Versions of a project's firmware, with an image for each hardware.")


@RELEASES.route(
    "GET", "/projects/{project}/releases", asks=ReleaseQuery, tells=ReleasePage, pages=True
)
def list_releases(call: Call) -> Answer:
    """List a project's releases, the newest first."""
    query, project = call.query, call.path["project"]
    call.door.follow(project)
    behind = _behind(query["after"]) if query["after"] else None
    with call.door.database.reading() as rows:
        check_known(call, rows)
        found = [
            release
            for release in rows.releases.of_project(project)
            if query.get("state") in (None, release.state)
            and query.get("channel") in (None, release.channel)
            and query.get("security") in (None, release.security)
            and (behind is None or release.order < behind)
        ]
    return page(call, found, lambda release: f"{release.number}:{release.version}")


@RELEASES.route(
    "GET", "/projects/{project}/releases/{version}", tells=ReleaseTold, has_edition=True
)
def get_release(call: Call) -> Answer:
    """Read a release."""
    call.door.follow(call.path["project"])
    with call.door.database.reading() as rows:
        release = release_of(call, rows)
    return Answer(release, edition=release.edition)


@RELEASES.route(
    "PUT",
    "/projects/{project}/releases/{version}",
    Role.PUBLISHER,
    says=ReleaseSaid,
    tells=ReleaseTold,
    may_be_empty=True,
    may_make=True,
    has_edition=True,
    refuses=(409,),
)
def draft_release(call: Call) -> Answer:
    """Make or change the draft of a release.

    Nobody is offered a draft. What is published stays as it is: saying the same again is fine,
    anything else is a conflict.
    """
    with call.door.database.reading() as rows:
        is_new = rows.releases.get(call.path["project"], _version(call)) is None
    release = call.door.publish.draft(call.operator, _wish(call), call.expected)
    return _answer(release, status=201 if is_new else 200)


@RELEASES.route(
    "PATCH",
    "/projects/{project}/releases/{version}",
    Role.PUBLISHER,
    says=ReleaseSaid,
    tells=ReleaseTold,
    has_edition=True,
    refuses=(409,),
)
def change_release(call: Call) -> Answer:
    """Change the channel, the notes or what a release may follow.

    Its version and its images never change.
    """
    return _answer(call.door.change_release(call.operator, _wish(call), call.expected))


@RELEASES.route(
    "DELETE",
    "/projects/{project}/releases/{version}",
    Role.PUBLISHER,
    status=204,
    has_edition=True,
    refuses=(409,),
)
def remove_draft(call: Call) -> Answer:
    """Remove the draft of a release.

    What was ever published stays; it can be withdrawn.
    """
    call.door.publish.remove_draft(
        call.operator, call.path["project"], _version(call), call.expected
    )
    return Answer()


@RELEASES.route(
    "POST",
    "/projects/{project}/releases/{version}/publish",
    Role.PUBLISHER,
    says=PublishSaid,
    may_be_empty=True,
    tells=ReleaseTold,
    has_edition=True,
    refuses=(409, 422),
)
def publish_release(call: Call) -> Answer:
    """Publish a release: from now on devices are offered it, and it never changes again.

    What stands against one of its images is `unfit`, and says what to do; `force` overrules it.
    """
    project, force = call.path["project"], call.said.get("force")
    return _answer(
        call.door.publish.publish(
            call.operator, project, _version(call), force=force, expected=call.expected
        )
    )


@RELEASES.route(
    "POST",
    "/projects/{project}/releases/{version}/withdraw",
    Role.OPERATOR,
    says=ReasonSaid,
    tells=ReleaseTold,
    has_edition=True,
    refuses=(409,),
)
def withdraw_release(call: Call) -> Answer:
    """Withdraw a release: nobody is offered it any more.

    Whoever has begun to fetch it may finish.
    """
    project, why = call.path["project"], call.said["reason"]
    withdraw = call.door.publish.withdraw
    return _answer(withdraw(call.operator, project, _version(call), why, call.expected))


@RELEASES.route(
    "POST",
    "/projects/{project}/releases/{version}/restore",
    Role.OPERATOR,
    says=ReasonSaid,
    tells=ReleaseTold,
    has_edition=True,
    refuses=(409,),
)
def restore_release(call: Call) -> Answer:
    """Publish a withdrawn release again, as it was."""
    project, why = call.path["project"], call.said["reason"]
    restore = call.door.publish.restore
    return _answer(restore(call.operator, project, _version(call), why, call.expected))


def release_of(call: Call, rows: Reading) -> Release:
    """The release that the path names."""
    release = rows.releases.get(call.path["project"], _version(call))
    if release is None:
        raise NotFound("there is no such release")
    return release


def _version(call: Call) -> str:
    return release_version(call.path["version"])


def _wish(call: Call) -> ReleaseWish:
    said = call.said
    return ReleaseWish.of(
        call.path["project"],
        call.path["version"],
        said.get("channel"),
        said.get("notes"),
        said.get("min_from"),
        said.get("security"),
        said.get("floor"),
    )


def _answer(release: Release, status: int | None = None) -> Answer:
    return Answer(release, status=status, edition=release.edition)


def _behind(cursor: str) -> tuple[VersionKey, int]:
    """The place in the order that the cursor names, whether or not its release is still there."""
    number, _, version = cursor.partition(":")
    key, came = version_key(release_version(version)), number_in(number, "after")
    return key, 0 if key.orders else came
