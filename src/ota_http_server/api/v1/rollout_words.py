"""What is said and told of rollouts and of the stop."""

from dataclasses import fields as dataclass_fields
from typing import Any

from marshmallow import fields

from ota_http_server.api.v1.paging import Paged, TellsPage
from ota_http_server.api.v1.words import (
    Counts,
    Flag,
    Moment,
    Number,
    Part,
    Parts,
    Percent,
    Said,
    Text,
    Texts,
    Told,
)
from ota_http_server.domain.rollout import State, percent_of
from ota_http_server.domain.rollout_health import Tally
from ota_http_server.domain.rollout_plan import COUNT_MAX, SECONDS_MAX, Mode
from ota_http_server.domain.selection_parser import TEXT_CHARACTERS_MAX
from ota_http_server.operations.show_rollout import Shown
from ota_http_server.operations.write_rollout import REASON_CHARACTERS_MAX

REASON = "Why; it stands in the audit log."
OVERRIDE = "Go beyond 10 % although no canary was seen running it."
STAGES = (
    "Each has percent, and may have dwell_seconds and verified_min; the last has 100 percent."
    " Without any: canary, 5, 25, 50, 100 %."
)
WINDOW = "Such as Mon-Fri 22:00-04:00 Europe/Berlin."
_COUNT = {"least": 1, "most": COUNT_MAX}
_SECONDS = {"least": 1, "most": SECONDS_MAX}


class RolloutQuery(Paged):
    project = Text(characters_max=64)
    state = Text(one_of=tuple(State))


class CountsQuery(Said):
    counts = Flag("Count the devices of each stage: it looks through the whole fleet.")


class StageSaid(Part):
    percent = Percent("Of the target; 0 in a first stage of canaries alone.", required=True)
    dwell_seconds = Number("So long it stays in this stage at least.", most=SECONDS_MAX)
    verified_min = Number("So many devices must be seen running it.", most=COUNT_MAX)


class PolicySaid(Said):
    """What halts a rollout, and how fast it may go."""

    failed_percent_max = Percent("Of the devices that finished, so many failed: it halts,")
    finished_min = Number("if so many have finished.", **_COUNT)
    silent_percent_max = Percent("Of the devices that were asked, so many fell silent: it halts.")
    silent_seconds = Number("Silent is who was not heard of for so long.", **_SECONDS)
    rolled_back_percent_max = Percent("Of those that finished, so many rolled back: it halts.")
    halting_devices_min = Number("Fewer devices than this never halt it.", **_COUNT)
    counts_installed = Flag("Reports of success are believed: for devices that tell no version.")
    concurrent_max = Number("Devices that update at a time.", allow_none=True, **_COUNT)
    offers_max = Number("New devices in a period.", allow_none=True, **_COUNT)
    period_seconds = Number("The period.", **_SECONDS)
    windows = Texts(WINDOW, of=Text(characters_max=200))
    site_tag = Text("What the tags that name sites begin with.", allow_none=True)
    site_max = Number("Devices of a site that update at a time.", **_COUNT)
    retry_seconds = Number("Rest after a failure; doubled by each further one.", most=SECONDS_MAX)
    failures_max = Number("After so many failures a device is left out.", **_COUNT)
    mode = Text("How urgently, where the protocol can say it.", one_of=tuple(Mode))


class NewRolloutSaid(PolicySaid):
    """A rollout to begin."""

    version = Text("The release.", characters_max=64, required=True)
    stages = Parts(StageSaid, STAGES)
    select = Text("Which devices, in the selection language.", characters_max=TEXT_CHARACTERS_MAX)
    devices = Texts("These alone.", of=Text(characters_max=64))
    canaries = Texts("In every stage, and alone in the first.", of=Text(characters_max=64))
    takes_back = Flag("An older release, for devices with the tag accepts-downgrade.")
    override = Flag(OVERRIDE)
    reason = Text(REASON, characters_max=REASON_CHARACTERS_MAX)
    dry = Flag("Only say what it would be.")


class WhySaid(Said):
    """Why."""

    reason = Text(REASON, characters_max=REASON_CHARACTERS_MAX, required=True)


class AdvanceSaid(WhySaid):
    """One stage further."""

    stage = Number("The stage that you saw it in; the first is 1.", least=1, required=True)
    override = Flag(OVERRIDE)


class AbortSaid(WhySaid):
    """An end for good."""

    call_off = Flag("Updates that have begun are called off, too.")


class StopSaid(WhySaid):
    """What stops."""

    project = Text("Of this project alone; left out: everything.", characters_max=64)
    downloads = Flag("Nor is anything sent.")


class LiftSaid(WhySaid):
    project = Text("Of this project; left out: of everything.", characters_max=64)


class TallyTold(Told):
    """Devices by what became of them."""

    offered = Number("Asked, and nothing more is known yet.")
    downloading = Number()
    downloaded = Number()
    installed = Number("They say so.")
    verified = Number("They were seen running it.")
    failed = Number()
    rolled_back = Number("They run the old image again.")
    silent = Number("Not heard of again.")
    excused = Number("Went wrong before a person let it go on.")


class StageTold(Told):
    percent = Percent()
    dwell_seconds = Number()
    verified_min = Number()
    devices = Number("That it has now; null unless they were counted.", allow_none=True)
    tally = fields.Nested(TallyTold, allow_none=True)


class PolicyTold(Told):
    """What halts it, and how fast it may go."""

    failed_percent_max = Percent()
    finished_min = Number()
    silent_percent_max = Percent()
    silent_seconds = Number()
    rolled_back_percent_max = Percent()
    halting_devices_min = Number()
    counts_installed = Flag()
    concurrent_max = Number(allow_none=True)
    offers_max = Number(allow_none=True)
    period_seconds = Number()
    windows = Texts()
    site_tag = Text(allow_none=True)
    site_max = Number()
    retry_seconds = Number()
    failures_max = Number()
    mode = Text(one_of=tuple(Mode))


class RolloutTold(Told):
    """How far a release has come, and how it goes. Its ETag moves with what is decided, not with
    what its devices come to."""

    id = Number()
    project = Text()
    version = Text()
    state = Text("Halted: by itself; only a person resumes.", one_of=tuple(State))
    reason = Text("Why it is in this state.")
    stage = Number("The first is 1.")
    percent = Percent("How far it goes now.")
    stage_seconds = Number("So long it is in this stage, while a server looked.")
    waits_for = Text("What lacks before the next stage.", allow_none=True)
    is_canaried = Flag("A stage of no more than 10 % held.")
    takes_back = Flag("It takes devices back to an older release.")
    select = Text(allow_none=True)
    devices = Texts()
    canaries = Texts()
    stages = fields.List(fields.Nested(StageTold))
    tally = fields.Nested(TallyTold)
    left_out = Counts(
        "Devices of the target that are in no stage, because they could not be offered it now, by"
        " the reason of a hold, or pinned; null unless they were counted.",
        allow_none=True,
    )
    policy = fields.Nested(PolicyTold)
    created_at = Moment()
    created_by = Text()
    changed_at = Moment()
    edition = Number()


class RolloutPage(TellsPage):
    items = fields.List(fields.Nested(RolloutTold))


class OutcomeQuery(Paged):
    what = Text(
        "What they came to.",
        one_of=tuple(one.name for one in dataclass_fields(Tally)),
        required=True,
    )


class OutcomePage(TellsPage):
    items = Texts("Devices, by id.")


class StopTold(Told):
    project = Text("null: everything.", allow_none=True)
    reason = Text()
    downloads = Flag()
    everywhere = Flag("False: on this host alone, because the database is away.")


class StopsTold(Told):
    """All that stops now, as this instance knows it."""

    items = fields.List(fields.Nested(StopTold))


def told(one: Shown) -> dict[str, Any]:
    """The fields of `RolloutTold`."""
    rollout, policy = one.rollout, one.rollout.policy
    return {
        "id": rollout.id,
        "project": rollout.project,
        "version": rollout.version,
        "state": rollout.state,
        "reason": rollout.reason,
        "stage": rollout.stage + 1,
        "percent": percent_of(rollout.share),
        "stage_seconds": rollout.stage_seconds,
        "waits_for": one.waits_for,
        "is_canaried": rollout.is_canaried,
        "takes_back": rollout.takes_back is not None,
        "select": rollout.target.selection.text if rollout.target.selection else None,
        "devices": sorted(rollout.target.devices),
        "canaries": sorted(rollout.canaries),
        "stages": one.stages,
        "tally": one.tally,
        "left_out": one.left_out,
        "policy": {
            **{name: getattr(policy, name) for name in _SAME},
            "failed_percent_max": percent_of(policy.failed_share_max),
            "silent_percent_max": percent_of(policy.silent_share_max),
            "rolled_back_percent_max": percent_of(policy.rolled_back_share_max),
            "windows": [window.text for window in policy.windows],
        },
        "created_at": rollout.created_at,
        "created_by": rollout.created_by,
        "changed_at": rollout.changed_at,
        "edition": rollout.edition,
    }


_SAME = (
    "finished_min",
    "silent_seconds",
    "halting_devices_min",
    "counts_installed",
    "concurrent_max",
    "offers_max",
    "period_seconds",
    "site_tag",
    "site_max",
    "retry_seconds",
    "failures_max",
    "mode",
)
