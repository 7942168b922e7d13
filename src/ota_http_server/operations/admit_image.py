"""Whether an image may be in a release: what stands against it, in whatever transaction."""

from ota_http_server.domain.admission import Candidate, Published, objections
from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.release import Release, ReleaseImage, State
from ota_http_server.storage.transaction import Writing


def candidate_of(tx: Writing, release: Release, image: ReleaseImage) -> Candidate:
    facts = tx.images.get(image.sha256)
    assert facts is not None  # a foreign key says so
    return Candidate(image.name, facts, release.version, image.part, image.chip)


def admit(tx: Writing, candidate: Candidate, project: str, overruled: str | None) -> None:
    """`Unfit` with the first thing that stands against it, unless that is overruled."""
    found = objections(candidate, tx.projects.get(project), _published(tx, project))
    if found and overruled is None:
        raise Unfit(f"{found[0].detail}. To publish it nevertheless, say why (force)")


def _published(tx: Writing, project: str) -> Published:
    known = tx.images.of_releases(project)
    return [
        (release, known[image.sha256])
        for release in tx.releases.of_project(project, (State.PUBLISHED,))
        for image in release.images
    ]
