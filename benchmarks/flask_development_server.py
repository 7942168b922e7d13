"""The rival: Flask's own development server doing the server's job in the plainest way.

    JWT_SECRET=… python -m benchmarks.flask_development_server FOLDER PORT

`FOLDER/<project>/<file>` is served to whoever shows a token for the project, as a header or in
the query; each request's token is verified by PyJWT. Flask does ranges and conditions.
"""

import argparse
import logging
import os
import re
from pathlib import Path

import jwt
from flask import Flask, Response, abort, jsonify, request, send_from_directory


def create_app(folder: Path, secret: str) -> Flask:
    app = Flask(__name__)

    def check(project: str) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.args.get("token", "")
        try:
            claims = jwt.decode(
                token, secret, algorithms=["HS256"], options={"require": ["exp", "sub"]}
            )
        except jwt.InvalidTokenError:
            abort(401)
        if claims.get("project") != project:
            abort(404)

    @app.get("/firmware/<project>/versions")
    def versions(project: str) -> Response:
        check(project)
        found = [
            match[1].removesuffix(".")
            for path in (folder / project).iterdir()
            if (match := re.search(r"[-_][vV]?(\d+(?:\.\d+)*)", path.stem))
        ]
        found.sort(key=lambda version: [int(number) for number in version.split(".")])
        latest = found[-1] if found else None
        return jsonify(versions=found, count=len(found), latest=latest)

    @app.get("/firmware/<project>/<name>")
    def image(project: str, name: str) -> Response:
        check(project)
        return send_from_directory((folder / project).absolute(), name)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="the rival")
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    asked = parser.parse_args()
    # No line per request: the product writes none either. (It makes no difference to measure.)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = create_app(asked.folder, os.environ["JWT_SECRET"])
    app.run(host="127.0.0.1", port=asked.port, threaded=True)


if __name__ == "__main__":
    main()
