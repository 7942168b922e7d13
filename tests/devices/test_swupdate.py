"""The real swupdate against the real server: over a bad line, through a restart, to the proof."""

import pytest

from ota_http_server.domain.device import VersionFrom
from ota_http_server.operations.visit import poll_seconds_of
from ota_http_server.storage.credentials import Kind
from tests.devices.cutting_relay import CuttingRelay
from tests.devices.real_swupdate import Signer, SwUpdate
from tests.devices.registry import (
    attempts_of,
    device_of,
    give_credential,
    lines_of,
    states_of,
)
from tests.running import Server, wait_until

pytestmark = pytest.mark.needs("swupdate", "openssl")

POLL_SECONDS = 10  # the least that a server may be set to
PAYLOAD_BYTES = 600_000
CUT_BYTES = 200_000


def a_quick(name):
    """A device id whose own interval is the shortest one."""
    ids = (f"{name}-{number}" for number in range(1000))
    return next(i for i in ids if poll_seconds_of(i, POLL_SECONDS) == 8)


@pytest.fixture(scope="module", name="signer")
def a_signer(tmp_path_factory):
    return Signer(tmp_path_factory.mktemp("signer"))


@pytest.fixture(name="server")
def a_server(tmp_path):
    with Server(tmp_path, "--poll-seconds", str(POLL_SECONDS)) as running:
        yield running


def test_swupdate_is_updated_over_a_cut_line_and_proves_it_after_its_restart(
    server, signer, tmp_path
):
    device, target = a_quick("gateway"), tmp_path / "installed.bin"
    token = give_credential(server, device, "gateway")
    bundle = signer.bundle("1.1.0", target, payload_bytes=PAYLOAD_BYTES)
    server.drop("gateway", "gateway-1.1.0.swu", bundle)
    board = tmp_path / "board"
    board.mkdir()

    with CuttingRelay(server.port, CUT_BYTES) as relay:
        url = f"http://127.0.0.1:{relay.port}"
        with SwUpdate(board, url, device, token, signer, version="1.0.0") as swupdate:

            def installed():
                attempts = attempts_of(server, device)
                return attempts and "All Chunks Installed." in lines_of(server, attempts[0].id)

            wait_until(installed, lambda: swupdate.log[-3000:] + server.log)
        assert target.stat().st_size == PAYLOAD_BYTES
        assert relay.cuts == 1
        assert len(relay.ranges) == 1 and relay.ranges[0].startswith("bytes=")
        # How far a transfer has come is gathered, and written a moment later.
        wait_until(lambda: states_of(server, device) == ["downloaded"], lambda: server.log)
        (attempt,) = attempts_of(server, device)
        assert attempt.version == "1.1.0"
        assert attempt.sent_bytes >= len(bundle)

        with SwUpdate(board, url, device, token, signer, version="1.1.0", confirms=2) as again:
            wait_until(
                lambda: states_of(server, device) == ["verified"],
                lambda: again.log[-3000:] + server.log,
            )

    row = device_of(server, device)
    assert (row.version, row.version_from, row.board) == ("1.1.0", VersionFrom.DEVICE, "1.0")
    assert dict(row.attributes) == {"version": "1.1.0", "hw_revision": "1.0"}
    assert "Update Installed." in lines_of(server, attempt.id)


def test_swupdate_over_tls_with_a_gateways_token_reports_that_its_update_failed(signer, tmp_path):
    device, target = a_quick("plant"), tmp_path / "installed.bin"
    board = tmp_path / "board"
    board.mkdir()
    with Server(tmp_path, "--poll-seconds", str(POLL_SECONDS), tls=True) as server:
        token = give_credential(server, "", "plant", Kind.GATEWAY)
        bundle = signer.bundle("1.1.0", target, payload_bytes=PAYLOAD_BYTES)
        server.drop("plant", "plant-1.1.0.swu", bundle)
        known = {"scheme": "gatewaytoken", "extra": f'cafile = "{server.ca}";', "version": "1.0.0"}

        with SwUpdate(board, server.url, device, token, signer, **known) as swupdate:
            wait_until(
                lambda: "downloaded" in states_of(server, device),
                lambda: swupdate.log[-3000:] + server.log,
            )
            wait_until(lambda: "Update successful" in swupdate.log, lambda: swupdate.log[-3000:])
        with SwUpdate(board, server.url, device, token, signer, **known, confirms=3) as again:
            wait_until(
                lambda: "failed" in states_of(server, device),
                lambda: again.log[-3000:] + server.log,
            )

    failed = attempts_of(server, device)[-1]
    assert failed.detail.startswith("Update Failed")
    assert device_of(server, device).version == "1.0.0"
