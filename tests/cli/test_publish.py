"""`publish`: images become a release, from a shell here or from a pipeline somewhere else."""

import json

import pytest

from ota_http_server.app import opened_ota
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.operator import Role
from ota_http_server.operations.give_key import KeyWish
from ota_http_server.settings import Settings
from tests.cli.calling import real
from tests.running import Server


def lamp(version, **facts):
    return esp_application(version=version, project="lamp", payload_bytes=4_096, **facts)


@pytest.fixture(name="image")
def an_image(call):
    path = call.folder / "lamp.bin"
    path.write_bytes(lamp("1.4.0"))
    return path


def test_it_says_what_was_published(call, image):
    said = call("publish", "lamp.bin", "--project", "lamp", "--notes", "Warmer light.")

    assert said.status == 0
    assert said.out.splitlines()[0] == "1.4.0 published"
    assert "esp-idf-app, application, esp32, 1.4.0" in said.out


def test_again_is_fine_and_other_bytes_are_refused(call, image):
    assert call("publish", "lamp.bin", "--project", "lamp").status == 0
    assert call("publish", "lamp.bin", "--project", "lamp").status == 0
    image.write_bytes(lamp("1.4.0", seed=1))

    refused = call("publish", "lamp.bin", "--project", "lamp")

    assert refused.status == 1
    assert "1.4.0 has other bytes as lamp.bin" in refused.err


def test_a_dry_run_says_what_the_files_are_and_changes_nothing(call, image):
    said = call("publish", "lamp.bin", "--project", "lamp", "--dry-run", "--json")

    (row,) = json.loads(said.out)["images"]
    assert (row["format"], row["chip"], row["version"]) == ("esp-idf-app", "esp32", "1.4.0")
    assert json.loads(call("releases", "list", "--project", "lamp", "--json").out) == []


def test_a_mistake_is_named_before_anything_is_sent(call, image):
    image.write_bytes(b"\x7fELF" + bytes(100))

    said = call("publish", "lamp.bin", "--project", "lamp", "--dry-run")

    assert said.status == 2
    assert "ELF" in said.err


def test_what_would_brick_boards_needs_a_reason(call, image):
    call("publish", "lamp.bin", "--project", "lamp")
    image.write_bytes(esp_application(version="1.5.0", project="fan"))

    refused = call("publish", "lamp.bin", "--project", "lamp")
    forced = call("publish", "lamp.bin", "--project", "lamp", "--force", "renamed", "--json")

    assert (refused.status, forced.status) == (1, 0)
    assert "says that it is fan" in refused.err
    assert json.loads(forced.out)["forced"] == "renamed"


def test_a_draft_waits(call, image):
    call("publish", "lamp.bin", "--project", "lamp", "--draft")
    listed = call("releases", "list", "--project", "lamp", "--state", "draft", "--json")

    published = call("releases", "publish", "1.4.0", "--project", "lamp")

    assert [one["release"] for one in json.loads(listed.out)] == ["1.4.0"]
    assert published.out.startswith("lamp 1.4.0 is published")


def test_a_release_is_withdrawn_and_restored_with_a_reason(call, image):
    call("publish", "lamp.bin", "--project", "lamp")

    without = call("releases", "withdraw", "1.4.0", "--project", "lamp")
    withdrawn = call("releases", "withdraw", "1.4.0", "--project", "lamp", "--reason", "hot")
    restored = call("releases", "restore", "1.4.0", "--project", "lamp", "--reason", "cold")

    assert without.status == 2
    assert withdrawn.out.startswith("lamp 1.4.0 is withdrawn")
    assert restored.out.startswith("lamp 1.4.0 is published")


def test_a_release_is_moved_to_another_channel_as_it_is(call, image):
    call("publish", "lamp.bin", "--project", "lamp", "--channel", "beta")
    before = json.loads(call("releases", "show", "1.4.0", "--project", "lamp", "--json").out)

    said = call("releases", "set", "1.4.0", "--project", "lamp", "--channel", "stable", "--json")

    after = json.loads(said.out)
    assert (before["channel"], after["channel"]) == ("beta", "stable")
    assert after["images"] == before["images"]
    assert "Action=change_release" in (call.folder / "ota_audit.log").read_text()


def test_a_draft_can_be_forgotten_and_a_release_cannot(call, image):
    call("publish", "lamp.bin", "--project", "lamp", "--draft")

    assert call("releases", "remove-draft", "1.4.0", "--project", "lamp").status == 0
    call("publish", "lamp.bin", "--project", "lamp")
    assert call("releases", "remove-draft", "1.4.0", "--project", "lamp").status == 2


def test_a_dropped_file_is_listed(call):
    folder = call.folder / "www" / "firmware" / "lamp"
    folder.mkdir(parents=True)
    (folder / "lamp-1.4.0.bin").write_bytes(lamp("1.4.0"))

    said = call("releases", "show", "1.4.0", "--project", "lamp", "--json")

    assert json.loads(said.out)["images"][0]["file"] == "lamp-1.4.0.bin"


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), tls=True) as running:
        yield running


def a_key(server, role, project="lamp"):
    settings = Settings(data_dir=server.data_dir, ota_audit_log=server.folder / "ota_audit.log")
    with opened_ota(settings) as ota:
        return ota.keys.create(
            SHELL, KeyWish.of(f"{role.word}-{project}", role.word, project, None)
        ).text


def pipeline(server, folder, *words, key, **env):
    place = ("--server", server.url, "--ca", str(server.ca))
    return real(folder, "publish", *words, *place, OTA_API_KEY=key, **env)


def test_a_pipeline_publishes_to_another_server(server, tmp_path):
    (tmp_path / "lamp.bin").write_bytes(lamp("1.4.0"))
    (tmp_path / "lamp-s3.bin").write_bytes(lamp("1.4.0", chip="esp32s3"))
    key = a_key(server, Role.PUBLISHER)
    words = ("lamp.bin", "lamp-s3.bin", "--project", "lamp", "--channel", "beta", "--json")

    first = pipeline(server, tmp_path, *words, key=key)
    again = pipeline(server, tmp_path, *words, key=key)

    assert (first.status, again.status) == (0, 0), first.err + again.err
    said = json.loads(first.out)
    assert (said["release"], said["state"], said["channel"]) == ("1.4.0", "published", "beta")
    assert [image["chip"] for image in said["images"]] == ["esp32", "esp32s3"]
    assert key not in first.out + first.err + server.log


def test_what_the_server_refuses_is_a_refusal_here(server, tmp_path):
    (tmp_path / "lamp.bin").write_bytes(lamp("1.4.0", seed=7))
    key = a_key(server, Role.ADMIN)
    pipeline(server, tmp_path, "lamp.bin", "--project", "lamp", key=key)
    (tmp_path / "lamp.bin").write_bytes(lamp("1.4.0", seed=8))

    said = pipeline(server, tmp_path, "lamp.bin", "--project", "lamp", key=key)

    assert said.status == 1
    assert "refused: 1.4.0 has other bytes" in said.err


@pytest.mark.parametrize("role", [Role.VIEWER])
def test_a_key_that_may_not_publish_is_told_so(server, tmp_path, role):
    (tmp_path / "lamp.bin").write_bytes(lamp("1.6.0"))

    said = pipeline(server, tmp_path, "lamp.bin", "--project", "lamp", key=a_key(server, role))

    assert said.status == 1
    assert "does not let this key" in said.err


def test_a_wrong_key_and_no_key_end_it(server, tmp_path):
    (tmp_path / "lamp.bin").write_bytes(lamp("1.6.0"))

    wrong = pipeline(server, tmp_path, "lamp.bin", "--project", "lamp", key="otak_wrong")
    none = real(tmp_path, "publish", "lamp.bin", "--project", "lamp", "--server", server.url)

    assert (wrong.status, none.status) == (1, 2)
    assert "needs an API key" in none.err


def test_a_server_that_is_not_there_is_told_of(tmp_path):
    (tmp_path / "lamp.bin").write_bytes(lamp("1.6.0"))

    said = real(
        tmp_path,
        *("publish", "lamp.bin", "--project", "lamp", "--server", "http://127.0.0.1:1"),
        OTA_API_KEY="otak_x",
    )

    assert said.status == 2
    assert "does not answer" in said.err
