import base64
import json
import time

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.asking import DEVICE, ask

pytestmark = pytest.mark.needs("apache2")

PROMISED_SECONDS = 2.0
IMAGE = esp_application(payload_bytes=100_000)


def ways(project, path):
    """Every kind of request that a device makes."""
    return [
        ("GET", path, {}),
        ("HEAD", path, {}),
        ("GET", path, {"Range": "bytes=70000-"}),
        ("GET", f"/firmware/{project}/latest", {}),
        ("GET", f"/firmware/{project}/versions", {}),
        ("GET", f"{path}.md5", {}),
    ]


def watch(doors, project, path, token):
    """Asks in every way, on open connections and on new ones, for longer than was promised.

    The seconds after which each accepted request had begun, and the number of refused ones.
    """
    open_lines = [door.connect() for door in doors for _ in range(3)]
    for line in open_lines:
        assert ask(line, "GET", path, token).status == 200
    yield
    began = time.monotonic()
    accepted, refused = [], 0
    while (now := time.monotonic() - began) < PROMISED_SECONDS + 0.7:
        for method, target, fields in ways(project, path):
            for line in open_lines + [door.connect() for door in doors]:
                now = time.monotonic() - began
                status = ask(line, method, target, token, **fields).status
                if status in (200, 206):
                    accepted.append(now)
                else:
                    assert status == 401
                    refused += 1
    yield accepted, refused


@pytest.mark.parametrize("by", ["token", "device_id", "jti"])
def test_a_revoked_token_is_refused_everywhere_within_two_seconds(cluster, apache, project, by):
    path, token = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)
    said = {"token": token, "device_id": DEVICE, "jti": jti_of(token)}
    watching = watch([apache, *cluster.instances], project, path, token)
    next(watching)

    cluster.instances[1].revoke(**{by: said[by]})
    accepted, refused = next(watching)

    assert max(accepted, default=0.0) < PROMISED_SECONDS
    assert refused > 0
    assert apache.get(path, token).status == 401


def test_a_revoked_device_gets_new_tokens_that_work_everywhere(cluster, apache, project):
    path, _ = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)
    apache.revoke(device_id=DEVICE)

    fresh = cluster.instances[2].mint(project)

    assert [door.get(path, fresh).status for door in (apache, *cluster.instances)] == [200] * 4


def jti_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"]
