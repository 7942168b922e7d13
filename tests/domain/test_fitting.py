"""Which of a release's images is for a board, where compressed ones lie beside plain ones."""

import pytest

from ota_http_server.domain.decision import Hold, Offer, Reason
from tests.domain.fleet_facts import a_device, a_release, an_image, decided

PLAIN = an_image("lamp.bin", chip="esp8266", format="esp8266-app", size=500_000)
PACKED = an_image("lamp.bin.gz", chip="esp8266", format="esp8266-app-gzip", size=300_000)


@pytest.mark.parametrize("images", [(PLAIN, PACKED), (PACKED, PLAIN)])
@pytest.mark.parametrize(
    ("room", "name"), [(None, "lamp.bin"), (600_000, "lamp.bin"), (400_000, "lamp.bin.gz")]
)
def test_a_compressed_image_is_for_boards_that_have_no_room_for_the_plain_one(images, room, name):
    decision = decided(a_device(chip="esp8266", free_bytes=room), a_release("1.1.0", *images))

    assert isinstance(decision, Offer)
    assert decision.image.name == name


def test_only_an_esp8266_unpacks_by_itself():
    packed = an_image("lamp.bin.gz", chip="esp32", format="esp-idf-app-gzip")

    decision = decided(a_device(chip="esp32"), a_release("1.1.0", packed))

    assert isinstance(decision, Hold)
    assert decision.reason is Reason.OTHER_KIND
