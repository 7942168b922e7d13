"""What an image's answer says and holds."""

import pytest

from ota_http_server.http.exchange import FilePart
from ota_http_server.http.files import begins_at_zero, send
from tests.http.images import (
    ALWAYS,
    CONTENT,
    STALE,
    asking,
    body_of,
    laid_down,
    parts_of,
)


@pytest.fixture(name="image")
def an_image(tmp_path):
    return laid_down(tmp_path / "blob", CONTENT)


def test_a_get_sends_the_whole_image(image):
    reply = send(asking(), image)

    assert (reply.status, reply.length) == (200, len(CONTENT))
    assert dict(reply.headers) == {"Content-Type": "application/octet-stream", **ALWAYS}
    assert body_of(reply) == CONTENT


def test_a_range_sends_these_bytes_and_says_which(image):
    reply = send(asking(range="bytes=100-199"), image)

    assert (reply.status, reply.length) == (206, 100)
    assert dict(reply.headers) == {
        "Content-Type": "application/octet-stream",
        "Content-Range": "bytes 100-199/1024",
        **ALWAYS,
    }
    assert body_of(reply) == CONTENT[100:200]


def test_one_past_the_end_is_brought_back_to_the_end(image):
    reply = send(asking(range="bytes=1000-1024"), image)

    assert ("Content-Range", "bytes 1000-1023/1024") in reply.headers
    assert body_of(reply) == CONTENT[1000:]


def test_a_range_out_of_reach_is_told_the_size(image):
    reply = send(asking(range="bytes=1024-"), image)

    assert (reply.status, reply.length) == (416, 0)
    assert dict(reply.headers) == {"Content-Range": "bytes */1024", **ALWAYS}


def test_several_ranges_are_a_multipart_that_a_mail_library_reads(image):
    reply = send(asking(range="bytes=0-9,100-149,-4"), image)

    assert reply.status == 206
    assert parts_of(reply) == [
        ("bytes 0-9/1024", "application/octet-stream", CONTENT[:10]),
        ("bytes 100-149/1024", "application/octet-stream", CONTENT[100:150]),
        ("bytes 1020-1023/1024", "application/octet-stream", CONTENT[-4:]),
    ]


def test_a_multipart_says_its_length_before_it_is_sent_and_reads_no_file(image):
    reply = send(asking(range="bytes=0-9,100-149"), image)
    files = [part for part in reply.body if isinstance(part, FilePart)]

    assert reply.length == len(body_of(reply))
    assert files == [FilePart(image.path, 0, 10), FilePart(image.path, 100, 50)]


def test_a_multipart_has_ranges_in_its_parts_alone_and_a_plain_boundary(image):
    headers = dict(send(asking(range="bytes=0-9,100-149"), image).headers)
    kind, boundary = headers.pop("Content-Type").split("; boundary=")

    assert (kind, headers) == ("multipart/byteranges", ALWAYS)
    assert boundary.isalnum() and len(boundary) <= 70


def test_of_several_ranges_the_only_one_in_reach_is_sent_plainly(image):
    reply = send(asking(range="bytes=0-9,5000-"), image)

    assert ("Content-Range", "bytes 0-9/1024") in reply.headers
    assert body_of(reply) == CONTENT[:10]


def test_head_answers_as_get_does_and_knows_no_range(image):
    whole = send(asking(), image)

    assert send(asking("HEAD"), image) == whole
    assert send(asking("HEAD", range="bytes=5-9"), image) == whole
    assert send(asking("HEAD", range="bytes=5-9", if_range=STALE), image) == whole


@pytest.mark.parametrize(("range_", "status"), [(None, 200), ("bytes=0-", 416), ("bytes=-5", 416)])
def test_an_empty_image_has_no_bytes_to_send(tmp_path, range_, status):
    empty = laid_down(tmp_path / "empty", b"")

    reply = send(asking(range=range_) if range_ else asking(), empty)

    assert (reply.status, reply.length, body_of(reply)) == (status, 0, b"")


def test_what_the_caller_adds_stands_in_every_answer(image):
    added = ("X-Version", "1.4.0")
    asked = [asking(), asking(range="bytes=0-0"), asking(range="bytes=0-0,9-9")]
    asked += [asking(range="bytes=5000-"), asking(if_none_match="*"), asking(if_match=STALE)]

    replies = [send(request, image, (added,)) for request in asked]

    assert [reply.status for reply in replies] == [200, 206, 206, 416, 304, 412]
    assert all(reply.headers[-1] == added for reply in replies)


def test_the_media_type_is_the_images_own(tmp_path):
    bundle = laid_down(tmp_path / "b", CONTENT, media_type="application/vnd.rauc")

    assert ("Content-Type", "application/vnd.rauc") in send(asking(), bundle).headers
    assert parts_of(send(asking(range="bytes=0-0,9-9"), bundle))[0][1] == "application/vnd.rauc"


def test_headers_leave_an_nrf91_room_for_its_bytes(image):
    headers = send(asking(range="bytes=1000-1023"), image).headers

    assert sum(len(f"{name}: {value}\r\n") for name, value in headers) < 512


@pytest.mark.parametrize("moment", [-(2**40), -1, 0, 2**31, 253_402_300_800, 2**62])
def test_a_file_of_a_strange_date_is_sent_and_known_again(tmp_path, moment):
    image = laid_down(tmp_path / "blob", CONTENT, modified=moment)
    date = dict(send(asking(), image).headers)["Last-Modified"]

    assert send(asking(if_modified_since=date), image).status == 304
    assert send(asking(range="bytes=0-0", if_range=date), image).status == 206


BEGINNINGS = [
    (None, True),
    ("bytes=0-", True),
    ("bytes=0-4095", True),
    ("bytes=0-0,50-99", True),
    ("bytes=1-", False),
    ("bytes=800-1023,1024-", False),
    ("bytes=1024-", False),  # beyond this image, but not beyond the one that was begun
    ("bytes=-1023", False),
    ("bytes=-1024", True),
    ("bytes=-2000", True),
    ("bytes=-0", False),
    ("bytes=9-1", True),  # ignored, so the whole is sent
    ("bytes=90-99,0-9", True),
    ("nonsense", True),
]


@pytest.mark.parametrize(("range_", "begins"), BEGINNINGS)
def test_a_download_that_goes_on_is_told_from_one_that_begins(range_, begins):
    request = asking(range=range_) if range_ else asking()

    assert begins_at_zero(request, 1024) is begins


def test_head_begins_whatever_range_it_names():
    assert begins_at_zero(asking("HEAD", range="bytes=500-"), 1024)


@pytest.mark.parametrize(("range_", "begins"), [("bytes=0-", True), ("bytes=5-", False)])
def test_an_empty_image_can_be_begun_but_not_gone_on_with(range_, begins):
    assert begins_at_zero(asking(range=range_), 0) is begins
