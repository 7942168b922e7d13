"""The three hawkBit clients against a server that does everything right, or one thing wrong."""

import pytest

from ota_http_server.domain.mcuboot_sample import mcuboot_image
from ota_http_server.domain.swupdate_sample import swupdate_bundle
from ota_http_server.simulation.board import Behaviour, Board, Did
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.hawkbit import Rauc, SwUpdate, Target, Zephyr
from ota_http_server.simulation.hawkbit.multipart import boundary_of
from tests.simulation.conftest import access
from tests.simulation.hawkbit_server import Hawkbit, artifact
from tests.simulation.scripted import Files, reply

BUNDLE = swupdate_bundle(version="2.0.0", payload_bytes=100_000)
MCUBOOT = mcuboot_image(version="2.0.0", payload_bytes=60_000)
GOOD = Behaviour()


def swupdate(serve, hawkbit, behaviour=GOOD, **more):
    return SwUpdate(serve(hawkbit).url, Board(behaviour=behaviour), access("T" * 32), **more)


def rauc(serve, hawkbit, behaviour=GOOD):
    board = Board(behaviour=behaviour)
    return Rauc(serve(hawkbit).url, board, access("T" * 32), retry_seconds=0)


def zephyr(serve, hawkbit, behaviour=GOOD, **more):
    return Zephyr(serve(hawkbit).url, Board(behaviour=behaviour), access("T" * 32), **more)


def zephyr_server(**more):
    return Hawkbit(MCUBOOT, name="zephyr.signed.bin", part="bApp", **more)


def ends(hawkbit):
    """The final reports."""
    final = [one for one in hawkbit.feedback if one["execution"] == "closed"]
    return [(one["result"]["finished"], *one.get("details", [])) for one in final]


# --- SWUpdate


def test_swupdate_reports_success_after_its_reboot_while_the_deployment_is_still_shown(serve):
    hawkbit = Hawkbit(BUNDLE)
    device = swupdate(serve, hawkbit)

    first = device.step()
    before_reboot = ends(hawkbit)
    second = device.step()

    assert (first.did, first.version, second.did) == (Did.UPDATED, "2.0.0", Did.NOTHING)
    assert (before_reboot, ends(hawkbit)) == ([], [("success", "Update Installed.")])
    assert hawkbit.attributes["version"] == "2.0.0"
    assert second.wait_seconds == 300


def test_swupdate_says_nothing_at_the_end_if_no_deployment_is_shown_any_more(serve):
    hawkbit = Hawkbit(BUNDLE)
    device = swupdate(serve, hawkbit)
    device.step()
    hawkbit.action = None

    assert device.step().did is Did.NOTHING
    assert ends(hawkbit) == []


def test_swupdate_goes_no_further_until_its_result_is_taken(serve):
    hawkbit = Hawkbit(BUNDLE)
    device = swupdate(serve, hawkbit)
    device.step()
    hawkbit.feedback_status = 410
    hawkbit.deployment = {"update": "forced"}

    with pytest.raises(Failed, match="reporting installation status"):
        device.step()
    hawkbit.action, hawkbit.feedback_status = 1001, 200

    assert device.step().did is Did.NOTHING


@pytest.mark.parametrize(
    ("behaviour", "did", "end"),
    [
        (Behaviour(rolls_back=True), Did.ROLLED_BACK, ("failure", "Update Failed.")),
        (Behaviour(loops=True), Did.ROLLED_BACK, ("success", "Update Installed.")),
    ],
)
def test_swupdate_that_runs_the_old_image_again_knows_it_or_not(serve, behaviour, did, end):
    hawkbit = Hawkbit(BUNDLE)
    device = swupdate(serve, hawkbit, behaviour)

    outcome = device.step()
    device.step()

    assert (outcome.did, ends(hawkbit)) == (did, [end])


def test_swupdate_resumes_a_cut_download(serve):
    hawkbit = Hawkbit(BUNDLE)
    device = swupdate(serve, hawkbit, Behaviour(cuts_after_bytes=30_000, cuts=2))

    assert device.step().did is Did.UPDATED


def test_swupdate_appends_whatever_answers_its_range(serve):
    hawkbit = Hawkbit(BUNDLE, files=Files({}, ranges="ignored"))
    device = swupdate(serve, hawkbit, Behaviour(cuts_after_bytes=30_000))

    with pytest.raises(Failed, match="Checksum does not match"):
        device.step()

    assert ends(hawkbit)[0][0] == "failure"


def test_swupdate_that_falls_silent_is_not_heard_again(serve):
    hawkbit = Hawkbit(BUNDLE)
    device = swupdate(serve, hawkbit, Behaviour(falls_silent=True))

    assert [device.step().did for _ in range(2)] == [Did.SILENT] * 2
    assert [one["details"][0] for one in hawkbit.feedback] == ["Installing Update Chunk Artifacts."]


def test_swupdate_acknowledges_a_cancellation(serve):
    hawkbit = Hawkbit(BUNDLE, cancels=True)

    assert swupdate(serve, hawkbit).step().did is Did.CANCELED
    assert hawkbit.cancel_feedback[0]["details"] == ["cancellation acknowledged."]


def test_swupdate_closes_an_action_that_is_to_be_skipped(serve):
    hawkbit = Hawkbit(BUNDLE, deployment={"update": "skip"})

    assert swupdate(serve, hawkbit).step().did is Did.NOTHING
    assert ends(hawkbit) == [("success", "Skipped Update.")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"poll": {"config": {}}}, "config->polling->sleep"),
        ({"deployment": {"chunks": None}}, "deployment->chunks"),
        ({"deployment": {"chunks": [{"part": "os"}]}}, "'part', 'version', or 'name'"),
        ({"artifact": {"size": "12"}}, "'filename', 'hashes->sha1', or 'size'"),
        ({"artifact": {"hashes": {}}}, "'filename', 'hashes->sha1', or 'size'"),
        ({"artifact": {"_links": {}}}, "No artifact download URL"),
        ({"artifact": {"hashes": {"sha1": "A" * 40}}}, "Checksum does not match"),
        ({"name": "image.bin"}, "No suitable .swu image found"),
        ({"files": Files({}, status=404)}, "HTTP error code 404"),
    ],
)
def test_swupdate_fails_in_its_own_words(serve, changes, words):
    with pytest.raises(Failed, match=words):
        swupdate(serve, Hawkbit(BUNDLE, **changes)).step()


def test_swupdate_without_tls_takes_the_plain_link_alone(serve):
    hawkbit = Hawkbit(BUNDLE, artifact={"_links": {"download": {"href": "https://x/"}}})

    with pytest.raises(Failed, match="No artifact download HTTP URL"):
        swupdate(serve, hawkbit, needs_plain_link=True).step()


def test_swupdate_fetches_the_blocks_of_a_delta_by_ten_ranges_at_a_time(serve):
    content = bytes(range(256)) * 6000
    server = serve(Files({"/image.zck": content}))
    device = SwUpdate(server.url, Board(), access())
    address = device.target.address().at("/image.zck")

    parts = device.fetch_blocks(address, len(content))

    assert all(content[at : at + len(part)] == part for at, part in parts)
    assert len(parts) == 12
    assert [one.headers["range"].count(",") + 1 for one in server.asked] == [10, 2]


def test_delta_needs_exactly_206(serve):
    server = serve(Files({"/image.zck": bytes(1000)}, ranges="ignored"))
    device = SwUpdate(server.url, Board(), access())

    with pytest.raises(Failed, match="200 instead of 206"):
        device.fetch_ranges(device.target.address().at("/image.zck"), ["0-9", "20-29"])


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/byteranges; boundary="XYZ"',
        "multipart/byteranges; boundary=X=Y",
        "multipart/byteranges;boundary=XYZ",
        "multipart/byteranges; charset=x; boundary=XYZ",
        "application/octet-stream",
    ],
)
def test_a_boundary_that_the_delta_handler_cannot_read_is_refused(content_type):
    with pytest.raises(Failed, match="cannot parse"):
        boundary_of(content_type)


# --- rauc-hawkbit-updater


def test_rauc_reports_success_before_its_reboot(serve):
    hawkbit = Hawkbit(BUNDLE)
    device = rauc(serve, hawkbit)

    outcome = device.step()

    assert (outcome.did, outcome.version) == (Did.UPDATED, "2.0.0")
    assert ends(hawkbit) == [("success", "Software bundle installed successfully.")]
    assert device.step().detail == "No new software."


def test_rauc_says_success_even_if_it_then_rolls_back(serve):
    hawkbit = Hawkbit(BUNDLE)

    assert rauc(serve, hawkbit, Behaviour(rolls_back=True)).step().did is Did.ROLLED_BACK
    assert ends(hawkbit)[0][0] == "success"


def test_rauc_rejects_a_cancellation_that_comes_while_it_installs(serve):
    hawkbit = Hawkbit(BUNDLE)
    polls = []

    def answer(asked):
        if asked.path.count("/") == 4:
            polls.append(asked)
            hawkbit.cancels = len(polls) == 2
        return hawkbit(asked)

    device = Rauc(serve(answer).url, Board(), access(), retry_seconds=0)

    assert device.step().did is Did.UPDATED
    assert hawkbit.cancel_feedback[0]["execution"] == "rejected"


def test_rauc_acknowledges_a_cancellation_while_it_has_nothing_to_do(serve):
    hawkbit = Hawkbit(BUNDLE, cancels=True)

    assert rauc(serve, hawkbit).step().did is Did.CANCELED
    assert hawkbit.cancel_feedback[0]["execution"] == "closed"


def test_rauc_resumes_and_takes_416_for_all_is_there(serve):
    whole = Hawkbit(BUNDLE)

    assert rauc(serve, whole, Behaviour(cuts_after_bytes=30_000)).step().did is Did.UPDATED
    assert rauc(serve, Hawkbit(BUNDLE), Behaviour(cuts_after_bytes=len(BUNDLE))).step().did is (
        Did.UPDATED
    )


def test_rauc_repeats_what_a_busy_server_refuses(serve):
    hawkbit, busy = Hawkbit(BUNDLE), iter([409, 429])

    def answer(asked):
        status = next(busy, 0) if asked.method == "PUT" else 0
        return reply(status) if status else hawkbit(asked)

    server = serve(answer)

    assert Rauc(server.url, Board(), access(), retry_seconds=0).step().did is Did.UPDATED
    assert [one.method for one in server.asked].count("PUT") == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"more_chunks": 1}, "2 chunks, expected exactly 1"),
        ({"artifact": {"size": 0}}, r"\$.size"),
        ({"artifact": {"hashes": {}}}, r"\$.hashes.sha1"),
        ({"artifact": {"hashes": {"sha1": "0" * 40}}}, "Invalid checksum"),
        ({"artifact": {"_links": {}}}, "_links.download"),
        ({"deployment": {"update": "now"}}, "Unknown mode"),
        ({"files": Files({}, status=403)}, "HTTP request failed: 403"),
    ],
)
def test_rauc_fails_in_its_own_words_and_reports_it(serve, changes, words):
    hawkbit = Hawkbit(BUNDLE, **changes)

    with pytest.raises(Failed, match=words):
        rauc(serve, hawkbit).step()

    assert ends(hawkbit)[0][0] == "failure"


def test_rauc_takes_nothing_but_200_from_the_interface(serve):
    with pytest.raises(Failed, match="HTTP request failed: 302"):
        Rauc(serve(lambda _: reply(302, b"", Location="/x")).url, Board(), access()).step()
    with pytest.raises(Failed, match="Failed to authenticate"):
        Rauc(serve(lambda _: reply(401)).url, Board(), access()).step()


@pytest.mark.parametrize(
    ("deployment", "reported"),
    [
        ({"download": "skip"}, []),
        ({"update": "skip"}, ["downloaded"]),
        ({"update": "skip", "maintenanceWindow": "unavailable"}, []),
    ],
)
def test_rauc_downloads_only_or_waits_for_the_window(serve, deployment, reported):
    hawkbit = Hawkbit(BUNDLE, deployment=deployment)

    assert rauc(serve, hawkbit).step().did is Did.NOTHING
    assert [one["execution"] for one in hawkbit.feedback if one["execution"] != "proceeding"] == (
        reported
    )


# --- Zephyr


def test_zephyr_reports_success_when_it_sees_the_same_action_after_the_reboot(serve):
    hawkbit = zephyr_server()
    device = zephyr(serve, hawkbit)

    first = device.step()
    before_reboot = ends(hawkbit)
    second = device.step()

    assert (first.did, first.version, second.did) == (Did.UPDATED, "2.0.0", Did.NOTHING)
    assert (before_reboot, ends(hawkbit)) == ([], [("success",)])


def test_zephyr_uses_one_connection_for_a_run(serve):
    server = serve(zephyr_server())

    Zephyr(server.url, Board(), access("T" * 32)).step()

    assert server.connections == 1
    assert server.asked[0].headers["authorization"] == f"TargetToken {'T' * 32}"


def test_zephyr_goes_on_with_a_cut_download_at_its_next_run(serve):
    hawkbit = zephyr_server()
    server = serve(hawkbit)
    board = Board(behaviour=Behaviour(cuts_after_bytes=20_000))
    device = Zephyr(server.url, board, access())

    with pytest.raises(Cut):
        device.step()

    assert device.step().did is Did.UPDATED
    assert server.asked[-1].headers["range"] == "bytes=20000-"


def test_zephyr_answers_a_cancellation_and_looks_again(serve):
    hawkbit = zephyr_server(cancels=True)

    assert zephyr(serve, hawkbit).step().did is Did.CANCELED
    assert hawkbit.cancel_feedback[0]["result"]["finished"] == "success"


def test_zephyr_cannot_cancel_what_is_installed(serve):
    hawkbit = zephyr_server()
    device = zephyr(serve, hawkbit)
    device.step()
    hawkbit.cancels = True

    device.step()

    assert hawkbit.cancel_feedback[0]["result"]["finished"] == "failure"


def test_zephyr_says_success_although_mcuboot_went_back_to_the_old_image(serve):
    hawkbit = zephyr_server()
    device = zephyr(serve, hawkbit, Behaviour(rolls_back=True))

    assert device.step().did is Did.ROLLED_BACK
    device.step()

    assert ends(hawkbit) == [("success",)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sized": False}, "len mismatch"),
        ({"forgets_attributes": True}, "never ends"),
        ({"poll": {"config": {"polling": {"sleep": "5:00"}}}}, "Invalid poll sleep"),
        ({"part": "os"}, "Only part 'bApp'"),
        ({"more_chunks": 1}, r"Expecting 1 chunk \(got 2\)"),
        ({"artifact": {"hashes": {"sha1": "0" * 40}}}, "hashes.sha256"),
        ({"artifact": {"hashes": {"sha256": "0" * 64}}}, "validate stored firmware"),
        ({"artifact": {"_links": {"download": {"href": "http://x/"}}}}, "download-http"),
        ({"artifact": {"size": 2**24}}, "too big"),
        ({"files": Files({}, framing="chunked")}, "Download incomplete"),
        ({"files": Files({}, status=403)}, "denied: 403"),
    ],
)
def test_zephyr_fails_in_its_own_words(serve, changes, words):
    changed = {"content": MCUBOOT, "name": "z.bin", "part": "bApp"} | changes

    with pytest.raises(Failed, match=words):
        zephyr(serve, Hawkbit(**changed)).step()


def test_zephyr_has_room_for_a_token_of_32_characters(serve):
    device = Zephyr(serve(zephyr_server()).url, Board(), access("T" * 33))

    with pytest.raises(Failed, match="too long"):
        device.step()


# --- all three


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://a:8080/acme/controller/v1/dev1", ("http://a:8080", "acme", "dev1")),
        ("http://a/x/DEFAULT/controller/v1/dev1/", ("http://a/x", "DEFAULT", "dev1")),
        ("http://a:8080/", ("http://a:8080", "DEFAULT", "own")),
    ],
)
def test_a_controller_is_named_whole_or_by_its_server(url, target):
    assert Target.of(url, "own") == Target(*target)


def test_a_gateway_token_is_shown_as_one(serve):
    server = serve(Hawkbit(BUNDLE))

    SwUpdate(server.url, Board(), access("T"), gateway=True).step()

    assert {one.headers["authorization"] for one in server.asked} == {"GatewayToken T"}


def test_several_artifacts_are_all_looked_at_by_swupdate_alone(serve):
    url = "http://127.0.0.1:9/x"
    chunk = {"part": "os", "version": "2", "name": "n"}
    chunk["artifacts"] = [artifact("a.txt", b"a", url), artifact("b.txt", b"b", url)]
    hawkbit = Hawkbit(BUNDLE, deployment={"chunks": [chunk]})

    with pytest.raises(Failed, match=r"No suitable \.swu"):
        swupdate(serve, hawkbit).step()
    with pytest.raises(Failed, match="2 artifacts"):
        rauc(serve, Hawkbit(BUNDLE, deployment={"chunks": [chunk]})).step()
