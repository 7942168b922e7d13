"""The API as a page for people: rendered here, without a script, and allowed to load nothing."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from flask import Response, make_response, render_template, request
from markupsafe import Markup, escape

from ota_http_server.api.v1.document import document, operations
from ota_http_server.api.v1.reading import curl, tables
from ota_http_server.operations.bounded import Bounded

STYLE = Path(__file__).parent / "templates" / "api.css"
NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
ROOTS_MAX = 8  # under which the application may stand

_CODE = re.compile(r"`([^`]+)`")


class Page:
    """The page of the document; rendered once, as strangers may read it."""

    def __init__(self) -> None:
        style = STYLE.read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._style = Markup(style)  # noqa: S704 - our own file
        self._policy = f"{NOTHING}; style-src 'sha256-{digest}'"
        self._pages: Bounded[str, str] = Bounded(ROOTS_MAX)

    def __call__(self) -> Response:
        root = request.script_root  # all that differs
        text = self._pages.get(root)
        if text is None:
            text = _rendered(document(), self._style)
            self._pages.put(root, text)
        response = make_response(text)
        response.headers["Content-Security-Policy"] = self._policy
        return response


def _rendered(described: dict[str, Any], style: Markup) -> str:
    return render_template(
        "api.html",
        style=style,
        document=described,
        calls=[
            {
                "method": method,
                "path": path,
                "operation": operation,
                "tables": list(tables(operation, described)),
                "curl": curl(operation, described, method, path),
            }
            for method, path, operation in operations(described)
        ],
        marked=marked,
    )


def marked(text: str) -> Markup:
    """The text with its `code` as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
