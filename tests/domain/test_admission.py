"""What stands against an image, in words that say what to do; and what stands against none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.admission import Candidate, Objection, objections
from ota_http_server.domain.image_facts import ImageFacts
from ota_http_server.domain.mcuboot_sample import mcuboot_image
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import Release, part_of
from ota_http_server.domain.version import version_key
from tests.domain.formats.reading import read

LAMP = Project(name="lamp")


def stated(**facts):
    known = {"format": "esp-idf-app", "kind": "application", "version": "1.4.0"}
    return ImageFacts(**(known | {"project": "lamp", "chip": "esp32"} | facts))


def opaque():
    return ImageFacts(format="opaque")


def candidate(facts=None, *, version="1.4.0", name="lamp.bin", **declared):
    facts = facts or stated()
    return Candidate(name, facts, version, **{"part": part_of(facts.kind, name), **declared})


def published(*known):
    """Version and facts of each, in any order."""
    releases = [
        (Release(number=number, project="lamp", version=version), facts)
        for number, (version, facts) in enumerate(known, 1)
    ]
    return sorted(releases, key=lambda one: one[0].order, reverse=True)


def against(one, *before, project=LAMP):
    return {str(found.objection): found.detail for found in objections(one, project, before)}


def test_nothing_stands_against_a_first_image():
    assert against(candidate()) == {}


def test_nothing_stands_against_the_next_version_of_the_same_program():
    before = published(("1.3.0", stated(version="1.3.0", secure_version=1)))

    assert against(candidate(stated(secure_version=1)), *before) == {}


@pytest.mark.parametrize(
    ("declared", "project", "whose"),
    [
        ("esp32s3", LAMP, "esp32s3 was declared"),
        (None, Project(name="lamp", chip="esp32c3"), "project lamp declares esp32c3"),
    ],
)
def test_an_image_for_another_chip_than_declared_is_told_apart(declared, project, whose):
    found = against(candidate(chip=declared), project=project)

    assert list(found) == [Objection.WRONG_CHIP]
    assert "built for esp32" in found["wrong-chip"]
    assert whose in found["wrong-chip"]


def test_what_is_declared_of_an_image_counts_before_what_the_project_says():
    assert against(candidate(chip="esp32"), project=Project(name="lamp", chip="esp32s3")) == {}


def test_an_image_that_does_not_say_its_chip_may_have_any_declared():
    raw = ImageFacts(format="mcuboot", kind="application", version="1.4.0")

    assert against(candidate(raw, chip="nrf52840")) == {}


def test_an_image_of_another_project_is_told_where_it_belongs():
    before = published(("1.3.0", stated(version="1.3.0")))

    found = against(candidate(stated(project="fan")), *before)

    assert list(found) == [Objection.WRONG_PROJECT]
    assert "publish it in its own project" in found["wrong-project-name"]


def test_the_name_in_the_header_need_not_be_the_folders():
    before = published(("1.3.0", stated(version="1.3.0", project="lamp_firmware")))

    assert against(candidate(stated(project="lamp_firmware")), *before) == {}
    assert against(candidate(stated(project="anything"))) == {}


def test_once_forced_a_second_name_is_known():
    """A vendor renames its program: only the first image under the new name needs a reason."""
    before = published(("1.2", stated(project="lamp")), ("1.3", stated(project="light")))

    assert against(candidate(stated(project="light")), *before) == {}


def test_an_image_without_a_project_is_of_none_other():
    before = published(("1.3.0", stated(version="1.3.0")))

    assert against(candidate(stated(project=None)), *before) == {}


def test_another_version_inside_is_refused_because_it_would_be_offered_for_ever():
    found = against(candidate(stated(version="1.5.0")))

    assert list(found) == [Objection.WRONG_VERSION]
    assert "set the version in the build" in found["wrong-version"]


@pytest.mark.parametrize("inside", ["v1.4.0", "01.04.00", "1.4", "1.4.0+build7", None])
def test_other_spellings_of_the_version_are_the_version(inside):
    assert against(candidate(stated(version=inside))) == {}


def test_a_version_that_came_from_the_files_name_is_no_claim():
    assert against(candidate(stated(version="1.5.0"), version_is_declared=False)) == {}


def test_a_lower_counter_than_the_newest_of_the_chip_is_refused():
    before = published(
        ("1.2.0", stated(secure_version=1)),
        ("1.3.0", stated(secure_version=3)),
        ("1.3.1", stated(secure_version=9, chip="esp32s3")),
    )

    found = against(candidate(stated(secure_version=2)), *before)

    assert list(found) == [Objection.LOWER_COUNTER]
    assert "below the 3 of 1.3.0" in found["lower-secure-version"]
    assert against(candidate(stated(secure_version=3)), *before) == {}


def test_an_mcuboot_image_without_a_counter_does_not_follow_one_with():
    def image(version, **counter):
        return read(mcuboot_image(version=version, **counter))

    before = published(("1.0.0", image("1.0.0", security_counter=3)))
    without = candidate(image("1.1.0"), version="1.1.0")
    alike = candidate(image("1.1.0", security_counter=3), version="1.1.0")

    assert list(against(without, *before)) == [Objection.LOWER_COUNTER]
    assert against(alike, *before) == {}


def test_an_older_version_may_have_a_lower_counter():
    """It is for boards that cannot go to the newest one at once."""
    before = published(("2.0.0", stated(secure_version=3)))

    assert against(candidate(stated(secure_version=1)), *before) == {}


def test_the_counter_of_a_bootloader_is_not_the_applications():
    before = published(("1.3.0", stated(kind="bootloader", secure_version=5)))

    assert against(candidate(stated(secure_version=1)), *before) == {}


def test_bytes_of_no_format_beside_images_that_have_one_are_no_firmware():
    before = published(("1.3.0", stated()))

    found = against(candidate(opaque(), name="notes_v7.dat"), *before)

    assert list(found) == [Objection.OTHER_KIND]
    assert "declare which chip it is for, or which part" in found["other-kind"]


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("raw.bin", {"chip": "stm32f4"}),
        ("raw.bin", {"part": "filesystem"}),
        ("lamp-littlefs.bin", {}),
    ],
)
def test_unless_it_is_said_what_they_are(name, declared):
    before = published(("1.3.0", stated()))

    assert against(candidate(opaque(), name=name, **declared), *before) == {}


def test_where_no_image_has_a_format_none_is_asked_for():
    assert against(candidate(opaque()), *published(("1.3.0", opaque()))) == {}


def test_all_that_stands_against_an_image_is_found():
    before = published(("1.3.0", stated(secure_version=3)))
    wrong = stated(project="fan", version="9", secure_version=1, chip="esp32")

    found = against(candidate(wrong, chip="esp32c6"), *before)

    assert list(found) == [
        Objection.WRONG_CHIP,
        Objection.WRONG_PROJECT,
        Objection.WRONG_VERSION,
        Objection.LOWER_COUNTER,
    ]


versions = st.sampled_from(["1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0", "abcdef0", "nightly"])
images = st.builds(
    stated,
    version=st.none(),
    project=st.sampled_from([None, "lamp", "fan"]),
    chip=st.sampled_from([None, "esp32", "esp32s3"]),
    secure_version=st.one_of(st.none(), st.integers(0, 5)),
)
histories = st.lists(st.tuples(versions, st.one_of(images, st.builds(opaque))), max_size=6)


@given(images, versions, histories)
def test_what_was_published_under_a_version_may_be_published_under_it_again(image, version, rest):
    """Restoring, and a second look under the lock, find nothing new against it."""
    before = published(*rest, (version, image))
    found = against(candidate(image, version=version), *before)

    assert Objection.WRONG_PROJECT not in found
    assert Objection.OTHER_KIND not in found


@given(images, versions, histories)
def test_no_newer_version_has_a_lower_counter_than_the_newest_of_its_chip(image, version, rest):
    before = published(*rest)
    if Objection.LOWER_COUNTER in against(candidate(image, version=version), *before):
        return
    if image.secure_version is None:
        return

    newest = [
        (release, facts)
        for release, facts in before
        if (facts.chip, facts.kind) == (image.chip, "application")
        and facts.secure_version is not None
    ]
    for release, facts in newest[:1]:
        older = version_key(version) < version_key(release.version)
        assert older or image.secure_version >= facts.secure_version


@given(histories, images, versions)
def test_every_objection_is_a_sentence_with_the_name_of_the_file(rest, image, version):
    for detail in against(candidate(image, version=version), *published(*rest)).values():
        assert detail.startswith("lamp.bin ")
        assert len(detail) > 40
