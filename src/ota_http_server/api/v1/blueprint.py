"""The endpoints as routes of Flask: a request becomes a `Call`, an `Answer` becomes a response.

Who asks is looked at first, then what is asked, and only then is a body read.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, jsonify, request

from ota_http_server.api.v1.arriving import Arriving
from ota_http_server.api.v1.conditions import expected, is_known, tag_of
from ota_http_server.api.v1.document import document
from ota_http_server.api.v1.door import Door
from ota_http_server.api.v1.endpoint import Answer, Call, Endpoint, Page
from ota_http_server.api.v1.nouns import NOUNS
from ota_http_server.api.v1.page import NOTHING
from ota_http_server.api.v1.page import Page as ReadablePage
from ota_http_server.api.v1.reading import BASE
from ota_http_server.api.v1.words import Query
from ota_http_server.domain.errors import Invalid, NotFound, NotJson
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator
from ota_http_server.http.json_body import json_object, read_bounded
from ota_http_server.http.problems import PROBLEM_JSON, body_of

LENGTH_DIGITS_MAX = 15
CHALLENGE = 'Bearer realm="ota-admin"'
NO_KEY = "show an API key, as Authorization: Bearer otak_… or as X-API-Key; this one does not hold"


def api_blueprint(door: Door) -> Blueprint:
    """`/api/v1`: the endpoints, and the two forms in which they are described."""
    blueprint = Blueprint("api_v1", __name__, url_prefix=BASE, template_folder="templates")
    page = ReadablePage()
    for endpoint in (endpoint for noun in NOUNS for endpoint in noun.endpoints):
        blueprint.add_url_rule(
            endpoint.path.replace("{", "<").replace("}", ">"),
            endpoint.name,
            _view(door, endpoint),
            methods=[endpoint.method],
            provide_automatic_options=False,
        )

    @blueprint.get("/openapi.json", provide_automatic_options=False)
    def openapi() -> Response:
        return jsonify(document())

    @blueprint.get("/", strict_slashes=False, provide_automatic_options=False)
    def readable() -> Response:
        return page()

    @blueprint.after_request
    def answered(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers.setdefault("Content-Security-Policy", NOTHING)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        if response.status_code == 401:
            # A device's answer is as short as can be; here somebody reads it.
            response.headers["WWW-Authenticate"] = CHALLENGE
            response.set_data(body_of(401, "unauthenticated", NO_KEY))
            response.content_type = PROBLEM_JSON
        return response

    return blueprint


def _view(door: Door, endpoint: Endpoint) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        operator = door.operators.identify(request.environ)
        _check_scope(operator, path.get("project"))
        call = Call(
            door,
            operator,
            path,
            _asked(endpoint),
            _said(endpoint),
            expected(request.headers.get("If-Match")),
            _arriving() if endpoint.uploads else None,
        )
        return _response(endpoint, endpoint.handler(call))

    return view


def _check_scope(operator: Operator, project: str | None) -> None:
    """What another project has looks like what nobody has."""
    if project is not None and not operator.may_see(project_name(project)):
        raise NotFound("there is no such project")


def _asked(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.asks is None:
        return {}
    if twice := [name for name, values in request.args.lists() if len(values) > 1]:
        raise Invalid(f"{twice[0][:64]} is given twice")
    asked: dict[str, Any] = endpoint.asks().load(Query(request.args))
    return asked


def _said(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.says is None:
        return {}
    if request.content_encoding:
        raise NotJson("a body with a Content-Encoding is not taken")
    body = read_bounded(request.stream)
    if not body and endpoint.may_be_empty:
        return {}
    said: dict[str, Any] = endpoint.says().load(json_object(request.content_type, body))
    return said


def _arriving() -> Arriving:
    if request.content_encoding:
        raise NotJson("an image with a Content-Encoding is not taken: send its own bytes")
    length = request.environ.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit()) or len(length) > LENGTH_DIGITS_MAX:
        raise Invalid("say the image's length first: Content-Length is needed")
    return Arriving(request.stream, int(length))


def _response(endpoint: Endpoint, answer: Answer) -> Response:
    status = answer.status or endpoint.status
    known = request.headers.get("If-None-Match") if endpoint.method == "GET" else None
    if answer.edition is not None and is_known(known, answer.edition):
        response = Response(status=304)
    elif endpoint.tells is None:
        response = Response(status=status)
        del response.headers["Content-Type"]
    else:
        response = jsonify(endpoint.tells().dump(answer.body))
        response.status_code = status
    if answer.edition is not None:
        response.headers["ETag"] = tag_of(answer.edition)
    if answer.location is not None:
        response.headers["Location"] = f"{request.script_root}{BASE}{quote(answer.location)}"
    if isinstance(answer.body, Page) and answer.body.next is not None:
        query = urlencode({**request.args, "after": answer.body.next})
        response.headers["Link"] = f'<{request.script_root}{request.path}?{query}>; rel="next"'
    return response
