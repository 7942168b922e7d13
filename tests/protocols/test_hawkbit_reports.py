"""hawkBit's clients report: each word moves the attempt as far as it may, and no further."""

import pytest

from ota_http_server.operations.lease import Held
from ota_http_server.operations.mark_silent import MarkSilent
from tests.instance import Instance
from tests.protocols.controllers import PROJECT, Target, a_credential, knows, publish


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as ota:
        publish(ota, "1.0.0")
        yield ota


@pytest.fixture(name="target")
def a_target(ota):
    """It runs 1.0.0 and was offered 1.1.0."""
    target = knows(Target(ota, token=a_credential(ota)))
    publish(ota, "1.1.0")
    target.offered()
    return target


@pytest.fixture(name="action")
def an_action(target):
    return target.attempts[0].id


def lines(target):
    with target.ota.ota.stores.database.reading() as rows:
        return [line.text for line in rows.attempts.lines(target.attempts[0].id)]


@pytest.mark.parametrize(
    ("execution", "finished", "state"),
    [
        ("closed", "success", "installed"),
        ("closed", "none", "installed"),
        ("closed", "failure", "failed"),
        ("proceeding", "none", "offered"),
        ("scheduled", "none", "offered"),
        ("resumed", "none", "offered"),
        ("rejected", "none", "offered"),
        ("download", "none", "downloading"),
        ("downloaded", "success", "downloaded"),
        ("canceled", "none", "canceled"),
        ("CLOSED", "SUCCESS", "installed"),
    ],
)
def test_each_execution_means_what_it_means_at_hawkbit(target, action, execution, finished, state):
    answer = target.reports(action, execution, finished)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "0"
    assert target.state == state


def test_what_it_says_on_the_way_is_kept_for_people(target, action):
    target.reports(action, "proceeding", details=["Installing.", "", "Checking."])
    target.reports(action, "closed", "failure", details=["first", "No space left on device"])

    assert lines(target) == ["Installing.", "Checking.", "first", "No space left on device"]
    assert target.attempts[0].detail == "No space left on device"


def test_progress_and_code_are_lines_where_nothing_else_is_said(target, action):
    result = {"finished": "none", "progress": {"cnt": 2, "of": 5}}
    status = {"execution": "proceeding", "result": result, "code": 7}

    answer = target.ask("POST", f"/deploymentBase/{action}/feedback", {"status": status})

    assert answer.status_code == 200
    assert lines(target) == ["2 of 5", "code 7"]


@pytest.mark.parametrize(
    "more",
    [
        {"id": 1001},
        {"id": ""},
        {"time": "20251009T153412"},
        {"timestamp": 1_760_000_000_000},
        {"timestamp": "soon", "unknown": {"deep": [1, 2]}},
    ],
)
def test_what_every_client_fills_in_its_own_way_does_not_matter(target, action, more):
    result = {"finished": "none", "progress": {"cnt": 0, "of": 0}}
    document = {"status": {"execution": "proceeding", "result": result, "details": []}}

    answer = target.ask("POST", f"/deploymentBase/{action}/feedback", document | more)

    assert answer.status_code == 200


@pytest.mark.parametrize("finished", ["success", "failure"])
def test_a_final_report_may_be_repeated(target, action, finished):
    statuses = [target.reports(action, "closed", finished).status_code for _ in range(3)]

    assert statuses == [200, 200, 200]


def test_a_final_report_after_another_one_changes_nothing(target, action):
    target.reports(action, "closed", "failure")

    assert target.reports(action, "closed", "success").status_code == 200
    assert target.state == "failed"


def test_a_report_on_a_superseded_action_is_taken_and_changes_nothing(ota, target, action):
    publish(ota, "1.2.0")
    newer = target.offered()

    assert target.reports(action, "closed", "success").status_code == 200
    assert newer != action
    assert [str(a.state) for a in target.attempts] == ["offered", "superseded"]


def test_another_devices_action_is_not_found(ota, target, action):
    stranger = Target(ota, "gateway-2", a_credential(ota, "gateway-2"))
    stranger.poll()

    assert stranger.reports(action, "closed", "success").status_code == 404
    assert stranger.ask("GET", f"/deploymentBase/{action}").status_code == 404
    assert target.state == "offered"


def test_fifty_messages_are_enough(target, action):
    answer = target.reports(action, "proceeding", details=[f"line {n}" for n in range(60)])

    assert answer.status_code == 200
    assert len(lines(target)) == 50


def test_a_deployment_shows_as_many_messages_as_are_asked_for(target, action):
    target.reports(action, "proceeding", details=["one", "two", "three"])
    path = f"/deploymentBase/{action}?c=-2127183556&actionHistory="

    def history(wanted):
        return target.ask("GET", path + wanted).get_json(force=True).get("actionHistory")

    assert history("2") == {"status": "RETRIEVED", "messages": ["three", "two"]}
    assert history("-1")["messages"] == ["three", "two", "one"]
    assert history("0") is None


def test_after_its_success_a_target_is_asked_what_it_runs_and_shown_what_is_installed(
    target, action
):
    target.reports(action, "closed", "success")

    links = target.links()
    assert set(links) == {"installedBase", "configData"}
    installed = target.ask("GET", links["installedBase"]).get_json(force=True)
    assert installed["id"] == str(action)
    assert installed["deployment"]["chunks"][0]["version"] == "1.1.0"


def test_seen_running_the_new_version_the_update_is_proven(target, action):
    target.reports(action, "closed", "success")

    target.says(version="1.1.0")

    assert target.state == "verified"
    assert target.row.version == "1.1.0"
    assert set(target.links()) == {"installedBase"}


def test_what_is_not_installed_is_no_installed_base(target, action):
    assert target.ask("GET", f"/installedBase/{action}").status_code == 404


def test_a_target_that_runs_the_old_version_again_was_rolled_back(ota, target, action):
    target.reports(action, "closed", "success")
    ota.clock.pass_seconds(120)

    target.says(version="1.0.0")

    assert target.state == "rolled-back"


def test_rauc_says_its_old_version_before_it_reboots_and_the_new_one_when_asked_again(
    ota, target, action
):
    rauc = {"User-Agent": "rauc-hawkbit-c-agent/1.0"}
    target.reports(action, "closed", "success")
    before = {"data": {"version": "1.0.0"}}
    assert target.ask("PUT", "/configData", before, **rauc).status_code == 200
    assert "configData" not in target.links()
    ota.clock.pass_seconds(300)
    target.ask("PUT", "/configData", before, **rauc)
    assert target.state == "installed"
    ota.clock.pass_seconds(61)
    assert "configData" in target.links()

    target.ask("PUT", "/configData", {"data": {"version": "1.1.0"}}, **rauc)

    assert target.state == "verified"
    assert "configData" not in target.links()


def test_rauc_that_runs_the_old_version_an_hour_later_was_rolled_back(ota, target, action):
    target.reports(action, "closed", "success")
    ota.clock.pass_seconds(3_700)

    said = {"data": {"version": "1.0.0"}}
    target.ask("PUT", "/configData", said, User_Agent="rauc-hawkbit-c-agent/1.3")

    assert target.state == "rolled-back"


def test_a_target_is_not_asked_for_ever(ota, target, action):
    target.reports(action, "closed", "success")
    target.says(version="7.7.7")
    ota.clock.pass_seconds(2 * 3_600)

    assert "configData" not in target.links()


def test_a_cancellation_is_shown_in_place_of_the_deployment_and_without_a_query(target, action):
    target.cancel()

    links = target.links()
    assert set(links) == {"cancelAction"}
    assert links["cancelAction"].endswith(f"/cancelAction/{action}")
    found = target.ask("GET", links["cancelAction"]).get_json(force=True)
    assert found == {"id": str(action), "cancelAction": {"stopId": str(action)}}
    assert target.ask("GET", f"/deploymentBase/{action}").status_code == 404


@pytest.mark.parametrize("finished", ["success", "none"])
def test_a_target_that_stopped_is_asked_no_more(target, action, finished):
    target.cancel()

    answer = target.reports(action, "closed", finished, place="cancelAction")

    assert answer.status_code == 200
    assert target.state == "canceled"
    assert "cancelAction" not in target.links()
    again = target.reports(action, "closed", finished, place="cancelAction")
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("execution", "finished"), [("rejected", "success"), ("closed", "failure")]
)
def test_a_target_that_will_not_stop_is_shown_its_deployment_again(
    target, action, execution, finished
):
    target.cancel()

    target.reports(action, execution, finished, place="cancelAction")

    assert set(target.links()) == {"deploymentBase"}
    repeated = target.reports(action, execution, finished, place="cancelAction")
    assert repeated.status_code == 200
    target.reports(action, "closed", "success")
    assert target.state == "installed"


@pytest.mark.parametrize("execution", ["canceled", "proceeding"])
def test_other_words_on_a_cancellation_leave_it_open(target, action, execution):
    target.cancel()

    assert target.reports(action, execution, place="cancelAction").status_code == 200
    assert set(target.links()) == {"cancelAction"}


def test_what_nobody_cancels_cannot_be_canceled(target, action):
    assert target.ask("GET", f"/cancelAction/{action}").status_code == 404
    answer = target.reports(action, "closed", "success", place="cancelAction")

    assert answer.status_code == 405
    assert target.state == "offered"


def test_a_cancellation_that_comes_too_late_gives_way_to_the_final_report(target, action):
    target.cancel()

    target.reports(action, "closed", "success")

    assert target.state == "installed"
    assert set(target.links()) == {"installedBase", "configData"}


def test_a_cancellation_that_nobody_answers_ends_after_a_day(ota, target, action):
    target.cancel()
    ota.clock.pass_seconds(23 * 3_600)
    assert set(target.links()) == {"cancelAction"}
    ota.clock.pass_seconds(2 * 3_600)

    assert "cancelAction" not in target.links()
    assert str(target.attempts[-1].state) == "canceled"


def test_a_silent_target_that_comes_back_late_is_heard(ota, target, action):
    target.reports(action, "download")
    ota.clock.pass_seconds(3 * 24 * 3_600)
    MarkSilent(ota.ota.stores.database, ota.ota.registry, 86_400)(
        Held(int(ota.clock().timestamp()), 0.0, 86_400)
    )
    assert target.state == "silent"

    assert target.reports(action, "closed", "success").status_code == 200
    assert target.state == "installed"


def test_put_installed_base_says_what_runs(target, action):
    def put(name, version):
        return target.ask("PUT", "/installedBase", {"name": name, "version": version}).status_code

    target.reports(action, "closed", "success")

    assert put(PROJECT, "9.9.9") == 404
    assert put("something else", "1.1.0") == 404
    assert put(PROJECT, "1.1.0") == 201
    assert target.state == "verified"
    assert put("gateway-1.1.0.swu", "v1.1.0") == 200


def test_consent_is_given_already(target, action):
    found = target.ask("GET", "/confirmationBase").get_json(force=True)
    word = {"confirmation": "confirmed"}

    assert found == {"autoConfirm": {"active": True}, "_links": {}}
    assert target.ask("POST", "/confirmationBase/activateAutoConfirm").status_code == 409
    assert target.ask("POST", "/confirmationBase/deactivateAutoConfirm", {}).status_code == 409
    assert target.ask("GET", f"/confirmationBase/{action}").status_code == 404
    assert target.ask("POST", f"/confirmationBase/{action}/feedback", word).status_code == 410
    assert target.ask("POST", "/confirmationBase/77/feedback", word).status_code == 404
    assert set(target.links()) == {"deploymentBase"}


def test_a_release_that_failed_three_times_is_offered_no_more(target):
    for _ in range(3):
        target.reports(target.offered(), "closed", "failure")

    assert "deploymentBase" not in target.links()
