"""What every change of a release does: find it in the edition that is meant, write the next one,
note it for the audit.
"""

from dataclasses import replace

from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.release import Release, release_version
from ota_http_server.storage.transaction import Reading, Writing


def found_release(
    rows: Reading, project: str, version: str, expected: Expected = ANY_EDITION
) -> Release:
    """Raises `NotFound`, and `Outdated` where it was changed since."""
    release = rows.releases.get(project, release_version(version))
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


def note_release(
    tx: Writing, operator: Operator, action: str, release: Release, **facts: str | None
) -> None:
    """The event of what this operator did to the release; facts that are None are left out."""
    tx.events.add(
        action,
        IP=operator.address,
        project=release.project,
        release=release.version,
        **facts,
        actor=operator.name,
    )
