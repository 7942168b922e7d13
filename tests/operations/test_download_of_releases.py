"""Downloads of releases that came by no folder: never pieces of two, whatever is published,
withdrawn or restored meanwhile; and whoever has begun one that is withdrawn may finish."""

import pytest

from ota_http_server.domain.operator import Operator
from ota_http_server.operations.release_wish import Upload
from tests.instance import Clock, Instance
from tests.operations.fleets import lamp

ANN = Operator("ann", None)
PATH = "/firmware/lamp/lamp.bin"
OLD, NEW = lamp("1.3.0"), lamp("1.4.0", seed=1)
HOURS = 3_600


@pytest.fixture(name="clock")
def a_clock():
    return Clock()


@pytest.fixture(name="one")
def an_instance(tmp_path, clock):
    with Instance(tmp_path, clock) as ota:
        yield ota


@pytest.fixture(name="other")
def another_instance(clock, one):
    with Instance(one.folder, clock) as ota:
        yield ota


@pytest.fixture(name="token")
def a_token(one):
    return one.mint("lamp", expires_minutes=24 * 60)


def publish(ota, version, content):
    ota.ota.publish.add_image(ANN, "lamp", version, Upload.of("lamp.bin", [content]))
    ota.ota.publish.publish(ANN, "lamp", version)
    ota.clock.pass_seconds(2 * HOURS)


def withdraw(ota, version="1.4.0"):
    ota.ota.publish.withdraw(ANN, "lamp", version, "it flickers")


def restore(ota, version="1.4.0"):
    ota.ota.publish.restore(ANN, "lamp", version, "it was the bulb")


def begin(ota, token):
    body = ota.get(PATH, token, Range="bytes=0-99").data
    ota.settle()
    return body


def goes_on(ota, token):
    return ota.get(PATH, token, Range="bytes=100-")


def test_who_has_begun_goes_on_when_the_next_version_takes_the_name(one, other, token):
    publish(one, "1.3.0", OLD)
    begin(one, token)
    one.ota.publish.add_image(ANN, "lamp", "1.4.0", Upload.of("lamp.bin", [NEW]))
    one.ota.publish.publish(ANN, "lamp", "1.4.0")

    for instance in (one, other):
        assert goes_on(instance, token).data == OLD[100:]
    assert one.get(PATH, token).data == NEW


def test_who_has_begun_what_is_withdrawn_finishes_it_though_the_name_holds_the_old_one(
    one, other, token
):
    publish(one, "1.3.0", OLD)
    publish(one, "1.4.0", NEW)
    assert begin(one, token) == NEW[:100]
    withdraw(one)
    one.clock.pass_seconds(10)

    for instance in (one, other):
        assert goes_on(instance, token).data == NEW[100:]
    assert one.get(PATH, token).data == OLD


def test_who_has_begun_finishes_though_the_name_holds_nothing_any_more(one, other, token):
    publish(one, "1.4.0", NEW)
    begin(one, token)
    withdraw(one)
    one.clock.pass_seconds(10)

    for instance in (one, other):
        assert goes_on(instance, token).data == NEW[100:]
        assert instance.get(PATH, token).status_code == 404
        assert instance.get(PATH, one.mint("lamp"), Range="bytes=100-").status_code == 404


def test_who_has_begun_the_old_one_finishes_it_though_the_new_one_is_restored(one, other, token):
    publish(one, "1.3.0", OLD)
    publish(one, "1.4.0", NEW)
    withdraw(one)
    one.clock.pass_seconds(2 * HOURS)
    assert begin(one, token) == OLD[:100]
    restore(one)
    one.clock.pass_seconds(10)

    for instance in (one, other):
        assert goes_on(instance, token).data == OLD[100:]
    assert one.get(PATH, token).data == NEW


def test_after_an_hour_nobody_is_held_to_what_was_withdrawn(one, token):
    publish(one, "1.3.0", OLD)
    publish(one, "1.4.0", NEW)
    begin(one, token)
    withdraw(one)
    one.clock.pass_seconds(1.1 * HOURS)

    assert goes_on(one, token).data == OLD[100:]


def test_a_draft_is_downloaded_by_nobody(one, token):
    one.ota.publish.add_image(ANN, "lamp", "1.4.0", Upload.of("lamp.bin", [NEW]))

    assert one.get(PATH, token).status_code == 404
