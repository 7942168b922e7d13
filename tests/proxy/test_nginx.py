import hashlib
import tempfile
from pathlib import Path

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.asking import ask
from tests.proxy.cluster import Cluster
from tests.proxy.nginx import Nginx
from tests.running import wait_until

pytestmark = pytest.mark.needs("nginx")

IMAGE = esp_application(payload_bytes=300_000)


BY_NGINX = ("--transfer", "x-accel-redirect", "--transfer-group", "www-data")


@pytest.fixture(name="nginx", scope="module", params=["direct", "x-accel-redirect"])
def running_nginx(request, tmp_path_factory):
    """In front of instances that send images themselves, and of those that leave it to nginx."""
    options = () if request.param == "direct" else BY_NGINX
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder), *options) as cluster,
        Nginx(tmp_path_factory.mktemp("nginx"), cluster) as running,
    ):
        # The way to the blobs, for a proxy that runs as somebody else (docs/how-to/nginx.md).
        for place in (cluster.folder, cluster.any.data_dir):
            place.chmod(0o711)
        yield running


@pytest.fixture(name="image")
def published_image(nginx, project):
    return nginx.cluster.publish(project, "lamp-1.0.0.bin", IMAGE)


def test_an_image_arrives_whole_with_its_headers(nginx, image):
    answer = nginx.get(*image, Accept_Encoding="gzip")

    direct = nginx.cluster.any.ask("HEAD", *image)
    assert (answer.status, answer.body) == (200, IMAGE)
    assert answer.headers.get_all("Content-Length") == [str(len(IMAGE))]
    assert answer.headers.get_all("ETag") == [f'"{hashlib.sha256(IMAGE).hexdigest()}"']
    assert answer.headers.get_all("x-MD5") == [hashlib.md5(IMAGE).hexdigest()]
    for name in ("Last-Modified", "x-SHA256", "Content-Type", "Cache-Control", "Accept-Ranges"):
        assert answer.headers.get_all(name) == direct.headers.get_all(name), name
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Accel-Redirect"] is None


def test_ranges_join_to_the_image(nginx, image):
    connection = nginx.connect()
    step = 70_000

    parts = [
        ask(connection, "GET", *image, Range=f"bytes={start}-{start + step - 1}")
        for start in range(0, len(IMAGE), step)
    ]

    assert {part.status for part in parts} == {206}
    assert b"".join(part.body for part in parts) == IMAGE


def test_head_conditions_and_bad_ranges_pass_unchanged(nginx, image):
    head = nginx.ask("HEAD", *image)
    etag, modified = head.headers["ETag"], head.headers["Last-Modified"]

    unchanged = nginx.get(*image, If_None_Match=etag)
    changed = nginx.get(*image, If_None_Match='"another"')
    not_since = nginx.get(*image, If_Modified_Since=modified)
    other = nginx.get(*image, If_Match='"another"')
    beyond = nginx.get(*image, Range=f"bytes={len(IMAGE)}-")

    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(IMAGE)))
    assert (unchanged.status, not_since.status, other.status) == (304, 304, 412)
    assert (changed.status, changed.body) == (200, IMAGE)
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(IMAGE)}")


def test_a_condition_that_holds_gives_the_image(nginx, image):
    head = nginx.ask("HEAD", *image)

    same = nginx.get(*image, If_Match=head.headers["ETag"])
    still = nginx.get(*image, If_Unmodified_Since=head.headers["Last-Modified"])

    assert (same.status, same.body == IMAGE) == (200, True)
    assert (still.status, still.body == IMAGE) == (200, True)


def test_a_replaced_file_is_sent_new(nginx, image, project):
    path, token = image
    newer = esp_application(payload_bytes=200_000, version="2.0.0")
    assert nginx.get(path, token).body == IMAGE

    nginx.cluster.any.drop(project, "lamp-1.0.0.bin", newer)

    wait_until(lambda: nginx.get(path, token).body == newer)
    assert nginx.get(path, token).headers["ETag"] == f'"{hashlib.sha256(newer).hexdigest()}"'


def test_a_revoked_token_is_refused_on_an_open_connection(nginx, image):
    path, token = image
    connection = nginx.connect()
    assert ask(connection, "GET", path, token).status == 200

    nginx.revoke(token=token)

    wait_until(lambda: ask(connection, "GET", path, token).status == 401, seconds=2)


def test_nobody_asks_for_a_blob_by_its_place(nginx, image):
    digest = hashlib.sha256(IMAGE).hexdigest()

    assert nginx.get(f"/_blobs/{digest[:2]}/{digest}").status == 404
    assert nginx.get(f"/_blobs/{digest[:2]}/{digest}", image[1]).status == 404
    assert nginx.get("/_blobs/../secrets/jwt").status in (400, 404)


def test_the_real_address_and_name_reach_the_instances(nginx, project):
    nginx.cluster.publish(project, "lamp-1.0.0.bin", IMAGE)
    forged = {
        "X_Forwarded_For": "203.0.113.9",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "http",
    }
    wish = f'{{"device_id": "0f9d1f2c-76a0-4b2e-9f6b-3a8a3f9d2c11", "project": "{project}"}}'
    fields = {"X_Admin_Secret": nginx.admin_secret, "Content_Type": "application/json"} | forged

    answer = ask(
        nginx.connect("127.0.5.5"), "POST", "/admin/generate_token", None, wish.encode(), **fields
    )
    latest = nginx.get(f"/firmware/{project}/latest", answer.json()["token"], **forged)

    lines = [line for line in nginx.cluster.any.audit_lines if "0f9d1f2c" in line]
    assert " IP=127.0.5.5 " in lines[-1] and project in lines[-1]
    assert latest.json()["url"].startswith(f"https://127.0.0.1:{nginx.port}/")


def test_no_token_stands_in_the_logs(nginx, image):
    path, token = image
    folder, _, name = path.rpartition("/")

    nginx.get(f"{path}?token={token}")
    nginx.get(f"{folder}/{token}/{name}")
    nginx.get(f"{folder}/{token.replace('.', '%2E')}/{name}?token={token}")
    nginx.get(f"{folder}/{token}")
    nginx.get(f"{path}/%zz?token={token}")
    nginx.get(f"/_blobs/{token}?token={token}")

    wait_until(lambda: any("/_blobs/" in line for line in nginx.transfers))
    written = "\n".join(nginx.transfers) + nginx.said
    assert f"{folder}/(token)/{name}" in written
    assert not [part for part in token.split(".") if part in written]


def test_a_stopped_instance_is_not_missed(nginx, image):
    stopped = nginx.cluster.instances[2]
    try:
        stopped.process.terminate()
        answers = [nginx.get(*image) for _ in range(60)]
        assert stopped.process.wait(60) == 0
        answers += [nginx.get(*image) for _ in range(10)]
    finally:
        stopped.start()
        stopped.await_ready()

    assert {answer.status for answer in answers} == {200}
