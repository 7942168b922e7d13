"""What hawkBit's clients read of a deployment, and how its bytes are sent."""

import hashlib

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.image_facts import ImageFacts
from ota_http_server.domain.mcuboot_sample import mcuboot_image
from ota_http_server.domain.project import Project, UnknownVersion
from ota_http_server.domain.release import ReleaseImage
from ota_http_server.protocols.hawkbit.door import Hawkbit
from ota_http_server.storage.images import Image
from tests.instance import Instance
from tests.protocols.controllers import PROJECT, Target, a_credential, bundle, knows, publish


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as ota:
        publish(ota, "1.0.0")
        yield ota


@pytest.fixture(name="image")
def an_image(ota):
    return publish(ota, "1.1.0")


@pytest.fixture(name="target")
def a_target(ota, image):
    target = knows(Target(ota, token=a_credential(ota)))
    target.offered()
    return target


@pytest.fixture(name="url")
def a_url(target):
    return target.artifact()["_links"]["download"]["href"]


def test_a_deployment_is_one_chunk_with_one_artifact(target, image):
    document = target.deployment()

    (chunk,) = document["deployment"]["chunks"]
    (artifact,) = chunk["artifacts"]
    assert (document["id"], document["deployment"]["update"]) == ("1001", "forced")
    assert document["deployment"]["download"] == "forced"
    assert "maintenanceWindow" not in document["deployment"]
    assert (chunk["part"], chunk["version"], chunk["name"]) == ("os", "1.1.0", PROJECT)
    assert (artifact["filename"], artifact["size"]) == ("gateway-1.1.0.swu", len(image))


def test_all_three_digests_are_there_in_lower_case(target, image):
    assert target.artifact()["hashes"] == {
        "sha1": hashlib.sha1(image).hexdigest(),
        "md5": hashlib.md5(image).hexdigest(),
        "sha256": hashlib.sha256(image).hexdigest(),
    }


def test_both_kinds_of_link_lead_to_the_image(target, image):
    links = {name: link["href"] for name, link in target.artifact()["_links"].items()}

    assert links["download"] == links["download-http"]
    assert target.ask("GET", links["download-http"]).data == image
    assert links["download"].endswith("/softwaremodules/1001/artifacts/gateway-1.1.0.swu")


def test_the_md5_is_a_line_of_text(target, image):
    answer = target.ask("GET", target.artifact()["_links"]["md5sum"]["href"])

    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == f"{hashlib.md5(image).hexdigest()}  gateway-1.1.0.swu\n"


def test_the_artifacts_of_an_action_are_listed(target):
    answer = target.ask("GET", "/softwaremodules/1001/artifacts")

    assert answer.get_json(force=True) == [target.artifact()]


def test_the_whole_image_has_its_headers(target, url, image):
    answer = target.ask("GET", url)

    assert answer.data == image
    assert answer.headers["Content-Length"] == str(len(image))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == f'"{hashlib.sha256(image).hexdigest()}"'
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment;filename=gateway-1.1.0.swu"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Last-Modified" in answer.headers


def test_head_tells_the_size(target, url, image):
    answer = target.ask("HEAD", url)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(image))


@pytest.mark.parametrize(
    ("wanted", "first", "last"), [("100-199", 100, 200), ("500-", 500, None), ("-50", -50, None)]
)
def test_one_range_is_206(target, url, image, wanted, first, last):
    answer = target.ask("GET", url, Range=f"bytes={wanted}")

    assert (answer.status_code, answer.data) == (206, image[first:last])
    assert answer.headers["Content-Range"].endswith(f"/{len(image)}")


def test_several_ranges_are_a_multipart_that_swupdates_delta_handler_reads(target, url, image):
    spans = [(n * 200, n * 200 + 99) for n in range(11)]
    wanted = ",".join(f"{first}-{last}" for first, last in spans)

    answer = target.ask("GET", url, Range=f"bytes={wanted}")

    kind, parameter = answer.headers["Content-Type"].split(" ")
    boundary = parameter.removeprefix("boundary=")
    assert (answer.status_code, kind) == (206, "multipart/byteranges;")
    assert '"' not in boundary and "=" not in boundary
    parts = answer.data.split(b"--" + boundary.encode())[1:-1]
    bodies = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts]
    assert bodies == [image[first : last + 1] for first, last in spans]


def test_behind_the_end_there_is_nothing(target, url, image):
    answer = target.ask("GET", url, Range=f"bytes={len(image)}-")

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(image)}"


def test_a_range_of_another_image_is_the_whole_of_this_one(target, url, image):
    answer = target.ask("GET", url, Range="bytes=10-", If_Range='"another"')

    assert (answer.status_code, answer.data) == (200, image)


def test_if_match_of_another_image_is_412(target, url):
    assert target.ask("GET", url, If_Match='"another"').status_code == 412


def test_an_actions_bytes_stay_whatever_is_published_meanwhile(ota, target, url, image):
    begun = target.ask("GET", url, Range="bytes=0-999").data
    target.reports(1001, "download")
    publish(ota, "1.2.0")
    ota.clock.pass_seconds(60)

    assert target.offered() == 1001
    assert begun + target.ask("GET", url, Range="bytes=1000-").data == image


def test_an_action_that_was_replaced_before_it_began_still_gives_its_own_bytes(
    ota, target, url, image
):
    publish(ota, "1.2.0")
    assert target.offered() != 1001
    ota.clock.pass_seconds(60)

    assert target.ask("GET", url).data == image


@pytest.mark.parametrize("finished", ["success", "failure"])
def test_a_canceled_action_gives_out_nothing(ota, target, url, finished):
    target.cancel()
    target.reports(1001, "closed", "success", place="cancelAction")
    ota.clock.pass_seconds(10)

    assert target.ask("GET", url).status_code == 404


def test_another_target_gets_none_of_it(ota, target, url):
    stranger = Target(ota, "gateway-2", a_credential(ota, "gateway-2"))
    stranger.poll()

    assert stranger.ask("GET", url).status_code == 401
    mine = url.replace(target.device, stranger.device)
    assert stranger.ask("GET", mine).status_code == 404


def test_without_a_credential_there_are_no_bytes(ota, target, url):
    answer = Target(ota).ask("GET", url)

    assert (answer.status_code, answer.data) == (401, b"")


def test_the_ranges_of_an_image_are_one_look_at_the_database(ota, target, url, monkeypatch):
    looks = []
    actions = (
        next(dialect for _, dialect in ota.app.wsgi_app._dialects if isinstance(dialect, Hawkbit))
        ._routes[("softwaremodules", "#", "artifacts", "*")]["GET"]
        .__self__._actions
    )
    find = actions.find
    monkeypatch.setattr(actions, "find", lambda *asked: looks.append(asked) or find(*asked))

    for first in range(0, 4000, 100):
        target.ask("GET", url, Range=f"bytes={first}-{first + 99}")

    assert len(looks) <= 1


def test_what_is_no_file_of_the_action_is_not_found(target):
    for name in ("gateway-1.0.0.swu", "..%2f..%2fsecret", "x.MD5SUM", ".MD5SUM"):
        answer = target.ask("GET", f"/softwaremodules/1001/artifacts/{name}")
        assert answer.status_code == 404, name


def test_a_name_that_would_make_the_path_too_long_for_zephyr_is_a_short_one(ota):
    name = f"gateway-{'x' * 90}-1.1.0.swu"
    image = bundle("1.1.0", seed=7)
    ota.drop_old(PROJECT, name, image)
    device = "b" * 64
    target = knows(Target(ota, device, a_credential(ota, device)))

    artifact = target.artifact()

    path = artifact["_links"]["download-http"]["href"].removeprefix("http://localhost")
    assert len(path) <= 199
    assert artifact["filename"] == hashlib.sha256(image).hexdigest()[:16] + ".swu"
    assert target.ask("GET", path.removeprefix(target.path)).data == image
    md5 = target.ask("GET", path.removeprefix(target.path) + ".MD5SUM")
    assert md5.text.startswith(hashlib.md5(image).hexdigest())


def test_what_swupdates_delta_handler_reads_goes_with_its_bundle(ota):
    image = publish(ota, "1.1.0")
    target = knows(Target(ota, token=a_credential(ota)))
    target.offered()
    for name in ("gateway-1.1.0.zck", "notes-1.1.0.txt"):
        add_to_release(ota, "1.1.0", name, name.encode())
    ota.clock.pass_seconds(10)

    (chunk,) = target.deployment()["deployment"]["chunks"]

    names = [artifact["filename"] for artifact in chunk["artifacts"]]
    assert names == ["gateway-1.1.0.swu", "gateway-1.1.0.zck"]
    urls = [artifact["_links"]["download"]["href"] for artifact in chunk["artifacts"]]
    assert [target.ask("GET", url).data for url in urls] == [image, b"gateway-1.1.0.zck"]


def add_to_release(ota, version, name, content):
    """As it is published with a part that somebody declared."""
    with ota.ota.blobs.receiving(1000) as partial:
        partial.write(content)
        blob = ota.ota.blobs.keep(partial)
    facts = ImageFacts(format="opaque")
    row = Image.of(facts, sha256=blob.sha256, size=blob.size, md5=blob.md5, sha1=blob.sha1)
    image = ReleaseImage(name=name, sha256=blob.sha256, size=blob.size, part="patch")

    def added(tx):
        tx.images.add(row, tx.second)
        tx.releases.add_image(tx.releases.get(PROJECT, version).number, image, tx.second)

    ota.ota.stores.database.change(added)


def test_an_image_for_mcuboot_is_zephyrs_part(ota):
    image = mcuboot_image(version="2.0.0")
    ota.drop_old("sensor", "sensor-2.0.0.bin", image)
    project = Project(name="sensor", unknown_version=UnknownVersion.OFFER, edition=1)
    ota.ota.stores.database.change(lambda tx: tx.projects.put(project))
    ota.ota.news.refresh()
    target = Target(ota, "board-1", a_credential(ota, "board-1", "sensor"))

    (chunk,) = target.deployment()["deployment"]["chunks"]

    assert chunk["part"] == "bApp"
    assert chunk["artifacts"][0]["hashes"]["sha256"] == hashlib.sha256(image).hexdigest()


def test_a_bundle_for_other_hardware_is_not_offered(ota):
    other = {"version": "1.0.0", "hw_boardname": "gateway", "hw_revision": "2.0"}
    publish(ota, "1.1.0")
    target = Target(ota, token=a_credential(ota))
    target.says(**other)
    assert "deploymentBase" not in target.links()

    target.says(**other | {"hw_revision": "1.0"})

    assert target.row.board == "gateway 1.0"
    assert "deploymentBase" in target.links()


def test_a_delta_patch_is_no_ones_deployment(ota):
    """ESP-IDF's patches fit one running image; no client of hawkBit's applies them."""
    patch = bytes.fromhex("10decdfc") + bytes(range(32)) + bytes(28) + b"\x04" + bytes(100)
    base = esp_application(version="1.0.0", project="lamp", payload_bytes=1024)
    ota.drop_old("lamp", "lamp-1.0.0.bin", base)
    ota.drop_old("lamp", "lamp-1.1.0.bin", patch)
    target = Target(ota, "lamp-1", a_credential(ota, "lamp-1", "lamp"))
    target.says(version="1.0.0", chip="esp32")

    assert "deploymentBase" not in target.links()
