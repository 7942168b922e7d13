"""`docs/reference/api.md`, made from the OpenAPI document."""

from collections.abc import Iterator
from typing import Any

from ota_http_server.api.v1.document import document, operations
from ota_http_server.api.v1.reading import BASE, Row, answer_schema, curl, schemas, tables


def reference() -> str:
    """The whole page."""
    described = document()
    lines = [
        "# Admin API",
        "",
        f"The same is at `{BASE}/` of a running server, and as OpenAPI {described['openapi']} at"
        f" `{BASE}/openapi.json`; both need no key. How keys are given:"
        " [API keys](../how-to/api-keys.md). Every refusal has a code of [problems](problems.md).",
        "",
        described["info"]["description"].strip(),
        "",
        "This page is made from the code: `ota_http_server settings --api`.",
    ]
    for tag in described["tags"]:
        lines += ["", f"## {tag['name'].capitalize()}", "", tag["description"]]
        for method, path, operation in operations(described):
            if tag["name"] in operation["tags"]:
                lines += _call(described, method, path, operation)
    lines += ["", "## What is told"]
    for name, about, rows in schemas(described):
        lines += ["", f"### {name}", "", *([about, ""] if about else []), *_table(rows)]
    return "\n".join(lines) + "\n"


def _call(
    described: dict[str, Any], method: str, path: str, operation: dict[str, Any]
) -> Iterator[str]:
    yield from ("", f"### `{method} {BASE}{path}`", "")
    yield f"{operation['summary']}. Role: {operation['x-role']}."
    if operation["description"]:
        yield from ("", operation["description"])
    for title, rows in tables(operation, described):
        if title != "Answer":
            yield from ("", f"{title}:", "", *_table(rows))
    statuses = ", ".join(f"`{status}`" for status in operation["responses"])
    schema = answer_schema(operation)
    answer = f" Answer: {_linked(schema)}." if schema else ""
    yield from ("", f"Status: {statuses}.{answer}")
    yield from ("", "```sh", curl(operation, described, method, path), "```")


def _table(rows: list[Row]) -> Iterator[str]:
    yield from ("| name | | meaning |", "|---|---|---|")
    for name, kind, needed, about in rows:
        kind = kind + ", needed" if needed else kind
        yield f"| `{name}` | {kind.replace('|', chr(92) + '|')} | {about} |"


def _linked(schema: dict[str, Any]) -> str:
    name = str(schema["$ref"].rpartition("/")[2].removesuffix("Told"))
    return f"[{name}](#{name.lower()})"
