"""The document for people: what the page and the reference have in common.

Both are made from the OpenAPI document alone, so they can say nothing else.
"""

import json
from collections.abc import Iterator
from typing import Any

from ota_http_server.api.v1.words import NUMBER_MAX

Row = tuple[str, str, bool, str]
"""Name, kind, whether it must be there, and what it is."""

BASE = "/api/v1"
_EXAMPLES = {"integer": 1, "boolean": True, "array": [], "object": {}}
_REF = "#/components/schemas/"


def tables(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    """What the operation takes and tells, a titled table for each part."""
    titles = {"query": "Query", "header": "Headers"}
    for place, title in titles.items():
        rows = [
            (one["name"], _kind(one["schema"], document), one.get("required", False), _about(one))
            for one in operation.get("parameters", ())
            if one["in"] == place
        ]
        if rows:
            yield title, rows
    said = operation.get("requestBody", {}).get("content", {})
    if "application/json" in said:
        yield "Body", list(_fields(said["application/json"]["schema"], document))
    elif said:
        yield "Body", [("the bytes", "application/octet-stream", True, "")]
    if told := answer_schema(operation):
        yield "Answer", list(_fields(told, document))


def answer_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    """What it tells when all went well, which stands first; None: nothing."""
    told: dict[str, Any] = next(iter(operation["responses"].values())).get("content", {})
    return told["application/json"]["schema"] if "application/json" in told else None


def curl(operation: dict[str, Any], document: dict[str, Any], method: str, path: str) -> str:
    """A command that calls it."""
    command = 'curl -H "Authorization: Bearer $API_KEY"'
    said = operation.get("requestBody", {}).get("content", {})
    if method != "GET" and not (method == "POST" and "application/json" in said):
        command += f" -X {method}" if "application/octet-stream" not in said else ""
    if "application/octet-stream" in said:
        command += " -T FILE"
    if "application/json" in said:
        schema = _resolved(said["application/json"]["schema"], document)
        needed = schema.get("required") or list(schema["properties"])[:1]
        example = {name: _example(schema["properties"][name]) for name in needed}
        command += " -H 'Content-Type: application/json' \\\n  -d '" + json.dumps(example) + "'"
    return f'{command} "$SERVER_URL{BASE}{path}"'


def schemas(document: dict[str, Any]) -> Iterator[tuple[str, str, list[Row]]]:
    """Name, description and fields of everything that is told."""
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("Told") or name.endswith("Page"):
            rows = [
                (field, _kind(one, document), False, _about(one))
                for field, one in schema["properties"].items()
            ]
            yield name.removesuffix("Told"), _about(schema), rows


def _fields(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[Row]:
    resolved = _resolved(schema, document)
    needed = resolved.get("required", ())
    for name, one in resolved.get("properties", {}).items():
        yield name, _kind(one, document), name in needed, _about(one)


def _kind(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """`text`, `list of Device`, `one of a, b` …"""
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(_REF).removesuffix("Told").removesuffix("Said"))
    if parts := schema.get("anyOf") or schema.get("allOf"):
        return " or ".join(_kind(part, document) for part in parts)
    kinds = schema.get("type", "anything")
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    if "enum" in schema:
        words = ", ".join("null" if word is None else str(word) for word in schema["enum"])
        return f"one of {words}"
    if names[0] == "array":
        return f"list of {_kind(schema['items'], document)}"
    said = {"string": "text", "integer": _number(schema), "boolean": "true or false"}
    if schema.get("format") == "date-time":
        said["string"] = "time"
    return " or ".join(said.get(name, name) for name in names)


def _number(schema: dict[str, Any]) -> str:
    least, most = schema.get("minimum", 0), schema.get("maximum", NUMBER_MAX)
    return "number" if most >= NUMBER_MAX else f"number from {least} to {most}"


def _about(schema: dict[str, Any]) -> str:
    return str(schema.get("description", ""))


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].removeprefix(_REF)]
    return found


def _example(schema: dict[str, Any]) -> object:
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    return _EXAMPLES.get(kind if isinstance(kind, str) else kind[0], "…")
