"""Which release a device gets, or why none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.attempt import State
from ota_http_server.domain.decision import decide, verdicts
from ota_http_server.domain.newness import runs
from ota_http_server.domain.offer import History, Hold, Offer, Reason, Rule
from ota_http_server.domain.project import Project, UnknownVersion
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.version import version_key
from tests.domain.fleet_facts import (
    LAMP,
    NOW,
    a_device,
    a_release,
    an_attempt,
    an_image,
    decided,
    newest_first,
)


def offered(decision) -> str:
    assert isinstance(decision, Offer), decision
    return decision.release.version


def held(decision) -> Reason:
    assert isinstance(decision, Hold), decision
    return decision.reason


def test_the_newest_release_is_offered():
    releases = a_release("1.2.0"), a_release("1.10.0"), a_release("1.9.0")

    assert offered(decided(a_device(), *releases)) == "1.10.0"


def test_a_device_that_runs_the_newest_gets_nothing():
    decision = decided(a_device("1.10.0"), a_release("1.2.0"), a_release("1.10.0"))

    assert held(decision) is Reason.UP_TO_DATE


def test_two_spellings_of_a_version_are_one():
    assert held(decided(a_device("v01.02.00"), a_release("1.2.0"))) is Reason.UP_TO_DATE


def test_nothing_lower_than_what_runs_is_offered():
    assert held(decided(a_device("2.0.0"), a_release("1.9.0"))) is Reason.NOT_NEWER


def test_a_pinned_device_gets_its_release_older_or_not():
    device = a_device("2.0.0", pinned="1.9")

    decision = decided(device, a_release("1.9.0"), a_release("3.0.0"))

    assert (offered(decision), decision.rule) == ("1.9.0", Rule.PINNED)


def test_a_pinned_device_that_runs_its_release_gets_nothing():
    decision = decided(a_device("1.9.0", pinned="1.9.0"), a_release("1.9.0"), a_release("3.0.0"))

    assert held(decision) is Reason.UP_TO_DATE


def test_a_pin_to_what_is_not_published_holds():
    assert held(decided(a_device(pinned="7"), a_release("2.0.0"))) is Reason.PIN_MISSING


def test_a_blocked_device_gets_nothing():
    assert held(decided(a_device(blocked=True), a_release("2.0.0"))) is Reason.BLOCKED


def test_a_device_of_another_project_gets_nothing():
    assert held(decided(a_device(project="fan"), a_release("2.0.0"))) is Reason.WRONG_PROJECT


def test_without_releases_there_is_nothing():
    assert held(decided(a_device())) is Reason.NO_RELEASE


def test_each_channel_is_its_own():
    beta = a_release("3.0.0-rc.1", channel="beta")
    stable = a_release("2.0.0")

    assert offered(decided(a_device(), stable, beta)) == "2.0.0"
    assert offered(decided(a_device(channel="beta"), stable, beta)) == "3.0.0-rc.1"


def test_a_tag_follows_the_channel_that_its_project_says():
    project = Project(name="lamp", tag_channels={"desk": "beta"})
    releases = a_release("2.0.0"), a_release("3.0.0", channel="beta")

    assert offered(decided(a_device(tags=("desk",)), *releases, project=project)) == "3.0.0"
    own = a_device(tags=("desk",), channel="stable")
    assert offered(decided(own, *releases, project=project)) == "2.0.0"


@pytest.mark.parametrize(
    ("device", "image", "reason"),
    [
        ({"chip": None}, {}, Reason.UNKNOWN_CHIP),
        ({"chip": "esp32s3"}, {}, Reason.WRONG_CHIP),
        ({}, {"min_chip_revision": 300}, Reason.UNKNOWN_REVISION),
        ({"revision": 101}, {"min_chip_revision": 300}, Reason.WRONG_REVISION),
        ({"revision": 301}, {"max_chip_revision": 199}, Reason.WRONG_REVISION),
        ({}, {"hardware": ("gateway",)}, Reason.UNKNOWN_BOARD),
        ({"board": "sensor"}, {"hardware": ("gateway",)}, Reason.WRONG_BOARD),
        ({"free_bytes": 999_999}, {}, Reason.TOO_BIG),
        ({"secure_version": 3}, {"secure_version": 2}, Reason.LOWER_COUNTER),
    ],
)
def test_what_does_not_fit_or_is_not_known_to_fit_is_held(device, image, reason):
    decision = decided(a_device(**device), a_release("2.0.0", an_image(**image)))

    assert held(decision) is reason
    assert "lamp.bin" in decision.detail


@pytest.mark.parametrize(
    ("device", "image"),
    [
        ({"revision": 301}, {"min_chip_revision": 300}),
        ({"revision_min": 300}, {"min_chip_revision": 300}),
        ({"chip": None}, {"chip": None, "format": "mcuboot"}),
        ({"board": "gateway"}, {"hardware": ("gateway", "bridge")}),
        ({"free_bytes": 1_000_000}, {}),
        ({"secure_version": 2}, {"secure_version": 2}),
        ({}, {"max_chip_revision": 399}),  # nearly every image has one; the device knows
    ],
)
def test_what_is_known_to_fit_is_offered(device, image):
    assert offered(decided(a_device(**device), a_release("2.0.0", an_image(**image)))) == "2.0.0"


def test_a_project_may_say_what_all_its_boards_are():
    project = Project(name="lamp", chip="esp32", revision=300)
    release = a_release("2.0.0", an_image(min_chip_revision=300))

    assert offered(decided(a_device(chip=None), release, project=project)) == "2.0.0"


def test_of_several_images_the_fitting_one_is_offered():
    release = a_release("2.0.0", an_image("s3.bin", chip="esp32s3"), an_image("esp32.bin"))

    assert decided(a_device(), release).image.name == "esp32.bin"


def test_a_newer_release_for_other_chips_does_not_hide_an_older_one():
    other = a_release("3.0.0", an_image("s3.bin", chip="esp32s3"))

    assert offered(decided(a_device(), a_release("2.0.0"), other)) == "2.0.0"


def test_a_device_that_only_others_can_leave_behind_hears_the_reason():
    other = a_release("3.0.0", an_image("s3.bin", chip="esp32s3"))

    assert held(decided(a_device("2.0.0"), a_release("2.0.0"), other)) is Reason.UP_TO_DATE
    assert held(decided(a_device("2.1.0"), a_release("2.0.0"), other)) is Reason.WRONG_CHIP


def test_notes_beside_images_are_no_firmware():
    notes = an_image("notes_v7.dat", chip=None, format="opaque", part="opaque")

    decision = decided(a_device(), a_release("1.4.0"), a_release("7", notes))

    assert offered(decision) == "1.4.0"


def test_in_a_project_of_opaque_images_they_are_firmware():
    raw = an_image("board.bin", chip=None, format="opaque", part="opaque")

    assert offered(decided(a_device(chip=None), a_release("2", raw))) == "2"


def test_bootloaders_and_file_systems_are_not_offered_for_the_program():
    release = a_release("2.0.0", an_image("boot.bin", part="bootloader"))

    assert held(decided(a_device(), release)) is Reason.NO_IMAGE
    files = a_release("2.0.0", an_image("fs.bin", part="filesystem"))
    assert offered(decided(a_device(), files, parts=("filesystem",))) == "2.0.0"


def test_a_release_that_needs_a_step_waits_for_it():
    steps = a_release("2.0.0"), a_release("3.0.0", min_from="2.0")

    assert offered(decided(a_device("1.0.0"), *steps)) == "2.0.0"
    assert offered(decided(a_device("2.0.0"), *steps)) == "3.0.0"
    assert held(decided(a_device("1.0.0"), steps[1])) is Reason.NEEDS_STEP


def test_a_device_that_never_says_its_version_gets_nothing_unless_the_project_wants_it():
    trusting = Project(name="lamp", unknown_version=UnknownVersion.OFFER)

    assert held(decided(a_device(None), a_release("2.0.0"))) is Reason.UNKNOWN_VERSION
    decision = decided(a_device(None), a_release("2.0.0"), project=trusting)
    assert (offered(decision), decision.rule) == ("2.0.0", Rule.UNKNOWN)


def test_versions_that_do_not_order_follow_the_order_of_upload():
    first, second = a_release("abcdef1"), a_release("0ddba11")

    decision = decided(a_device("abcdef1"), first, second)

    assert (offered(decision), decision.rule) == ("0ddba11", Rule.UPLOAD_ORDER)
    assert held(decided(a_device("0ddba11"), first, second)) is Reason.UP_TO_DATE


def test_a_word_that_no_release_has_is_not_known_to_be_older():
    decision = decided(a_device("cafe123"), a_release("abcdef1"))

    assert held(decision) is Reason.UNKNOWN_VERSION


def test_what_an_image_carries_inside_is_what_its_devices_tell():
    release = a_release("1.0.1", an_image(header_version="c873579-dirty"))

    decision = decided(a_device("c873579-dirty"), release)

    assert held(decision) is Reason.UP_TO_DATE


def test_a_version_inside_that_stood_still_tells_no_releases_apart():
    old = a_release("1.0.1", an_image("a.bin", header_version="c873579-dirty"))
    new = a_release("1.0.2", an_image("b.bin", header_version="c873579-dirty"))
    told = a_device("c873579-dirty")

    assert not runs(told, newest_first(old, new)[0], newest_first(old, new))


def test_the_digest_knows_better_than_the_version():
    old = a_release("1.0.1", an_image("a.bin"))
    new = a_release("1.0.2", an_image("b.bin"))
    device = a_device("1.0.2", image_sha256=old.images[0].sha256)

    assert offered(decided(device, old, new)) == "1.0.2"


def test_a_begun_download_goes_on_though_a_newer_release_came():
    begun, newer = newest_first(a_release("2.0.0"), a_release("3.0.0"))[::-1]
    attempt = an_attempt(begun, State.DOWNLOADING)

    decision = decided(a_device(), a_release("2.0.0"), a_release("3.0.0"), attempt=attempt)

    assert (offered(decision), decision.attempt) == ("2.0.0", attempt)
    later = decided(
        a_device(), a_release("2.0.0"), a_release("3.0.0"), attempt=attempt, at=NOW + 7_200
    )
    assert offered(later) == newer.version


def test_an_offer_that_was_not_begun_gives_way_to_a_newer_one():
    attempt = an_attempt(newest_first(a_release("2.0.0"))[0])

    decision = decided(a_device(), a_release("2.0.0"), a_release("3.0.0"), attempt=attempt)

    assert (offered(decision), decision.attempt) == ("3.0.0", None)


def test_the_same_offer_again_is_the_same_attempt():
    attempt = an_attempt(newest_first(a_release("2.0.0"))[0])

    assert decided(a_device(), a_release("2.0.0"), attempt=attempt).attempt == attempt


def test_a_withdrawn_release_is_not_gone_on_with():
    withdrawn = newest_first(a_release("2.0.0", state=ReleaseState.WITHDRAWN))[0]
    attempt = an_attempt(withdrawn, State.DOWNLOADING)

    decision = decided(a_device(), a_release("1.5.0"), attempt=replace(attempt, release=99))

    assert offered(decision) == "1.5.0"


def test_an_installed_release_waits_for_the_restart():
    attempt = an_attempt(newest_first(a_release("2.0.0"))[0], State.INSTALLED, installed_at=NOW)

    decision = decided(a_device(), a_release("2.0.0"), attempt=attempt)

    assert held(decision) is Reason.AWAITING_RESTART


def test_an_attempt_that_is_called_off_offers_nothing():
    attempt = an_attempt(newest_first(a_release("2.0.0"))[0], cancel_asked=True)

    assert held(decided(a_device(), a_release("2.0.0"), attempt=attempt)) is Reason.CANCELING


def test_the_same_image_over_and_over_ends():
    release = a_release("2.0.0")
    history = History(deliveries={release.images[0].sha256: 3})

    assert held(decided(a_device(), release, history=history)) is Reason.LOOPING


def test_a_release_that_failed_on_it_again_and_again_ends():
    assert held(decided(a_device(), a_release("2.0.0"), history=History(failures={1: 3}))) is (
        Reason.FAILING
    )


def test_what_loops_on_the_newest_gets_no_older_one_instead():
    newest = a_release("3.0.0")
    history = History(deliveries={newest.images[0].sha256: 3})

    decision = decided(a_device(), a_release("2.0.0"), newest, history=history)

    assert held(decision) is Reason.LOOPING


def test_every_release_of_the_channel_is_judged_for_the_explanation():
    releases = newest_first(
        a_release("2.0.0"), a_release("3.0.0", an_image("s3.bin", chip="esp32s3"))
    )

    judged = verdicts(a_device(), LAMP, releases, at=NOW)

    assert [(r.version, type(d)) for r, d in judged] == [("3.0.0", Hold), ("2.0.0", Offer)]


class Counting(list):
    """Counts how often somebody looks through it."""

    looked = 0

    def __iter__(self):
        self.looked += 1
        return super().__iter__()


@pytest.mark.parametrize("version", ["0.5", "0.9.7", "1.50.0", "2.0.0", "a1b2c3d", None])
def test_a_decision_takes_a_few_looks_however_many_releases_there_are(version):
    def looks(count):
        releases = Counting(newest_first(*(a_release(f"1.{n}.0") for n in range(count))))
        verdicts(a_device(version), LAMP, releases, at=NOW)
        decide(a_device(version), LAMP, releases, at=NOW)
        return releases.looked

    assert looks(60) == looks(6)


versions = st.builds(
    lambda numbers, rest: ".".join(map(str, numbers)) + rest,
    st.lists(st.integers(0, 20), min_size=1, max_size=3),
    st.sampled_from(["", "-rc.1", "-dirty", "-3-gabcdef1"]),
)
chips = st.sampled_from([None, "esp32", "esp32s3"])
images = st.builds(
    lambda name, chip, least, size: an_image(
        f"{name}.bin", chip=chip, min_chip_revision=least, size=size
    ),
    st.integers(0, 999),
    chips,
    st.sampled_from([0, 100, 300]),
    st.integers(1, 4_000),
)
devices = st.builds(
    lambda version, chip, revision, free: a_device(
        version, chip=chip, revision=revision, free_bytes=free
    ),
    st.none() | versions,
    chips,
    st.none() | st.integers(0, 400),
    st.none() | st.integers(0, 4_000),
)
histories = st.lists(
    st.builds(lambda version, image: a_release(version, image), versions, images), max_size=6
)


@given(devices, histories)
def test_an_offer_always_fits_and_is_never_lower(device, releases):
    decision = decided(device, *releases)

    if isinstance(decision, Offer):
        image = decision.image
        assert image.chip in (None, device.chip)
        assert device.free_bytes is None or image.size <= device.free_bytes
        assert not image.min_chip_revision or (device.revision or 0) >= image.min_chip_revision
        assert version_key(decision.release.version) > version_key(device.version)


@given(devices, histories)
def test_every_refusal_says_something_and_every_decision_is_the_same_again(device, releases):
    decision = decided(device, *releases)

    assert decision == decided(device, *releases)
    if isinstance(decision, Hold):
        assert decision.detail


@given(devices, histories)
def test_who_took_the_offer_is_not_offered_it_again(device, releases):
    decision = decided(device, *releases)

    if isinstance(decision, Offer):
        after = replace(
            device, version=decision.release.version, image_sha256=decision.image.sha256
        )
        again = decided(after, *releases)
        assert not (isinstance(again, Offer) and again.image.sha256 == decision.image.sha256)
