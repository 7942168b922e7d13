"""Settling projects: nobody overwrites what was never seen, whoever comes at the same time."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ota_http_server.domain.edition import Expected
from ota_http_server.domain.errors import Forbidden, Outdated
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.operations.news import News
from ota_http_server.operations.settle_project import SettleProject

SHELL = Operator("shell", None)


@pytest.fixture(name="projects")
def the_operations(database):
    return SettleProject(database, News(database))


def test_of_several_changes_of_one_edition_one_is_made(projects, database):
    projects.settle(SHELL, "lamp", {"notes": "before"})

    def change(number):
        try:
            projects.settle(SHELL, "lamp", {"notes": str(number)}, Expected(frozenset({1})))
        except Outdated:
            return None
        return number

    with ThreadPoolExecutor(6) as pool:
        made = [number for number in pool.map(change, range(6)) if number is not None]

    assert len(made) == 1
    with database.reading() as rows:
        project = rows.projects.get("lamp")
    assert (project.notes, project.edition) == (str(made[0]), 2)


def test_changes_of_different_settings_at_the_same_time_are_all_made(projects, database):
    wishes = [{"notes": "a"}, {"chip": "esp32"}, {"revision": 5}, {"accepts_keys": True}]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda wish: projects.settle(SHELL, "lamp", wish), wishes))

    with database.reading() as rows:
        project = rows.projects.get("lamp")
    assert (project.notes, project.chip, project.revision) == ("a", "esp32", 5)
    assert (project.accepts_keys, project.edition) == (True, 4)


@pytest.mark.parametrize(
    ("role", "scope", "may"),
    [
        (Role.OPERATOR, None, True),
        (Role.OPERATOR, "lamp", True),
        (Role.OPERATOR, "oven", False),
        (Role.PUBLISHER, None, False),
    ],
)
def test_operators_of_the_project_may(projects, role, scope, may):
    someone = Operator("someone", None, role, scope)
    if may:
        assert projects.settle(someone, "lamp", {"notes": "a"}).notes == "a"
        projects.forget(someone, "lamp")
        return
    with pytest.raises(Forbidden):
        projects.settle(someone, "lamp", {"notes": "a"})
    with pytest.raises(Forbidden):
        projects.forget(someone, "lamp")


def test_what_happened_is_told_once(projects, database):
    for _ in range(2):
        projects.settle(SHELL, "lamp", {"notes": "a"})
    for _ in range(2):
        projects.forget(SHELL, "lamp")

    with database.reading() as rows:
        assert [e.action for e in rows.events.page(0, 9)] == ["settle_project", "forget_project"]
