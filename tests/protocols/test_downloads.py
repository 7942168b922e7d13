"""Plain URLs under /firmware/<project>/: files, digests, versions, ranges."""

from hashlib import md5, sha256

import pytest

from tests.instance import Instance
from tests.protocols.conftest import LAMP, OLD_LAMP, OPAQUE

PATH = "/firmware/lamp/lamp-1.4.0.bin"


def test_a_get_sends_the_file_with_its_length_digests_and_a_strong_etag(ota, token):
    answer = ota.get(PATH, token)

    assert (answer.status_code, answer.data) == (200, LAMP)
    assert answer.headers["Content-Length"] == str(len(LAMP))
    assert answer.headers["ETag"] == f'"{sha256(LAMP).hexdigest()}"'
    assert answer.headers["x-MD5"] == md5(LAMP).hexdigest()
    assert answer.headers["x-SHA256"] == sha256(LAMP).hexdigest()
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Encoding" not in answer.headers
    assert "Transfer-Encoding" not in answer.headers
    assert "Last-Modified" in answer.headers


def test_an_answer_that_a_credential_opened_is_kept_by_no_shared_cache(ota, token):
    for path in (PATH, "/firmware/lamp/versions", "/firmware/lamp/latest", PATH + ".md5"):
        headers = ota.get(path, token).headers
        assert "private" in headers["Cache-Control"]
        assert headers["Referrer-Policy"] == "no-referrer"


def test_a_head_says_the_same_and_sends_nothing(ota, token):
    got, head = ota.get(PATH, token), ota.ask("HEAD", PATH, token)

    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(got.headers)


@pytest.mark.parametrize(
    ("range_", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=100-199", 100, 199),
        ("bytes=4000-", 4000, len(LAMP) - 1),
        ("bytes=-100", len(LAMP) - 100, len(LAMP) - 1),
        (f"bytes=4000-{len(LAMP)}", 4000, len(LAMP) - 1),
        (f"bytes=-{len(LAMP) * 2}", 0, len(LAMP) - 1),
    ],
)
def test_a_range_is_sent_exactly(ota, token, range_, first, last):
    answer = ota.get(PATH, token, Range=range_)

    assert (answer.status_code, answer.data) == (206, LAMP[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(LAMP)}"
    assert answer.headers["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("range_", [f"bytes={len(LAMP)}-", "bytes=-0", "bytes=99999-100000"])
def test_a_range_out_of_reach_is_416_with_the_size(ota, token, range_):
    answer = ota.get(PATH, token, Range=range_)

    assert (answer.status_code, answer.data) == (416, b"")
    assert answer.headers["Content-Range"] == f"bytes */{len(LAMP)}"


def test_several_ranges_come_as_multipart_with_a_plain_boundary(ota, token):
    answer = ota.get(PATH, token, Range="bytes=0-9,20-29")

    kind, boundary = answer.headers["Content-Type"].split("; boundary=")
    assert (answer.status_code, kind) == (206, "multipart/byteranges")
    assert boundary.isalnum()
    assert answer.data.count(f"--{boundary}".encode()) == 3
    assert LAMP[0:10] in answer.data
    assert LAMP[20:30] in answer.data
    assert answer.headers["Content-Length"] == str(len(answer.data))


@pytest.mark.parametrize(
    "range_", ["bytes=0-5,2-9", ",".join(["bytes=0-1"] + [f"{n}-{n}" for n in range(3, 60, 2)])]
)
def test_overlapping_or_too_many_ranges_get_the_whole(ota, token, range_):
    answer = ota.get(PATH, token, Range=range_)

    assert (answer.status_code, answer.data) == (200, LAMP)


def test_who_has_the_image_is_told_so(ota, token):
    etag = ota.get(PATH, token).headers["ETag"]

    answer = ota.get(PATH, token, If_None_Match=etag)

    assert (answer.status_code, answer.data) == (304, b"")
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_not_known(ota, token, method):
    answer = ota.ask(method, PATH, token)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(("kind", "digest"), [("md5", md5), ("sha256", sha256)])
@pytest.mark.parametrize(("name", "content"), [("lamp-1.4.0.bin", LAMP), ("notes_v7.dat", OPAQUE)])
def test_a_sidecar_begins_with_the_digest(ota, token, kind, digest, name, content):
    answer = ota.get(f"/firmware/lamp/{name}.{kind}", token)

    assert answer.status_code == 200
    assert answer.text.split()[0] == digest(content).hexdigest()
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["nothing.bin.md5", ".md5", "md5", "lamp-1.4.0.bin.sha1"])
def test_there_is_no_sidecar_of_nothing(ota, token, path):
    assert ota.get(f"/firmware/lamp/{path}", token).status_code == 404


def test_a_real_file_comes_before_a_sidecar(ota, token):
    ota.drop_old("lamp", "notes_v7.dat.md5", b"written by hand, and long enough ago\n")
    try:
        answer = ota.get("/firmware/lamp/notes_v7.dat.md5", token)
    finally:
        (ota.firmware / "lamp" / "notes_v7.dat.md5").unlink()

    assert answer.data == b"written by hand, and long enough ago\n"


def test_versions_are_listed_in_their_order(ota, token):
    answer = ota.get("/firmware/lamp/versions", token)

    expected = {"versions": ["1.3.9", "1.4.0", "7"], "count": 3, "latest": "7"}
    assert answer.json == expected
    assert list(answer.json) == list(expected)


def test_the_newest_image_is_described(tmp_path, ota, token):
    (ota.firmware / "lamp" / "notes_v7.dat").rename(tmp_path / "notes_v7.dat")
    ota.clock.pass_seconds(1)
    try:
        newest = ota.get("/firmware/lamp/latest", token, Host="ota.example:8443").json
    finally:
        (tmp_path / "notes_v7.dat").rename(ota.firmware / "lamp" / "notes_v7.dat")
        ota.clock.pass_seconds(3)

    assert newest["project"] == "lamp"
    assert newest["version"] == "1.4.0"
    assert newest["file"] == "lamp-1.4.0.bin"
    assert newest["size"] == len(LAMP)
    assert newest["md5"] == md5(LAMP).hexdigest()
    assert newest["sha256"] == sha256(LAMP).hexdigest()
    assert newest["format"] == "esp-idf-app"
    assert newest["header"]["chip"] == "esp32"
    place = f"/firmware/lamp/sha256-{sha256(LAMP).hexdigest()[:16]}/lamp-1.4.0.bin"
    assert newest["url"] == f"http://ota.example:8443{place}"
    assert ota.get(place, token).data == LAMP


def test_an_immutable_url_serves_these_bytes_or_nothing(ota, token):
    digest = sha256(OLD_LAMP).hexdigest()[:16]

    assert ota.get(f"/firmware/lamp/sha256-{digest}/lamp-1.3.9.bin", token).data == OLD_LAMP
    assert ota.get(f"/firmware/lamp/sha256-{digest}/lamp-1.4.0.bin", token).status_code == 404
    assert ota.get(f"/firmware/lamp/sha256-{'0' * 16}/lamp-1.3.9.bin", token).status_code == 404


@pytest.mark.parametrize("digest", ["sha256-", "sha256-0", "SHA256-" + "0" * 16, "0" * 16])
def test_an_immutable_url_is_spelled_in_one_way(ota, token, digest):
    assert ota.get(f"/firmware/lamp/{digest}/lamp-1.4.0.bin", token).status_code == 404


def test_the_newest_image_is_sought_once_for_a_listing(ota, token, monkeypatch):
    monkeypatch.setattr(ota.ota.collection, "_monotonic", lambda: 1e9)
    first = ota.get("/firmware/lamp/latest", token).json
    monkeypatch.setattr("ota_http_server.operations.describe_project.latest", None)

    assert ota.get("/firmware/lamp/latest", token).json == first


def test_a_project_without_versions_says_so(ota):
    ota.drop_old("bare", "image.dat", OPAQUE)
    token = ota.mint("bare")

    versions = ota.get("/firmware/bare/versions", token)

    assert versions.json == {"versions": [], "count": 0, "latest": None}
    assert ota.get("/firmware/bare/latest", token).status_code == 404


def test_other_folders_and_urls_may_be_chosen(tmp_path):
    with Instance(
        tmp_path, www_dir=tmp_path / "w", firmware_dir="deep/images", url_firmware="fw/ota"
    ) as other:
        other.firmware = tmp_path / "w" / "deep" / "images"
        other.drop("lamp", "lamp.bin", LAMP)

        assert other.get("/fw/ota/lamp/lamp.bin", other.mint("lamp")).data == LAMP
        assert other.get("/firmware/lamp/lamp.bin", other.mint("lamp")).status_code == 404
