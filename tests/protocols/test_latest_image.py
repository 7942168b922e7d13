"""`latest.bin` for clients that know one URL: the newest image that fits, in pieces of one."""

from dataclasses import replace
from hashlib import md5, sha256
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import State
from ota_http_server.operations.registry import read
from ota_http_server.storage.credentials import Kind
from tests.instance import Instance
from tests.protocols.lamps import BOARD, PROJECT, a_credential, drop, lamp, publish

LATEST = "/firmware/lamp/latest.bin"


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        yield instance


@pytest.fixture(name="token")
def a_token(ota):
    return a_credential(ota)


@pytest.fixture(scope="module", name="shared")
def a_shared_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("shared")) as instance:
        drop(instance, "1.1.0")
        instance.clock.pass_seconds(10)
        yield instance, a_credential(instance)


def know(ota, device=BOARD, **facts):
    """Somebody wrote it down."""
    known = Device(id=device, **{"project": PROJECT} | facts)
    ota.ota.stores.database.change(lambda tx: tx.devices.add(known))
    ota.clock.pass_seconds(2)


def location(answer):
    assert answer.status_code == 302, answer.data
    assert answer.headers["Location"].startswith("http://localhost/")
    return urlsplit(answer.headers["Location"]).path


def reason(answer):
    assert answer.status_code in (403, 404, 409), answer.data
    return answer.json["detail"].partition(":")[0]


def test_a_plain_get_has_the_newest_image_at_once(ota, token):
    drop(ota, "1.0.0")
    image = drop(ota, "1.1.0")

    answer = ota.get(LATEST, token)

    assert (answer.status_code, answer.data) == (200, image)
    assert answer.headers["x-MD5"] == md5(image).hexdigest()
    assert answer.headers["ETag"] == f'"{sha256(image).hexdigest()}"'


def test_who_has_it_is_told_so(ota, token):
    image = drop(ota, "1.1.0")
    etag = f'"{sha256(image).hexdigest()}"'

    same = [ota.ask(m, LATEST, token, If_None_Match=etag) for m in ("GET", "HEAD")]
    drop(ota, "1.2.0")

    assert [answer.status_code for answer in same] == [304, 304]
    assert ota.get(LATEST, token, If_None_Match=etag).status_code == 200


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"Range": "bytes=0-99"}),
        ("GET", {"Range": "bytes=100-"}),
        ("HEAD", {"Range": "bytes=0-"}),
    ],
)
def test_head_and_ranges_are_sent_to_the_images_own_url(ota, token, method, headers):
    image = drop(ota, "1.1.0")
    ota.clock.pass_seconds(10)

    path = location(ota.ask(method, LATEST, token, **headers))

    assert path == f"/firmware/lamp/sha256-{sha256(image).hexdigest()[:16]}/lamp-1.1.0.bin"
    assert ota.get(path, token, Range="bytes=0-99").data == image[:100]


@pytest.mark.parametrize("way", ["query", "path"])
def test_who_showed_no_header_is_sent_there_with_a_ticket(ota, token, way):
    image = drop(ota, "1.1.0")
    asked = {"query": f"{LATEST}?token={token}", "path": f"/firmware/lamp/{token}/latest.bin"}[way]

    path = location(ota.ask("HEAD", asked))

    assert token not in path
    assert ota.get(path, Range="bytes=10-19").data == image[10:20]


def test_pieces_are_pieces_of_one_image_whatever_is_published_meanwhile(ota, token):
    old = drop(ota, "1.0.0")
    begun = ota.get(LATEST, token)
    ota.settle()
    new = drop(ota, "1.1.0")

    rest = ota.get(location(ota.get(LATEST, token, Range="bytes=500-")), token, Range="bytes=500-")
    by_head = location(ota.ask("HEAD", LATEST, token))
    stranger = location(ota.ask("HEAD", LATEST, a_credential(ota, "another")))

    assert begun.data[:500] + rest.data == old
    assert "lamp-1.0.0.bin" in by_head
    assert "lamp-1.1.0.bin" in stranger
    assert ota.get(LATEST, token).data == new


@pytest.mark.parametrize("begins", [("HEAD", {}), ("GET", {"Range": "bytes=0-99"})])
def test_a_redirect_begins_an_image_too(ota, token, begins):
    drop(ota, "1.0.0")
    method, headers = begins
    ota.ask(method, LATEST, token, **headers)
    ota.settle()
    drop(ota, "1.1.0")

    assert "lamp-1.0.0.bin" in location(ota.get(LATEST, token, Range="bytes=100-199"))


def test_from_the_first_byte_on_it_is_the_new_one(ota, token):
    drop(ota, "1.0.0")
    ota.get(LATEST, token)
    drop(ota, "1.1.0")

    assert "lamp-1.1.0.bin" in location(ota.get(LATEST, token, Range="bytes=0-"))
    assert "lamp-1.1.0.bin" in location(ota.get(LATEST, token, Range="bytes=100-"))


def test_after_an_hour_nobody_goes_on(ota, token):
    drop(ota, "1.0.0")
    ota.get(LATEST, token)
    drop(ota, "1.1.0")
    ota.clock.pass_seconds(3_601)

    assert "lamp-1.1.0.bin" in location(ota.ask("HEAD", LATEST, token))


def test_another_instance_knows_what_was_begun(ota, token):
    drop(ota, "1.0.0")
    ota.get(LATEST, token)
    ota.settle()
    drop(ota, "1.1.0")

    with Instance(ota.folder, ota.clock) as other:
        assert "lamp-1.0.0.bin" in location(other.get(LATEST, token, Range="bytes=100-"))
        other.get(LATEST, token)

    assert "lamp-1.1.0.bin" in location(ota.get(LATEST, token, Range="bytes=100-"))


def test_a_moment_after_a_release_nobody_guesses_what_a_board_is_in_the_middle_of(ota, token):
    drop(ota, "1.0.0")
    ota.clock.pass_seconds(10)
    drop(ota, "1.1.0")

    assert ota.get(LATEST, token, Range="bytes=100-").status_code == 503
    assert ota.ask("HEAD", LATEST, token).status_code == 302
    ota.clock.pass_seconds(10)
    stranger = a_credential(ota, "another")
    assert "lamp-1.1.0.bin" in location(ota.get(LATEST, stranger, Range="bytes=100-"))


def test_who_began_what_was_withdrawn_begins_anew(ota, token):
    drop(ota, "1.0.0")
    publish(ota, "1.1.0", ("new.bin", lamp("1.1.0")))
    ota.get(LATEST, token)

    def withdraw(tx):
        tx.releases.change(replace(tx.releases.get("lamp", "1.1.0"), state=State.WITHDRAWN))

    ota.ota.stores.database.change(withdraw)
    ota.clock.pass_seconds(10)

    assert ota.get(LATEST, token, Range="bytes=100-").status_code == 416
    assert "lamp-1.0.0.bin" in location(ota.ask("HEAD", LATEST, token))


def test_where_releases_are_for_different_chips_the_board_must_say_its_own(ota, token):
    images = {
        chip: drop(ota, "1.1.0", f"lamp-1.1.0-{chip}.bin", chip=chip) for chip in ("esp32s3",)
    }
    images["esp32"] = drop(ota, "1.1.0", "lamp-1.1.0-esp32.bin")

    refused = ota.get(LATEST, token)
    said = {chip: ota.get(f"{LATEST}?chip={chip}", token).data for chip in images}

    assert reason(refused) == "unknown-chip"
    assert "?chip=" in refused.json["detail"]
    assert refused.status_code == 409
    assert said == images


def test_the_registry_may_say_it_for_the_board(ota, token):
    drop(ota, "1.1.0", "lamp-1.1.0-esp32.bin")
    image = drop(ota, "1.1.0", "lamp-1.1.0-esp32s3.bin", chip="esp32s3")
    know(ota, chip="esp32s3")

    assert ota.get(LATEST, token).data == image


def test_of_several_the_newest_for_its_chip_counts(ota, token):
    image = drop(ota, "1.1.0", "lamp-1.1.0.bin")
    drop(ota, "1.2.0", "lamp-1.2.0.bin", chip="esp32s3")

    assert ota.get(f"{LATEST}?chip=esp32", token).data == image


@pytest.mark.parametrize(
    ("facts", "why", "status"),
    [
        ({"blocked": True}, "blocked", 403),
        ({"pinned": "9.9"}, "pin-missing", 404),
        ({"free_bytes": 1_000}, "too-big", 409),
        ({"chip": "esp32c3"}, "wrong-chip", 409),
        ({"version": "2.0.0", "version_from": VersionFrom.DEVICE}, "not-newer", 409),
    ],
)
def test_what_would_not_be_offered_is_not_given(ota, token, facts, why, status):
    drop(ota, "1.1.0")
    know(ota, **facts)

    answer = ota.get(LATEST, token)

    assert (reason(answer), answer.status_code) == (why, status)


def test_of_a_device_of_another_project_the_hardware_counts_alone(ota, token):
    drop(ota, "1.1.0", "lamp-1.1.0-s3.bin", chip="esp32s3")
    image = drop(ota, "1.0.0")
    know(ota, project="fan", chip="esp32", version="7.0", pinned="8.0")

    assert ota.get(LATEST, token).data == image


def test_channel_and_pin_of_the_device_count(ota, token):
    stable = drop(ota, "1.0.0")
    publish(ota, "2.0.0", ("beta.bin", lamp("2.0.0")), channel="beta")
    know(ota, "tester", channel="beta")
    know(ota, "pinned", pinned="2.0.0")

    assert ota.get(LATEST, token).data == stable
    assert ota.get(LATEST, a_credential(ota, "tester")).data == lamp("2.0.0")
    assert ota.get(LATEST, a_credential(ota, "pinned")).data == lamp("2.0.0")


def test_what_it_runs_already_is_the_newest_for_it(ota, token):
    image = drop(ota, "1.1.0")
    know(ota, version="1.1.0", version_from=VersionFrom.DEVICE, chip="esp32")

    assert ota.get(LATEST, token).data == image


def test_a_revision_that_is_not_known_holds_it(ota, token):
    image = drop(ota, "1.1.0", min_chip_revision=300)

    assert reason(ota.get(LATEST, token)) == "unknown-revision"
    assert reason(ota.get(f"{LATEST}?revision=299", token)) == "wrong-revision"
    assert ota.get(f"{LATEST}?revision=300", token).data == image


def test_there_may_be_nothing(ota, token):
    (ota.firmware / "lamp").mkdir()

    assert reason(ota.get(LATEST, token)) == "no-release"
    assert ota.get("/firmware/fan/latest.bin", token).status_code == 404
    assert ota.get(LATEST).status_code == 401


def test_a_file_that_really_has_this_name_comes_first(ota, token):
    drop(ota, "1.1.0")
    ota.drop_old("lamp", "latest.bin", b"somebody's own")

    assert ota.get(LATEST, token).data == b"somebody's own"
    assert ota.get(f"{LATEST}.md5", token).data.startswith(
        md5(b"somebody's own").hexdigest().encode()
    )
    assert ota.get(LATEST, token, Range="bytes=2-5").data == b"mebo"


def test_its_digests_are_there_beside_it(ota, token):
    image = drop(ota, "1.1.0")

    said = {kind: ota.get(f"{LATEST}.{kind}", token).data.decode() for kind in ("md5", "sha256")}

    assert said == {
        "md5": f"{md5(image).hexdigest()}  latest.bin\n",
        "sha256": f"{sha256(image).hexdigest()}  latest.bin\n",
    }


def test_files_of_releases_that_came_by_no_folder_have_digests_too(ota, token):
    image = lamp("1.1.0")
    publish(ota, "1.1.0", ("lamp.bin", image))

    answers = [ota.get(f"/firmware/lamp/lamp.bin{kind}", token) for kind in ("", ".md5", ".sha256")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[1].data.startswith(md5(image).hexdigest().encode())
    assert answers[2].data.startswith(sha256(image).hexdigest().encode())


def test_filesystems_and_patches_are_nobodys_newest_image(ota, token):
    image = drop(ota, "1.1.0")
    ota.drop_old(
        "lamp", "lamp-1.2.0-littlefs.bin", b"\x01\0\0\0\xf0\x0f\xff\xf7littlefs" + bytes(99)
    )

    assert ota.get(LATEST, token).data == image


@pytest.mark.parametrize("name", ["latest-minimal.bin", "latest-safeboot.bin", "latest.bin.gz"])
def test_tasmotas_variants_of_it_are_not_there(ota, token, name):
    drop(ota, "1.1.0")

    assert ota.get(f"/firmware/lamp/{token}/{name}").status_code == 404


def test_a_download_is_no_check_in(ota, token):
    drop(ota, "1.1.0")

    ota.get(LATEST, token)

    with ota.ota.stores.database.reading() as rows:
        assert read(rows, BOARD) is None


def test_a_gateway_gets_what_fits_everybody(ota):
    image = drop(ota, "1.1.0")

    assert ota.get(LATEST, a_credential(ota, kind=Kind.GATEWAY)).data == image


def test_with_tokens_off_everybody_gets_it(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        image = drop(ota, "1.1.0")

        path = location(ota.ask("HEAD", LATEST))

        assert ota.get(LATEST).data == image
        assert path == f"/firmware/lamp/sha256-{sha256(image).hexdigest()[:16]}/lamp-1.1.0.bin"


def test_with_tokens_off_a_board_may_say_who_it_is(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        drop(ota, "1.1.0")
        know(ota, blocked=True)

        assert reason(ota.get(f"{LATEST}?device={BOARD}")) == "blocked"
        assert location(ota.ask("HEAD", f"{LATEST}?device=sensor")).endswith("lamp-1.1.0.bin")


def test_a_project_may_say_the_chip_for_all_its_boards(ota, token):
    drop(ota, "1.0.0", "lamp-1.0.0-c3.bin", chip="esp32c3")
    ota.ota.stores.database.change(
        lambda tx: tx.projects.put(Project(name="lamp", chip="esp32", edition=1))
    )
    image = drop(ota, "1.1.0")

    assert ota.get(LATEST, token).data == image


PRINTED = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)


@given(
    method=st.sampled_from(("GET", "HEAD")),
    range_said=st.none() | PRINTED.map(lambda text: f"bytes={text}"),
    condition=st.none() | PRINTED,
    query=PRINTED.map(lambda text: text.replace("#", "").replace("token", "")),
)
def test_whatever_is_asked_of_it_the_answer_is_one(shared, method, range_said, condition, query):
    ota, token = shared
    said = {"Range": range_said, "If_None_Match": condition}
    headers = {name: value for name, value in said.items() if value is not None}

    answer = ota.ask(method, f"{LATEST}?{query}", token, **headers)

    assert answer.status_code in (200, 302, 304, 400, 409)
