"""Boards come in over real sockets, many at once, to a server of several workers."""

import json
import threading
from http.client import HTTPException

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.cli.calling import real
from tests.operations.enrolling import KeyPair
from tests.running import Server, wait_until

LAMP = esp_application(version="1.4.0", project="lamp", payload_bytes=4_096)
DOOR = "/api/device/v1/"
BOARDS = 20


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), "--workers", "2") as running:
        running.drop("lamp", "lamp-1.4.0.bin", LAMP)
        yield running


def shell(server, *words):
    said = real(server.folder, *words)
    assert said.status == 0, said.err
    return said.out.strip()


def post(server, part, document):
    body = json.dumps(document).encode()
    return server.ask("POST", DOOR + part, body=body, Content_Type="application/json")


def at_once(calls):
    start, answers = threading.Barrier(len(calls)), []

    def run(call):
        start.wait()
        try:
            answers.append(call())
        except (OSError, HTTPException) as failure:
            answers.append(failure)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_twenty_boards_with_one_code_exactly_one_comes_in(server):
    code = shell(server, "claims", "create", "--project", "lamp")

    answers = at_once(
        [
            lambda n=n: post(server, "enroll", {"code": code, "device_id": f"board-{n}"})
            for n in range(BOARDS)
        ]
    )

    assert sorted(answer.status for answer in answers) == [201] + [401] * (BOARDS - 1)
    (won,) = (answer.json() for answer in answers if answer.status == 201)
    path = "/firmware/lamp/lamp-1.4.0.bin"
    assert server.get(path, won["credential"]).body == LAMP
    shell(server, "devices", "credentials-revoke", won["device_id"])
    wait_until(lambda: {server.get(path, won["credential"]).status for _ in range(8)} == {401})


def test_a_board_with_a_key_comes_in_when_an_operator_says_so(server):
    shell(server, "projects", "set", "lamp", "--accepts-keys")
    pair = KeyPair()

    def signed(**more):
        challenge = post(server, "challenge", {}).json()["challenge"]
        said = {"project": "lamp", "device_id": "with-a-key", "challenge": challenge}
        signature = pair.words(challenge, "with-a-key").signature
        return {**said, "signature": signature, **more}

    asked = post(server, "key", signed(public_key=pair.pem))
    assert asked.status == 202
    assert post(server, "token", signed()).status == 401
    shell(server, "devices", "accept", asked.json()["fingerprint"])

    token = post(server, "token", signed()).json()["token"]

    assert server.get("/firmware/lamp/lamp-1.4.0.bin", token).body == LAMP
