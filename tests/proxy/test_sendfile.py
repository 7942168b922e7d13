import hashlib
import tempfile
from pathlib import Path

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.proxy.apache import MODULES, Apache
from tests.proxy.cluster import Cluster
from tests.running import Server

IMAGE = esp_application(payload_bytes=300_000)
DIGEST = hashlib.sha256(IMAGE).hexdigest()


@pytest.fixture(name="server", scope="module")
def server_behind_x_sendfile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("x-sendfile")
    with Server(folder, "--transfer", "x-sendfile") as running:
        running.drop("lamp", "lamp-1.0.0.bin", IMAGE)
        yield running


def test_x_sendfile_names_the_file_and_carries_no_body(server):
    answer = server.get("/firmware/lamp/lamp-1.0.0.bin", server.mint("lamp"))

    place = Path(answer.headers["X-Sendfile"])
    assert (answer.status, answer.body) == (200, b"")
    assert place.is_absolute()
    assert place.read_bytes() == IMAGE
    assert answer.headers["ETag"] == f'"{DIGEST}"'


def test_ranges_and_head_are_answered_by_the_server_itself(server):
    token = server.mint("lamp")

    part = server.get("/firmware/lamp/lamp-1.0.0.bin", token, Range="bytes=1000-1999")
    head = server.ask("HEAD", "/firmware/lamp/lamp-1.0.0.bin", token)

    assert (part.status, part.body) == (206, IMAGE[1000:2000])
    assert head.headers["Content-Length"] == str(len(IMAGE))
    assert part.headers["X-Sendfile"] is None and head.headers["X-Sendfile"] is None


@pytest.mark.needs("apache2")
@pytest.mark.skipif(
    not (MODULES / "mod_xsendfile.so").exists(),
    reason="mod_xsendfile is missing here (libapache2-mod-xsendfile brings it)",
)
def test_apache_sends_the_image_that_an_instance_names(tmp_path):
    options = ("--transfer", "x-sendfile", "--transfer-group", "www-data")
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder), *options) as cluster,
        Apache(tmp_path, cluster, sendfile=True) as apache,
    ):
        # The way to the blobs, for a proxy that runs as somebody else (docs/how-to/apache.md).
        for place in (cluster.folder, cluster.any.data_dir):
            place.chmod(0o711)
        path, token = cluster.publish("lamp", "lamp-1.0.0.bin", IMAGE)

        whole = apache.get(path, token)
        tail = apache.get(path, token, Range="bytes=-1000")
        unchanged = apache.get(path, token, If_None_Match=f'"{DIGEST}"')
        direct = cluster.any.ask("HEAD", path, token)

    assert (whole.status, whole.body) == (200, IMAGE)
    assert (tail.status, tail.body, unchanged.status) == (206, IMAGE[-1000:], 304)
    assert whole.headers["X-Sendfile"] is None
    for name in ("ETag", "Last-Modified", "Content-Length", "x-MD5", "Content-Type"):
        assert whole.headers.get_all(name) == direct.headers.get_all(name), name
