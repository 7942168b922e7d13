"""A board fetches one image in ranges, and what happens meanwhile is not its business."""

import contextlib
import sqlite3

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.running import wait_until

pytestmark = pytest.mark.needs("apache2")

STEP = 40_000
OLD = esp_application(version="1.0.0", payload_bytes=300_000, seed=1)
NEW = esp_application(version="2.0.0", payload_bytes=300_000, seed=2)


def part(door, path, token, start, **fields):
    return door.get(path, token, Range=f"bytes={start}-{start + STEP - 1}", **fields)


def beginnings(cluster):
    """How many begun downloads all instances know."""
    with sqlite3.connect(cluster.folder / "data" / "ota.sqlite") as rows:
        return rows.execute("SELECT count(*) FROM begun").fetchone()[0]


def begin(cluster, door, path, token):
    """The first range; returns once the other instances can know of it."""
    before = beginnings(cluster)
    first = part(door, path, token, 0)
    assert first.status == 206
    wait_until(lambda: beginnings(cluster) > before)
    return first


def test_each_range_may_come_from_another_instance(cluster, project):
    path, token = cluster.publish(project, "lamp.bin", OLD)
    starts = range(0, len(OLD), STEP)

    parts = [part(cluster.instances[n % 3], path, token, start) for n, start in enumerate(starts)]

    assert b"".join(p.body for p in parts) == OLD
    assert len({p.headers["ETag"] for p in parts}) == 1


def test_a_begun_image_goes_on_after_the_file_was_replaced(cluster, apache, project):
    path, token = cluster.publish(project, "lamp.bin", OLD)
    another = cluster.any.mint(project, "0f9d1f2c-76a0-4b2e-9f6b-3a8a3f9d2c11")
    first = begin(cluster, apache, path, token)

    cluster.any.drop(project, "lamp.bin", NEW)
    for door in cluster.instances:
        door.await_served(project, "lamp.bin", NEW, another)
    doors = (*cluster.instances, apache)
    etag = first.headers["ETag"]
    rest = [
        part(doors[n % 4], path, token, start, If_Range=etag)
        for n, start in enumerate(range(STEP, len(OLD), STEP))
    ]

    assert first.body + b"".join(p.body for p in rest) == OLD
    assert {p.status for p in rest} == {206}
    assert {p.headers["ETag"] for p in rest} == {etag}


def test_whoever_begins_again_gets_the_new_image(cluster, apache, project):
    path, token = cluster.publish(project, "lamp.bin", OLD)
    begin(cluster, cluster.any, path, token)
    cluster.any.drop(project, "lamp.bin", NEW)

    for door in (apache, *cluster.instances):
        door_token = cluster.any.mint(project)
        wait_until(lambda d=door, t=door_token: d.get(path, t).body == NEW)

    assert [door.get(path, token).body == NEW for door in cluster.instances] == [True] * 3


def test_a_download_survives_the_death_of_the_instance_that_began_it(
    own_cluster, own_apache, project
):
    path, token = own_cluster.publish(project, "lamp.bin", OLD)
    first = begin(own_cluster, own_cluster.instances[0], path, token)

    own_cluster.instances[0].kill()
    own_cluster.instances[1].drop(project, "lamp.bin", NEW)
    another = own_cluster.instances[1].mint(project)
    own_cluster.instances[1].await_served(project, "lamp.bin", NEW, another)
    rest = [part(own_apache, path, token, start) for start in range(STEP, len(OLD), STEP)]

    assert first.body + b"".join(p.body for p in rest) == OLD


def test_instances_that_die_and_come_back_cost_a_repeated_request_at_most(
    own_cluster, own_apache, project
):
    path, token = own_cluster.publish(project, "lamp.bin", OLD)
    got = b""

    for n, start in enumerate(range(0, len(OLD), STEP)):
        victim = own_cluster.instances[n % 3]
        if n in (2, 4):
            victim.kill()
            victim.start()
        got += part_after_all(own_apache, path, token, start).body
        victim.await_ready()

    assert got == OLD


def part_after_all(door, path, token, start):
    """What was under way at a dying instance is lost; a board asks again."""
    for _ in range(10):
        with contextlib.suppress(ConnectionError):
            answer = part(door, path, token, start)
            if answer.status == 206:
                return answer
    raise AssertionError(f"lost for good: {answer}")
