"""`doctor`: each thing that is unsafe or damaged is a sentence, and the exit status says so."""

import json
import sqlite3
import sys
from pathlib import Path

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.cli.test_token import DEVICE
from tests.storage.test_mounts import tell

STRONG = "0123456789abcdefGHIJKLMNOPQRSTUVWXYZ-.,:0123456789abcdefGHIJKLMNOPQ"
AREAS = ["settings", "certificate", "firmware", "releases", "audit"]


def test_a_fresh_set_up_is_sound(call):
    said = call("doctor")

    assert said.status == 0
    assert said.out.splitlines() == [f"{area}: ok" for area in AREAS]


def test_weak_and_equal_secrets_are_named_and_not_shown(call):
    said = call("doctor", "--json", OTA_JWT_SECRET="changeme", OTA_ADMIN_SECRET="changeme")

    findings = json.loads(said.out)["settings"]
    assert said.status == 1
    named = [finding.split(" ")[0] for finding in findings]
    assert named == ["jwt_secret", "admin_secret", "jwt_secret"]
    assert "changeme" not in said.out + said.err


def test_strong_secrets_please_it(call):
    said = call("doctor", OTA_JWT_SECRET=STRONG, OTA_ADMIN_SECRET=STRONG[::-1])

    assert said.status == 0


def test_plain_http_for_everybody_and_no_tokens_are_dangers(call):
    said = call("doctor", "--json", OTA_NO_CERTS="1", OTA_NO_JWT="1")

    findings = json.loads(said.out)["settings"]
    assert [finding.split(":")[0].split(" ")[0] for finding in findings] == ["no_jwt", "no_certs"]


def test_plain_http_on_loopback_is_none(call):
    assert call("doctor", OTA_NO_CERTS="1", OTA_HOST="127.0.0.1").status == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_database_on_a_network_file_system_is_a_danger(call, monkeypatch):
    tell(monkeypatch, call.folder, "nfs4")

    said = call("doctor", "--json")

    (finding,) = json.loads(said.out)["settings"]
    assert said.status == 1
    database = call.folder / "data" / "ota.sqlite"
    assert finding.startswith(f"the database, {database}, lies on nfs4, a file system that")


def test_a_variable_that_is_no_setting_is_found(call):
    said = call("doctor", OTA_PROT="1")

    assert said.status == 1
    assert (
        "the environment has OTA_PROT, which is no setting (did you mean 'OTA_PORT'?)" in said.out
    )


def test_a_certificate_that_cannot_serve_is_found(call):
    Path("c.pem").write_text("no certificate")

    said = call("doctor", "--json", OTA_CERT="c.pem", OTA_KEY="c.pem")

    assert said.status == 1
    assert json.loads(said.out)["certificate"] == ["c.pem is not a PEM certificate"]


def test_an_image_that_is_damaged_is_found(call):
    folder = Path("www/firmware/lamp")
    folder.mkdir(parents=True)
    image = bytearray(esp_application(version="1.0.0", project="lamp"))
    image[-40] ^= 1
    (folder / "lamp-1.0.0.bin").write_bytes(image)

    said = call("doctor", "--json")

    findings = json.loads(said.out)["firmware"]
    assert said.status == 1
    assert [finding.split(":")[0] for finding in findings] == ["lamp/lamp-1.0.0.bin"]


def test_a_cut_audit_chain_is_found(call):
    call("token", "mint", "--device", DEVICE, "--project", "lamp")
    with sqlite3.connect("data/ota.sqlite") as database:
        database.execute("DELETE FROM events")
    database.close()

    said = call("doctor", "--json")

    assert said.status == 1
    assert json.loads(said.out)["audit"] != []


def test_a_file_that_is_served_and_not_released_is_told_of(call):
    folder = call.folder / "www" / "firmware" / "lamp"
    folder.mkdir(parents=True)
    for name, project in (("lamp-1.0.0.bin", "lamp"), ("lamp-2.0.0.bin", "fan")):
        image = esp_application(version=name[5:10], project=project)
        (folder / name).write_bytes(image)

    said = call("doctor", "--json")

    (finding,) = json.loads(said.out)["releases"]
    assert said.status == 1
    assert "lamp/lamp-2.0.0.bin is not released" in finding
    assert "says that it is fan" in finding
