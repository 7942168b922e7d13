"""Which requests have a line: refusals as a rule, all or none if somebody wishes so."""

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.http.request_log import REFUSALS_A_SECOND_MAX, RequestLog
from ota_http_server.logs import TextLine
from tests.instance import Instance

ROUTES = ["/firmware/lamp/lamp.bin", "/status", "/nothing", "/firmware/lamp/nothing.bin"]


@pytest.fixture(name="lines")
def the_lines(caplog):
    caplog.set_level("INFO")
    return lambda: [TextLine().format(r) for r in caplog.records if r.name.endswith(".request")]


@pytest.mark.parametrize(("mode", "expected"), [("off", 0), ("refusals", 2), ("all", 4)])
def test_a_request_has_one_line_at_most(tmp_path, lines, mode, expected):
    with Instance(tmp_path, access_log=mode, no_jwt=True) as ota:
        ota.drop("lamp", "lamp.bin", esp_application(payload_bytes=100))
        for route in ROUTES:
            ota.get(route)

    assert len(lines()) == expected


@pytest.mark.parametrize("given", ["abc-123", "x" * 64])
def test_a_line_carries_the_id_that_the_proxy_gave(tmp_path, lines, given):
    with Instance(tmp_path) as ota:
        ota.get("/firmware/lamp/x", X_Request_Id=given)

    assert f" id={given}" in lines()[0]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'a"b', "a=b"])
def test_an_id_that_could_be_taken_for_more_is_replaced(tmp_path, lines, given):
    with Instance(tmp_path) as ota:
        ota.get("/firmware/lamp/x", X_Request_Id=given)

    (line,) = lines()
    assert len(line.rpartition(" id=")[2]) == 12


def test_a_line_says_who_what_and_why(tmp_path, lines):
    with Instance(tmp_path) as ota:
        ota.ask("HEAD", "/firmware/lamp/x")

    assert "refused method=HEAD path=/firmware/lamp/x status=401 ip=127.0.0.1" in lines()[0]
    assert 'reason="no credential"' in lines()[0]


def test_a_flood_of_refusals_has_an_end(lines):
    log = RequestLog("refusals", monotonic=lambda: 5.0)
    for _ in range(1000):
        log.refused({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}, "192.0.2.1", 401, "why")
    log.tell_of_the_rest()

    assert len(lines()) == REFUSALS_A_SECOND_MAX + 1
    assert f"count={1000 - REFUSALS_A_SECOND_MAX}" in lines()[-1]
