"""The page that installs firmware on a board over USB, from the browser (ESP Web Tools).

Whoever opens it brings a credential of the project. The page's script puts it into the path of
the manifest, where the web component, and the parts it fetches beside it, find it again. Nothing
here looks at a project: a page for one that is not there looks like any other.
"""

import base64
import hashlib
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, request, send_file

from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import PROJECT_PATTERN

HERE = Path(__file__).parent
WEB_TOOLS = "esp-web-tools/10.4.0"
"""Its folder in `vendor/`, and in the URLs: another version is another URL."""

CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css"}
LICENCE_TYPE = "text/plain"
STATIC_SECONDS = 365 * 24 * 3600  # a year is what caches take for ever (RFC 9111 §1.2.2)
DIGEST_CHARACTERS = 16

# What the web component styles without a file. It adopts its style sheets, which no policy minds,
# but for the style element of its console and for these attributes. Each is allowed by its hash,
# so 'unsafe-inline' is not needed; `tests/web` walks through its dialogs and says what is missing.
CONSOLE_STYLE = "sha256-b2Omuoh2JkOIanVTAfAZHwUz9plh5wcKDvK2buVGrFQ="
STYLE_ATTRIBUTES = (
    "width: 28px; vertical-align: middle;",
    "fill:currentColor;",
    "--__menu-min-width:0px;",
    "display:none;",
    "direction:;",
)


def _hash(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


STYLES = " ".join(f"'{each}'" for each in (CONSOLE_STYLE, *map(_hash, STYLE_ATTRIBUTES)))
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": f"'self' 'unsafe-hashes' {STYLES}",  # the word lets hashes count for attributes
    "connect-src": "'self'",
    "img-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",  # the script takes what is typed; nothing is ever submitted
}

PAGE_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def flash_blueprint(prefix: str, *, asks_for_credential: bool) -> Blueprint:
    """`/flash/<project>` and what it loads; `prefix` is that of the firmware, `/firmware/`."""
    blueprint = Blueprint("flash", __name__, template_folder="templates")
    own = {name: _named_by_content(HERE / "static" / name) for name in ("flash.css", "flash.js")}
    files = {own[name]: HERE / "static" / name for name in own}
    files |= {f"{WEB_TOOLS}/{path.name}": path for path in (HERE / "vendor" / WEB_TOOLS).iterdir()}

    @blueprint.get("/flash/<project>")
    def page(project: str) -> Response:
        if not PROJECT_PATTERN.match(project):
            raise NotFound("there is no such page")
        shown = render_template(
            "flash.html",
            project=project,
            folder=f"{request.script_root}{prefix}{project}/",
            own=own,
            web_tools=WEB_TOOLS,
            asks_for_credential=asks_for_credential,
        )
        response = make_response(shown)
        response.headers.update(PAGE_HEADERS)
        return response

    @blueprint.get("/flash/static/<path:name>")
    def static_file(name: str) -> Response:
        # The name only chooses among files that were there at the start: it is never a path.
        path = files.get(name)
        if path is None:
            raise NotFound("there is no such file")
        kind = CONTENT_TYPES.get(path.suffix, LICENCE_TYPE)
        response = send_file(path, mimetype=kind, max_age=STATIC_SECONDS)
        response.cache_control.immutable = True
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return blueprint


def _named_by_content(path: Path) -> str:
    """`flash.js` as `flash-<digest>.js`: what a browser keeps is never out of date."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{path.stem}-{digest}{path.suffix}"
