"""The 256 small ranges of one image cost one look: at its credential, and at the database."""

import time
from contextlib import contextmanager
from threading import get_ident
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, event

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.security.credentials import Opaque
from ota_http_server.security.tokens import Tokens
from tests.instance import Clock, Instance
from tests.protocols.controllers import DEVICE, PROJECT, Target, a_credential, knows, publish

RANGE_BYTES = 4_096
IMAGE_NAME = f"{PROJECT}-1.0.0.bin"
IMAGE = esp_application(version="1.0.0", project=PROJECT, payload_bytes=256 * RANGE_BYTES)


class Standing(Clock):
    """It moves when the test says so: what a process asks for every second is not counted here."""

    def __init__(self):
        super().__init__()
        self.began = time.time()

    def wall(self):
        return self.began + self.ahead

    def monotonic(self):
        return self.ahead


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path, Standing()) as ota:
        ota.drop_old(PROJECT, IMAGE_NAME, IMAGE)
        ota.ota.catalog.of(PROJECT)  # taken up; in its first second a name may be given another one
        ota.clock.pass_seconds(60)
        yield ota


def a_token(ota):
    return f"/firmware/{PROJECT}/{IMAGE_NAME}", {"Authorization": f"Bearer {ota.mint(PROJECT)}"}


def a_token_in_the_path(ota):
    return f"/firmware/{PROJECT}/{ota.mint(PROJECT)}/{IMAGE_NAME}", {}


def an_opaque_credential(ota):
    bearer = {"Authorization": f"Bearer {a_credential(ota)}"}
    return f"/firmware/{PROJECT}/{IMAGE_NAME}", bearer


def an_opaque_credential_in_the_query(ota):
    return f"/firmware/{PROJECT}/{IMAGE_NAME}?token={a_credential(ota)}", {}


def a_ticket(ota):
    """As a board that shows its credential in the query finds it in a document."""
    answer = ota.get(f"/firmware/{PROJECT}/otapull.json?token={a_credential(ota)}")
    url = answer.get_json()["Configurations"][0]["URL"]
    assert "/t" in url
    return urlsplit(url).path, {}


def a_hawkbit_artifact(ota):
    publish(ota, "1.1.0", esp_application(version="1.1.0", project=PROJECT, payload_bytes=2**20))
    ota.clock.pass_seconds(60)
    credential = a_credential(ota)
    target = knows(Target(ota, DEVICE, credential), chip="esp32")
    url = target.artifact()["_links"]["download"]["href"]
    return urlsplit(url).path, {"Authorization": f"TargetToken {credential}"}


WAYS = [
    a_token,
    a_token_in_the_path,
    an_opaque_credential,
    an_opaque_credential_in_the_query,
    a_ticket,
    a_hawkbit_artifact,
]


@contextmanager
def statements():
    """All that this thread, which serves the requests, asks any database meanwhile.

    The chores of an application that another test left behind go on in threads of their own.
    """
    asked, here = [], get_ident()

    def note(_connection, _cursor, statement, *_rest):
        if get_ident() == here:
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def read(ota, path, headers, number):
    """One range, as esp_https_ota asks for it."""
    first = number * RANGE_BYTES
    span = {"Range": f"bytes={first}-{first + RANGE_BYTES - 1}"}
    answer = ota.client.get(path, headers=headers | span, buffered=True)
    assert answer.status_code == 206, answer.data
    return answer.data


@pytest.mark.parametrize("way", WAYS)
def test_once_a_download_has_begun_its_ranges_ask_the_database_nothing(ota, way):
    path, headers = way(ota)
    # The first may open the device's attempt; the second then looks at the device once more.
    got = read(ota, path, headers, 0) + read(ota, path, headers, 1)

    with statements() as asked:
        for number in range(2, 256):
            got += read(ota, path, headers, number)

    assert asked == []
    assert got[:4] == IMAGE[:4]
    assert len(got) == 256 * RANGE_BYTES


@pytest.mark.parametrize("way", WAYS)
def test_after_the_first_range_no_credential_is_verified_again(ota, way, monkeypatch):
    verified = []
    for checker in ((Tokens, "verify"), (Opaque, "may_be_credential")):
        monkeypatch.setattr(*checker, counted(verified, *checker))
    path, headers = way(ota)
    read(ota, path, headers, 0)
    before = len(verified)

    for number in range(1, 20):
        read(ota, path, headers, number)

    assert before > 0
    assert len(verified) == before


def test_who_knows_no_credential_costs_no_query_either(ota):
    path, _ = a_token(ota)
    ota.ota.verifier.refresh()

    with statements() as asked:
        answer = ota.client.get(path, headers={"Authorization": "Bearer " + "x" * 32})

    assert answer.status_code == 401
    assert asked == []


def test_the_statements_of_a_first_range_are_seen(ota):
    """Else the other tests here would show nothing."""
    path, headers = an_opaque_credential(ota)

    with statements() as asked:
        read(ota, path, headers, 0)

    assert any("credentials" in statement for statement in asked)


def counted(calls, owner, name):
    original = getattr(owner, name)

    def call(*args, **kwargs):
        calls.append(name)
        return original(*args, **kwargs)

    return call
