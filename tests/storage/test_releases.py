"""Releases and their images as rows: found in any spelling, the newest first, unique."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ota_http_server.domain.release import Origin, Release, ReleaseImage, State
from ota_http_server.storage.counters import CATALOG
from ota_http_server.storage.images import Image
from tests.storage.released import an_attempt, released

MANY = 66_000
"""More than a statement of either database takes as parameters."""
ADD_MANY = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many)
    INSERT INTO releases
        (project, identity, version, state, origin, channel, notes, security, created_at, edition)
    SELECT 'lamp', '=' || i, 'word-' || i, 'withdrawn', 'api', 'stable', '', false, 0, 1 FROM n
"""


def an_image(letter: str, **facts) -> Image:
    known = {"size": 10, "md5": letter * 32, "format": "opaque", "version": None, "project": None}
    return Image(**({"sha256": letter * 64, "header": {}} | known | facts))


@pytest.fixture(name="add")
def adding(database):
    """Adds a release, and images by their letter as `<letter>.bin`."""

    def add(version, letters="", **facts):
        def added(tx):
            release = tx.releases.add(
                Release(**({"number": 0, "project": "lamp", "version": version} | facts))
            )
            for letter in letters:
                tx.images.add(an_image(letter), tx.second)
                its = ReleaseImage(name=f"{letter}.bin", sha256=letter * 64, size=10)
                tx.releases.add_image(release.number, its, tx.second)
            return tx.releases.by_number(release.number)

        return database.change(added)

    return add


def versions(database, *args):
    with database.reading() as rows:
        return [release.version for release in rows.releases.of_project("lamp", *args)]


def test_what_was_added_is_read_back_whole(database, add):
    facts = {"channel": "beta", "notes": "n", "min_from": "1.0.0", "security": True, "forced": "f"}

    release = add("1.1.0", "ab", state=State.DRAFT, origin=Origin.FOLDER, **facts)

    assert [image.name for image in release.images] == ["a.bin", "b.bin"]
    assert (release.state, release.origin, release.channel) == (State.DRAFT, Origin.FOLDER, "beta")
    assert (release.min_from, release.security, release.forced) == ("1.0.0", True, "f")
    with database.reading() as rows:
        assert rows.releases.get("lamp", "v1.1") == release
        assert rows.releases.get("fan", "1.1.0") is None


def test_a_version_is_there_once_however_it_is_spelt(add):
    add("1.1.0")

    with pytest.raises(IntegrityError):
        add("1.1")
    assert add("1.1", project="fan").project == "fan"


def test_the_newest_comes_first_and_words_come_as_they_were_added(database, add):
    for version in ("1.9.0", "blue", "1.10.0-rc.1", "1.10.0", "green", "1.2.0"):
        add(version)

    assert versions(database) == ["1.10.0", "1.10.0-rc.1", "1.9.0", "1.2.0", "green", "blue"]


def test_only_releases_in_the_wanted_states_are_listed(database, add):
    for number, state in enumerate(State):
        add(f"1.{number}.0", state=state)

    assert versions(database, (State.PUBLISHED,)) == ["1.1.0"]
    assert versions(database, (State.WITHDRAWN, State.DRAFT)) == ["1.2.0", "1.0.0"]


def test_a_name_is_once_in_a_release(add, database):
    release = add("1.1.0", "a")
    again = ReleaseImage(name="a.bin", sha256="a" * 64, size=10)

    with pytest.raises(IntegrityError):
        database.change(lambda tx: tx.releases.add_image(release.number, again, tx.second))


def test_what_is_declared_of_an_image_is_stronger_than_what_its_bytes_say(database, add):
    release = add("1.1.0")
    image = an_image("a", chip="esp32", hardware=("x",), secure_version=3, version="9")

    def added(tx):
        tx.images.add(image, tx.second)
        for name, facts in (("own", {}), ("said", {"chip": "esp32s3", "hardware": ("b", "c")})):
            its = ReleaseImage(name=name, sha256=image.sha256, size=10, **facts)
            tx.releases.add_image(release.number, its, tx.second)
        return tx.releases.by_number(release.number).images

    own, said = database.change(added)
    assert (own.chip, own.hardware, own.secure_version, own.header_version) == (
        "esp32",
        ("x",),
        3,
        "9",
    )
    assert (said.chip, said.hardware) == ("esp32s3", ("b", "c"))


def test_an_image_is_found_by_the_beginning_of_its_digest_unless_it_is_a_draft(database, add):
    add("1.0.0", "a", state=State.WITHDRAWN)
    add("1.1.0", "b", state=State.DRAFT)

    with database.reading() as rows:
        assert rows.releases.with_digest("lamp", "a" * 16, "a.bin").sha256 == "a" * 64
        for project, start, name in (
            ("fan", "a" * 16, "a.bin"),
            ("lamp", "b" * 16, "b.bin"),
            ("lamp", "a" * 16, "b.bin"),
            ("lamp", "%", "a.bin"),
            ("lamp", "_" * 16, "a.bin"),
        ):
            assert rows.releases.with_digest(project, start, name) is None


def test_every_release_that_has_the_same_bytes_is_told_the_latest_first(database, add):
    add("1.0.0", "a")
    add("0.5.0", "a", project="fan")
    add("2.0.0", "b")

    with database.reading() as rows:
        assert rows.releases.versions_of("a" * 64) == [("fan", "0.5.0"), ("lamp", "1.0.0")]
        assert rows.releases.digests() == {"a" * 64, "b" * 64}


def test_projects_of_the_folder_are_those_it_publishes_in(database, add):
    add("1.0.0", origin=Origin.FOLDER)
    add("1.0.0", project="fan", origin=Origin.FOLDER, state=State.WITHDRAWN)
    add("1.0.0", project="pump")

    with database.reading() as rows:
        assert rows.releases.projects_of_folder() == {"lamp"}


def test_a_removed_release_leaves_its_version_free(database, add):
    release = add("1.1.0", "a")

    database.change(lambda tx: tx.releases.remove(release.number))

    assert versions(database) == []
    assert [image.name for image in add("1.1.0", "a").images] == ["a.bin"]


@pytest.mark.parametrize("change", ["add", "change", "add_image", "remove_image", "remove"])
def test_every_change_is_news_for_the_other_processes(database, add, change):
    release = add("1.0.0", "a")
    image = ReleaseImage(name="c.bin", sha256="a" * 64, size=10)
    changes = {
        "add": lambda tx: tx.releases.add(Release(number=0, project="lamp", version="2")),
        "change": lambda tx: tx.releases.change(release),
        "add_image": lambda tx: tx.releases.add_image(release.number, image, tx.second),
        "remove_image": lambda tx: tx.releases.remove_image(release.number, "a.bin"),
        "remove": lambda tx: tx.releases.remove(release.number),
    }
    with database.reading() as rows:
        before = rows.counters.get(CATALOG)

    database.change(changes[change])

    with database.reading() as rows:
        assert rows.counters.get(CATALOG) == before + 1


def test_a_project_may_have_more_releases_than_a_statement_has_parameters(database, add):
    add("1.0.0", "a")
    database.change(lambda tx: tx.connection.execute(text(ADD_MANY), {"many": MANY}))

    with database.reading() as rows:
        releases = rows.releases.of_project("lamp")

    assert len(releases) == MANY + 1
    assert [release.version for release in releases if release.images] == ["1.0.0"]


def test_what_devices_were_offered_of_a_release_is_known_by_name_and_digest(database):
    number = database.change(lambda tx: released(tx, "1.0.0", "a", "b", "c"))
    for seed in "aba":
        attempt = an_attempt(number, image_name=f"{seed}.bin", sha256=seed * 64)
        database.change(lambda tx, one=attempt: tx.attempts.open(one))

    with database.reading() as rows:
        offered = rows.releases.offered_images(number)
        assert offered == [("a.bin", "a" * 64), ("b.bin", "b" * 64)]
        assert rows.releases.offered_images(number + 1) == []
