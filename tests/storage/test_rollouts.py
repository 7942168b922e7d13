"""Rollouts as rows: their plans, what their devices came to, and how much they do now."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.attempt import OPEN
from ota_http_server.domain.attempt import State as AttemptState
from ota_http_server.domain.clocks import CLOCKS_DIFFER_SECONDS
from ota_http_server.domain.reach import Load
from ota_http_server.domain.rollout import State, Target
from ota_http_server.domain.rollout_health import Tally
from ota_http_server.domain.rollout_plan import SECONDS_MAX, Mode, Policy, Stage
from ota_http_server.domain.selection import Selection
from ota_http_server.domain.windows import windows_of
from ota_http_server.storage.counters import ROLLOUTS
from ota_http_server.storage.rollout_plans import as_text, from_text
from ota_http_server.storage.rollouts import SLOT_SECONDS
from tests.domain.test_rollout import a_rollout, plans
from tests.storage.released import a_device, an_attempt, released

AT = 1_000_000
WORD = {
    AttemptState.OFFERED: "offered",
    AttemptState.DOWNLOADING: "downloading",
    AttemptState.DOWNLOADED: "downloaded",
    AttemptState.INSTALLED: "installed",
    AttemptState.VERIFIED: "verified",
    AttemptState.FAILED: "failed",
    AttemptState.ROLLED_BACK: "rolled_back",
    AttemptState.SILENT: "silent",
    AttemptState.CANCELED: "failed",  # nobody asked it to: it gave up by itself
    AttemptState.SUPERSEDED: None,
}
WENT_WRONG = (
    AttemptState.FAILED,
    AttemptState.ROLLED_BACK,
    AttemptState.SILENT,
    AttemptState.CANCELED,
)


class Rolled:
    """A rollout of a release, and attempts of devices by it."""

    def __init__(self, database, **facts):
        self.database = database
        self.release = database.change(lambda tx: released(tx, "2.0.0", "a"))
        self.rollout = self.another(**facts)

    def another(self, **facts):
        new = a_rollout(**({"id": 0, "release": self.release} | facts))
        return self.database.change(lambda tx: tx.rollouts.add(new))

    def tried(self, device, *states, **facts):
        """The device's attempts, the oldest first."""
        known = {"rollout": self.rollout.id, "changed_at": AT, "offered_at": AT}

        def opened(tx):
            tx.devices.add(a_device(device))
            for state in states:
                new = an_attempt(self.release, device, state=state, **(known | facts))
                tx.attempts.open(new)

        self.database.change(opened)

    def read(self, look):
        with self.database.reading() as rows:
            return look(rows.rollouts)

    def tally(self, number=None) -> Tally:
        return self.read(lambda rollouts: rollouts.tally(number or self.rollout.id))

    def load(self, at=AT, **policy) -> Load:
        paced = replace(self.rollout, policy=Policy(**policy))
        return self.read(lambda rollouts: rollouts.load(paced, at))

    def downloads(self, project=None, at=AT) -> int:
        return self.read(lambda rollouts: rollouts.downloads(project, at))


@pytest.fixture(name="rolled")
def a_rolled_out_release(database):
    return Rolled(database)


# --- what never changes of it -------------------------------------------------------------------

texts = st.sampled_from(
    [None, "tag==kitchen", "version<1.4.0 and chip==esp32", "attr.colour=='a b'"]
)
names = st.frozensets(st.text("abc0:-", min_size=1, max_size=5), max_size=3)
windows = st.sampled_from(
    [(), ("Mon-Fri 09:00-17:00 Europe/Berlin",), ("22:00-04:00 UTC", "Sat,Sun 00:00-24:00 UTC")]
).map(windows_of)
limits = st.none() | st.integers(1, 10**7)
seconds = st.integers(1, SECONDS_MAX)
policies = st.builds(
    Policy,
    failed_share_max=st.integers(1, 10_000),
    silent_seconds=seconds,
    counts_installed=st.booleans(),
    concurrent_max=limits,
    offers_max=limits,
    period_seconds=seconds,
    windows=windows,
    site_tag=st.none() | st.text(min_size=1, max_size=5),
    retry_seconds=seconds,
    mode=st.sampled_from(Mode),
)
stages = plans.flatmap(
    lambda shares: st.tuples(
        *(st.builds(Stage, st.just(one), seconds, st.integers(0, 99)) for one in shares)
    )
)
rollouts = st.builds(
    lambda planned, text, devices, canaries, policy: replace(
        a_rollout(),
        stages=planned,
        target=Target(None if text is None else Selection.parse(text), devices),
        canaries=canaries,
        policy=policy,
    ),
    stages,
    texts,
    names,
    names,
    policies,
)


@given(rollouts)
def test_a_plan_is_read_back_as_it_was_written(rollout):
    assert replace(a_rollout(), **from_text(as_text(rollout))) == rollout


def test_a_rollout_is_read_back_as_it_was_written(rolled):
    whole = rolled.another(
        salt=bytes(range(16)),
        target=Target(Selection.parse("tag==kitchen"), frozenset({"one"})),
        canaries=frozenset({"two"}),
        policy=Policy(windows=windows_of(["22:00-04:00 UTC"]), site_tag="site:"),
        state=State.HALTED,
        stage=3,
        stage_seconds=2**40,
        first_device="board-3",
        is_canaried=True,
        takes_back=rolled.release,
        reason="it smokes in the Küche",
        created_at=AT,
        created_by="ann",
        changed_at=AT + 1,
        edition=4,
    )

    assert whole.id > rolled.rollout.id
    assert rolled.read(lambda rollouts: rollouts.get(whole.id)) == whole
    assert (whole.version, whole.salt, whole.takes_back) == ("2.0.0", bytes(range(16)), 1)


def test_what_may_change_is_changed_and_its_plan_is_not(rolled):
    changed = replace(
        rolled.rollout,
        state=State.PAUSED,
        stage=2,
        stage_seconds=9,
        first_device="board-4",
        reached_all=True,
        is_canaried=True,
        reason="lunch",
        changed_at=AT,
        edition=2,
    )
    other = replace(changed, salt=bytes(range(16)), canaries=frozenset({"x"}), created_by="eve")

    rolled.database.change(lambda tx: tx.rollouts.change(other))

    assert rolled.read(lambda rollouts: rollouts.get(changed.id)) == changed


def test_others_learn_of_every_change_but_not_of_passing_time(rolled):
    def count():
        with rolled.database.reading() as rows:
            return rows.counters.get(ROLLOUTS)

    counts = [count()]
    for work in (
        lambda tx: tx.rollouts.change(rolled.rollout),
        lambda tx: tx.rollouts.add_stage_seconds(rolled.rollout, 30),
    ):
        rolled.database.change(work)
        counts.append(count())

    assert counts[1] == counts[0] + 1
    assert counts[2] == counts[1]
    assert rolled.read(lambda rollouts: rollouts.get(rolled.rollout.id)).stage_seconds == 30


def test_time_counts_for_the_stage_in_which_it_passed(rolled):
    further = replace(rolled.rollout, stage=1)
    rolled.database.change(lambda tx: tx.rollouts.change(further))

    rolled.database.change(lambda tx: tx.rollouts.add_stage_seconds(rolled.rollout, 30))

    assert rolled.read(lambda rollouts: rollouts.get(further.id)) == further


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30, 99])
def test_a_number_that_no_rollout_has_finds_none(rolled, number):
    assert rolled.read(lambda rollouts: rollouts.get(number)) is None


def test_rollouts_are_listed_by_project_release_and_state(rolled):
    first = rolled.rollout
    second = rolled.another(state=State.FINISHED)
    third = rolled.another(state=State.HALTED)

    def listed(look):
        return [one.id for one in rolled.read(look)]

    assert listed(lambda r: r.of_project("lamp")) == [first.id, second.id, third.id]
    assert listed(lambda r: r.of_project("fan")) == []
    assert listed(lambda r: r.of_release(rolled.release)) == [first.id, second.id, third.id]
    assert listed(lambda r: r.unfinished()) == [first.id, third.id]
    assert listed(lambda r: r.page("lamp", (), None, 2)) == [third.id, second.id]
    assert listed(lambda r: r.page(None, (State.FINISHED,), None, 9)) == [second.id]
    assert listed(lambda r: r.page("lamp", (), second.id, 9)) == [first.id]


# --- what its devices came to -------------------------------------------------------------------


@pytest.mark.parametrize("state", AttemptState)
def test_each_end_of_an_attempt_has_its_word(rolled, state):
    rolled.tried("one", state)

    word = WORD[state]
    assert rolled.tally() == (Tally() if word is None else Tally(**{word: 1}))


@pytest.mark.parametrize("state", [AttemptState.CANCELED, AttemptState.SUPERSEDED])
def test_whom_somebody_called_off_counts_for_nothing(rolled, state):
    rolled.tried("one", state, cancel_asked=True)

    assert rolled.tally() == Tally()


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ((AttemptState.FAILED, AttemptState.VERIFIED), "verified"),
        ((AttemptState.FAILED, AttemptState.FAILED), "failed"),
        ((AttemptState.SILENT, AttemptState.FAILED), "failed"),
        ((AttemptState.FAILED, AttemptState.DOWNLOADING), "failed"),
        ((AttemptState.ROLLED_BACK, AttemptState.FAILED), "rolled_back"),
        ((AttemptState.SUPERSEDED, AttemptState.OFFERED), "offered"),
        ((AttemptState.SILENT, AttemptState.INSTALLED), "silent"),
    ],
)
def test_a_device_that_tried_several_times_is_counted_once(rolled, states, word):
    rolled.tried("one", *states)

    assert rolled.tally() == Tally(**{word: 1})


def test_each_rollout_counts_its_own(rolled):
    other = rolled.another()
    rolled.tried("one", AttemptState.FAILED)
    rolled.tried("two", AttemptState.VERIFIED, rollout=other.id)
    rolled.tried("three", AttemptState.VERIFIED, rollout=None)

    assert rolled.tally() == Tally(failed=1)
    assert rolled.tally(other.id) == Tally(verified=1)
    assert rolled.tally(99) == Tally()


@pytest.mark.parametrize("state", WENT_WRONG)
def test_what_was_excused_is_counted_apart(rolled, state):
    rolled.tried("one", state)
    rolled.tried("two", AttemptState.DOWNLOADING)

    rolled.database.change(lambda tx: tx.rollouts.excuse(rolled.rollout.id))

    assert rolled.tally() == Tally(excused=1, downloading=1)


@pytest.mark.parametrize(
    ("afterwards", "tally"),
    [
        (AttemptState.VERIFIED, Tally(verified=1)),
        (AttemptState.FAILED, Tally(failed=1)),
        (AttemptState.DOWNLOADING, Tally(excused=1)),
    ],
)
def test_who_was_excused_and_tries_again_counts_by_that(rolled, afterwards, tally):
    rolled.tried("one", AttemptState.FAILED)
    rolled.database.change(lambda tx: tx.rollouts.excuse(rolled.rollout.id))

    rolled.tried("one", afterwards)

    assert rolled.tally() == tally


def test_only_this_rollout_is_excused(rolled):
    other = rolled.another()
    rolled.tried("one", AttemptState.FAILED, rollout=other.id)

    rolled.database.change(lambda tx: tx.rollouts.excuse(rolled.rollout.id))

    assert rolled.tally(other.id) == Tally(failed=1)


def test_who_came_to_what_agrees_with_how_many_did(rolled):
    for number, state in enumerate([*AttemptState, *AttemptState]):
        rolled.tried(f"board-{number:02}", state)
    excused = a_device("excused").id
    rolled.tried(excused, AttemptState.FAILED)
    rolled.database.change(lambda tx: tx.rollouts.excuse(rolled.rollout.id))
    for number, state in enumerate(AttemptState):
        rolled.tried(f"new-{number:02}", state)

    outcomes = rolled.read(lambda rollouts: rollouts.outcomes(rolled.rollout.id))
    by_word = {word: [one for one, its in outcomes.items() if its == word] for word in WORDS}

    assert rolled.tally() == Tally(**{word: len(some) for word, some in by_word.items()})
    for word, some in by_word.items():
        assert came_to(rolled, word) == sorted(some)
    assert "excused" in by_word["excused"]


WORDS = tuple(Tally.__dataclass_fields__)


def came_to(rolled, word, after="", limit=99):
    return rolled.read(lambda rollouts: rollouts.came_to(rolled.rollout.id, word, after, limit))


def test_who_came_to_something_is_told_page_by_page(rolled):
    for name in ("c", "a", "d", "b"):
        rolled.tried(name, AttemptState.FAILED)

    assert came_to(rolled, "failed", limit=2) == ["a", "b"]
    assert came_to(rolled, "failed", after="b", limit=2) == ["c", "d"]
    assert came_to(rolled, "verified") == []


def test_a_device_that_is_removed_counts_no_more(rolled):
    rolled.tried("one", AttemptState.FAILED)
    rolled.tried("two", AttemptState.VERIFIED)

    rolled.database.change(lambda tx: tx.attempts.forget_device("one"))

    assert rolled.tally() == Tally(verified=1)


# --- what its devices do now --------------------------------------------------------------------


def test_a_device_takes_up_room_while_its_attempt_is_open(rolled):
    for state in AttemptState:
        rolled.tried(f"board-{state}", state)

    working = sorted(f"board-{state}" for state in OPEN)
    assert rolled.load() == Load(open=len(working))
    assert rolled.read(lambda rollouts: rollouts.open_devices(rolled.rollout.id)) == working


def test_who_did_what_was_asked_makes_nobody_wait(rolled):
    rolled.tried("one", AttemptState.INSTALLED)
    rolled.tried("two", AttemptState.DOWNLOADED)
    for name in ("one", "two"):
        tagged = a_device(name, tags=("site:a",))
        rolled.database.change(lambda tx, one=tagged: tx.devices.change(one))

    assert rolled.load().open == 2
    assert rolled.load(counts_installed=True, site_tag="site:") == Load(1, 0, {"site:a": 1})
    assert rolled.load(mode=Mode.DOWNLOAD_ONLY).open == 1


def test_only_its_own_devices_fill_it(rolled):
    rolled.tried("one", AttemptState.OFFERED, rollout=None)
    rolled.tried("two", AttemptState.OFFERED, rollout=rolled.another().id)

    assert rolled.load(offers_max=9) == Load()


@pytest.mark.parametrize(
    ("offered_at", "counts"),
    [
        (AT, True),
        (AT - 599, True),
        (AT - 600, False),
        (AT + CLOCKS_DIFFER_SECONDS, True),
        (AT + CLOCKS_DIFFER_SECONDS + 1, False),  # by a clock that was set back since
        (AT + 30 * 86_400, False),
    ],
)
def test_offers_count_for_one_period(rolled, offered_at, counts):
    rolled.tried("one", AttemptState.FAILED, offered_at=offered_at)

    assert rolled.load(offers_max=5, period_seconds=600) == Load(0, int(counts), {})
    assert rolled.load() == Load()  # nobody asked


def test_a_device_that_tries_again_in_a_period_is_one(rolled):
    for state in (AttemptState.FAILED, AttemptState.OFFERED):
        rolled.tried("one", state)
    rolled.tried("two", AttemptState.OFFERED)

    assert rolled.load(offers_max=5, period_seconds=600).offered == 2


def test_devices_of_a_site_are_counted_by_its_tag(rolled):
    tags = {
        "one": ("red", "site:bonn"),
        "two": ("site:bonn", "site:graz"),
        "three": ("blue",),
        "four": ("site:ulm",),
    }
    for name in tags:
        rolled.tried(name, AttemptState.VERIFIED if name == "four" else AttemptState.OFFERED)
        tagged = a_device(name, tags=tags[name])
        rolled.database.change(lambda tx, one=tagged: tx.devices.change(one))

    load = rolled.load(site_tag="site:")

    assert load.by_site == {"site:bonn": 2, "site:graz": 1}
    assert load.open == 3


def test_a_slot_is_taken_until_all_of_the_image_is_there(rolled):
    takes_one = {AttemptState.OFFERED, AttemptState.DOWNLOADING}

    for state in AttemptState:
        before = rolled.downloads()
        rolled.tried(f"board-{state}", state)
        assert rolled.downloads() - before == int(state in takes_one)


@pytest.mark.parametrize(
    ("changed_at", "takes"),
    [
        (AT, True),
        (AT - SLOT_SECONDS, True),
        (AT - SLOT_SECONDS - 1, False),
        (AT + CLOCKS_DIFFER_SECONDS, True),
        (AT + CLOCKS_DIFFER_SECONDS + 1, False),
    ],
)
def test_who_does_not_fetch_what_it_was_offered_keeps_no_slot(rolled, changed_at, takes):
    rolled.tried("one", AttemptState.DOWNLOADING, changed_at=changed_at)

    assert rolled.downloads() == int(takes)


def test_slots_are_counted_with_and_without_rollouts_and_by_project(rolled):
    rolled.tried("one", AttemptState.OFFERED)
    rolled.tried("two", AttemptState.OFFERED, rollout=None)
    rolled.tried("three", AttemptState.OFFERED, project="fan")

    assert [rolled.downloads(project) for project in (None, "lamp", "fan", "x")] == [3, 2, 1, 0]


# --- who fell silent ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_a_rollout_judges_the_silence_of_its_devices_alone_as_long_as_any_updates(rolled, state):
    rollout = rolled.another(state=state)
    rolled.tried("one", AttemptState.OFFERED, rollout=rollout.id, changed_at=AT - 50)
    rolled.tried("two", AttemptState.OFFERED, rollout=None, changed_at=AT - 50)

    def silent(number=None):
        with rolled.database.reading() as rows:
            found = rows.attempts.silent_since(AT, AT, 9, number)
        return sorted(one.device for one in found)

    assert (silent(rollout.id), silent()) == (["one"], ["two"])
    with rolled.database.reading() as rows:
        assert [one.id for one in rows.rollouts.with_open_attempts()] == [rollout.id]
