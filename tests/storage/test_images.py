"""Rows about images, on both databases."""

import pytest

from ota_http_server.storage.images import Image
from tests.storage.released import an_image, released

WHOLE = Image(
    sha256="a" * 64,
    size=2**40,
    md5="b" * 32,
    format="esp-idf-app",
    version="1.4.0-3-gabcdef1",
    project="lämp",
    header={"chip": "esp32", "secure_version": 3, "signed": True},
    sha1="c" * 40,
    kind="application",
    chip="esp32",
    min_chip_revision=300,
    max_chip_revision=399,
    secure_version=2**32 - 1,
    hardware=("board-a", "board b"),
    base_sha256="d" * 64,
    appended_sha256="e" * 64,
    elf_sha256="f" * 64,
)


def added(database, *images):
    for second, image in enumerate(images):
        database.change(lambda tx, one=image, at=second: tx.images.add(one, at))


def named_by(database, *digests):
    with database.reading() as rows:
        return rows.images.named_by(digests)


@pytest.mark.parametrize("image", [WHOLE, an_image("a")], ids=["whole", "bare"])
def test_an_image_is_read_as_it_was_written(database, image):
    added(database, image)

    with database.reading() as rows:
        assert rows.images.get(image.sha256) == image
        assert rows.images.get("0" * 64) is None


def test_what_a_newer_server_knows_of_the_same_bytes_is_added(database):
    bare = an_image("a", size=WHOLE.size)
    added(database, bare, Image(**{f: getattr(WHOLE, f) for f in Image.__dataclass_fields__}))

    with database.reading() as rows:
        known = rows.images.get("a" * 64)
    assert (known.chip, known.elf_sha256, known.header) == (
        WHOLE.chip,
        WHOLE.elf_sha256,
        WHOLE.header,
    )
    assert known.md5 == bare.md5  # the bytes are the same, and so is this


@pytest.mark.parametrize("digest", ["a" * 64, "b" * 32, "e" * 64, "f" * 64])
def test_any_of_its_digests_names_an_image(database, digest):
    added(database, an_image("1"), WHOLE, an_image("2"))

    assert named_by(database, "0" * 64, digest) == WHOLE
    assert digest in WHOLE.digests


def test_what_no_image_has_names_none(database):
    added(database, an_image("1"))

    assert named_by(database) is None
    assert named_by(database, "0" * 64, "c" * 40) is None


def test_the_images_of_a_projects_releases_are_those_and_no_others(database):
    database.change(lambda tx: released(tx, "1", "a", "b"))
    database.change(lambda tx: released(tx, "2", "b"))
    database.change(lambda tx: released(tx, "1", "c", project="fan"))
    added(database, an_image("d"))

    with database.reading() as rows:
        of_lamp = rows.images.of_releases("lamp")
        assert of_lamp == {seed * 64: rows.images.get(seed * 64) for seed in "ab"}
        assert rows.images.of_releases("ghost") == {}


def test_of_several_that_came_from_one_program_the_last_is_meant(database):
    one, two = an_image("1", elf_sha256="f" * 64), an_image("2", elf_sha256="f" * 64)
    added(database, two, one)

    assert named_by(database, "f" * 64) == one
