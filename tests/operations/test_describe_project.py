"""Which versions a project has, and which image is its newest, for clients that ask no more."""

from dataclasses import replace

import pytest

from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import ANYONE
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.project import FolderMode, Project
from ota_http_server.domain.release import State
from ota_http_server.operations.describe_project import DescribeProject
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.unreached import Unreached
from ota_http_server.operations.visit import Visit
from tests.operations.fleets import Fleet, lamp

SHELL = Operator("shell", None)


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.0.0.bin", lamp("1.0.0"))
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    return fleet


@pytest.fixture(name="described")
def describing(fleet):
    unreached = Unreached(fleet.registry, fleet.reach)
    describe = DescribeProject(fleet.collection, fleet.catalog, fleet.database, unreached)

    def described(caller=ANYONE):
        newest = describe.newest(caller, "lamp")
        return describe.versions(caller, "lamp"), newest.listed.name, newest.listed.version_from

    return described


def change(fleet, version, **facts):
    def changed(tx):
        tx.releases.change(replace(tx.releases.get("lamp", version), **facts))

    fleet.catalog.of("lamp")
    fleet.database.change(changed)
    fleet.news.refresh()


def test_the_newest_file_is_the_latest(described):
    assert described() == (["1.0.0", "1.1.0"], "lamp-1.1.0.bin", "header")


@pytest.mark.parametrize(
    "facts", [{"state": State.WITHDRAWN}, {"channel": "beta"}], ids=["withdrawn", "beta"]
)
def test_what_is_not_for_everybody_is_not_the_latest_though_its_file_lies_there(
    fleet, described, facts
):
    change(fleet, "1.1.0", **facts)

    assert described() == (["1.0.0"], "lamp-1.0.0.bin", "header")


def test_what_was_withdrawn_by_mistake_is_the_latest_again(fleet, described):
    change(fleet, "1.1.0", state=State.WITHDRAWN)
    change(fleet, "1.1.0", state=State.PUBLISHED)

    assert described()[1] == "lamp-1.1.0.bin"


def test_a_draft_of_the_folder_is_not_the_latest(fleet, described):
    draft = Project(name="lamp", folder=FolderMode.DRAFT, edition=1)
    fleet.catalog.of("lamp")
    fleet.database.change(lambda tx: tx.projects.put(draft))
    fleet.drop("lamp-1.2.0.bin", lamp("1.2.0"))

    assert described()[1] == "lamp-1.1.0.bin"


def test_the_latest_is_the_release_before_for_whom_a_rollout_has_not_reached(fleet, described):
    for name in ("canary", "other"):
        fleet.comes(Visit(name, "lamp", "192.0.2.1"), version="1.0.0", chip="esp32")
    fleet.database.change(lambda tx: tx.attempts.forget_device("other"))
    wish = {"version": "1.1.0", "canaries": ["canary"]}
    fleet.begin_rollout(SHELL, RolloutWish.of("lamp", wish))

    assert described(identity("canary"))[:2] == (["1.0.0", "1.1.0"], "lamp-1.1.0.bin")
    assert described(identity("other"))[:2] == (["1.0.0"], "lamp-1.0.0.bin")
    assert described()[:2] == (["1.0.0"], "lamp-1.0.0.bin")


def test_nothing_is_the_latest_while_all_offers_are_stopped(fleet, described):
    fleet.stop_offers.stop(SHELL, None, "smoke")

    with pytest.raises(NotFound, match="smoke"):
        described()


def identity(device):
    return replace(ANYONE, subject=device)
