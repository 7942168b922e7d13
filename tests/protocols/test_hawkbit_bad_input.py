"""Whatever comes to hawkBit's resources is answered with what is wrong, never with a 500."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.protocols.hawkbit.attributes import sighting_of
from tests.instance import Instance
from tests.protocols.controllers import Target, a_credential, knows, publish

GOOD = {"status": {"execution": "proceeding", "result": {"finished": "none"}}}


@pytest.fixture(scope="module", name="target")
def a_target(tmp_path_factory):
    """It was offered an action of the id 1001."""
    with Instance(tmp_path_factory.mktemp("ota")) as ota:
        publish(ota, "1.0.0")
        target = knows(Target(ota, token=a_credential(ota)))
        publish(ota, "1.1.0")
        assert target.offered() == 1001
        yield target


def but(**status):
    return {"status": GOOD["status"] | status}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"status":' * 5000,
        {},
        {"status": None},
        {"status": "closed"},
        {"status": {"execution": "closed"}},
        but(execution="bogus"),
        but(execution=7),
        but(execution=["closed"]),
        but(result=None),
        but(result="success"),
        but(result={"finished": "maybe"}),
        but(result={"finished": None}),
        but(details="a text"),
        but(details={"a": 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["deploymentBase", "cancelAction"])
def test_feedback_that_means_nothing_is_400(target, place, body):
    assert target.ask("POST", f"/{place}/1001/feedback", body).status_code == 400


@pytest.mark.parametrize(
    "document",
    [
        but(details=[1, None, {"a": 2}, "text"]),
        but(details=[]),
        but(details=None),
        but(details=["\0\ud800 \x1b[31m" * 400]),
        but(result={"finished": "none", "progress": {"cnt": "x", "of": "y"}}),
        but(result={"finished": "none", "progress": [1, 2]}),
        but(result={"finished": "none", "progress": {"cnt": {"a": 1}, "of": 3}}),
        but(code="7"),
        but(code=10**19),
        GOOD | {"id": {"a": []}, "time": 7, "extra": [[]]},
    ],
    ids=str,
)
def test_what_only_looks_odd_is_taken(target, document):
    assert target.ask("POST", "/deploymentBase/1001/feedback", document).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": {"": "x"}},
        {"data": {"k" * 129: "x"}},
        {"data": {"k": "x" * 129}},
        {"data": {"k": {"a": 1}}},
        {"data": {"k": ["x"]}},
        {"mode": "upsert", "data": {}},
        {"mode": 7, "data": {}},
        {"mode": ["merge"], "data": {}},
    ],
    ids=str,
)
def test_attributes_that_mean_nothing_are_400(target, body):
    before = target.row

    assert target.ask("PUT", "/configData", body).status_code == 400
    assert target.row.attributes == before.attributes


def test_more_than_a_hundred_attributes_are_429(target):
    before = dict(target.row.attributes)

    answer = target.says(**{f"key-{n}": "x" for n in range(101)})

    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    assert dict(target.row.attributes) == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "gateway"},
        {"version": "1.0.0"},
        {"name": 1, "version": "1.0.0"},
        {"name": "gateway", "version": 1},
        {"name": "gateway", "version": ""},
        {"name": "gateway", "version": "1" * 65},
        {"name": "gateway", "version": "1\0"},
    ],
    ids=str,
)
def test_an_installed_base_that_means_nothing_is_400(target, body):
    assert target.ask("PUT", "/installedBase", body).status_code == 400


@pytest.mark.parametrize("path", ["/configData", "/installedBase"])
@pytest.mark.parametrize("kind", ["application/cbor", "text/plain", ""])
def test_a_body_of_another_kind_is_415(target, path, kind):
    answer = target.ask("PUT", path, {"data": {}}, Content_Type=kind)

    assert answer.status_code == 415


def test_a_body_without_end_is_413(target):
    document = {"data": {"k": "x" * 70_000}}

    assert target.ask("PUT", "/configData", document).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/deploymentBase",
        "/deploymentBase/",
        "/deploymentBase/x",
        "/deploymentBase/-1",
        "/deploymentBase/0",
        "/deploymentBase/1002",
        "/deploymentBase/2147483648",
        "/deploymentBase/99999999999999999999",
        "/deploymentBase/\u0661",
        "/deploymentBase/1001/other",
        "/deploymentBase/1001/feedback/more",
        "/deploymentBase/1001/feedback/more/and/more",
        "/softwaremodules/1001",
        "/softwaremodules/1001/other",
        "/softwaremodules/1001/artifacts/",
        "/softwaremodules/1001/artifacts/nothing.swu",
        "/softwaremodules/7/artifacts",
        "//",
        "/deploymentBase/%23",
        "/softwaremodules/%23/artifacts",
    ],
)
def test_what_is_not_there_is_404(target, path):
    assert target.ask("GET", path).status_code == 404


@pytest.mark.parametrize("device", ["", "a b", "ö", "a" * 65, "a;b", "%00"])
def test_what_is_no_controllers_name_is_404(target, device):
    stranger = Target(target.ota, device, target.token)

    assert stranger.ask("GET").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "", "GET"),
        ("GET", "/configData", "PUT"),
        ("HEAD", "/configData", "PUT"),
        ("PUT", "/deploymentBase/1001", "GET"),
        ("GET", "/deploymentBase/1001/feedback", "POST"),
        ("GET", "/installedBase", "PUT"),
        ("PUT", "/softwaremodules/1001/artifacts/x", "GET"),
    ],
)
def test_another_method_is_405_and_says_which_is_right(target, method, path, allowed):
    answer = target.ask(method, path)

    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_a_method_that_no_resource_has_is_405(target):
    assert target.ask("DELETE").status_code == 405


@pytest.mark.parametrize("wanted", ["x", "1.5", "--1", "\u0661"])
def test_a_history_of_no_number_is_400(target, wanted):
    path = f"/deploymentBase/1001?actionHistory={wanted}"

    assert target.ask("GET", path).status_code == 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@given(document=json_values, place=st.sampled_from(["deploymentBase", "cancelAction"]))
def test_no_json_at_all_is_a_mistake_of_ours(target, document, place):
    for method, path in (
        ("POST", f"/{place}/1001/feedback"),
        ("PUT", "/configData"),
        ("PUT", "/installedBase"),
        ("POST", "/confirmationBase/1001/feedback"),
    ):
        for said in (document, {"status": document}, {"data": document, "mode": document}):
            answer = target.ask(method, path, json.dumps(said).encode())
            assert answer.status_code < 500, (path, said)


@given(said=st.dictionaries(st.text(max_size=20), st.none() | st.text(max_size=128)))
def test_any_attributes_are_facts_or_nothing(said):
    sighting_of(said, None)


@pytest.mark.parametrize(
    ("said", "version", "board"),
    [
        ({"sw_version": "1.2", "version": "9"}, "1.2", None),
        ({"SWVersion": "1.2"}, "1.2", None),
        ({"firmware-version": "1.2"}, "1.2", None),
        ({"version": "v" * 65, "device_type": "lamp"}, None, "lamp"),
        ({"hw_boardname": "gw", "hw_revision": "1.0"}, None, "gw 1.0"),
        ({"hw_revision": "1.0"}, None, "1.0"),
        ({"board": "nrf52840dk", "hw_revision": "0.14"}, None, "nrf52840dk"),
        ({"compatible": "My Product"}, None, "My Product"),
        ({"version": None, "board": ""}, None, None),
        ({"chip": "?!", "version": "1"}, "1", None),
    ],
)
def test_the_usual_names_of_facts_are_known(said, version, board):
    sighting = sighting_of(said, None)

    assert (sighting.version, sighting.board) == (version, board)


def test_a_digest_in_an_attribute_names_the_image():
    digest = "A1" * 32

    assert sighting_of({"image_sha256": digest}, None).digests == {digest.lower()}
    assert sighting_of({"sha256": "nonsense"}, None).digests == frozenset()
