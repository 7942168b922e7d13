"""Pages: `limit` of many, behind the place that a cursor names."""

from typing import Any

from ota_http_server.api.v1.endpoint import Answer, Call, Page
from ota_http_server.api.v1.words import Number, Said, Text, Told

LIMIT = 50
LIMIT_MAX = 200  # a page of devices stays below 200 kB


class Paged(Said):
    """The query of every listing."""

    limit = Number("How many at most.", least=1, most=LIMIT_MAX, load_default=LIMIT)
    after = Text("The `next` of the page before.", characters_max=200, load_default="")


class TellsPage(Told):
    """Fields of every page; `items` is each noun's own."""

    next = Text("`after` of the next page; null on the last one.", allow_none=True)


def limit_of(call: Call) -> int:
    """How many were asked for. Ask for one more: it tells whether there is a next page."""
    return int(call.query["limit"])


def page(call: Call, found: list[Any], cursor: Any) -> Answer:
    """A page of the `limit` + 1 that were looked for; `cursor` makes an item's own."""
    limit = limit_of(call)
    items = found[:limit]
    return Answer(Page(items, str(cursor(items[-1])) if len(found) > limit else None))
