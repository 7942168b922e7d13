"""What is asked for, once it is known who asks; and the operations that answer."""

from collections.abc import Callable
from dataclasses import dataclass

from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.images import Images
from ota_http_server.operations.check_in import CheckIn
from ota_http_server.operations.guess_project import GuessProject
from ota_http_server.operations.keep_attributes import KeepAttributes
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.report import Report
from ota_http_server.operations.visit import Visit
from ota_http_server.protocols.hawkbit.actions import Actions
from ota_http_server.protocols.hawkbit.links import Links
from ota_http_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class Asked:
    """`number` and `name` are what the path names, where it names something."""

    request: Request
    visit: Visit
    links: Links
    number: int = 0
    name: str = ""


Resource = Callable[[Asked], Reply]


@dataclass(frozen=True, slots=True)
class Operations:
    """All that the dialect works with; `wall` is in unix seconds."""

    check_in: CheckIn
    report: Report
    keep_attributes: KeepAttributes
    guess_project: GuessProject
    registry: Registry
    database: Database
    actions: Actions
    images: Images
    wall: Callable[[], float]
