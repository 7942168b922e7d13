"""`publish` for pipelines: to a server somewhere else, over links that break."""

import json
import socket
import threading

import pytest

from ota_http_server.cli.token import SHELL
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.operator import Role
from ota_http_server.operations.give_key import KeyWish
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings
from tests.cli.calling import real
from tests.cli.test_publish import lamp
from tests.running import Server


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
    words += ("--floor",)

    first = pipeline(server, tmp_path, *words, key=key)
    again = pipeline(server, tmp_path, *words, key=key)

    assert (first.status, again.status) == (0, 0), first.err + again.err
    said = json.loads(first.out)
    assert (said["release"], said["state"], said["channel"]) == ("1.4.0", "published", "beta")
    assert (said["floor"], said["security"]) == (True, False)
    assert [image["chip"] for image in said["images"]] == ["esp32", "esp32s3"]
    assert (first.out, first.err) == (again.out, "")
    assert key not in first.out + first.err + server.log


def test_what_the_server_refuses_is_a_refusal_here(server, tmp_path):
    (tmp_path / "lamp.bin").write_bytes(lamp("1.4.0", seed=7))
    key = a_key(server, Role.ADMIN)
    pipeline(server, tmp_path, "lamp.bin", "--project", "lamp", key=key)
    (tmp_path / "lamp.bin").write_bytes(lamp("1.4.0", seed=8))

    said = pipeline(server, tmp_path, "lamp.bin", "--project", "lamp", key=key)

    assert said.status == 1
    assert "refused: 1.4.0 has other bytes" in said.err


def test_a_key_that_may_not_publish_is_told_so(server, tmp_path):
    (tmp_path / "lamp.bin").write_bytes(lamp("1.6.0"))
    key = a_key(server, Role.VIEWER)

    said = pipeline(server, tmp_path, "lamp.bin", "--project", "lamp", key=key)

    assert said.status == 1
    assert "refused: this needs the role publisher; viewer-lamp is viewer" in said.err


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


def test_what_is_refused_leaves_no_draft_there(server, tmp_path):
    key = a_key(server, Role.PUBLISHER, "oven")
    (tmp_path / "oven.bin").write_bytes(lamp("2.0.0"))
    pipeline(server, tmp_path, "oven.bin", "--project", "oven", key=key)
    (tmp_path / "oven.bin").write_bytes(esp_application(version="2.1.0", project="fan"))

    refused = pipeline(server, tmp_path, "oven.bin", "--project", "oven", key=key)
    listed = server.get("/api/v1/projects/oven/releases", key).json()["items"]

    assert refused.status == 1
    assert "says that it is fan" in refused.err
    assert [one["version"] for one in listed] == ["2.0.0"]


def test_a_big_image_that_is_refused_before_it_is_read_is_told_so(tmp_path):
    """The server does not wait for the rest: its answer must not be lost in the cut."""
    (tmp_path / "s").mkdir()
    with Server(tmp_path / "s", "--image-bytes-max", "1000000") as small:
        key = a_key(small, Role.PUBLISHER)
        (tmp_path / "big.bin").write_bytes(lamp("1.0.0") + bytes(8_000_000))
        words = ("publish", "big.bin", "--project", "lamp", "--force", "a test")
        said = real(tmp_path, *words, "--server", small.url, OTA_API_KEY=key)

    assert said.status == 1, said.err
    assert "more than 1,000,000" in said.err


class Stub:
    """A server that answers each request as the test likes; it notes what it was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.close()
        self._thread.join()

    def _serve(self):
        for told in self.answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as request:
                self.asked.append(request.readline().decode().split()[:2])
                headers = dict(
                    line.decode().strip().split(": ", 1) for line in iter(request.readline, b"\r\n")
                )
                length = int(headers.get("Content-Length", 0))
                if told is None:
                    request.read(length // 2)
                    continue
                request.read(length)
                connection.sendall(told)


def answer(status, document):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = f"HTTP/1.1 {status} Told\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


RELEASE = {"project": "lamp", "version": "1.4.0", "state": "published", "images": []}
UNKNOWN = answer(404, {"detail": "there is no such release"})
DONE = answer(200, RELEASE)


def published_to(stub, call, *words):
    (call.folder / "lamp.bin").write_bytes(lamp("1.4.0"))
    place = ("--server", stub.url)
    return call("publish", "lamp.bin", "--project", "lamp", *place, *words, OTA_API_KEY="otak_x")


def test_an_upload_that_is_cut_is_sent_once_more(call):
    with Stub(UNKNOWN, answer(201, RELEASE), None, DONE, DONE) as stub:
        said = published_to(stub, call)

    assert said.status == 0, said.err
    image = next(target for method, target in stub.asked if "/images/" in target)
    assert image.startswith("/api/v1/projects/lamp/releases/1.4.0/images/lamp.bin?sha256=")
    assert [method for method, _ in stub.asked] == ["GET", "PUT", "PUT", "PUT", "POST"]


def test_one_that_is_cut_twice_is_given_up_and_its_draft_stays_for_the_next_run(call):
    with Stub(UNKNOWN, answer(201, RELEASE), None, None) as stub:
        said = published_to(stub, call)

    assert said.status == 2
    assert "does not answer" in said.err
    assert [method for method, _ in stub.asked] == ["GET", "PUT", "PUT", "PUT"]


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        (answer(301, b""), 2, "not as this server does"),
        (answer(200, b"<html>sign in</html>"), 2, "not as this server does"),
        (answer(200, b"[]"), 2, "not as this server does"),
        (answer(200, b""), 2, "not as this server does"),
        (answer(502, b"<html>"), 2, "not as this server does"),
        (answer(503, {"detail": "the database is busy"}), 2, "cannot do it now (503)"),
        (answer(401, {"detail": "show an API key"}), 1, "refused: show an API key"),
        (answer(403, {"detail": "not for you"}), 1, "refused: not for you"),
        (answer(429, {"title": "Too Many"}), 2, "Too Many"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 2, "does not answer"),
    ],
)
def test_what_is_no_yes_is_never_taken_for_one(call, told, status, words):
    with Stub(told) as stub:
        said = published_to(stub, call)

    assert said.status == status
    assert words in said.err
    assert said.out == ""


def test_a_release_that_is_not_published_in_the_end_is_no_success(call):
    not_yet = answer(200, {**RELEASE, "state": "draft"})
    with Stub(UNKNOWN, answer(201, RELEASE), DONE, not_yet) as stub:
        said = published_to(stub, call)

    assert said.status == 2


@pytest.mark.parametrize(
    "url",
    [
        *("ota.example.com", "ftp://h", "http://", "http://[", "http://h:x", "http://h:99999"),
        *("http://u:p@h", "http://h/ota", "http://h?x", "http://h:0"),
    ],
)
def test_a_url_that_is_none_is_refused_in_a_line(call, url):
    (call.folder / "lamp.bin").write_bytes(lamp("1.4.0"))

    said = call("publish", "lamp.bin", "--project", "lamp", "--server", url, OTA_API_KEY="otak_x")

    assert (said.status, said.out) == (2, "")
    assert "must be like https://" in said.err


@pytest.mark.parametrize("key", ["otak_\nX-Evil: 1", "otak_é", " ", "x" * 257])
def test_a_key_that_no_header_can_hold_is_not_sent(call, key):
    (call.folder / "lamp.bin").write_bytes(lamp("1.4.0"))
    place = ("--server", "http://127.0.0.1:1")

    said = call("publish", "lamp.bin", "--project", "lamp", *place, OTA_API_KEY=key)

    assert (said.status, said.out) == (2, "")
    assert "API key" in said.err
    assert "Evil" not in said.err


def test_a_key_comes_from_a_file_or_from_standard_input(server, tmp_path):
    key = a_key(server, Role.PUBLISHER, "fan")
    (tmp_path / "fan.bin").write_bytes(esp_application(version="1.0.0", project="fan"))
    (tmp_path / "key").write_text(key + "\n")
    (tmp_path / "key").chmod(0o600)
    words = ("publish", "fan.bin", "--project", "fan", "--server", server.url)
    words += ("--ca", str(server.ca))

    by_file = real(tmp_path, *words, OTA_API_KEY_FILE=str(tmp_path / "key"))
    by_input = real(tmp_path, *words, "--key", "-", given=key + "\n")

    assert (by_file.status, by_input.status) == (0, 0), by_file.err + by_input.err


def test_a_key_in_the_process_list_is_warned_of(server, tmp_path):
    key = a_key(server, Role.PUBLISHER, "desk")
    (tmp_path / "desk.bin").write_bytes(esp_application(version="1.0.0", project="desk"))

    said = real(
        tmp_path,
        *("publish", "desk.bin", "--project", "desk", "--server", server.url),
        *("--ca", str(server.ca), "--key", key),
    )

    assert said.status == 0
    assert "process list" in said.err
    assert key not in said.err


def test_a_certificate_that_is_not_trusted_is_told_with_what_to_do(server, tmp_path):
    (tmp_path / "lamp.bin").write_bytes(lamp("1.6.0"))
    words = ("publish", "lamp.bin", "--project", "lamp", "--server", server.url)

    untrusted = real(tmp_path, *words, OTA_API_KEY="otak_x")
    missing = real(tmp_path, *words, "--ca", "nothing.pem", OTA_API_KEY="otak_x")
    wrong = real(tmp_path, *words, "--ca", "lamp.bin", OTA_API_KEY="otak_x")

    assert (untrusted.status, missing.status, wrong.status) == (2, 2, 2)
    assert "--ca names the CA" in untrusted.err
    assert "cannot be used as a CA" in missing.err
    assert "cannot be used as a CA" in wrong.err
