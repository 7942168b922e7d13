"""Which boards a bundle is for, in the words of its tool."""

import pytest

from ota_http_server.domain.offer import Hold, Offer, Reason
from tests.domain.fleet_facts import a_device, a_release, an_image, decided


def bundle(*hardware, format="swupdate"):
    return a_release(
        "2.0.0", an_image("g.swu", chip=None, format=format, part="bundle", hardware=hardware)
    )


@pytest.mark.parametrize(
    ("board", "hardware"),
    [
        ("1.0", ["1.0"]),
        ("gateway 1.0", ["1.0"]),
        ("gateway 1.0", ["0.9", "1.0"]),
        ("gateway 1.0", ["gateway 1.0"]),
        ("big gateway 1.0", ["1.0"]),
    ],
)
def test_swupdates_bundles_fit_by_revision_or_by_board_and_revision(board, hardware):
    assert isinstance(decided(a_device(board=board), bundle(*hardware)), Offer)


@pytest.mark.parametrize(
    ("board", "hardware", "reason"),
    [
        (None, ["1.0"], Reason.UNKNOWN_BOARD),
        ("gateway 2.0", ["1.0"], Reason.WRONG_BOARD),
        ("1.0", ["gateway 1.0"], Reason.WRONG_BOARD),
        ("other 1.0", ["gateway 1.0"], Reason.WRONG_BOARD),
        ("gateway", ["gateway 1.0"], Reason.WRONG_BOARD),
    ],
)
def test_swupdates_bundles_fit_no_other_board(board, hardware, reason):
    decision = decided(a_device(board=board), bundle(*hardware))

    assert isinstance(decision, Hold)
    assert decision.reason is reason


def test_a_rauc_bundle_names_its_board_in_full():
    decision = decided(a_device(board="My Product"), bundle("Product", format="rauc"))

    assert isinstance(decision, Hold)
    assert decision.reason is Reason.WRONG_BOARD
    assert isinstance(
        decided(a_device(board="My Product"), bundle("My Product", format="rauc")), Offer
    )
