"""Simulated SWUpdate, rauc-hawkbit-updater and Zephyr over real sockets, as strict as they are."""

import uuid
from dataclasses import replace

import pytest

from ota_http_server.domain.device import VersionFrom
from ota_http_server.domain.mcuboot_sample import mcuboot_image
from ota_http_server.domain.project import Project, UnknownVersion
from ota_http_server.domain.swupdate_sample import swupdate_bundle
from ota_http_server.simulation.board import Behaviour, Board, Did, Firmware
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.hawkbit import Rauc, SwUpdate, Zephyr
from ota_http_server.simulation.line import Access
from ota_http_server.simulation.needs import Verdict, examine
from tests.devices.registry import (
    attempts_of,
    change,
    device_of,
    give_credential,
    lines_of,
    states_of,
)
from tests.running import PATIENCE_SECONDS, Server, wait_until
from tests.simulation.looking import LATE

SIZE = 300_000
BUNDLES = {v: swupdate_bundle(version=v, payload_bytes=SIZE) for v in ("1.0.0", "1.1.0")}
IMAGES = {v: mcuboot_image(version=v, payload_bytes=SIZE) for v in ("1.0.0", "1.1.0")}


TRIED = {"swupdate": "tried", "rauc": "tried", "zephyr": "tried-zephyr"}
"""Projects for clients that do not say what they run."""


def offering(name):
    return Project(name=name, unknown_version=UnknownVersion.OFFER, edition=1)


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, "--workers", "2", "--stop-delay-seconds", "0") as running:
        for version in ("1.0.0", "1.1.0"):
            running.drop("gateway", f"gateway-{version}.swu", BUNDLES[version])
            running.drop("sensor", f"sensor-{version}.bin", IMAGES[version])
        running.drop("tried", "tried-1.0.0.swu", swupdate_bundle(hardware=("esp32",)))
        running.drop("tried-zephyr", "tried-1.1.0.bin", IMAGES["1.1.0"])
        change(running, lambda tx: [tx.projects.put(offering(n)) for n in set(TRIED.values())])
        token = running.mint("gateway")
        running.await_served("gateway", "gateway-1.1.0.swu", BUNDLES["1.1.0"], token)
        yield running


def access(server, device, project):
    token = give_credential(server, device, project)
    return Access(token=token, patience_seconds=PATIENCE_SECONDS)


def a_name(kind):
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def board_with(image, **behaviour):
    return Board(Firmware.of(image), behaviour=Behaviour(**behaviour))


class SaysRevision:
    """A Linux image whose attributes have the revision of its board."""

    @property
    def attributes(self):
        return {"version": self.board.said_version, "hw_revision": "1.0"}


class SwUpdateOnBoard(SaysRevision, SwUpdate):
    pass


class RaucOnBoard(SaysRevision, Rauc):
    pass


def swupdate(server, name, kind=SwUpdateOnBoard, **behaviour):
    way_in = access(server, name, "gateway")
    board = board_with(BUNDLES["1.0.0"], **behaviour)
    return kind(server.url, board, way_in, controller=name)


def zephyr(server, name, **behaviour):
    return Zephyr(
        server.url,
        board_with(IMAGES["1.0.0"], **behaviour),
        access(server, name, "sensor"),
        controller=name,
    )


def rauc(server, name, **behaviour):
    return swupdate(server, name, RaucOnBoard, **behaviour)


MAKERS = {"swupdate": swupdate, "rauc": rauc, "zephyr": zephyr}


@pytest.mark.parametrize("kind", MAKERS)
def test_an_unmodified_client_is_updated_and_seen_running_the_new_version(server, kind):
    name = a_name(kind)
    client = MAKERS[kind](server, name)

    assert updates(client)
    nothing = client.step()

    assert (nothing.did, nothing.version) == (Did.NOTHING, "1.1.0")
    assert states_of(server, name) == ["verified"]
    device = device_of(server, name)
    assert (device.version, device.version_from) == ("1.1.0", VersionFrom.DEVICE)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_cut_download_goes_on_where_it_was(server, kind):
    name = a_name(kind)
    client = MAKERS[kind](server, name, cuts_after_bytes=100_000)

    assert updates(client)
    assert client.line.body_bytes < SIZE + 100_000
    client.step()
    assert states_of(server, name) == ["verified"]


def test_the_download_is_the_attempts_progress(server):
    name = a_name("swupdate")
    client = swupdate(server, name, falls_silent=True)

    client.step()

    wait_until(lambda: states_of(server, name) == ["downloaded"])
    (attempt,) = attempts_of(server, name)
    assert (attempt.deliveries, attempt.sent_bytes) == (1, len(BUNDLES["1.1.0"]))


def test_what_swupdate_says_is_kept(server):
    name = a_name("swupdate")

    swupdate(server, name).step()

    (attempt,) = attempts_of(server, name)
    assert "Software updated successfully" in lines_of(server, attempt.id)


@pytest.mark.parametrize("kind", ["swupdate", "zephyr"])
def test_a_target_that_loops_is_stopped(server, kind):
    """It says that all went well, and runs the old version every time."""
    name = a_name(kind)
    client = MAKERS[kind](server, name, loops=True)

    for _ in range(8):
        client.step()

    assert len(attempts_of(server, name)) <= 3
    assert "verified" not in states_of(server, name)
    assert client.step().did is Did.NOTHING


def test_a_failed_installation_is_tried_three_times(server):
    name = a_name("swupdate")
    client = swupdate(server, name, rolls_back=True)

    for _ in range(4):
        client.step()

    assert states_of(server, name) == ["failed"] * 3
    assert client.step().did is Did.NOTHING


@pytest.mark.parametrize("kind", MAKERS)
def test_a_cancellation_is_answered_and_gone(server, kind):
    name = a_name(kind)
    client = MAKERS[kind](server, name)
    poll(client)

    def called_off(tx):
        attempt = tx.attempts.latest_of(name)
        tx.attempts.change(replace(attempt, cancel_asked=True, changed_at=tx.second))
        tx.devices.change(replace(tx.devices.get(name), pinned="1.0.0"))

    change(server, called_off)

    assert client.step().did in (Did.CANCELED, Did.NOTHING)
    assert states_of(server, name) == ["canceled"]


@pytest.mark.parametrize("kind", TRIED)
def test_every_need_of_the_client_is_met(server, kind):
    name = a_name("try")
    project = TRIED[kind]
    way_in = access(server, name, project)

    findings = examine(kind, f"{server.url}/DEFAULT/controller/v1/{name}", way_in)

    broken = [one for one in findings if one.verdict is Verdict.BROKEN]
    assert [one for one in broken if not one.need.says.startswith(LATE)] == []
    untried = [one.need.says for one in findings if one.verdict is Verdict.UNTRIED]
    assert untried == ["the link of cancelAction has no query"]


def test_several_ranges_reach_swupdates_delta_handler(server):
    name = a_name("swupdate")
    client = swupdate(server, name)
    with client.line:
        client.put_attributes()
        document = client.read(client.poll()["_links"]["deploymentBase"]["href"])
        url = document["deployment"]["chunks"][0]["artifacts"][0]["_links"]["download"]["href"]
        parts = client.fetch_blocks(client.target.address().of(url), len(BUNDLES["1.1.0"]))

    image = BUNDLES["1.1.0"]
    assert parts
    assert all(data == image[first : first + len(data)] for first, data in parts)


def updates(client):
    """rauc says at its first step what it is, and Zephyr goes on at its next run after a cut."""
    for _ in range(3):
        try:
            if client.step().did is Did.UPDATED:
                return True
        except Failed:
            pass
    return False


def poll(client):
    """It says what it is and looks what there is, without taking it."""
    with client.line:
        client.send("PUT", client.target.address("configData"), {"data": client.attributes})
        client.send("GET", client.target.address())
