"""What stands against publishing an image: the mistakes that brick fleets, found before the offer.

An operator may overrule each of them, with a reason that is kept; a dropped file cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import Release
from ota_http_server.domain.version import identity, version_key


class Objection(StrEnum):
    """Each has its place in the reference of refusals."""

    WRONG_CHIP = "wrong-chip"
    WRONG_PROJECT = "wrong-project-name"
    WRONG_VERSION = "wrong-version"
    LOWER_COUNTER = "lower-secure-version"
    OTHER_KIND = "other-kind"


class Stated(Protocol):
    """What an image's bytes say: fresh from a reader, or from its row."""

    @property
    def format(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def version(self) -> str | None: ...
    @property
    def project(self) -> str | None: ...
    @property
    def chip(self) -> str | None: ...
    @property
    def secure_version(self) -> int | None: ...


Published = Sequence[tuple[Release, Stated]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image on its way into a release, and what its publisher declares of it."""

    name: str
    facts: Stated
    version: str
    part: Kind
    chip: str | None = None
    version_is_declared: bool = True
    """False where the version came from the image itself or its file's name."""


@dataclass(frozen=True, slots=True)
class Objected:
    objection: Objection
    detail: str


def objections(
    candidate: Candidate,
    project: Project,
    published: Published,
) -> list[Objected]:
    """All that stands against it, in words that say what to do.

    `published` are the images of the project's published releases, the newest release first.
    """
    checks = (
        _chip(candidate, project),
        _project_name(candidate, published),
        _version(candidate),
        _counter(candidate, published),
        _kind(candidate, published),
    )
    return [found for found in checks if found is not None]


def _chip(candidate: Candidate, project: Project) -> Objected | None:
    its = candidate.facts.chip
    declared = candidate.chip or project.chip
    if its is None or declared is None or its == declared:
        return None
    said = (
        f"{declared} was declared"
        if candidate.chip
        else f"project {project.name} declares {declared}"
    )
    detail = f"{candidate.name} was built for {its}, and {said}: build it for that chip"
    return Objected(Objection.WRONG_CHIP, detail)


def _project_name(candidate: Candidate, published: Published) -> Objected | None:
    """The name in the header belongs to what was published first; the folder's need not."""
    its = candidate.facts.project
    if its is None:
        return None
    names = [facts.project for _, facts in published if facts.project is not None]
    if not names or its in names:
        return None
    detail = (
        f"{candidate.name} says that it is {its}, and this project's images are {names[0]}:"
        " publish it in its own project"
    )
    return Objected(Objection.WRONG_PROJECT, detail)


def _version(candidate: Candidate) -> Objected | None:
    """A device tells the embedded version, so a release under another one is offered for ever."""
    its = candidate.facts.version
    if its is None or not candidate.version_is_declared:
        return None
    if identity(its) == identity(candidate.version):
        return None
    detail = (
        f"{candidate.name} carries version {its}, not {candidate.version}: devices would tell"
        " that one and be offered the release again and again; set the version in the build"
    )
    return Objected(Objection.WRONG_VERSION, detail)


def _counter(candidate: Candidate, published: Published) -> Objected | None:
    its = candidate.facts.secure_version
    if its is None:
        return None
    alike = [
        (release, facts.secure_version)
        for release, facts in published
        if (facts.chip, facts.kind) == (candidate.facts.chip, candidate.facts.kind)
        and facts.secure_version is not None
    ]
    if not alike:
        return None
    newest, counter = alike[0]
    if version_key(candidate.version) < version_key(newest.version) or its >= counter:
        return None
    detail = (
        f"{candidate.name} has secure_version {its}, below the {counter} of {newest.version}:"
        " devices that ran that one refuse it; raise it in the build"
    )
    return Objected(Objection.LOWER_COUNTER, detail)


def _kind(candidate: Candidate, published: Published) -> Objected | None:
    """A file of no known format beside images that have one is notes, not firmware."""
    if candidate.facts.format != "opaque" or candidate.chip is not None:
        return None
    known = [facts.format for _, facts in published if facts.kind in ("application", "bundle")]
    if not known or candidate.part != "opaque":
        return None
    detail = (
        f"{candidate.name} has no format that is known here, and this project's images are"
        f" {known[0]}: declare which chip it is for, or which part, if it is firmware"
    )
    return Objected(Objection.OTHER_KIND, detail)
