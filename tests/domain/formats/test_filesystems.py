import pytest

from ota_http_server.domain.image import Incomplete
from tests.domain.formats.reading import changed, read
from tests.domain.formats.samples import littlefs


def test_a_littlefs_image_says_how_large_it_is():
    facts = read(littlefs(blocks=8))

    assert (facts.format, facts.kind, facts.length) == ("littlefs", "filesystem", 8 * 4096)
    assert facts.header["littlefs_version"] == "2.1"
    assert facts.header["block_bytes"] == 4096


def test_a_cut_littlefs_image_is_incomplete():
    with pytest.raises(Incomplete):
        read(littlefs()[:-1])


def test_a_superblock_that_says_nothing_sensible_is_a_littlefs_of_unknown_size():
    facts = read(changed(littlefs(), 24, bytes(8)))

    assert (facts.format, facts.length) == ("littlefs", None)
