"""`sample`: an image to try the server with."""

import json
from pathlib import Path

import pytest


def test_it_makes_a_valid_image_where_devices_find_it(call):
    said = call("sample")

    image = Path("www/firmware/sample/sample-1.0.0.bin")
    assert (said.status, said.out) == (0, f"made {image}\n")
    assert image.stat().st_size > 1_500 * 1024


def test_it_leaves_one_that_is_there_alone(call):
    image = Path("www/firmware/lamp/lamp-2.0.bin")
    image.parent.mkdir(parents=True)
    image.write_bytes(b"mine")

    said = call("sample", "--project", "lamp", "--version", "2.0", "--json")

    assert json.loads(said.out) == {"path": str(image), "made": False}
    assert image.read_bytes() == b"mine"


def test_it_follows_the_settings(call):
    call("sample", "--kib", "1", OTA_WWW_DIR="web", OTA_FIRMWARE_DIR="fw")

    assert Path("web/fw/sample/sample-1.0.0.bin").exists()


@pytest.mark.parametrize(
    "words",
    [["--version", "../x"], ["--version", ""], ["--project", "../x"], ["--project", "a/b"]],
)
def test_names_that_would_lead_elsewhere_are_refused(call, tmp_path, words):
    said = call("sample", *words)

    assert said.status == 2
    assert said.err.count("\n") == 1
    assert not (tmp_path / "www").exists()


def test_a_folder_that_cannot_be_written_is_one_line(call):
    Path("www").write_text("a file in the way")

    said = call("sample")

    assert said.status == 2
    assert said.err.startswith("ota_http_server: www/firmware/sample: ")
    assert said.err.count("\n") == 1
