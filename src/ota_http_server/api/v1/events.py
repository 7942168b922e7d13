"""Events: what happened, as the audit log tells it."""

from marshmallow import fields

from ota_http_server.api.v1.endpoint import Answer, Call, Noun, Page
from ota_http_server.api.v1.numbers import number_in
from ota_http_server.api.v1.paging import Paged, TellsPage, limit_of
from ota_http_server.api.v1.words import Moment, Number, Text, Told
from ota_http_server.domain.operator import Role
from ota_http_server.storage.events import Sought

EVENTS = Noun("events", "What happened: append-only and chained.")

NEWEST, OLDEST = "newest", "oldest"


class EventQuery(Paged):
    first = Text(one_of=(NEWEST, OLDEST), load_default=NEWEST)
    action = Text("Only events of this word.", characters_max=32)
    device = Text("Only events that name this device.", characters_max=64)
    project = Text("Only events that name this project.", characters_max=64)


class EventTold(Told):
    """One event."""

    id = Number("Counts up without a gap.")
    at = Moment()
    action = Text("One of the words of the audit log.")
    facts = fields.Dict(metadata={"description": "Names and what they are, text or number."})
    hash = Text("SHA-256 of the event and the hash before it.")


class EventPage(TellsPage):
    items = fields.List(fields.Nested(EventTold))


@EVENTS.route("GET", "/events", asks=EventQuery, tells=EventPage, pages=True)
def list_events(call: Call) -> Answer:
    """List what happened.

    A page looks at 20,000 events at most: with a filter it may be short, or empty, and there is
    more all the same; `next` says so. Whoever is for one project sees the events that name it.
    """
    call.operator.must(Role.VIEWER, call.operator.project)
    query, only = call.query, call.operator.project
    project = query.get("project")
    if only is not None and project not in (None, only):
        return Answer(Page([], None))
    sought = Sought(action=query.get("action"), device=query.get("device"), project=only or project)
    behind = number_in(query["after"], "after") if query["after"] else None
    newest_first = query["first"] == NEWEST
    with call.door.database.reading() as rows:
        found, following = rows.events.find(
            sought, behind, limit_of(call), newest_first=newest_first
        )
    return Answer(Page(found, None if following is None else str(following)))
