"""Images are published through both proxies; everything else stays small."""

import tempfile
from pathlib import Path

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.proxy.apache import Apache
from tests.proxy.cluster import Cluster
from tests.proxy.nginx import Nginx

IMAGE = esp_application(version="1.4.0", project="lamp", payload_bytes=3_000_000)
PROXIES = [
    pytest.param(Apache, marks=pytest.mark.needs("apache2")),
    pytest.param(Nginx, marks=pytest.mark.needs("nginx")),
]


@pytest.fixture(name="front", scope="module", params=PROXIES)
def a_proxy(request, tmp_path_factory):
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder)) as cluster,
        request.param(tmp_path_factory.mktemp("front"), cluster) as front,
    ):
        yield front


def put(front, path, content):
    return front.ask("PUT", path, body=content, X_Admin_Secret=front.admin_secret)


def test_an_image_is_published_through_the_proxy(front):
    path = "/api/v1/projects/lamp/releases/1.4.0"

    sent = put(front, f"{path}/images/lamp.bin", IMAGE)
    published = front.ask("POST", f"{path}/publish", X_Admin_Secret=front.admin_secret)

    assert (sent.status, published.status) == (200, 200)
    assert front.get("/firmware/lamp/lamp.bin", front.mint("lamp")).body == IMAGE


def test_so_is_one_that_names_its_version_itself(front):
    image = esp_application(version="1.5.0", project="oven", payload_bytes=200_000)

    sent = put(front, "/api/v1/projects/oven/images/oven.bin", image)

    assert (sent.status, sent.json()["version"]) == (200, "1.5.0")


@pytest.mark.parametrize("path", ["/api/v1/projects/lamp", "/api/v1/devices/x", "/admin/images/x"])
def test_no_other_body_may_be_large(front, path):
    """By the proxy where it looks at it, else by the instance."""
    answer = front.ask(
        "PATCH",
        path,
        body=b'{"notes": "' + bytes(70_000) + b'"}',
        X_Admin_Secret=front.admin_secret,
        Content_Type="application/json",
    )

    assert answer.status == (404 if isinstance(front, Apache) and "admin" in path else 413)
