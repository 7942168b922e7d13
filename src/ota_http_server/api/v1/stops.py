"""The stop: at once nothing is offered any more, and it works while the database is away."""

from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.rollout_words import LiftSaid, StopSaid, StopsTold, StopTold
from ota_http_server.domain.operator import Role

STOP = Noun("stop", "At once nothing is offered any more: of everything, or of a project.")


@STOP.route("GET", "/stop", tells=StopsTold)
def get_stops(call: Call) -> Answer:
    """Read what stops now.

    Whoever is for one project sees its own stop and the one of everything.
    """
    return _standing(call)


@STOP.route("POST", "/stop", Role.OPERATOR, says=StopSaid, tells=StopTold)
def stop_offers(call: Call) -> Answer:
    """Stop the offers of everything, or of a project.

    It holds at every instance within two seconds. Updates that have begun go on, unless
    `downloads` says otherwise. Downloads that were stopped before stay so until the stop is
    lifted, and the answer's `downloads` says what holds now. While the database is away it stops
    the instances of this host alone, and `everywhere` says so: say it once more when the database
    is back.
    """
    said = call.said
    stop, downloads = call.door.stop.stop, said.get("downloads", False)
    return Answer(stop(call.operator, said.get("project"), said["reason"], downloads=downloads))


@STOP.route("POST", "/stop/lift", Role.OPERATOR, says=LiftSaid, tells=StopsTold)
def lift_stop(call: Call) -> Answer:
    """Let the offers go on that were stopped; what still stops them is the answer.

    A stop of everything and one of a project are lifted each by itself.
    """
    call.door.stop.lift(call.operator, call.said.get("project"), call.said["reason"])
    return _standing(call)


def _standing(call: Call) -> Answer:
    return Answer({"items": call.door.stop.standing(call.operator)})
