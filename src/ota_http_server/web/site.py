"""What browsers ask for by themselves."""

import mimetypes
from pathlib import Path

from flask import Blueprint, Response, send_file

from ota_http_server.domain.errors import NotFound

FAVICON = "favicon.ico"
FAVICON_SECONDS = 24 * 3600  # a browser asks once a day


def site_blueprint(www: Path) -> Blueprint:
    """`/favicon.ico` from the www folder; nothing else of that folder is served."""
    blueprint = Blueprint("site", __name__)
    icon = (www / FAVICON).absolute()

    @blueprint.get(f"/{FAVICON}")
    def favicon() -> Response:
        if icon.is_symlink() or not icon.is_file():
            raise NotFound("the www folder has no favicon.ico")
        media_type = mimetypes.types_map.get(".ico", "image/vnd.microsoft.icon")
        return send_file(icon, mimetype=media_type, max_age=FAVICON_SECONDS)

    return blueprint
