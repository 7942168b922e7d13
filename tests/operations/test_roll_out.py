"""Rolling a release out: what people begin, move and end, and what the devices make of it."""

import contextlib
import threading
from dataclasses import replace

import pytest

from ota_http_server.domain.attempt import State as AttemptState
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.edition import Expected
from ota_http_server.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Outdated,
    Unavailable,
)
from ota_http_server.domain.offer import Hold, Offer, Reason
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.project import Project, Spread
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.rollout import DOWNGRADE_TAG, State
from ota_http_server.domain.rollout_health import Tally
from ota_http_server.domain.rollout_plan import Mode, Policy, Stage
from ota_http_server.operations.begin_rollout import BeginRollout
from ota_http_server.operations.publish_release import PublishRelease
from ota_http_server.operations.receive_image import ReceiveImage
from ota_http_server.operations.release_wish import ReleaseWish
from ota_http_server.operations.report import Told
from ota_http_server.operations.rollout_wish import DEVICES_MAX, RolloutWish
from ota_http_server.operations.visit import Visit
from ota_http_server.operations.write_rollout import REASON_CHARACTERS_MAX
from ota_http_server.storage.counters import ROLLOUTS
from ota_http_server.storage.database import Database
from ota_http_server.storage.rollouts import Rollouts
from tests.operations.fleets import Fleet
from tests.operations.test_two_processes import side_by_side
from tests.storage.released import released

ANN = Operator("ann", "192.0.2.9")
EVE = Operator("eve", "192.0.2.13", Role.OPERATOR, "lamp")
WHY = "because the test says so"
BOARDS = [f"board-{number:02}" for number in range(20)]
AT_ONCE = [{"percent": 100, "dwell_seconds": 0, "verified_min": 1}]
"""A single stage: the whole fleet."""


class Rolling:
    """A fleet of boards that run 1.0.0, while 2.0.0 is to come to them."""

    def __init__(self, fleet: Fleet, boards=BOARDS) -> None:
        self.fleet = fleet
        # A salt of zeros: chance must not decide which boards are canaries here.
        fleet.begin_rollout = BeginRollout(fleet.database, fleet.news, salt=bytes)
        self.publish("1.0.0", "a")
        self.publish("2.0.0", "b")
        self.add(*boards)

    @property
    def database(self) -> Database:
        return self.fleet.database

    def publish(self, version, image, **facts):
        """A release whose image has digests of this digit."""
        self.database.change(lambda tx: released(tx, version, image, **facts))
        self.fleet.news.refresh()

    def add(self, *names, **facts):
        known = {"project": "lamp", "chip": "esp32", "version": "1.0.0"}
        known |= {"version_from": VersionFrom.DEVICE}

        def added(tx):
            for name in names:
                tx.devices.add(Device(**({"id": name} | known | facts)))

        self.database.change(added)

    def wish(self, **said) -> RolloutWish:
        return RolloutWish.of("lamp", {"version": "2.0.0"} | said)

    def begin(self, operator=ANN, **said):
        return self.fleet.begin_rollout(operator, self.wish(**said)).rollout

    def to_all(self, **said):
        """A rollout that has reached everybody at once."""
        return self.begin(**({"stages": AT_ONCE, "override": True, "reason": WHY} | said))

    def release(self, **facts):
        """The release with these facts changed, as another process may do."""

        def changed(tx):
            release = replace(tx.releases.get("lamp", "2.0.0"), **facts)
            tx.releases.change(release)
            return release

        release = self.database.change(changed)
        self.fleet.news.refresh()
        return release

    def asks(self, name, version="1.0.0"):
        return self.fleet.comes(Visit(name, "lamp", "192.0.2.7"), version=version, chip="esp32")

    def tells(self, name, told, **more):
        return self.fleet.tells(told, Visit(name, "lamp", "192.0.2.7"), **more)

    def fails(self, *names):
        for name in names:
            assert offered(self.asks(name)) == "2.0.0"
            self.tells(name, Told.FAILED)

    def updates(self, *names):
        for name in names:
            assert offered(self.asks(name)) == "2.0.0"
            self.tells(name, Told.INSTALLED)
            assert reason(self.asks(name, "2.0.0")) is Reason.UP_TO_DATE

    def now(self, rollout):
        with self.database.reading() as rows:
            return rows.rollouts.get(rollout.id)

    def tally(self, rollout) -> Tally:
        with self.database.reading() as rows:
            return rows.rollouts.tally(rollout.id)

    def events(self, action=None):
        with self.database.reading() as rows:
            found = rows.events.page(0, 1_000)
        return [one for one in found if action in (None, one.action)]


def reason(answer) -> Reason:
    assert isinstance(answer.decision, Hold), answer.decision
    return answer.decision.reason


def offered(answer) -> str:
    assert isinstance(answer.decision, Offer), answer.decision
    return answer.decision.release.version


@pytest.fixture(name="rolling")
def a_rolling_fleet(database, clock, tmp_path):
    return Rolling(Fleet(database, clock, tmp_path))


@pytest.fixture(name="there")
def another_process(rolling, database_url, clock, tmp_path):
    """Its memory is its own: it read rollouts when nothing had happened yet."""
    other = Database(database_url, clock=clock)
    fleet = Fleet(other, clock, tmp_path)
    fleet.catalog.of("lamp")
    fleet.reach.of(Project(name="lamp"))
    yield fleet
    other.close()


# --- what is wished -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"colour": "red"},
        {"version": None},
        {"version": "a b"},
        {"stages": 7},
        {"stages": [7]},
        {"stages": [{"dwell_seconds": 1}]},
        {"stages": [{"percent": 100, "colour": 1}]},
        {"stages": [{"percent": "100"}]},
        {"stages": [{"percent": 0.001}, {"percent": 100}]},
        {"stages": [{"percent": float("nan")}]},
        {"stages": [{"percent": True}]},
        {"stages": [{"percent": 101}]},
        {"stages": [{"percent": 50}]},
        {"stages": [{"percent": n} for n in range(1, 101)]},
        {"failed_percent_max": 0},
        {"failed_percent_max": 100.5},
        {"silent_seconds": 0},
        {"concurrent_max": 0},
        {"mode": "softly"},
        {"windows": "22:00-04:00 UTC"},
        {"windows": ["at night"]},
        {"site_tag": ""},
        {"site_tag": 7},
        {"select": "colour=="},
        {"select": ""},
        {"devices": "board"},
        {"devices": ["a b"]},
        {"canaries": ["x"] * (DEVICES_MAX + 1)},
    ],
)
def test_a_wish_that_cannot_be_meant_is_refused(said):
    with pytest.raises(Invalid):
        RolloutWish.of("lamp", {"version": "2.0.0"} | said)


def test_a_wish_says_what_is_not_as_usual():
    wish = RolloutWish.of(
        "lamp",
        {
            "version": "v02.0.0",
            "stages": [{"percent": 0.5, "dwell_seconds": 60}, {"percent": 100}],
            "select": "tag==kitchen",
            "devices": ["24-0A-C4-00-00-01"],
            "canaries": [],
            "failed_percent_max": 12.34,
            "concurrent_max": None,
            "mode": "soft",
            "windows": ["22:00-04:00 UTC"],
            "reason": "night work",
        },
    )

    assert (wish.version, wish.reason, wish.override) == ("2.0.0", "night work", False)
    assert wish.plan.stages == (Stage(50, 60), Stage(10_000))
    assert wish.target.selection.text == "tag==kitchen"
    assert wish.target.devices == {"24:0a:c4:00:00:01"}
    assert wish.plan.policy == Policy(
        failed_share_max=1_234, mode=Mode.SOFT, windows=wish.plan.policy.windows
    )


# --- beginning ----------------------------------------------------------------------------------


def halves(sizes):
    """Half of the devices of each stage are to run it, and at most 50 more than in the last."""
    wanted = [0]
    for size in sizes:
        wanted.append(max(1, min(size // 2, wanted[-1] + 50)))
    return tuple(wanted[1:])


def test_a_rollout_begins_with_its_canary_and_says_how_many_each_stage_has(rolling):
    begun = rolling.fleet.begin_rollout(ANN, rolling.wish())

    rollout = begun.rollout
    assert (rollout.state, rollout.stage, rollout.created_by) == (State.RUNNING, 0, "ann")
    assert begun.sizes[0] == 1 and begun.sizes[-1] == 20
    assert list(begun.sizes) == sorted(begun.sizes)
    assert tuple(stage.verified_min for stage in rollout.stages) == halves(begun.sizes)
    assert rolling.now(rollout) == rollout


def test_only_the_canary_is_offered_the_release(rolling):
    rolling.begin()

    got = [isinstance(rolling.asks(name).decision, Offer) for name in BOARDS]

    assert got.count(True) == 1


def test_named_canaries_are_the_first_stage(rolling):
    begun = rolling.fleet.begin_rollout(ANN, rolling.wish(canaries=["board-03", "board-04"]))

    assert begun.sizes[0] == 2
    assert [stage.share for stage in begun.rollout.stages] == [0, 500, 2_500, 5_000, 10_000]
    assert offered(rolling.asks("board-03")) == "2.0.0"
    assert reason(rolling.asks("board-05")) is Reason.UP_TO_DATE


def test_every_rollout_has_a_salt_of_its_own(rolling):
    begin = BeginRollout(rolling.database, rolling.fleet.news)

    salts = {begin(ANN, rolling.wish(), dry=True).rollout.salt for _ in "abc"}

    assert len(salts) == 3
    assert {len(salt) for salt in salts} == {16}


def test_who_begins_a_rollout_and_why_is_in_the_audit(rolling):
    rollout = rolling.begin(reason="  the lamps flicker ")

    (event,) = rolling.events("create_rollout")
    assert event.facts == {
        "IP": "192.0.2.9",
        "project": "lamp",
        "release": "2.0.0",
        "rollout": rollout.id,
        "stage": 1,
        "reason": "the lamps flicker",
        "actor": "ann",
    }
    assert rollout.reason == "the lamps flicker"


REFUSED = [
    ({"version": "7.0.0"}, NotFound),
    ({"canaries": ["nobody"]}, Invalid),
    ({"canaries": ["blocked"]}, Invalid),
    ({"canaries": ["early"]}, Invalid),
    ({"version": "1.0.0", "takes_back": True, "reason": WHY, "canaries": ["board-00"]}, Invalid),
    ({"stages": [{"percent": 0}, {"percent": 100}]}, Invalid),
    ({"stages": [{"percent": 10.01}, {"percent": 100}]}, Conflict),
    ({"stages": AT_ONCE}, Conflict),
    ({"override": True}, Invalid),
    ({"takes_back": True}, Invalid),
    ({"reason": "x" * (REASON_CHARACTERS_MAX + 1)}, Invalid),
]
STRANGERS = [
    Operator("pipeline", None, Role.PUBLISHER),
    Operator("guest", None, Role.VIEWER),
    Operator("other", None, Role.ADMIN, "fan"),
]


def test_what_cannot_begin_is_refused_and_leaves_nothing(rolling):
    rolling.add("blocked", blocked=True)
    rolling.add("early", channel="beta")
    before = rolling.events()

    for said, refusal in REFUSED:
        with pytest.raises(refusal):
            rolling.begin(**said)

    with rolling.database.reading() as rows:
        assert rows.rollouts.of_project("lamp") == []
    assert rolling.events() == before


def test_only_an_operator_of_the_project_begins_one(rolling):
    for operator in STRANGERS:
        with pytest.raises(Forbidden):
            rolling.begin(operator)


def test_a_release_has_one_rollout_on_its_way_at_a_time(rolling):
    first = rolling.begin()
    with pytest.raises(Conflict, match=f"rollout {first.id} of 2.0.0 is running"):
        rolling.begin()

    rolling.fleet.roll_out.abort(ANN, first.id, WHY)
    assert rolling.begin().id > first.id


def test_two_that_begin_at_once_begin_one(rolling, there):
    begun, refused = [], []

    def begin(fleet):
        try:
            begun.append(fleet.begin_rollout(ANN, rolling.wish()))
        except Conflict as conflict:
            refused.append(conflict)

    side_by_side(lambda: begin(rolling.fleet), lambda: begin(there))

    assert (len(begun), len(refused)) == (1, 1)


def test_a_withdrawn_release_is_not_rolled_out(rolling):
    rolling.release(state=ReleaseState.WITHDRAWN)

    with pytest.raises(Conflict, match="withdrawn"):
        rolling.begin()


def test_who_knows_better_may_begin_further_and_that_is_noted(rolling):
    rollout = rolling.to_all()

    (event,) = rolling.events("create_rollout")
    assert (event.facts["override"], event.facts["reason"]) == ("yes", WHY)
    assert rollout.share == 10_000


def test_ten_percent_need_no_override(rolling):
    assert rolling.begin(stages=[{"percent": 10}, {"percent": 100}]).share >= 1_000


def test_a_dry_run_writes_nothing(rolling):
    with rolling.database.reading() as rows:
        before = rows.counters.all()

    begun = rolling.fleet.begin_rollout(ANN, rolling.wish(), dry=True)

    assert (begun.rollout.id, begun.sizes[-1]) == (0, 20)
    with rolling.database.reading() as rows:
        assert rows.counters.all() == before
        assert rows.rollouts.of_project("lamp") == []
    assert rolling.events("create_rollout") == []
    with pytest.raises(Conflict):
        rolling.fleet.begin_rollout(ANN, rolling.wish(stages=AT_ONCE), dry=True)


def test_devices_that_are_offered_nothing_are_not_counted(rolling):
    rolling.add("blocked", blocked=True)
    rolling.add("elsewhere", project="fan")

    assert rolling.fleet.begin_rollout(ANN, rolling.wish()).sizes[-1] == 20


def test_only_the_channel_of_the_release_is_counted(rolling):
    rolling.release(channel="beta")
    rolling.add("early-1", "early-2", channel="beta")

    begun = rolling.fleet.begin_rollout(ANN, rolling.wish())

    assert (begun.sizes[0], begun.sizes[-1]) == (1, 2)
    got = [isinstance(rolling.asks(name).decision, Offer) for name in ("early-1", "early-2")]
    assert got.count(True) == 1


def test_a_downgrade_is_counted_for_those_that_accept_it(rolling):
    rolling.add("ready-1", "ready-2", version="2.0.0", tags=(DOWNGRADE_TAG,))

    begun = rolling.fleet.begin_rollout(
        ANN, rolling.wish(version="1.0.0", takes_back=True, reason=WHY)
    )

    assert (begun.sizes[0], begun.sizes[-1]) == (1, 2)
    answers = [rolling.asks(name, "2.0.0") for name in ("ready-1", "ready-2", *BOARDS)]
    assert [isinstance(one.decision, Offer) for one in answers].count(True) == 1


def test_a_downgrade_goes_before_all_that_was_there_and_behind_what_comes(rolling):
    rolling.add("ready", version="2.0.0", tags=(DOWNGRADE_TAG,))
    rolling.to_all(version="1.0.0", takes_back=True)

    assert offered(rolling.asks("ready", "2.0.0")) == "1.0.0"
    rolling.publish("2.1.0", "c")
    assert offered(rolling.asks("ready", "2.0.0")) == "2.1.0"


def test_what_was_a_draft_when_devices_were_taken_back_comes_first_once_it_is_published(rolling):
    rolling.add("ready", version="2.0.0", tags=(DOWNGRADE_TAG,))
    rolling.publish("2.0.1", "c", state=ReleaseState.DRAFT)
    rolling.to_all(version="1.0.0", takes_back=True)
    assert offered(rolling.asks("ready", "2.0.0")) == "1.0.0"

    def published(tx):
        tx.releases.change(replace(tx.releases.get("lamp", "2.0.1"), state=ReleaseState.PUBLISHED))

    rolling.database.change(published)
    rolling.fleet.news.refresh()

    assert offered(rolling.asks("ready", "2.0.0")) == "2.0.1"


def test_in_an_empty_project_a_rollout_begins_with_nobody(database, clock, tmp_path):
    rolling = Rolling(Fleet(database, clock, tmp_path), boards=())

    begun = rolling.fleet.begin_rollout(ANN, rolling.wish())

    assert begun.sizes == (0, 0, 0, 0, 0)
    assert begun.rollout.first_device is None


def test_a_rollout_of_a_draft_begins_when_that_is_published(rolling):
    rolling.release(state=ReleaseState.DRAFT)
    rolling.to_all()
    assert reason(rolling.asks("board-00")) is Reason.UP_TO_DATE

    rolling.release(state=ReleaseState.PUBLISHED)

    assert offered(rolling.asks("board-00")) == "2.0.0"


def test_a_draft_that_a_rollout_waits_for_is_not_removed(rolling):
    receive = ReceiveImage(rolling.fleet.blobs, image_bytes_max=1, in_thread=lambda work: work())
    publish = PublishRelease(rolling.database, receive, rolling.fleet.news)
    publish.draft(ANN, ReleaseWish.of("lamp", "3.0.0"))
    rollout = rolling.begin(version="3.0.0")

    with pytest.raises(Conflict, match="rollout"):
        publish.remove_draft(ANN, "lamp", "3.0.0")
    assert rolling.now(rollout) == rollout


def test_a_project_may_spread_by_rollouts_alone(rolling):
    settings = Project(name="lamp", spread=Spread.BY_ROLLOUT, edition=1)
    rolling.database.change(lambda tx: tx.projects.put(settings))
    rolling.fleet.news.refresh()
    assert reason(rolling.asks("board-00")) is Reason.UP_TO_DATE

    rolling.to_all()

    assert offered(rolling.asks("board-00")) == "2.0.0"


# --- people move it -----------------------------------------------------------------------------

MOVES = {
    "pause": "pause_rollout",
    "resume": "resume_rollout",
    "abort": "abort_rollout",
}


def move(rolling, name, rollout, operator=ANN, why=WHY, **more):
    return getattr(rolling.fleet.roll_out, name)(operator, rollout.id, why, **more)


def test_a_paused_rollout_offers_nothing_until_it_is_resumed(rolling):
    rollout = rolling.to_all()

    move(rolling, "pause", rollout)
    assert reason(rolling.asks("board-00")) is Reason.UP_TO_DATE
    assert "paused: because the test says so" in rolling.asks("board-00").decision.detail

    move(rolling, "resume", rollout)
    assert offered(rolling.asks("board-00")) == "2.0.0"


@pytest.mark.parametrize("name", MOVES)
def test_who_moved_it_and_why_is_in_the_audit(rolling, name):
    rollout = rolling.begin()
    if name == "resume":
        move(rolling, "pause", rollout)

    after = move(rolling, name, rollout, EVE, "  the boss wants it ")

    (event,) = rolling.events(MOVES[name])
    facts = event.facts
    assert (facts["actor"], facts["IP"]) == ("eve", "192.0.2.13")
    assert (facts["reason"], facts["rollout"]) == ("the boss wants it", rollout.id)
    assert after.reason == "the boss wants it"
    assert rolling.now(rollout) == after
    assert after.edition > rollout.edition


def test_who_may_not_or_does_not_say_why_moves_nothing(rolling):
    rollout = rolling.begin()
    cases = [
        *((ANN, why, Invalid) for why in ("", "   ", "x" * (REASON_CHARACTERS_MAX + 1))),
        *((operator, WHY, Forbidden) for operator in STRANGERS[:2]),
        (STRANGERS[2], WHY, NotFound),  # what it may not see is not there
    ]

    for operator, why, refusal in cases:
        for name in MOVES:
            with pytest.raises(refusal):
                move(rolling, name, rollout, operator, why)
        with pytest.raises(refusal):
            rolling.fleet.roll_out.advance(operator, rollout.id, 1, why)

    assert rolling.now(rollout) == rollout


def test_what_changed_since_somebody_looked_is_not_moved(rolling):
    rollout = rolling.begin()
    another = Expected(frozenset({rollout.edition + 1}))

    for name in MOVES:
        with pytest.raises(Outdated):
            move(rolling, name, rollout, expected=another)
    with pytest.raises(Outdated):
        advance(rolling, rollout, 1, expected=another)

    assert rolling.now(rollout) == rollout
    as_seen = Expected(frozenset({rollout.edition}))
    assert move(rolling, "pause", rollout, expected=as_seen).state is State.PAUSED


def test_what_is_not_there_cannot_be_moved(rolling):
    for number in (0, -1, 99, 2**70):
        with pytest.raises(NotFound):
            rolling.fleet.roll_out.pause(ANN, number, WHY)


def test_the_same_word_twice_is_one_change(rolling):
    rollout = rolling.begin()

    first, second = (move(rolling, "pause", rollout) for _ in "ab")

    assert first == second
    assert len(rolling.events("pause_rollout")) == 1


def test_what_is_aborted_stays_so(rolling):
    rollout = rolling.to_all()
    move(rolling, "abort", rollout)

    for name in ("pause", "resume"):
        with pytest.raises(Conflict, match="aborted"):
            move(rolling, name, rollout)
    with pytest.raises(Conflict, match="aborted"):
        advance(rolling, rollout, 1)
    assert reason(rolling.asks("board-00")) is Reason.UP_TO_DATE


def test_updates_that_have_begun_outlast_an_abort_unless_somebody_says_otherwise(rolling):
    rollout = rolling.to_all()
    for name in ("asked", "loads", "waits"):
        rolling.add(name)
        rolling.asks(name)
    rolling.tells("loads", Told.DOWNLOADING)
    rolling.tells("waits", Told.INSTALLED)

    move(rolling, "abort", rollout)
    assert offered(rolling.asks("loads")) == "2.0.0"
    move(rolling, "abort", rollout, calls_off=True)

    states = {name: rolling.fleet.attempts(name)[0] for name in ("asked", "loads", "waits")}
    assert states["asked"].state is AttemptState.CANCELED
    assert (states["loads"].state, states["loads"].cancel_asked) == (
        AttemptState.DOWNLOADING,
        True,
    )
    assert (states["waits"].state, states["waits"].cancel_asked) == (
        AttemptState.INSTALLED,
        False,
    )
    assert rolling.tally(rollout).failed == 0


# --- one stage further --------------------------------------------------------------------------

SMALL_STEPS = [
    {"percent": percent, "dwell_seconds": 0, "verified_min": 0} for percent in (1, 5, 10, 100)
]


def advance(rolling, rollout, stage, **more):
    return rolling.fleet.roll_out.advance(ANN, rollout.id, stage, WHY, **more)


def test_a_stage_further_is_the_one_that_was_seen(rolling):
    rollout = rolling.begin(stages=SMALL_STEPS)
    for wrong in (0, 2, 4):
        with pytest.raises(Conflict, match="in stage 1"):
            advance(rolling, rollout, wrong)

    after = advance(rolling, rollout, 1, override=True)

    assert (after.stage, after.stage_seconds) == (1, 0)
    (event,) = rolling.events("advance_rollout")
    assert (event.facts["stage"], event.facts["reason"], event.facts["actor"]) == (2, WHY, "ann")


@pytest.mark.parametrize("name", ["pause", "abort"])
def test_only_a_running_one_advances(rolling, name):
    rollout = rolling.begin()
    move(rolling, name, rollout)

    with pytest.raises(Conflict, match="only a running one"):
        advance(rolling, rollout, 1, override=True)


def test_two_that_advance_at_the_same_moment_make_one_step(rolling, there):
    rollout = rolling.begin(stages=SMALL_STEPS, canaries=["board-00"])
    refused = []

    def advance_there(fleet):
        try:
            fleet.roll_out.advance(ANN, rollout.id, 1, WHY, override=True)
        except Conflict as conflict:
            refused.append(conflict)

    side_by_side(lambda: advance_there(rolling.fleet), lambda: advance_there(there))

    assert (rolling.now(rollout).stage, len(refused)) == (1, 1)
    assert len(rolling.events("advance_rollout")) == 1


def test_a_release_that_no_canary_was_seen_running_does_not_go_far(rolling):
    rollout = rolling.begin(canaries=["board-00"], stages=[{"percent": 0}, {"percent": 100}])
    with pytest.raises(Conflict, match="not canaried"):
        advance(rolling, rollout, 1)

    after = advance(rolling, rollout, 1, override=True)

    assert (after.stage, after.is_canaried) == (1, False)
    assert rolling.events("advance_rollout")[0].facts["override"] == "yes"


def test_small_steps_without_one_success_are_no_canary(database, clock, tmp_path):
    many = [f"board-{number:03}" for number in range(150)]
    rolling = Rolling(Fleet(database, clock, tmp_path), many)
    rollout = rolling.begin(stages=SMALL_STEPS)

    for stage in (1, 2):
        rollout = advance(rolling, rollout, stage)

    assert not rollout.is_canaried
    with pytest.raises(Conflict, match="not canaried"):
        advance(rolling, rollout, 3)


def test_a_canary_that_was_seen_running_it_opens_the_way(rolling):
    rollout = rolling.begin(
        canaries=["board-00"],
        stages=[
            {"percent": 0, "dwell_seconds": 0},
            {"percent": 50, "dwell_seconds": 9_999},
            {"percent": 100},
        ],
    )
    rolling.updates("board-00")

    after = advance(rolling, rollout, 1)

    assert after.is_canaried
    assert advance(rolling, after, 2).stage == 2  # whatever it still waits for
    again = move(rolling, "abort", rollout) and rolling.begin(stages=AT_ONCE)
    assert again.is_canaried


def test_of_a_handful_of_boards_one_is_a_canary_too(database, clock, tmp_path):
    rolling = Rolling(Fleet(database, clock, tmp_path), BOARDS[:3])
    rollout = rolling.begin(stages=[{"percent": 1, "dwell_seconds": 0}, {"percent": 100}])
    (canary,) = [one for one in BOARDS[:3] if isinstance(rolling.asks(one).decision, Offer)]
    rolling.updates(canary)

    assert advance(rolling, rollout, 1).is_canaried


def test_behind_the_last_stage_a_rollout_is_finished(rolling):
    rollout = rolling.to_all()
    rolling.updates("board-00")

    after = advance(rolling, rollout, 1)

    assert (after.state, after.share) == (State.FINISHED, 10_000)
    assert offered(rolling.asks("board-01")) == "2.0.0"


# --- what devices report ------------------------------------------------------------------------


def halting(rolling, **more):
    """Two failures of two halt it."""
    return rolling.to_all(**({"finished_min": 2, "failed_percent_max": 50} | more))


def test_the_report_that_is_one_too_many_halts_it(rolling):
    rollout = halting(rolling)
    rolling.fails("board-00")
    assert rolling.now(rollout).state is State.RUNNING

    rolling.fails("board-01")

    halted = rolling.now(rollout)
    assert halted.state is State.HALTED
    assert halted.reason == "2 of 2 devices failed (100.0 %)"
    (event,) = rolling.events("halt_rollout")
    assert (event.facts["actor"], event.facts["reason"]) == ("server", halted.reason)
    assert reason(rolling.asks("board-02")) is Reason.UP_TO_DATE


def test_a_report_and_the_halt_that_it_makes_are_one(rolling, monkeypatch):
    rollout = halting(rolling)
    rolling.fails("board-00")
    rolling.asks("board-01")

    def away(*_):
        raise Unavailable("away")

    with monkeypatch.context() as patched, pytest.raises(Unavailable):
        patched.setattr(Rollouts, "change", away)
        rolling.tells("board-01", Told.FAILED)

    assert rolling.fleet.attempts("board-01")[0].state is AttemptState.OFFERED
    rolling.tells("board-01", Told.FAILED)
    assert rolling.now(rollout).state is State.HALTED


def test_devices_that_run_the_old_image_again_halt_it(rolling):
    rollout = rolling.to_all()
    for name in ("board-00", "board-01"):
        rolling.asks(name)
        rolling.tells(name, Told.INSTALLED)
    rolling.fleet.clock.pass_seconds(61)

    for name in ("board-00", "board-01"):
        rolling.asks(name, "1.0.0")

    assert rolling.now(rollout).state is State.HALTED
    assert "run the old image again" in rolling.now(rollout).reason


def test_another_process_opens_nothing_of_it_from_that_moment_on(rolling, there):
    halting(rolling)
    there.reach.of(Project(name="lamp"))
    there.news.refresh()
    there.reach.of(Project(name="lamp"))  # it knows of a rollout that runs
    rolling.fails("board-00", "board-01")

    visit = Visit("board-02", "lamp", "192.0.2.7")
    answer = there.comes(visit, version="1.0.0", chip="esp32")

    assert reason(answer) is Reason.UP_TO_DATE
    assert "halted" in answer.decision.detail


def test_another_process_takes_an_offer_back_within_two_seconds(rolling, there):
    halting(rolling)
    visit = Visit("board-02", "lamp", "192.0.2.7")
    assert offered(there.comes(visit, version="1.0.0", chip="esp32")) == "2.0.0"
    rolling.fails("board-00", "board-01")

    rolling.fleet.clock.pass_seconds(2)

    assert reason(there.comes(visit, version="1.0.0", chip="esp32")) is Reason.UP_TO_DATE
    assert there.attempts("board-02")[0].state is AttemptState.SUPERSEDED


def test_a_report_that_comes_twice_or_late_or_elsewhere_counts_once(rolling, there):
    rollout = halting(rolling)
    rolling.fails("board-00")
    attempt = rolling.fleet.attempts("board-00")[0].id

    for fleet in (rolling.fleet, there, there):
        for told in (Told.FAILED, Told.INSTALLED, Told.DOWNLOADED, Told.FAILED):
            fleet.tells(told, Visit("board-00", "lamp", "192.0.2.7"), attempt=attempt)

    assert rolling.tally(rollout) == Tally(failed=1)
    assert rolling.now(rollout).state is State.RUNNING


def test_the_same_failures_reported_side_by_side_halt_once(rolling, there):
    rollout = halting(rolling)
    for name in BOARDS[:6]:
        rolling.asks(name)

    def report(fleet, name):
        fleet.tells(Told.FAILED, Visit(name, "lamp", "192.0.2.7"))

    side_by_side(
        *(
            lambda fleet=fleet, name=name: report(fleet, name)
            for name in BOARDS[:6]
            for fleet in (rolling.fleet, there)
        )
    )

    assert rolling.tally(rollout) == Tally(failed=6)
    assert rolling.now(rollout).state is State.HALTED
    assert len(rolling.events("halt_rollout")) == 1


def test_what_was_offered_before_a_pause_may_still_halt_it(rolling):
    rollout = halting(rolling)
    for name in ("board-00", "board-01"):
        rolling.asks(name)
    move(rolling, "pause", rollout)

    for name in ("board-00", "board-01"):
        rolling.tells(name, Told.FAILED)

    assert rolling.now(rollout).state is State.HALTED


def test_late_successes_do_not_resume_what_was_halted(rolling):
    rollout = halting(rolling)
    for name in BOARDS[:8]:
        rolling.asks(name)
        rolling.tells(name, Told.DOWNLOADING)
    rolling.tells("board-00", Told.FAILED)
    rolling.tells("board-01", Told.FAILED)

    for name in BOARDS[2:8]:
        rolling.tells(name, Told.INSTALLED)
        rolling.asks(name, "2.0.0")

    assert rolling.tally(rollout) == Tally(failed=2, verified=6)
    assert rolling.now(rollout).state is State.HALTED


def test_who_resumes_excuses_what_failed_and_nothing_else(rolling):
    rollout = halting(rolling)
    rolling.fails("board-00", "board-01")

    move(rolling, "resume", rollout)
    assert rolling.tally(rollout) == Tally(excused=2)
    rolling.fails("board-02")
    assert rolling.now(rollout).state is State.RUNNING
    rolling.fails("board-03")

    assert rolling.now(rollout).state is State.HALTED
    assert rolling.tally(rollout) == Tally(excused=2, failed=2)


def test_a_pause_excuses_nothing(rolling):
    rollout = halting(rolling)
    rolling.fails("board-00")

    move(rolling, "pause", rollout)
    move(rolling, "resume", rollout)
    rolling.fails("board-01")

    assert rolling.now(rollout).state is State.HALTED


def test_who_gave_up_by_itself_failed_and_who_was_called_off_did_not(rolling):
    rollout = halting(rolling)
    for name in ("board-00", "board-01"):
        rolling.asks(name)
        rolling.tells(name, Told.DOWNLOADING)

    rolling.fleet.look_after.cancel(ANN, "board-00")
    rolling.tells("board-00", Told.CANCELED)
    rolling.tells("board-01", Told.CANCELED)

    assert rolling.tally(rollout) == Tally(failed=1)


def test_a_withdrawn_release_is_offered_by_no_rollout_and_goes_on_when_restored(rolling):
    rollout = rolling.to_all()
    rolling.release(state=ReleaseState.WITHDRAWN)
    assert reason(rolling.asks("board-00")) is Reason.UP_TO_DATE
    assert rolling.now(rollout).state is State.RUNNING

    rolling.release(state=ReleaseState.PUBLISHED)

    assert offered(rolling.asks("board-00")) == "2.0.0"


def test_a_device_that_is_removed_speaks_for_and_against_nothing(rolling):
    rollout = halting(rolling)
    rolling.fails("board-00")

    rolling.fleet.look_after.remove(ANN, "board-00")
    rolling.fails("board-01")

    assert rolling.tally(rollout) == Tally(failed=1)
    assert rolling.now(rollout).state is State.RUNNING


def test_who_failed_rests_is_boxed_and_is_let_out(rolling):
    rolling.to_all(retry_seconds=100, failures_max=2)
    rolling.fails("board-00")
    assert reason(rolling.asks("board-00")) is Reason.RESTING
    rolling.fleet.clock.pass_seconds(101)
    rolling.fails("board-00")
    assert reason(rolling.asks("board-00")) is Reason.FAILING

    rolling.fleet.look_after.wipe(ANN, "board-00")

    assert offered(rolling.asks("board-00")) == "2.0.0"


def test_what_a_process_was_told_counts_when_its_memory_is_old(rolling, there):
    """A process that has not heard of the rollout yet does not offer its release to all."""
    rolling.begin(canaries=["board-00"])

    answer = there.comes(Visit("board-01", "lamp", "192.0.2.7"), version="1.0.0", chip="esp32")

    assert reason(answer) is Reason.UP_TO_DATE
    assert there.attempts("board-01") == []


def test_advancing_and_halting_at_once_never_widen_what_was_halted(rolling, there):
    rollout = halting(rolling, stages=SMALL_STEPS, canaries=["board-00", "board-01"], override=True)
    for name in ("board-00", "board-01"):
        rolling.asks(name)
    rolling.tells("board-00", Told.FAILED)
    met = threading.Barrier(2)

    def fail():
        with contextlib.suppress(threading.BrokenBarrierError):
            met.wait(1)
        rolling.tells("board-01", Told.FAILED)

    def step():
        with contextlib.suppress(threading.BrokenBarrierError):
            met.wait(1)
        with contextlib.suppress(Conflict):
            there.roll_out.advance(ANN, rollout.id, 1, WHY, override=True)

    side_by_side(fail, step)

    after = rolling.now(rollout)
    assert after.state is State.HALTED
    with pytest.raises(Conflict):
        there.roll_out.advance(ANN, rollout.id, after.stage + 1, WHY, override=True)


def test_only_what_changes_a_rollout_moves_its_counter(rolling):
    rolling.to_all()

    def count():
        with rolling.database.reading() as rows:
            return rows.counters.get(ROLLOUTS)

    before = count()
    rolling.fails("board-00")
    rolling.updates("board-01")

    assert count() == before


def test_who_was_called_off_with_its_rollout_is_asked_again_by_another_one(rolling):
    """A person said so; what was called off for a device alone waits for `devices retry`."""
    first = rolling.to_all()
    rolling.asks("board-00")
    rolling.fleet.roll_out.abort(ANN, first.id, WHY, calls_off=True)
    assert reason(rolling.asks("board-00")) is Reason.UP_TO_DATE

    second = rolling.to_all()
    assert offered(rolling.asks("board-00")) == "2.0.0"
    rolling.fleet.look_after.cancel(ANN, "board-00")
    assert reason(rolling.asks("board-00")) is Reason.CANCELED

    rolling.fleet.roll_out.abort(ANN, second.id, WHY)
    rolling.to_all()
    assert reason(rolling.asks("board-00")) is Reason.CANCELED
