import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.proxy.apache import Apache
from tests.proxy.cluster import Cluster
from tests.proxy.load import Load

pytestmark = pytest.mark.needs("apache2")

STOPS = 20
IMAGE = esp_application(payload_bytes=600_000)


@pytest.fixture(name="quick")
def quick_to_stop(tmp_path):
    """Instances and an Apache that wait for each other as short as their rules allow."""
    for name in ("instances", "apache"):
        (tmp_path / name).mkdir()
    options = ("--stop-delay-seconds", "0.5", "--keep-alive-seconds", "3")
    with (
        Cluster(tmp_path / "instances", *options) as cluster,
        Apache(tmp_path / "apache", cluster, idle_seconds=1) as apache,
    ):
        yield cluster, apache


def test_twenty_polite_stops_under_load_lose_nothing(quick):
    cluster, apache = quick
    stopping = cluster.instances[0]
    statuses = []

    with load_on(apache, *cluster.publish("lamp", "lamp-1.0.0.bin", IMAGE)) as load:
        for _ in range(STOPS):
            statuses.append(stopping.stop())
            stopping.start()
            stopping.await_ready()
            apache.await_request_at(stopping.port)

    assert load.failures == [], "\n".join([*load.failures, apache.said])
    assert statuses == [0] * STOPS
    assert all(client.visits > STOPS for client in load.clients)


def load_on(door, path, token):
    """Small answers, whole images, images in ranges and mints, on old connections and new ones."""
    admin = {"X_Admin_Secret": door.admin_secret, "Content_Type": "application/json"}
    wish = b'{"device_id": "0f9d1f2c-76a0-4b2e-9f6b-3a8a3f9d2c11", "project": "lamp"}'

    def small(ask):
        answer = ask("GET", "/firmware/lamp/versions", token)
        assert (answer.status, answer.json()["count"]) == (200, 1), answer

    def whole(ask):
        answer = ask("GET", path, token)
        assert (answer.status, answer.body == IMAGE) == (200, True), answer.status

    def ranges(ask):
        got = b""
        while len(got) < len(IMAGE):
            answer = ask("GET", path, token, Range=f"bytes={len(got)}-{len(got) + 262_143}")
            assert answer.status == 206, answer
            got += answer.body
        assert got == IMAGE

    def mint(ask):
        answer = ask("POST", "/admin/generate_token", None, wish, **admin)
        assert answer.status == 200, answer

    load = Load(door)
    for visit in (small, whole, ranges, mint):
        load.add(f"{visit.__name__}, kept alive", visit, keep_alive=True)
        load.add(f"{visit.__name__}, new", visit, keep_alive=False)
    return load
