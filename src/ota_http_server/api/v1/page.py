"""The API as a page for people: rendered here, without a script, and allowed to load nothing."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from flask import Response, make_response, render_template
from markupsafe import Markup, escape

from ota_http_server.api.v1.document import operations
from ota_http_server.api.v1.reading import curl, tables

STYLE = Path(__file__).parent / "templates" / "api.css"
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

_CODE = re.compile(r"`([^`]+)`")


class Page:
    """The page of one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        style = STYLE.read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._style = Markup(style)  # noqa: S704 - our own file
        self._policy = f"{NOTHING}; style-src 'sha256-{digest}'"
        self._document = document

    def __call__(self) -> Response:
        response = make_response(_rendered(self._document, self._style))
        response.headers["Content-Security-Policy"] = self._policy
        return response


def _rendered(document: dict[str, Any], style: Markup) -> str:
    return render_template(
        "api.html",
        style=style,
        document=document,
        calls=[
            {
                "method": method,
                "path": path,
                "operation": operation,
                "tables": list(tables(operation, document)),
                "curl": curl(operation, document, method, path),
            }
            for method, path, operation in operations(document)
        ],
        marked=marked,
    )


def marked(text: str) -> Markup:
    """The text with its `code` as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
