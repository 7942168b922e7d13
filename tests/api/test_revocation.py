"""Taking tokens back: at once here, within two seconds on every instance that shares the rows."""

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.instance import ADMIN_SECRET, DEVICE, JWT_SECRET, Clock, Instance
from tests.protocols.test_credentials import foreign, signed

IMAGE = esp_application(payload_bytes=512)
REVOKE = "/admin/revoke_token"
OTHER_DEVICE = "00000000-0000-4000-8000-000000000001"
ROUTES = ["lamp.bin", "versions", "latest", "lamp.bin.md5"]


@pytest.fixture(name="clock")
def a_clock():
    return Clock()


@pytest.fixture(name="two")
def two_instances(tmp_path, clock):
    with Instance(tmp_path, clock) as one, Instance(tmp_path, clock) as other:
        one.drop("lamp", "lamp.bin", IMAGE)
        yield one, other


def statuses(instance, token):
    answers = [instance.get(f"/firmware/lamp/{route}", token) for route in ROUTES]
    answers.append(instance.ask("HEAD", "/firmware/lamp/lamp.bin", token))
    answers.append(instance.get("/firmware/lamp/lamp.bin", token, Range="bytes=5-"))
    answers.append(instance.get(f"/firmware/lamp/{token}/lamp.bin"))
    answers.append(instance.get(f"/firmware/lamp/lamp.bin?token={token}"))
    return {answer.status_code for answer in answers}


def by(what, token, document):
    return {"jti": document["payload"]["jti"], "token": token, "device_id": DEVICE}[what]


@pytest.mark.parametrize("what", ["jti", "token", "device_id"])
def test_a_revoked_token_is_refused_here_at_once_and_elsewhere_within_two_seconds(two, clock, what):
    one, other = two
    wish = {"device_id": DEVICE, "project": "lamp"}
    document = one.admin("/admin/generate_token", wish).json
    token = document["token"]
    assert statuses(one, token) | statuses(other, token) == {200, 206}

    answer = one.admin(REVOKE, {what: by(what, token, document)})
    at_once = statuses(one, token)
    clock.pass_seconds(1.5)

    assert (answer.status_code, answer.json["revoked"]) == (200, what)
    assert at_once == {401}
    assert statuses(other, token) == {401}


def test_a_revocation_touches_no_other_token(two, clock):
    one, _ = two
    kept, revoked = one.mint("lamp"), one.mint("lamp")
    of_another = one.mint("lamp", OTHER_DEVICE)
    one.admin(REVOKE, {"token": revoked})
    clock.pass_seconds(2)

    for instance in two:
        assert instance.get("/firmware/lamp/versions", kept).status_code == 200
        assert instance.get("/firmware/lamp/versions", of_another).status_code == 200


def test_a_token_minted_in_the_second_of_a_device_revocation_works(two):
    one, _ = two
    old = one.mint("lamp")
    for _ in range(3):
        one.admin(REVOKE, {"device_id": DEVICE})
        new = one.mint("lamp")
        assert one.get("/firmware/lamp/versions", new).status_code == 200

    assert one.get("/firmware/lamp/versions", old).status_code == 401


def test_a_device_is_revoked_in_any_case_of_its_name(two):
    one, _ = two
    token = one.mint("lamp")
    one.admin(REVOKE, {"device_id": DEVICE.upper()})

    assert one.get("/firmware/lamp/versions", token).status_code == 401


def test_a_device_revocation_covers_tokens_from_elsewhere_without_iat(two):
    one, _ = two
    without, with_iat = signed(foreign(iat=None, jti=None)), signed(foreign(sub="sensor:7"))
    assert one.get("/firmware/lamp/versions", without).status_code == 200
    one.admin(REVOKE, {"device_id": DEVICE})
    one.admin(REVOKE, {"device_id": "sensor:7"})

    assert one.get("/firmware/lamp/versions", without).status_code == 401
    assert one.get("/firmware/lamp/versions", with_iat).status_code == 401


def test_a_token_from_elsewhere_is_revoked_by_its_text(two):
    one, _ = two
    token = signed(foreign(jti=None))
    one.admin(REVOKE, {"token": token})

    assert one.get("/firmware/lamp/versions", token).status_code == 401


def test_a_revocation_survives_a_restart(tmp_path):
    with Instance(tmp_path) as ota:
        ota.drop("lamp", "lamp.bin", IMAGE)
        token = ota.mint("lamp")
        ota.admin(REVOKE, {"token": token})
    with Instance(tmp_path) as again:
        assert again.get("/firmware/lamp/versions", token).status_code == 401


def test_a_token_that_never_held_may_be_revoked_with_a_warning(two):
    answer = two[0].admin(REVOKE, {"token": "anything at all"})

    assert (answer.status_code, "warning" in answer.json) == (200, True)


def test_the_token_itself_is_written_nowhere(tmp_path):
    with Instance(tmp_path) as ota:
        token = ota.mint("lamp")
        ota.admin(REVOKE, {"token": token})
    signature = token.split(".")[2].encode()

    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert signature not in content, path
            assert ADMIN_SECRET.encode() not in content, path
            assert JWT_SECRET.encode() not in content, path


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"jti": None},
        {"jti": ""},
        {"jti": 5},
        {"jti": "a", "token": "b"},
        {"jti": "x" * 129},
        {"jti": "a\nb"},
        {"token": ""},
        {"token": "x" * 4097},
        {"device_id": ""},
        {"device_id": "a b"},
        {"device_id": "x" * 65},
        {"device": DEVICE},
    ],
)
def test_a_revocation_names_exactly_one_thing(two, body):
    assert two[0].admin(REVOKE, body).status_code == 400


def test_a_revocation_is_in_the_audit_log(tmp_path):
    with Instance(tmp_path) as ota:
        document = ota.admin("/admin/generate_token", {"device_id": DEVICE, "project": "lamp"}).json
        for what in ("jti", "token", "device_id"):
            ota.admin(REVOKE, {what: by(what, document["token"], document)})

    lines = (tmp_path / "ota_audit.log").read_text().splitlines()
    revoked = [line for line in lines if "Action=revoke_token" in line]
    assert len(revoked) == 3
    assert f"jti={document['payload']['jti']}" in revoked[0]
    assert all(f"device={DEVICE}" in line for line in revoked[1:])
    assert not any(document["token"] in line for line in lines)


def test_a_forged_audit_line_stays_a_part_of_its_own(tmp_path):
    with Instance(tmp_path) as ota:
        forged = "x IP=1.2.3.4 [AUDIT] Action=server_stop"
        assert ota.admin(REVOKE, {"jti": forged}).status_code == 200

    (line,) = (tmp_path / "ota_audit.log").read_text().splitlines()
    assert line.count("Action=") == 1
    assert line.count("IP=") == 1


def test_revocations_hold_while_the_database_is_away(two, clock):
    one, _ = two
    good, revoked = one.mint("lamp"), one.mint("lamp")
    one.admin(REVOKE, {"token": revoked})
    one.get("/firmware/lamp/lamp.bin", good)
    clock.pass_seconds(4000)
    good = signed(foreign(iat=clock.second, exp=clock.second + 600))
    (one.folder / "data" / "ota.sqlite").rename(one.folder / "data" / "away")
    one.close()
    try:
        assert one.get("/firmware/lamp/lamp.bin", revoked).status_code == 401
        assert one.get("/firmware/lamp/lamp.bin", good).status_code == 200
    finally:
        (one.folder / "data" / "ota.sqlite").unlink(missing_ok=True)
        (one.folder / "data" / "away").rename(one.folder / "data" / "ota.sqlite")
