"""Releases and images over the admin API: drafted, filled, published, withdrawn."""

import hashlib
import tracemalloc

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.release import IMAGES_MAX
from tests.api.calling import Api
from tests.instance import Instance


def lamp(version="1.4.0", **more):
    return esp_application(version=version, project="lamp", **more)


RELEASE = "/projects/lamp/releases/1.4.0"
IMAGE = f"{RELEASE}/images/lamp.bin"


def send(api, content, path=IMAGE, **headers):
    return api.ask("PUT", path, data=content, **headers)


def publish(api, version="1.4.0", content=None):
    path = f"/projects/lamp/releases/{version}"
    answer = send(api, content or lamp(version), f"{path}/images/lamp-{version}.bin")
    assert answer.status_code == 200, answer.data
    answer = api.post(f"{path}/publish")
    assert answer.status_code == 200, answer.data
    return answer.json


def test_a_release_goes_from_draft_to_devices(api):
    ci = api.as_key("publisher", "lamp")
    draft = ci.put(RELEASE, {"channel": "stable", "notes": "Warmer light.", "security": True})
    image = send(ci, lamp())
    published = ci.post(f"{RELEASE}/publish")

    assert (draft.status_code, draft.json["state"]) == (201, "draft")
    assert (image.status_code, image.json["state"]) == (200, "draft")
    assert (published.status_code, published.json["state"]) == (200, "published")
    assert published.json["notes"] == "Warmer light."
    assert published.json["images"][0]["sha256"] == hashlib.sha256(lamp()).hexdigest()
    token = api.ota.mint("lamp")
    assert api.ota.get("/firmware/lamp/lamp.bin", token).data == lamp()


def test_a_draft_is_made_by_its_first_image_and_named_by_it(api):
    answer = send(api, lamp(), "/projects/lamp/images/lamp.bin")

    assert (answer.status_code, answer.json["version"]) == (200, "1.4.0")
    assert answer.headers["Location"] == f"/api/v1{RELEASE}"
    assert api.get(answer.headers["Location"]).json == answer.json


def test_drafting_again_changes_only_what_is_said(api):
    assert api.put(RELEASE, {"notes": "a", "channel": "beta"}).status_code == 201

    again = api.put(RELEASE, {"notes": "b"})

    assert (again.status_code, again.json["channel"], again.json["notes"]) == (200, "beta", "b")
    assert api.put(RELEASE).json == again.json
    assert api.patch(RELEASE, {"channel": "Stable"}).json["channel"] == "stable"


def test_only_a_release_that_is_there_is_patched(api):
    assert api.patch(RELEASE, {"notes": "a"}).status_code == 404
    assert api.get(RELEASE).status_code == 404


def test_what_is_published_never_changes(api):
    before = publish(api)

    assert api.put(RELEASE, {"notes": ""}).status_code == 200
    assert api.put(RELEASE, {"notes": "other"}).status_code == 409
    assert api.delete(RELEASE).status_code == 409
    assert send(api, lamp(), f"{RELEASE}/images/more.bin").status_code == 409
    assert send(api, lamp(seed=3), f"{RELEASE}/images/lamp-1.4.0.bin").status_code == 409
    assert send(api, lamp(), f"{RELEASE}/images/lamp-1.4.0.bin").status_code == 200
    assert api.post(f"{RELEASE}/publish").status_code == 200
    assert api.get(RELEASE).json == before


def test_to_whom_a_release_goes_may_change_and_its_images_stay(api):
    before = publish(api)

    after = api.patch(RELEASE, {"channel": "beta", "notes": "for the desk"}).json

    assert (after["channel"], after["notes"]) == ("beta", "for the desk")
    assert after["images"] == before["images"]


def test_a_version_is_found_however_it_is_spelt(api):
    publish(api)

    assert api.get("/projects/lamp/releases/v01.4").json["version"] == "1.4.0"


def test_a_withdrawn_release_may_be_restored(api):
    publish(api)

    without = api.post(f"{RELEASE}/withdraw", {})
    withdrawn = api.post(f"{RELEASE}/withdraw", {"reason": "it flickers"})
    again = api.post(f"{RELEASE}/publish")
    restored = api.post(f"{RELEASE}/restore", {"reason": "it was the bulb"})

    assert (without.status_code, again.status_code) == (400, 409)
    assert (withdrawn.json["state"], withdrawn.json["withdrawn_by"]) == (
        "withdrawn",
        "shared-secret",
    )
    assert (restored.json["state"], restored.json["withdrawn_at"]) == ("published", None)
    reasons = [event["facts"].get("reason") for event in api.walk("/events", project="lamp")]
    assert {"it flickers", "it was the bulb"} <= set(reasons)


def test_a_publisher_does_not_withdraw(api):
    publish(api)
    ci = api.as_key("publisher", "lamp")

    assert ci.post(f"{RELEASE}/withdraw", {"reason": "x"}).status_code == 403


def test_a_draft_is_removed(api):
    send(api, lamp())

    assert api.delete(RELEASE, If_Match='"9"').status_code == 412
    assert api.delete(RELEASE).status_code == 204
    assert api.get(RELEASE).status_code == 404


@pytest.mark.parametrize("verb", ["publish", "withdraw", "restore"])
def test_an_edition_that_is_no_longer_there_is_refused(api, verb):
    send(api, lamp())
    said = {} if verb == "publish" else {"reason": "x"}

    assert api.post(f"{RELEASE}/{verb}", said, If_Match='"1"').status_code == 412
    assert api.patch(RELEASE, {"notes": "x"}, If_Match='"1"').status_code == 412
    assert api.put(RELEASE, {"notes": "x"}, If_Match='"1"').status_code == 412
    assert api.get(RELEASE).json["state"] == "draft"


def test_a_new_draft_has_no_edition_to_match(api):
    assert api.put(RELEASE, {}, If_Match='"1"').status_code == 412
    assert api.get(RELEASE).status_code == 404


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (lamp()[:-1], 422),
        (lamp("9.9.9"), 422),
        (esp_application(version="1.4.0", project="fan"), 422),
        (b"\x7fELF" + bytes(200), 422),
        (b"<!DOCTYPE html><html></html>", 422),
        (b"", 400),
    ],
)
def test_what_would_brick_a_device_is_refused_in_words_and_leaves_nothing(api, content, status):
    publish(api, "1.3.0")

    answer = send(api, content)

    assert answer.status_code == status, answer.data
    assert len(answer.json["detail"]) > 20
    assert api.post(f"{RELEASE}/publish").status_code == 404


def test_a_check_is_overruled_with_a_reason_that_is_kept(api):
    publish(api, "1.3.0")
    content = esp_application(version="1.4.0", project="fan")
    assert send(api, content).status_code == 422

    answer = send(api, content, f"{IMAGE}?force=the+same+board")

    assert (answer.status_code, answer.json["forced"]) == (200, "the same board")
    assert api.post(f"{RELEASE}/publish").status_code == 200


def test_what_is_declared_of_an_image_is_kept(api):
    query = "part=filesystem&chip=ESP32-C3&hardware=rev%20a,rev%20b"

    answer = send(api, b"littlefs?" * 100, f"{IMAGE}?{query}")

    (image,) = answer.json["images"]
    assert (image["part"], image["chip"]) == ("filesystem", "esp32c3")
    assert image["hardware"] == ["rev a", "rev b"]
    told = api.get(IMAGE).json
    assert {name: told[name] for name in image} == image
    assert api.get(f"{RELEASE}/images/other.bin").status_code == 404


def test_the_header_of_an_image_is_told(api):
    send(api, lamp())

    assert api.get(IMAGE).json["header"]["project_name"] == "lamp"


@pytest.mark.parametrize(
    "query",
    ["part=engine", "chip=no%20chip!", "sha256=abc", "force=", f"sha256={'0' * 64}", "version=2"],
)
def test_a_declaration_that_makes_no_sense_is_refused(api, query):
    assert send(api, lamp(), f"{IMAGE}?{query}").status_code == 400
    assert list(api.ota.ota.blobs.names()) == []


@pytest.mark.parametrize("name", ["latest.bin", ".hidden", "a%20b", "x.part", "a" * 129])
def test_a_name_that_no_image_can_have_is_refused(api, name):
    assert send(api, lamp(), f"{RELEASE}/images/{name}").status_code == 400


def stream(api, body, length=None, **environ):
    """A PUT whose body is read from this object."""
    environ = {"wsgi.input": body, "wsgi.input_terminated": True, **environ}
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    return api.ota.client.open(
        f"/api/v1{IMAGE}",
        method="PUT",
        headers=api.headers,
        environ_overrides=environ,
        buffered=True,
    )


def test_an_image_says_its_length_first_and_comes_as_it_is(api):
    chunked = stream(api, Pieces([lamp()]), HTTP_TRANSFER_ENCODING="chunked")

    assert (chunked.status_code, chunked.json["code"]) == (400, "invalid")
    assert send(api, lamp(), Content_Encoding="gzip").status_code == 415
    assert list(api.ota.ota.blobs.names()) == []


@pytest.mark.parametrize("ending", [b"", ConnectionResetError()])
def test_a_body_that_breaks_off_leaves_nothing(api, ending):
    answer = stream(api, Pieces([lamp()[:1_000], ending]), len(lamp()))

    assert answer.status_code == 400, answer.data
    assert "1,000" in answer.json["detail"]
    assert list(api.ota.ota.blobs.names()) == []
    assert api.get(RELEASE).status_code == 404


def test_an_image_beyond_the_limit_is_refused_before_it_is_read(tmp_path, api):
    body = Pieces([])
    with Instance(tmp_path / "small", image_bytes_max=1_000) as ota:
        answer = stream(Api(ota), body, 1_001)

    assert answer.status_code == 413
    assert body.reads == 0


def test_who_may_not_publish_sends_nothing(api):
    body = Pieces([])

    assert stream(api.as_key("viewer"), body, 1_000).status_code == 403
    assert stream(api.nobody(), body, 1_000).status_code == 401
    assert body.reads == 0


def test_an_image_is_never_held_whole(api):
    """It is asked for in blocks, and what was read is written before more is asked for."""
    content = lamp(payload_bytes=3_000_000)
    body = Pieces([content[at : at + 65_536] for at in range(0, len(content), 65_536)])

    tracemalloc.start()
    answer = stream(api, body, len(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert answer.status_code == 200, answer.data
    assert body.largest <= 256 * 1024
    assert peak < 2_500_000


class Pieces:
    """A body that comes piece by piece; an exception in place of one is raised."""

    def __init__(self, pieces):
        self._pieces = list(pieces)
        self.reads = self.largest = 0

    def read(self, size=-1):
        self.reads += 1
        self.largest = max(self.largest, size if size >= 0 else 2**40)
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        if 0 <= size < len(piece):
            self._pieces.insert(0, piece[size:])
            piece = piece[:size]
        return piece


def test_releases_are_listed_newest_first_and_by_what_they_are(api):
    for version in ("1.10.0", "1.2.0", "2.0.0-beta.1"):
        publish(api, version)
    api.put("/projects/lamp/releases/2.0.0", {"channel": "beta", "security": True})
    api.post("/projects/lamp/releases/1.2.0/withdraw", {"reason": "x"})

    def found(**query):
        return [r["version"] for r in api.walk("/projects/lamp/releases", limit=1, **query)]

    assert found() == ["2.0.0", "2.0.0-beta.1", "1.10.0", "1.2.0"]
    assert found(state="published") == ["2.0.0-beta.1", "1.10.0"]
    assert found(state="withdrawn") == ["1.2.0"]
    assert found(channel="beta") == found(security="true") == ["2.0.0"]


def test_a_page_goes_on_where_it_was_even_if_that_release_is_gone(api):
    for version in ("1.0", "2.0", "3.0"):
        api.put(f"/projects/lamp/releases/{version}", {})
    first = api.get("/projects/lamp/releases?limit=2").json
    api.delete("/projects/lamp/releases/2.0")

    second = api.get(f"/projects/lamp/releases?after={first['next']}").json

    assert [r["version"] for r in first["items"]] == ["3.0", "2.0"]
    assert [r["version"] for r in second["items"]] == ["1.0"]


def test_a_dropped_file_is_a_release_here_too(api):
    api.ota.drop("lamp", "lamp-1.4.0.bin", lamp())

    answer = api.get(RELEASE)

    assert (answer.json["state"], answer.json["origin"]) == ("published", "folder")


def test_a_project_that_nobody_speaks_of_has_no_releases(api):
    assert api.get("/projects/never/releases").status_code == 404


@pytest.mark.parametrize("cursor", ["x", "5", ":1.0", "5:", "5:a b", "-1:1.0"])
def test_a_cursor_that_is_none_is_refused(api, cursor):
    api.put(RELEASE, {})

    assert api.get(f"/projects/lamp/releases?after={cursor}").status_code == 400


def test_a_release_has_so_many_images_and_no_more(api):
    for number in range(IMAGES_MAX):
        name = f"{RELEASE}/images/part-{number}.bin?part=filesystem"
        assert send(api, b"%d" % number * 50, name).status_code == 200
    assert send(api, b"more" * 50, f"{RELEASE}/images/more.bin").status_code == 400
