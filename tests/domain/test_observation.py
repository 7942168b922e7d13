"""What follows from seeing a device: facts, and the proof of an installation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.attempt import State
from ota_http_server.domain.device import VersionFrom
from ota_http_server.domain.observation import RESTART_SECONDS, KnownImage, seen, told
from ota_http_server.domain.sighting import NOTHING_SAID, Sighting
from tests.domain.fleet_facts import NOW, a_device, a_release, an_attempt, newest_first

OLD = KnownImage(sha256="a" * 64, digests=frozenset({"a" * 64, "1" * 64}), version="1.0.0")
NEW = KnownImage(
    sha256="b" * 64,
    digests=frozenset({"b" * 64, "2" * 64}),
    version="2.0.0",
    chip="esp32",
    min_chip_revision=300,
    secure_version=4,
)
RELEASE = newest_first(a_release("2.0.0"))[0]
DAY = 86_400
LATER = NOW + RESTART_SECONDS + 1


def installed(**facts):
    return an_attempt(RELEASE, State.INSTALLED, installed_at=NOW, **facts)


def test_a_version_that_is_told_is_kept_with_its_moment():
    device = told(a_device("1.0.0", running_since=5), Sighting(version="1.1.0"), None, NOW)

    assert (device.version, device.version_from) == ("1.1.0", VersionFrom.DEVICE)
    assert device.running_since == NOW


def test_the_same_version_again_is_no_news():
    device = a_device("1.0.0", running_since=5)

    assert told(device, Sighting(version="v1.0"), None, NOW) == device


def test_silence_about_something_is_no_news():
    device = a_device("1.0.0", revision=3, board="x", free_bytes=7)

    assert told(device, NOTHING_SAID, None, NOW) == device


def test_a_digest_of_ours_tells_version_chip_revision_and_counter():
    device = told(a_device(None, chip=None), Sighting(digests=frozenset({"2" * 64})), NEW, NOW)

    assert (device.version, device.version_from) == ("2.0.0", VersionFrom.IMAGE)
    assert (device.chip, device.known_revision, device.secure_version) == ("esp32", 300, 4)


def test_the_counter_of_what_ran_once_stays():
    device = a_device("3.0.0", secure_version=9)

    assert told(device, Sighting(digests=NEW.digests), NEW, NOW).secure_version == 9


def test_an_unknown_digest_beside_the_same_version_says_nothing():
    device = a_device("2.0.0", image_sha256=NEW.sha256, version_from=VersionFrom.IMAGE)

    after = told(device, Sighting(version="2.0.0", digests=frozenset({"f" * 32})), None, NOW)

    assert after == device


def test_what_is_told_before_the_restart_is_not_what_runs():
    sighting = Sighting(version="9.0.0", chip="esp32", says_what_runs=False)

    assert told(a_device("1.0.0"), sighting, None, NOW).version == "1.0.0"


@pytest.mark.parametrize(
    "sighting",
    [Sighting(version="2.0.0"), Sighting(digests=frozenset({"2" * 64}))],
    ids=["version", "digest"],
)
def test_seen_with_the_new_image_it_is_verified(sighting):
    assert seen(installed(), sighting, NEW, OLD, NOW) is State.VERIFIED


def test_it_may_be_verified_without_any_report():
    assert seen(an_attempt(RELEASE), Sighting(version="2.0.0"), NEW, OLD, NOW) is State.VERIFIED


@pytest.mark.parametrize(
    "sighting",
    [Sighting(version="1.0.0"), Sighting(digests=frozenset({"1" * 64}))],
    ids=["version", "digest"],
)
def test_seen_with_the_old_image_again_it_was_rolled_back(sighting):
    assert seen(installed(), sighting, NEW, OLD, LATER) is State.ROLLED_BACK


def test_before_it_restarted_its_old_words_mean_nothing():
    assert seen(installed(), Sighting(version="1.0.0"), NEW, OLD, NOW + 5) is None


@pytest.mark.parametrize(
    ("moment", "steady_since"),
    [
        (NOW - 30 * DAY, NOW - 5),  # the clock was set on five seconds ago
        (NOW + 30 * DAY, NOW - 5),  # or back
        (NOW + 5, 0),  # another server's clock is a little ahead
        (NOW - RESTART_SECONDS + 1, 0),
    ],
)
def test_only_time_that_surely_passed_makes_it_rolled_back(moment, steady_since):
    attempt = an_attempt(RELEASE, State.INSTALLED, installed_at=moment)
    old = Sighting(version="1.0.0")

    assert seen(attempt, old, NEW, OLD, NOW, steady_since) is None
    later = NOW + RESTART_SECONDS + 5
    assert seen(attempt, old, NEW, OLD, later, steady_since) is State.ROLLED_BACK


def test_a_device_that_never_said_it_was_done_is_not_rolled_back():
    downloading = an_attempt(RELEASE, State.DOWNLOADED)

    assert seen(downloading, Sighting(version="1.0.0"), NEW, OLD, LATER) is None


def test_a_version_that_did_not_change_proves_nothing():
    attempt = installed(from_version="2.0.0")

    assert seen(attempt, Sighting(version="2.0.0"), NEW, None, NOW) is None


def test_something_else_altogether_proves_nothing():
    assert seen(installed(), Sighting(version="1.7.0"), NEW, OLD, LATER) is None


def test_a_verified_attempt_stays_so():
    done = an_attempt(RELEASE, State.VERIFIED)

    assert seen(done, Sighting(version="1.0.0"), NEW, OLD, LATER) is None
    assert seen(done, Sighting(version="2.0.0"), NEW, OLD, LATER) is None


@given(st.sampled_from(list(State)), st.sampled_from(["1.0.0", "2.0.0", "x", None]))
def test_whatever_follows_is_a_move_that_may_be_made(state, version):
    attempt = an_attempt(RELEASE, state, installed_at=NOW)

    follows = seen(attempt, Sighting(version=version), NEW, OLD, LATER)

    assert follows is None or attempt.may_become(follows)
