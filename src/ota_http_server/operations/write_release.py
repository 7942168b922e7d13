"""What every change of a release does: find it in the edition that is meant, write the next one."""

from dataclasses import replace

from ota_http_server.domain.edition import Expected
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.release import Release, release_version
from ota_http_server.storage.transaction import Writing


def found_release(tx: Writing, project: str, version: str, expected: Expected) -> Release:
    """Raises `NotFound`, and `Outdated` where it was changed since."""
    release = tx.releases.get(project, release_version(version))
    if release is None:
        raise NotFound(f"{project} has no release {version}")
    expected.check(release.edition)
    return release


def next_edition(tx: Writing, release: Release) -> Release:
    """Writes what may change of it; the release as it is then, with all its images."""
    tx.releases.change(replace(release, edition=release.edition + 1))
    after = tx.releases.by_number(release.number)
    assert after is not None
    return after
