"""Releases: versions of a project's firmware, from the draft to the withdrawal."""

from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.numbers import number_in
from ota_http_server.api.v1.paging import page
from ota_http_server.api.v1.projects import check_known
from ota_http_server.api.v1.release_words import ReleasePage, ReleaseQuery, ReleaseTold
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.release import Release, release_version
from ota_http_server.domain.version import VersionKey, version_key
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


def release_of(call: Call, rows: Reading) -> Release:
    """The release that the path names."""
    release = rows.releases.get(call.path["project"], release_version(call.path["version"]))
    if release is None:
        raise NotFound("there is no such release")
    return release


def _behind(cursor: str) -> tuple[VersionKey, int]:
    """The place in the order that the cursor names, whether or not its release is still there."""
    number, _, version = cursor.partition(":")
    key, came = version_key(release_version(version)), number_in(number, "after")
    return key, 0 if key.orders else came
