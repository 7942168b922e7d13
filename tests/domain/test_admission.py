"""What stands against publishing an image, each in a sentence that says what to do."""

import pytest

from ota_http_server.domain.admission import Candidate, Objection, objections
from ota_http_server.domain.image_facts import ImageFacts
from ota_http_server.domain.project import Project
from tests.domain.fleet_facts import a_release

LAMP = Project(name="lamp")


def facts(**said):
    known = {"format": "esp-idf-app", "kind": "application", "chip": "esp32", "version": "1.4.0"}
    return ImageFacts(**(known | {"project": "lamp", "secure_version": 0} | said))


def candidate(image, version="1.4.0", **more):
    return Candidate("new.bin", image, version, more.pop("part", image.kind), **more)


def found(image, *published, project=LAMP, version="1.4.0", **more):
    rows = [(a_release(v), image) for v, image in published]
    return [one.objection for one in objections(candidate(image, version, **more), project, rows)]


def test_the_first_image_of_a_project_says_what_it_is():
    assert found(facts()) == []


def test_the_next_one_goes_with_it():
    assert found(facts(version="1.5.0"), ("1.4.0", facts()), version="1.5.0") == []


@pytest.mark.parametrize(
    ("image", "more", "objection"),
    [
        (facts(), {"chip": "esp32s3"}, Objection.WRONG_CHIP),
        (facts(), {"project": Project(name="lamp", chip="esp32c3")}, Objection.WRONG_CHIP),
        (facts(project="fan"), {}, Objection.WRONG_PROJECT),
        (facts(version="9.9"), {}, Objection.WRONG_VERSION),
        (facts(secure_version=1), {}, Objection.LOWER_COUNTER),
    ],
)
def test_what_would_brick_a_fleet_stands_against_it(image, more, objection):
    before = ("1.3.0", facts(secure_version=2))
    image = (
        image
        if image.secure_version
        else facts(project=image.project, version=image.version, secure_version=2)
    )

    assert found(image, before, **more) == [objection]


def test_a_file_of_no_known_format_among_firmware_is_none():
    notes = ImageFacts(format="opaque")

    assert found(notes, ("1.3.0", facts())) == [Objection.OTHER_KIND]
    assert found(notes) == []
    assert found(notes, ("1.3.0", facts()), chip="esp32") == []
    assert found(notes, ("1.3.0", facts()), part="filesystem") == []


def test_an_older_version_may_have_a_lower_counter():
    before = ("2.0.0", facts(secure_version=5))

    assert found(facts(secure_version=1), before) == []


def test_the_counter_of_a_bootloader_is_not_the_applications():
    bootloader = facts(format="esp-bootloader", kind="bootloader", version=None, secure_version=3)

    assert found(facts(secure_version=0), ("1.3.0", bootloader)) == []


def test_a_version_that_came_from_the_image_is_its_own():
    assert found(facts(version="9.9"), version="9.9", version_is_declared=False) == []


def test_a_framework_that_left_its_own_words_says_nothing():
    assert found(facts(project=None, version=None), ("1.3.0", facts())) == []
