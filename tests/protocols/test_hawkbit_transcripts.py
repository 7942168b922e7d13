"""Whole exchanges as the clients hold them, request by request.

SWUpdate's were recorded from Debian's 2022.12; those of rauc-hawkbit-updater and Zephyr were
written from their sources.
"""

import json

import pytest

from ota_http_server.domain.mcuboot_sample import mcuboot_image
from tests.instance import Instance
from tests.protocols.controllers import PROJECT, Target, a_credential, publish

SWUPDATE = {
    "User_Agent": "libcurl-agent/1.0",
    "Content_Type": "application/json",
    "Accept": "application/json",
    "charsets": "utf-8",
}
RAUC = {
    "User_Agent": "rauc-hawkbit-c-agent/1.0",
    "Accept": "application/json;charset=UTF-8",
    "Content_Type": "application/json;charset=UTF-8",
}
ZEPHYR = {"Content_Type": "application/json;charset=UTF-8"}

ATTRIBUTES = (
    '{ "id": "", "time": "20261126T002656", "status": { "result": { "finished": "success" }, '
    '"execution": "closed", "details" : [ "" ] }, "data" : {  "hw_revision": "1.0","version": "%s" '
    "} }"
)
BEGINS = (
    '{ "id": %d, "time": "20261126T002727", "status": { "result": { "progress": { "cnt" : 0, '
    '"of" : 1 }, "finished": "none" }, "execution": "proceeding", "details" : [ "Installing Update '
    'Chunk Artifacts." ] } }'
)
LINES = (
    '{ "id": %d, "time": "20261126T002728", "status": { "result": { "progress": { "cnt" : 0, '
    '"of" : 0 }, "finished": "none" }, "execution": "proceeding", "details" : [ '
    '"[listener_create] : creating socket at /tmp/sockinstctrl","Software Update started !",'
    '"[extract_file_to_tmp] : \tfilename sw-description","SWUPDATE successful !" ] } }'
)
ALL_INSTALLED = (
    '{ "id": %d, "time": "20261126T002728", "status": { "result": { "progress": { "cnt" : 1, '
    '"of" : 1 }, "finished": "none" }, "execution": "proceeding", "details" : [ "All Chunks '
    'Installed." ] } }'
)
INSTALLED = (
    '{ "id": %d, "time": "20261126T002737", "status": { "result": { "progress": { "cnt" : 0, '
    '"of" : 0 }, "finished": "success" }, "execution": "closed", "details" : [ "Update '
    'Installed." ] } }'
)


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as ota:
        publish(ota, "1.0.0")
        yield ota


class Client(Target):
    """A target with the headers that its client sends."""

    def __init__(self, ota, headers, device="gateway-1", project=PROJECT):
        super().__init__(ota, device, a_credential(ota, device, project))
        self._headers = headers

    def ask(self, method, path="", document=None, **headers):
        if isinstance(document, str):
            document = document.encode()
        return super().ask(method, path, document, **self._headers | headers)

    def done(self, method, path, document):
        """As all three want it: 200, nothing in it, and its length."""
        answer = self.ask(method, path, document)
        assert (answer.status_code, answer.data) == (200, b""), answer.data
        assert answer.headers["Content-Length"] == "0"


def test_the_first_contact(ota):
    client = Client(ota, SWUPDATE)

    assert set(client.links()) == {"configData"}
    client.done("PUT", "/configData", ATTRIBUTES % "1.0.0")
    assert client.links() == {}


def test_swupdate_installs_over_a_cut_link_and_reports_after_its_reboot(ota):
    client = Client(ota, SWUPDATE)
    client.links()
    client.done("PUT", "/configData", ATTRIBUTES % "1.0.0")
    image = publish(ota, "1.1.0")
    action = client.offered()
    feedback = f"/deploymentBase/{action}/feedback"
    url = client.artifact()["_links"]["download"]["href"]
    client.done("POST", feedback, BEGINS % action)
    assert client.ask("HEAD", url).headers["Content-Length"] == str(len(image))
    begun = client.ask("GET", url).data[:1000]
    rest = client.ask("GET", url, Range="bytes=1000-")
    assert (rest.status_code, begun + rest.data) == (206, image)
    assert set(client.links()) == {"deploymentBase"}
    client.done("POST", feedback, LINES % action)
    client.done("POST", feedback, ALL_INSTALLED % action)

    ota.clock.pass_seconds(50)  # it reboots

    assert client.offered() == action
    assert client.deployment()["id"] == str(action)
    client.done("POST", feedback, INSTALLED % action)
    client.done("POST", feedback, INSTALLED % action)
    assert set(client.links()) == {"installedBase", "configData"}
    client.done("PUT", "/configData", ATTRIBUTES % "1.1.0")
    assert client.state == "verified"
    assert set(client.links()) == {"installedBase"}


def test_swupdate_that_hears_of_a_newer_action_still_gets_rid_of_its_report(ota):
    client = Client(ota, SWUPDATE)
    client.done("PUT", "/configData", ATTRIBUTES % "1.0.0")
    publish(ota, "1.1.0")
    stored = client.offered()
    publish(ota, "1.2.0")
    newer = client.offered()

    client.done("POST", f"/deploymentBase/{stored}/feedback", INSTALLED % stored)

    assert client.offered() == newer != stored


def test_a_line_with_a_raw_tab_in_it_is_no_reason_to_lose_a_report(ota):
    """No JSON text may hold one, and old SWUpdates send them."""
    client = Client(ota, SWUPDATE)
    client.done("PUT", "/configData", ATTRIBUTES % "1.0.0")
    publish(ota, "1.1.0")
    action = client.offered()

    client.done("POST", f"/deploymentBase/{action}/feedback", LINES % action)

    with ota.ota.stores.database.reading() as rows:
        said = [line.text for line in rows.attempts.lines(action)]
    assert "[extract_file_to_tmp] :  filename sw-description" in said


def test_rauc_rejects_a_cancellation_while_it_installs(ota):
    client = Client(ota, RAUC)
    client.done("PUT", "/configData", json.dumps({"data": {"version": "1", "hw_revision": "1.0"}}))
    publish(ota, "1.1.0")
    action = client.offered()
    client.cancel()
    cancel = client.links()["cancelAction"]
    stop = client.ask("GET", cancel).get_json(force=True)["cancelAction"]["stopId"]
    word = {
        "id": stop,
        "time": "20251009T153412",
        "status": {
            "result": {"finished": "success"},
            "execution": "rejected",
            "details": ["Action already in progress."],
        },
    }

    client.done("POST", f"/cancelAction/{stop}/feedback", json.dumps(word))

    assert client.offered() == action
    word["status"] |= {"execution": "closed", "details": ["Software bundle installed."]}
    client.done("POST", f"/deploymentBase/{action}/feedback", json.dumps(word))
    assert client.state == "installed"
    assert "deploymentBase" not in client.links()


def test_rauc_that_has_all_of_a_bundle_is_told_so(ota):
    client = Client(ota, RAUC)
    client.done("PUT", "/configData", json.dumps({"data": {"version": "1", "hw_revision": "1.0"}}))
    image = publish(ota, "1.1.0")
    url = client.artifact()["_links"]["download"]["href"]

    answer = client.ask("GET", url, Range=f"bytes={len(image)}-", Accept="application/octet-stream")

    assert answer.status_code == 416


def test_zephyr_finds_every_link_gone_once_it_answered_it(ota):
    ota.drop_old("sensor", "sensor-1.0.0.bin", mcuboot_image(version="1.0.0"))
    client = Client(ota, ZEPHYR, "nrf52840dk-0123456789abcdef", "sensor")
    config = json.dumps({"mode": "merge", "data": {"VIN": client.device, "version": "1.0.0"}})
    assert set(client.links()) == {"configData"}
    client.done("PUT", "/configData", config)
    ota.drop_old("sensor", "sensor-1.1.0.bin", mcuboot_image(version="1.1.0"))
    action = client.offered()
    (chunk,) = client.deployment()["deployment"]["chunks"]
    assert (chunk["part"], len(chunk["artifacts"])) == ("bApp", 1)

    ota.clock.pass_seconds(50)  # it reboots into the test image

    assert client.offered() == action
    closed = {"status": {"execution": "closed", "result": {"finished": "success"}}}
    client.done("POST", f"/deploymentBase/{action}/feedback", json.dumps(closed))
    assert set(client.links()) == {"installedBase", "configData"}
    client.done("PUT", "/configData", config.replace("1.0.0", "1.1.0"))
    assert set(client.links()) == {"installedBase"}
    assert client.state == "verified"


def test_an_old_zephyr_posts_in_lower_case_and_finds_capitals_in_links(ota):
    ota.drop_old("sensor", "sensor-1.0.0.bin", mcuboot_image(version="1.0.0"))
    client = Client(ota, ZEPHYR, "board-1", "sensor")
    client.path = client.path.replace("DEFAULT", "default")
    client.done("PUT", "/configData", json.dumps({"data": {"version": "0.9.0"}}))
    action = client.offered()

    assert "/DEFAULT/controller/v1" in client.artifact()["_links"]["download-http"]["href"]
    closed = {"status": {"execution": "closed", "result": {"finished": "success"}}}
    client.done("POST", f"/deploymentBase/{action}/feedback", json.dumps(closed))


def test_what_behind_deployment_base_stands_fits_an_old_zephyrs_buffer(ota):
    client = Client(ota, ZEPHYR)
    client.done("PUT", "/configData", json.dumps({"data": {"version": "1", "hw_revision": "1.0"}}))
    publish(ota, "1.1.0")

    href = client.links()["deploymentBase"]

    assert len(href.partition("deploymentBase/")[2]) <= 49
