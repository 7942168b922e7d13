import hashlib
import re

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.asking import ask
from tests.running import wait_until

pytestmark = pytest.mark.needs("apache2")

IMAGE = esp_application(payload_bytes=300_000)


def test_three_instances_started_at_once_in_an_empty_folder_agree(cluster):
    path, _ = cluster.publish("agreed", "agreed-1.0.0.bin", IMAGE)

    tokens = [instance.mint("agreed") for instance in cluster.instances]
    statuses = [i.get(path, token).status for token in tokens for i in cluster.instances]

    assert statuses == [200] * 9


def test_an_image_arrives_whole_with_its_headers(apache, cluster, project):
    path, token = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)

    answer = apache.get(path, token, Accept_Encoding="gzip, br")

    assert answer.status == 200
    assert answer.body == IMAGE
    assert answer.headers["Content-Length"] == str(len(IMAGE))
    assert answer.headers["ETag"] == f'"{hashlib.sha256(IMAGE).hexdigest()}"'
    assert answer.headers["x-MD5"] == hashlib.md5(IMAGE).hexdigest()
    assert answer.headers["x-SHA256"] == hashlib.sha256(IMAGE).hexdigest()
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Encoding"] is None


def test_ranges_of_all_instances_join_to_the_image(apache, cluster, project):
    path, token = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)
    connection = apache.connect()
    step = 50_000

    parts = [
        ask(connection, "GET", path, token, Range=f"bytes={start}-{start + step - 1}")
        for start in range(0, len(IMAGE), step)
    ]

    assert {part.status for part in parts} == {206}
    assert b"".join(part.body for part in parts) == IMAGE
    wait_until(lambda: len(apache.served_by(project)) == 3)


def test_head_conditions_and_bad_ranges_pass_unchanged(apache, cluster, project):
    path, token = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)
    head = apache.ask("HEAD", path, token)

    unchanged = apache.get(path, token, If_None_Match=head.headers["ETag"])
    stale = apache.get(path, token, Range="bytes=5-9", If_Range='"another"')
    beyond = apache.get(path, token, Range=f"bytes={len(IMAGE)}-")
    several = apache.get(path, token, Range="bytes=0-1,5-6")
    too_many = apache.get(
        path, token, Range="bytes=" + ",".join(f"{n * 10}-{n * 10 + 1}" for n in range(40))
    )

    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(IMAGE)))
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert (stale.status, stale.body) == (200, IMAGE)
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(IMAGE)}")
    assert several.status == 206
    assert several.headers["Content-Type"].startswith("multipart/byteranges")
    assert (too_many.status, too_many.body) == (200, IMAGE)


def test_absolute_urls_name_the_proxy(apache, cluster, project):
    _, token = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)

    latest = apache.get(f"/firmware/{project}/latest", token).json()

    assert latest["url"].startswith(f"https://127.0.0.1:{apache.port}/firmware/{project}/")


def test_a_forged_host_or_scheme_does_not_reach_the_urls(apache, cluster, project):
    _, token = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)
    forged = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "http"}

    latest = apache.get(f"/firmware/{project}/latest", token, **forged).json()

    assert latest["url"].startswith(f"https://127.0.0.1:{apache.port}/")


def test_no_token_stands_in_the_logs_of_apache(apache, cluster, project):
    path, token = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)
    folder, _, name = path.rpartition("/")
    short = "abcdefghijklmnopqrstuvwxyz012345"

    for served in (
        f"{path}?token={token}",
        f"{folder}/{token}/{name}",
        f"{folder}/{token.replace('.', '%2E')}/{name}",
    ):
        assert apache.get(served).status == 200
    for refused in (f"{folder}/{token}", f"{folder}/{short}/{name}"):
        assert apache.get(refused, Referer=f"https://x/?token={token}").status == 401
    for broken in (f"{path}/%zz?token={token}", f"/../..{path}?token={token}"):
        said = f"GET {broken} HTTP/1.1\r\nHost: x\r\n\r\n"
        assert b" 400 " in apache.raw(said.encode())[:20]

    wait_until(lambda: sum(project in line for line in apache.transfers) >= 5)
    written = "\n".join(apache.transfers) + apache.said
    assert f"{folder}/(token)/{name}" in written
    assert not [part for part in (*token.split("."), short) if part in written]


def test_the_log_tells_what_was_sent_to_whom(apache, cluster, project):
    path, token = cluster.publish(project, "lamp-1.0.0.bin", IMAGE)

    ask(apache.connect("127.0.7.7"), "GET", path, token, User_Agent="ESP32 HTTP Client/1.0")

    wait_until(lambda: any(project in line for line in apache.transfers))
    (line,) = [line for line in apache.transfers if project in line]
    assert line.startswith("127.0.7.7 [")
    assert re.search(rf'"GET {path} HTTP/1.1" 200 {len(IMAGE)} \d+ http://127.0.0.1:\d+ ', line)
    assert line.endswith('"-" "ESP32 HTTP Client/1.0"')
