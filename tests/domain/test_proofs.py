"""What is no proof: words that the old image and the new one have in common, or contradict."""

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.observation import KnownImage, seen
from ota_http_server.domain.sighting import Sighting
from tests.domain.fleet_facts import NOW, a_release, an_attempt, newest_first

RELEASE = newest_first(a_release("2.0.0"))[0]
OLD_DIGEST, NEW_DIGEST = "a" * 64, "b" * 64
# ESP-IDF without git says "1" in every image.
OLD = KnownImage(
    sha256=OLD_DIGEST, digests=frozenset({OLD_DIGEST}), version="1.0.3", header_version="1"
)
NEW = KnownImage(
    sha256=NEW_DIGEST, digests=frozenset({NEW_DIGEST}), version="2.0.0", header_version="1"
)


def after_restart(state=State.INSTALLED, old=OLD, **said):
    attempt = an_attempt(RELEASE, state, from_version="1.0.3", installed_at=NOW)
    return seen(attempt, Sighting(**said), NEW, old, NOW + 600)


def test_a_version_that_both_images_carry_proves_nothing():
    assert after_restart(version="1") is None


def test_the_digest_of_the_old_image_is_stronger_than_any_version():
    said = {"version": "2.0.0", "digests": frozenset({OLD_DIGEST})}

    assert after_restart(**said) is State.ROLLED_BACK


def test_the_digest_of_the_new_image_proves_it():
    assert after_restart(version="1", digests=frozenset({NEW_DIGEST})) is State.VERIFIED


@pytest.mark.parametrize("old", [None, OLD])
def test_the_version_of_the_new_release_proves_it(old):
    assert after_restart(version="2.0.0", old=old) is State.VERIFIED


def test_who_was_silent_and_comes_back_with_the_old_image_was_rolled_back():
    assert after_restart(State.SILENT, version="1.0.3") is State.ROLLED_BACK


def test_who_was_silent_before_it_installed_anything_was_not():
    attempt = an_attempt(RELEASE, State.SILENT)

    assert seen(attempt, Sighting(version="1.0.0"), NEW, OLD, NOW + 600) is None
