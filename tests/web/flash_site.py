"""The application on a port of its own, with a project that has something to install."""

import json
import random
import threading
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.instance import Instance

ICON = Path(__file__).parents[2] / "www" / "favicon.ico"
CREDENTIAL = "Zz" * 16
FOLDER = f"/firmware/lamp/{CREDENTIAL}"
IMAGE = random.Random(7).randbytes(50_000) + bytes(100_000) + b"\xc0\xdb\xdc"  # SLIP's own bytes
MANIFEST = {
    "name": "lamp",
    "version": "1.4.0",
    "builds": [
        {"chipFamily": "ESP32", "parts": [{"path": "lamp-factory.bin", "offset": 0}]},
        {"chipFamily": "ESP8266", "ota": {"path": "lamp-8266.bin", "md5": "0" * 32}},
    ],
}


class Quiet(WSGIRequestHandler):
    """Does not write every request to the output."""

    def log(self, *_):
        pass


class Site:
    """The application on a port of its own, before it the manifest and the image of a project."""

    def __init__(self, folder, **settings):
        self.instance = Instance(folder, **settings)
        (folder / "www" / "favicon.ico").write_bytes(ICON.read_bytes())
        self.folder = "/firmware/lamp" if settings.get("no_jwt") else FOLDER
        self.manifest = MANIFEST
        self.status = 200
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Quiet)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self._server.port

    def page(self, host="127.0.0.1"):
        return f"http://{host}:{self.port}/flash/lamp"

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self.instance.close()

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if not path.startswith("/firmware/"):
            return self.instance.app(environ, start_response)
        if not path.startswith(self.folder):
            return self._say(start_response, "401 Unauthorized", {"status": 401})
        if path == f"{self.folder}/lamp-factory.bin":
            start_response("200 OK", [("Content-Type", "application/octet-stream")])
            return [IMAGE]
        return self._say(start_response, f"{self.status} As told", self.manifest)

    @staticmethod
    def _say(start_response, status, document):
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(document).encode()]
