"""The OpenAPI 3.1 document, made from the endpoints and their schemas by apispec."""

import inspect
from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from ota_http_server import __version__
from ota_http_server.api.v1.endpoint import Endpoint, Noun
from ota_http_server.api.v1.nouns import NOUNS
from ota_http_server.api.v1.reading import BASE
from ota_http_server.api.v1.words import Number, Text, Told
from ota_http_server.domain.operator import Role
from ota_http_server.http.exchange import REASONS
from ota_http_server.http.problems import PROBLEM_JSON

TITLE = "ota_http_server admin API"
ABOUT = """\
Everything that people and programs do with the server: projects, releases, devices, who may come
in. Devices themselves use other routes.

Show an API key as `Authorization: Bearer otak_…` or as `X-API-Key`; `X-Admin-Secret` is that of an
admin. A role may what the one before it may: viewer, publisher, operator, admin. A key may be for
one project; to it the others are not there.

Times are RFC 3339 in UTC. A list has `items` and `next`: the `after` of the next page, also in
`Link`. A single thing has an `edition`, also as its `ETag`: with `If-Match` a change is refused
(412) if somebody else was faster, with `If-None-Match` a read answers 304. Refusals are
`application/problem+json`; a field that is not known is refused too.
"""
PATH_ABOUT = {
    "project": "A project.",
    "version": "A version, however it is spelt: `1.0` finds `1.0.0`.",
    "file": "The name that the image has in URLs.",
    "rollout": "The number of a rollout.",
    "device": "A device.",
    "attempt": "The number of an update.",
    "key": "The name of an API key.",
    "claim": "The number of a claim code.",
    "digest": "At least the first 8 digits of a credential's digest.",
    "fingerprint": "SHA-256 of a device's public key, with or without colons.",
}


class ProblemTold(Told):
    """Why not (RFC 9457)."""

    title = Text()
    status = Number()
    code = Text("Stable; the reference lists them.")
    detail = Text("For people.")


@cache
def document() -> dict[str, Any]:
    """The whole document; made when somebody first reads it."""
    spec = APISpec(
        title=TITLE,
        version=__version__,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        info={"description": ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": BASE}],
        tags=[{"name": noun.name, "description": noun.about} for noun in NOUNS],
        security=[{"bearer": []}, {"key": []}, {"secret": []}],
    )
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for name, header in (("key", "X-API-Key"), ("secret", "X-Admin-Secret")):
        scheme = {"type": "apiKey", "in": "header", "name": header}
        spec.components.security_scheme(name, scheme)
    for noun in NOUNS:
        for endpoint in noun.endpoints:
            method = endpoint.method.lower()
            spec.path(endpoint.path, operations={method: _operation(noun, endpoint)})
    described: dict[str, Any] = spec.to_dict()
    return described


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of each endpoint of the document, in its order."""
    return [
        (method.upper(), path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def _operation(noun: Noun, endpoint: Endpoint) -> dict[str, Any]:
    summary, _, description = inspect.cleandoc(endpoint.handler.__doc__ or "").partition("\n\n")
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "tags": [noun.name],
        "summary": summary.rstrip("."),
        "description": description,
        "x-role": endpoint.role.word,
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint),
    }
    if endpoint.says is not None:
        content = {"application/json": {"schema": endpoint.says}}
        operation["requestBody"] = {"required": not endpoint.may_be_empty, "content": content}
    if endpoint.uploads:
        whole = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": whole}
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    text = {"type": "string"}
    parameters: list[dict[str, Any]] = [
        {
            "in": "path",
            "name": name,
            "required": True,
            "schema": text,
            "description": PATH_ABOUT.get(name, ""),
        }
        for name in endpoint.variables
    ]
    if endpoint.asks is not None:
        parameters.append({"in": "query", "schema": endpoint.asks})
    if endpoint.has_edition:
        name = "If-None-Match" if endpoint.method == "GET" else "If-Match"
        parameters.append({"in": "header", "name": name, "schema": text})
    return parameters


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    done: dict[str, Any] = {"description": REASONS.get(endpoint.status, "No Content")}
    if endpoint.tells is not None:
        done["content"] = {"application/json": {"schema": endpoint.tells}}
    if endpoint.has_edition and endpoint.status != 204:
        done["headers"] = {"ETag": {"schema": {"type": "string"}}}
    responses: dict[str, Any] = {str(endpoint.status): done}
    if endpoint.may_make:
        responses["201"] = {**done, "description": REASONS[201]}
    for status in sorted(_refusals(endpoint)):
        responses[str(status)] = {"description": REASONS[status]}
        if status != 304:
            responses[str(status)]["content"] = {PROBLEM_JSON: {"schema": ProblemTold}}
    return responses


def _refusals(endpoint: Endpoint) -> set[int]:
    """What follows from what the endpoint takes."""
    refused = {400, 401, 403, 429, 503, *endpoint.refuses}
    if endpoint.variables:
        refused.add(404)
    if endpoint.method != "GET":
        refused.add(507)
    if endpoint.has_edition:
        refused.add(304 if endpoint.method == "GET" else 412)
    if endpoint.says is not None or endpoint.uploads:
        refused |= {413, 415}
    if endpoint.role is Role.VIEWER and not endpoint.variables and endpoint.asks is None:
        refused.discard(400)
    return refused


def _schema_name(schema: Any) -> str:
    name: str = (schema if isinstance(schema, type) else type(schema)).__name__
    return name
