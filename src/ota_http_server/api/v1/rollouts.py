"""Rollouts: a release goes to few devices first, and to all of them if that goes well."""

import time
from typing import Any

from ota_http_server.api.v1.endpoint import Answer, Call, Noun, Page
from ota_http_server.api.v1.numbers import number_in
from ota_http_server.api.v1.paging import limit_of, page
from ota_http_server.api.v1.rollout_words import (
    AbortSaid,
    AdvanceSaid,
    CountsQuery,
    NewRolloutSaid,
    OutcomePage,
    OutcomeQuery,
    RolloutPage,
    RolloutQuery,
    RolloutTold,
    WhySaid,
    told,
)
from ota_http_server.domain.operator import Role
from ota_http_server.domain.rollout import Rollout, State
from ota_http_server.operations.look_at_fleet import Counts, counted
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.show_rollout import shown
from ota_http_server.operations.write_rollout import rollout_for
from ota_http_server.storage.transaction import Reading

ROLLOUTS = Noun("rollouts", "How far a release has come: stage by stage, halted if it goes wrong.")


@ROLLOUTS.route("GET", "/rollouts", asks=RolloutQuery, tells=RolloutPage, pages=True)
def list_rollouts(call: Call) -> Answer:
    """List the rollouts, the latest first."""
    query, only = call.query, call.operator.project
    project = query.get("project", only)
    if only not in (None, project):
        return Answer(Page([], None))
    states = [State(query["state"])] if "state" in query else []
    before = number_in(query["after"], "after") if query["after"] else None
    with call.door.database.reading() as rows:
        found = rows.rollouts.page(project, states, before, limit_of(call) + 1)
    items = []
    for rollout in found:
        items.append(_told(call, rollout))
        time.sleep(0)  # each looks at all that its devices came to: others have their turn
    return page(call, items, lambda item: item["id"])


@ROLLOUTS.route(
    "POST",
    "/projects/{project}/rollouts",
    Role.OPERATOR,
    says=NewRolloutSaid,
    tells=RolloutTold,
    may_make=True,
    refuses=(409,),
)
def create_rollout(call: Call) -> Answer:
    """Begin a rollout of a release; of a draft it begins when that is published.

    From now on the release reaches nobody but by its rollouts. The answer counts the devices that
    each stage has now. With `dry` nothing is written, the answer is 200 and its `id` is 0.
    """
    said = dict(call.said)
    dry = said.pop("dry", False)
    wish = RolloutWish.of(call.path["project"], said)
    call.door.follow(wish.project)  # what was dropped a moment ago is a release
    begun = call.door.begin_rollout(call.operator, wish, dry=dry)
    rollout = begun.rollout
    body = _told(call, rollout, begun.counts)
    if dry:
        return Answer(body)
    place = f"/rollouts/{rollout.id}"
    return Answer(body, status=201, edition=rollout.edition, location=place)


@ROLLOUTS.route("GET", "/rollouts/{rollout}", asks=CountsQuery, tells=RolloutTold, has_edition=True)
def get_rollout(call: Call) -> Answer:
    """Read how far a rollout has come, and how it goes."""
    database = call.door.database
    with database.reading() as rows:
        rollout = _seen(call, rows)
    counts = None
    if call.query.get("counts"):
        counts = counted(database, rollout)
    return _answer(call, rollout, counts)


@ROLLOUTS.route(
    "POST",
    "/rollouts/{rollout}/pause",
    Role.OPERATOR,
    says=WhySaid,
    tells=RolloutTold,
    has_edition=True,
    refuses=(409,),
)
def pause_rollout(call: Call) -> Answer:
    """Let a rollout rest.

    Nobody is offered the release by it; updates that have begun finish.
    """
    pause = call.door.roll_out.pause
    return _answer(call, pause(call.operator, _number(call), call.said["reason"], call.expected))


@ROLLOUTS.route(
    "POST",
    "/rollouts/{rollout}/resume",
    Role.OPERATOR,
    says=WhySaid,
    tells=RolloutTold,
    has_edition=True,
    refuses=(409,),
)
def resume_rollout(call: Call) -> Answer:
    """Let a rollout go on that is paused or halted.

    What halted it counts no more; what goes wrong from now on does.
    """
    resume = call.door.roll_out.resume
    return _answer(call, resume(call.operator, _number(call), call.said["reason"], call.expected))


@ROLLOUTS.route(
    "POST",
    "/rollouts/{rollout}/advance",
    Role.OPERATOR,
    says=AdvanceSaid,
    tells=RolloutTold,
    has_edition=True,
    refuses=(409,),
)
def advance_rollout(call: Call) -> Answer:
    """Take a rollout one stage further, whatever it waits for; behind the last one it is finished.

    A conflict if it has left the stage that you saw it in, and if the next one goes beyond 10 %
    although no canary was seen running the release: `override` allows that.
    """
    said, advance = call.said, call.door.roll_out.advance
    return _answer(
        call,
        advance(
            call.operator,
            _number(call),
            said["stage"],
            said["reason"],
            call.expected,
            override=said.get("override", False),
        ),
    )


@ROLLOUTS.route(
    "POST",
    "/rollouts/{rollout}/abort",
    Role.OPERATOR,
    says=AbortSaid,
    tells=RolloutTold,
    has_edition=True,
    refuses=(409,),
)
def abort_rollout(call: Call) -> Answer:
    """End a rollout for good: the release reaches nobody by it any more.

    Who runs it already keeps it. Updates that have begun finish, unless `call_off` says otherwise.
    """
    abort, call_off = call.door.roll_out.abort, call.said.get("call_off", False)
    return _answer(
        call,
        abort(call.operator, _number(call), call.said["reason"], call.expected, calls_off=call_off),
    )


@ROLLOUTS.route(
    "GET", "/rollouts/{rollout}/devices", asks=OutcomeQuery, tells=OutcomePage, pages=True
)
def list_rollout_devices(call: Call) -> Answer:
    """List the devices that came to this, by id."""
    query = call.query
    with call.door.database.reading() as rows:
        rollout = _seen(call, rows)
        found = rows.rollouts.came_to(rollout.id, query["what"], query["after"], limit_of(call) + 1)
    return page(call, found, lambda device: device)


def _number(call: Call) -> int:
    return number_in(call.path["rollout"], "rollout")


def _seen(call: Call, rows: Reading) -> Rollout:
    """The rollout that the path names, if the caller may see it."""
    return rollout_for(rows, call.operator, _number(call), role=Role.VIEWER)


def _answer(call: Call, rollout: Rollout, counts: Counts | None = None) -> Answer:
    return Answer(_told(call, rollout, counts), edition=rollout.edition)


def _told(call: Call, rollout: Rollout, counts: Counts | None = None) -> dict[str, Any]:
    with call.door.database.reading() as rows:
        return told(shown(rows, rollout, counts))
