"""`try` names the need that a hawkBit server breaks, for each of the three clients."""

import pytest

from ota_http_server.domain.mcuboot_sample import mcuboot_image
from ota_http_server.domain.swupdate_sample import swupdate_bundle
from ota_http_server.simulation.needs import Verdict, examine
from tests.simulation.conftest import access
from tests.simulation.hawkbit_server import Hawkbit
from tests.simulation.looking import assert_breaks, broken
from tests.simulation.scripted import Files, multipart, reply

BUNDLE = swupdate_bundle(payload_bytes=100_000)
MCUBOOT = mcuboot_image(payload_bytes=60_000)
HAWKBITS = {
    "swupdate": {"content": BUNDLE},
    "rauc": {"content": BUNDLE},
    "zephyr": {"content": MCUBOOT, "name": "z.bin", "part": "bApp"},
}


@pytest.mark.parametrize("client", HAWKBITS)
def test_a_hawkbit_server_that_does_everything_right_breaks_nothing(serve, client):
    server = serve(Hawkbit(**HAWKBITS[client]))

    assert broken(client, server.url, "T" * 32) == []


@pytest.mark.parametrize("client", HAWKBITS)
def test_no_action_is_closed_by_looking(serve, client):
    hawkbit = Hawkbit(**HAWKBITS[client])

    broken(client, serve(hawkbit).url)

    assert [one["execution"] for one in hawkbit.feedback] == ["proceeding"]
    assert hawkbit.action == 1001


PLAIN_LINK = {"download": {"href": "http://127.0.0.1:9/x"}}


@pytest.mark.parametrize(
    ("client", "changes", "expected"),
    [
        ("rauc", {"poll": {"config": {}}}, ["config.polling.sleep"]),
        ("zephyr", {"poll": {"config": {"polling": {"sleep": "0:05:00"}}}}, ["config.polling"]),
        ("rauc", {"forgets_attributes": True}, ["attributes (PUT configData)"]),
        ("rauc", {"keeps_offering": False}, ["the deployment is still shown"]),
        ("rauc", {"feedback_status": 204}, ["feedback (proceeding)"]),
        ("swupdate", {"deployment": {"update": "skip"}}, ["deployment.download and"]),
        ("swupdate", {"action": 1000}, ["the action's id"]),
        ("rauc", {"more_chunks": 1}, ["the deployment is answered"]),
        ("zephyr", {"part": "os"}, ["the deployment is answered"]),
        ("zephyr", {"artifact": {"_links": PLAIN_LINK}}, ["the deployment is answered"]),
        ("swupdate", {"name": "image.bin"}, ["there is a file named .swu"]),
        ("swupdate", {"artifact": {"size": 5}}, ["size is", "a Range to the end", "HEAD on"]),
        ("rauc", {"files": Files({}, ranges="ignored")}, ["a Range to the end", "a Range behind"]),
        ("rauc", {"files": Files({}, ranges="silent")}, ["a Range behind the end"]),
        ("swupdate", {"files": Files({}, ranges="ignored")}, ["a Range to", "several ranges"]),
        ("swupdate", {"files": Files({}, head="refused")}, ["HEAD on the artifact"]),
        ("zephyr", {"files": Files({}, status=403)}, ["the artifact is answered"]),
        ("zephyr", {"keeps": False}, ["one connection serves"]),
        ("zephyr", {"lower_case": False}, ["the tenant is found in lower case"]),
        ("zephyr", {"sized": False}, ["every answer has a Content-Length", "one connection"]),
    ],
)
def test_what_is_wrong_with_a_hawkbit_server_is_named(serve, client, changes, expected):
    server = serve(Hawkbit(**(HAWKBITS[client] | changes)))

    assert_breaks(client, server.url, *expected)


@pytest.mark.parametrize("client", HAWKBITS)
def test_hashes_in_upper_case_and_of_other_bytes_are_named(serve, client):
    wrong = {"sha1": "A" * 40, "sha256": "A" * 64}
    server = serve(Hawkbit(**HAWKBITS[client], artifact={"hashes": wrong}))

    assert_breaks(client, server.url, "hashes are lower-case", "the bytes are those")


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({"installedBase": {"href": "/DEFAULT/controller/v1/x"}}, "every link is an absolute"),
        (
            {"cancelAction": {"href": "http://a/c/1?c=5"}},
            "the link of cancelAction has no query",
        ),
        ({"confirmationBase": {"href": "http://a/c/1"}}, "at most one of cancelAction"),
        (
            {"cancelAction": {"href": "http://a/c/1"}, "deploymentBase": {"href": "http://a/d/1"}},
            "at most one of cancelAction",
        ),
    ],
)
def test_what_is_wrong_with_the_links_of_a_poll_is_named(serve, links, expected):
    hawkbit = Hawkbit(**HAWKBITS["rauc"], poll={"_links": links})

    found = broken("rauc", serve(hawkbit).url)

    assert [one for one in found if one.startswith(expected)]


def test_a_controller_without_a_deployment_is_looked_at_as_far_as_that_goes(serve):
    server = serve(Hawkbit(action=None))

    findings = examine("swupdate", server.url, access())

    assert not [one for one in findings if one.verdict is Verdict.BROKEN]
    assert "offers this controller nothing" in findings[-1].found


@pytest.mark.parametrize("client", HAWKBITS)
def test_a_refused_controller_is_named(serve, client):
    assert_breaks(
        client,
        serve(lambda _: reply(401)).url,
        "the poll is answered",
    )


def test_a_quoted_boundary_is_named(serve):
    served = Files({})

    def files_with_quotes(asked):
        wanted = asked.headers.get("range", "")
        if "," in wanted:
            said = multipart(BUNDLE, wanted.removeprefix("bytes="), {})
            return said.replace(b"boundary=XYZ", b'boundary="XYZ"')
        return served(asked)

    hawkbit = Hawkbit(BUNDLE)
    hawkbit.files = served

    def answer(asked):
        if asked.path.startswith("/download/"):
            served.files = {asked.path: BUNDLE}
            return files_with_quotes(asked)
        return hawkbit(asked)

    assert_breaks("swupdate", serve(answer).url, "several ranges at once")


def test_a_token_that_is_too_long_for_zephyr_is_named(serve):
    server = serve(Hawkbit(**HAWKBITS["zephyr"]))

    assert_breaks("zephyr", server.url, "the token has at most", token="T" * 33)


def test_a_large_artifact_is_looked_at_in_parts(serve, monkeypatch):
    monkeypatch.setattr(
        "ota_http_server.simulation.needs.artifact.WHOLE_BYTES_MAX", len(BUNDLE) - 1
    )
    server = serve(Hawkbit(BUNDLE))

    assert broken("swupdate", server.url) == []
    assert [one for one in server.asked if one.path.startswith("/download/")][1].headers["range"]
