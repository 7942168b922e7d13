"""Whom the instances believe to be calling, and what the audit log says of it."""

import re

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.asking import DEVICE, ask
from tests.running import wait_until

pytestmark = pytest.mark.needs("apache2")

FORGED = "203.0.113.9"
SPELLINGS = (
    {"X_Forwarded_For": FORGED},
    {"X_Forwarded_For": f"{FORGED}, 127.0.0.1"},
    {"Forwarded": f"for={FORGED}", "X_Real_IP": FORGED},
    {"X-Forwarded-For": FORGED, "x-forwarded-for": FORGED},
)


def wish(device, project):
    return {"device_id": device, "project": project}


def mint(door, source, device, project, **headers):
    fields = {"X_Admin_Secret": door.admin_secret, "Content_Type": "application/json"}
    body = f'{{"device_id": "{device}", "project": "{project}"}}'.encode()
    answer = ask(
        door.connect(source), "POST", "/admin/generate_token", None, body, **fields, **headers
    )
    assert answer.status == 200, answer.body
    return answer.json()["token"]


def device_of(number):
    return f"{number:08x}-0000-4000-8000-000000000001"


@pytest.mark.parametrize("number", range(len(SPELLINGS)))
def test_the_real_address_reaches_the_audit_log_through_apache(cluster, apache, project, number):
    mint(apache, "127.0.5.5", device_of(number), project, **SPELLINGS[number])

    lines = [line for line in cluster.any.audit_lines if project in line]
    assert len(lines) == 1
    assert " IP=127.0.5.5 " in lines[0]


@pytest.mark.parametrize("number", range(len(SPELLINGS)))
def test_a_stranger_who_asks_an_instance_directly_is_believed_nothing(cluster, project, number):
    mint(cluster.any, "127.0.6.6", device_of(number), project, **SPELLINGS[number])

    lines = [line for line in cluster.any.audit_lines if project in line]
    assert len(lines) == 1
    assert " IP=127.0.6.6 " in lines[0]


def test_a_name_with_underscores_does_not_pose_as_a_forwarded_address(cluster, apache, project):
    body = f'{{"device_id": "{DEVICE}", "project": "{project}"}}'
    for door in (apache, cluster.any):
        said = (
            "POST /admin/generate_token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"X_Forwarded_For: {FORGED}\r\nX-Admin-Secret: {door.admin_secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        assert b" 200 " in door.raw(said.encode())[:20]

    lines = [line for line in cluster.any.audit_lines if project in line]
    assert len(lines) == 2
    assert not any(FORGED in line for line in lines)


def test_every_mint_and_revocation_is_one_line(cluster, apache, project):
    doors = [apache, *cluster.instances]
    devices = [device_of(100 + number) for number in range(len(doors))]

    for door, device in zip(doors, devices, strict=True):
        door.mint(project, device)
        door.revoke(device_id=device)

    lines = cluster.any.audit_lines
    for device in devices:
        words = [re.search(r"Action=(\w+)", line)[1] for line in lines if device in line]
        assert words == ["generate_token", "revoke_token"]


def test_refused_admins_are_gathered_and_none_is_forgotten(own_cluster, own_apache):
    body = b"{}"
    for _ in range(9):
        answer = ask(own_apache.connect("127.0.8.8"), "POST", "/admin/revoke_token", None, body)
        assert answer.status == 403
    for instance in own_cluster.instances:
        ask(instance.connect("127.0.8.8"), "POST", "/admin/revoke_token", None, body)

    for instance in own_cluster.instances:
        instance.process.terminate()
    assert {instance.process.wait(60) for instance in own_cluster.instances} == {0}

    lines = [line for line in own_cluster.any.audit_lines if "admin_refused" in line]
    counts = [int(re.search(r"IP=127\.0\.8\.8 count=(\d+)", line)[1]) for line in lines]
    assert sum(counts) == 12
    assert len(counts) <= 6  # each instance's last word, in two minutes at most


def test_each_start_and_stop_is_one_line(own_cluster):
    for instance in own_cluster.instances:
        instance.process.terminate()
    for instance in own_cluster.instances:
        instance.process.wait(60)

    lines = own_cluster.any.audit_lines
    for word in ("server_start", "server_stop"):
        for instance in own_cluster.instances:
            said = [line for line in lines if word in line and f"port={instance.port}" in line]
            assert len(said) == 1
    wait_until(lambda: own_cluster.any.process.poll() == 0)


def test_a_device_id_with_line_breaks_makes_no_second_line(cluster, apache, project):
    before = len(cluster.any.audit_lines)

    answer = apache.admin("/admin/generate_token", wish(f"{DEVICE}\r\nAction=x", project))

    assert answer.status == 400
    assert len(cluster.any.audit_lines) == before


def test_a_token_minted_through_apache_opens_every_instance(cluster, apache, project):
    path, _ = cluster.publish(project, "lamp-1.0.0.bin", esp_application())
    token = apache.mint(project)

    statuses = [door.get(path, token).status for door in (apache, *cluster.instances)]

    assert statuses == [200, 200, 200, 200]
