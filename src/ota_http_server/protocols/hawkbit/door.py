"""The way in: who asks, for which controller, and for which of its resources.

A device's credential opens its own controller and no other (401, with an empty body); a gateway's
opens every one of its project.
"""

import re
from collections.abc import Sequence

from ota_http_server.domain.errors import NotFound, Refusal, Unauthenticated
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.http.callers import Callers
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.lane import not_allowed
from ota_http_server.http.problems import problem
from ota_http_server.operations.visit import Visit, visit_of
from ota_http_server.protocols.hawkbit.asked import Asked, Operations, Resource
from ota_http_server.protocols.hawkbit.deploying import Deploying
from ota_http_server.protocols.hawkbit.fetching import Fetching
from ota_http_server.protocols.hawkbit.links import TENANT, Links
from ota_http_server.protocols.hawkbit.polling import NO_SUCH_TARGET, Polling

CONTROLLER_PATTERN = re.compile(r"[A-Za-z0-9:._-]{1,64}\Z")
ACTION_PATTERN = re.compile(r"[0-9]{1,10}\Z")
ACTION_MAX = 2**31 - 1  # what clients keep an id in
SEGMENTS_MAX = 4  # of the longest path behind the controller

NUMBER, NAME = "#", "*"
"""In a route: the id of an action, the name of a file."""


class Hawkbit:
    """The dialect, for the lane."""

    prefix = f"/{TENANT.lower()}/controller/v1/"
    methods: Sequence[str] = ("GET", "HEAD", "PUT", "POST")

    def __init__(self, callers: Callers, operations: Operations) -> None:
        self._callers = callers
        self._guess_project = operations.guess_project
        self._routes = _routes(Polling(operations), Deploying(operations), Fetching(operations))

    def answer(self, request: Request) -> Reply:
        caller = self._callers.identify(request)
        controller, _, rest = request.path[len(self.prefix) :].partition("/")
        visit = self._visit(request, caller, controller)
        route, number, name = _parsed(rest)
        methods = self._routes.get(route)
        if methods is None:
            raise NotFound("hawkBit's interface has no such resource")
        resource = methods.get("GET" if request.method == "HEAD" else request.method)
        if resource is None:
            return not_allowed(tuple(methods))
        links = Links(request.base_url, controller)
        return resource(Asked(request, visit, links, number, name))

    def refuse(self, refusal: Refusal) -> Reply:
        """As hawkBit does it: 401 has nothing to read."""
        reply = problem(refusal)
        if not isinstance(refusal, Unauthenticated):
            return reply
        headers = tuple(field for field in reply.headers if field[0] != "Content-Type")
        return Reply(reply.status, headers)

    def _visit(self, request: Request, caller: Identity, controller: str) -> Visit:
        if not CONTROLLER_PATTERN.match(controller):
            raise NotFound(NO_SUCH_TARGET)
        device = device_key(controller)
        if caller.subject and device_key(caller.subject) != device:
            raise Unauthenticated("the credential is another target's")
        project = caller.project
        if project is None:
            project = self._guess_project(device)
        else:
            request.trust_connection()
        return visit_of(caller, project, device, request.address)


def _routes(
    polling: Polling, deploying: Deploying, fetching: Fetching
) -> dict[tuple[str, ...], dict[str, Resource]]:
    switch: dict[str, Resource] = {"POST": deploying.switch_auto_confirmation}
    return {
        (): {"GET": polling.poll},
        ("configData",): {"PUT": polling.attributes},
        ("deploymentBase", NUMBER): {"GET": deploying.deployment},
        ("deploymentBase", NUMBER, "feedback"): {"POST": deploying.deployment_feedback},
        ("cancelAction", NUMBER): {"GET": deploying.cancellation},
        ("cancelAction", NUMBER, "feedback"): {"POST": deploying.cancel_feedback},
        ("installedBase",): {"PUT": polling.runs},
        ("installedBase", NUMBER): {"GET": deploying.installed},
        ("confirmationBase",): {"GET": deploying.auto_confirmation},
        ("confirmationBase", "activateAutoConfirm"): switch,
        ("confirmationBase", "deactivateAutoConfirm"): switch,
        ("confirmationBase", NUMBER): {"GET": deploying.confirmation},
        ("confirmationBase", NUMBER, "feedback"): {"POST": deploying.confirmation_feedback},
        ("softwaremodules", NUMBER, "artifacts"): {"GET": fetching.artifacts},
        ("softwaremodules", NUMBER, "artifacts", NAME): {"GET": fetching.artifact},
    }


def _parsed(rest: str) -> tuple[tuple[str, ...], int, str]:
    """The route that a path behind the controller takes, with the id and the name in it."""
    if not rest:
        return (), 0, ""
    parts = rest.split("/", SEGMENTS_MAX)
    number, name = 0, ""
    if len(parts) > 1 and ACTION_PATTERN.match(parts[1]):
        number, parts[1] = int(parts[1]), NUMBER
    if len(parts) == SEGMENTS_MAX:
        name, parts[3] = parts[3], NAME
    return tuple(parts) if number <= ACTION_MAX else ("",), number, name
