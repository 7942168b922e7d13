"""`latest.bin` of a device in the middle of an update: it goes on with what it began."""

from hashlib import sha256

import pytest

from ota_http_server.domain.device import Device
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.sighting import Sighting
from ota_http_server.operations.report import Told, Word
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.visit import Visit
from tests.instance import Instance
from tests.protocols.lamps import BOARD, PROJECT, a_credential, drop, lamp, states_of

LATEST = "/firmware/lamp/latest.bin"
ANN = Operator("ann", None)
OTHER = "24:0a:c4:00:00:02"


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        drop(instance, "1.0.0")
        yield instance


def comes(ota, device=BOARD):
    """A check-in; the version that the device was offered, or why none."""
    visit = Visit(device, PROJECT, "192.0.2.1")
    said = Sighting.of(version="1.0.0", chip="esp32")
    decision = ota.ota.check_in(visit, said).decision
    return decision.reason if hasattr(decision, "reason") else decision.release.version


def tells(ota, told):
    ota.ota.report(Visit(BOARD, PROJECT, "192.0.2.1"), Word(told))


def latest(ota, device=BOARD, **headers):
    return ota.get(LATEST, a_credential(ota, device), **headers)


def why(answer):
    assert answer.status_code == 409, answer.data
    return answer.json["detail"].partition(":")[0]


def test_who_takes_the_only_slot_is_not_kept_waiting_for_it(ota):
    ota.ota.projects.settle(ANN, PROJECT, {"downloads_max": 1})
    image = drop(ota, "1.1.0")
    comes(ota, OTHER)
    waiting = comes(ota)

    assert (waiting, why(latest(ota))) == ("no-slot", "no-slot")
    assert latest(ota, OTHER).data == image


@pytest.mark.parametrize("told", [None, Told.DOWNLOADING, Told.DOWNLOADED, Told.INSTALLED])
def test_who_is_the_only_one_that_may_update_now_gets_its_image_however_far_it_is(ota, told):
    image = drop(ota, "1.1.0")
    plan = {"version": "1.1.0", "stages": [{"percent": 100}], "concurrent_max": 1}
    wish = RolloutWish.of(PROJECT, plan | {"override": True, "reason": "a desk"})
    ota.ota.begin_rollout(ANN, wish)
    offered = comes(ota)
    if told is not None:
        tells(ota, told)
    waiting = comes(ota, OTHER)

    answer = latest(ota)

    assert (offered, waiting) == ("1.1.0", "busy")
    assert (answer.status_code, answer.data) == (200, image)
    assert why(latest(ota, OTHER)) == "busy"


@pytest.mark.parametrize("told", [Told.DOWNLOADING, Told.DOWNLOADED, Told.INSTALLED])
def test_a_try_that_began_goes_on_with_its_own_image_whatever_came_meanwhile(ota, told):
    old = drop(ota, "1.1.0")
    comes(ota)
    tells(ota, told)
    new = drop(ota, "1.2.0")
    comes(ota, OTHER)

    assert latest(ota).data == old
    assert latest(ota, OTHER).data == new


def test_who_has_it_installed_and_waits_for_its_restart_is_told_that_nothing_is_newer(ota):
    image = drop(ota, "1.1.0")
    comes(ota)
    tells(ota, Told.INSTALLED)
    held = comes(ota)
    etag = f'"{sha256(image).hexdigest()}"'

    assert held == "awaiting-restart"
    assert latest(ota, If_None_Match=etag).status_code == 304
    digest = ota.get(f"{LATEST}.sha256", a_credential(ota)).data.decode()
    assert digest.startswith(etag.strip('"'))


def test_a_try_that_is_being_called_off_is_given_nothing(ota):
    drop(ota, "1.1.0")
    comes(ota)
    tells(ota, Told.DOWNLOADING)
    ota.ota.look_after.cancel(ANN, BOARD)

    assert why(latest(ota)) == "canceling"
    assert states_of(ota) == ["downloading"]


def test_a_try_at_one_projects_release_is_nothing_to_another_projects_newest_image(ota):
    drop(ota, "1.1.0")
    comes(ota)
    tells(ota, Told.DOWNLOADING)
    ota.ota.look_after.cancel(ANN, BOARD)
    image = lamp("7.0.0", project="fan")
    ota.drop_old("fan", "fan-7.0.0.bin", image)
    ota.ota.catalog.of("fan")

    assert ota.get("/firmware/fan/latest.bin", a_credential(ota, project="fan")).data == image


def test_to_a_rollout_a_board_of_another_project_is_its_hardware_under_every_url(ota):
    images = [drop(ota, version) for version in ("1.1.0", "1.2.0")]
    chosen = {"version": "1.2.0", "select": "chip==esp32 and revision>=300"}
    wish = chosen | {"stages": [{"percent": 100}], "override": True, "reason": "new boards first"}
    ota.ota.begin_rollout(ANN, RolloutWish.of(PROJECT, wish))
    seen = {}
    for device, revision in ((BOARD, 300), (OTHER, 100)):
        board = Device(id=device, project="fan", chip="esp32", revision=revision, tags=("x",))
        ota.ota.stores.database.change(lambda tx, board=board: tx.devices.add(board))
        ota.clock.pass_seconds(2)
        named = ota.get("/firmware/lamp/latest", a_credential(ota, device)).json["version"]
        seen[device] = named, latest(ota, device).data

    assert seen == {BOARD: ("1.2.0", images[1]), OTHER: ("1.1.0", images[0])}
