"""Where the parts of a release go in a board's flash."""

import pytest

from ota_http_server.domain.flash_layout import flash_layout
from tests.domain.fleet_facts import a_release, an_image


def part(name, kind, chip="esp32", **facts):
    return an_image(f"{name}.bin", part=kind, chip=chip, **facts)


def layout(chip, *images, **more):
    placed = flash_layout(a_release("1.0.0", *images), chip, **more)
    return [(one.image.name, one.offset) for one in placed]


@pytest.mark.parametrize(
    ("chip", "bootloader_at"),
    [
        ("esp32", 0x1000),
        ("esp32s2", 0x1000),
        ("esp32s3", 0),
        ("esp32c3", 0),
        ("esp32c5", 0x2000),
        ("esp32c6", 0),
        ("esp32p4", 0x2000),
    ],
)
def test_the_bootloader_goes_where_the_chips_rom_looks(chip, bootloader_at):
    images = [part("app", "application", chip), part("boot", "bootloader", chip)]
    table = part("table", "partition-table", None)

    assert layout(chip, *images, table) == [
        ("boot.bin", bootloader_at),
        ("table.bin", 0x8000),
        ("app.bin", 0x10000),
    ]


def test_a_complete_image_goes_before_its_parts():
    images = [part("app", "application"), part("boot", "bootloader"), part("all", "factory")]

    assert layout("esp32", *images, part("table", "partition-table", None)) == [("all.bin", 0)]


@pytest.mark.parametrize("missing", ["application", "bootloader", "partition-table"])
def test_less_than_all_of_it_is_nothing(missing):
    kinds = {"application", "bootloader", "partition-table"} - {missing}

    assert layout("esp32", *(part(kind, kind) for kind in sorted(kinds))) == []


def test_an_esp8266_starts_at_the_beginning_and_takes_nothing_packed():
    plain = part("app", "application", "esp8266", format="esp8266-app")
    packed = part("app", "application", "esp8266", format="esp8266-app-gzip")

    assert layout("esp8266", plain) == [("app.bin", 0)]
    assert layout("esp8266", packed) == []


def test_of_two_the_last_one_that_came_counts():
    assert layout("esp32", part("a", "factory"), part("b", "factory")) == [("b.bin", 0)]


def test_what_does_not_say_its_chip_is_for_no_certain_one_among_several():
    silent = part("all", "factory", None)
    apps = [part("app", "application"), part("app3", "application", "esp32s3")]

    assert layout("esp32", apps[0], silent) == [("all.bin", 0)]
    assert layout("esp32", *apps, silent) == []
    assert layout("esp32s3", apps[0], silent) == []


def test_a_board_gets_its_own_complete_image():
    a, b = (part(f"all-{x}", "factory", hardware=(x,)) for x in "ab")
    app = part("app", "application", hardware=("a",))

    assert layout("esp32", a, b, app, application=app) == [("all-a.bin", 0)]
