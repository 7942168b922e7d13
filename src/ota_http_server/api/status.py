"""Whether the server lives (`/healthz`), is ready (`/readyz`), and what time it has (`/status`)."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Blueprint, Response, jsonify

from ota_http_server.domain.errors import Refusal

READY_SECONDS = 1.0  # how long a look at the database is believed: strangers may ask as they like

Check = Callable[[], None]


def status_blueprint(
    clock: Callable[[], datetime], stopping: Callable[[], bool], checks: dict[str, Check]
) -> Blueprint:
    """Routes that tell nothing about what is served; a check fails by raising a Refusal."""
    blueprint = Blueprint("status", __name__)
    seen: dict[str, tuple[float, str]] = {}

    @blueprint.get("/status")
    def status() -> Response:
        now = clock().astimezone(UTC).replace(microsecond=0)
        return _answer({"status": "ok", "time": now.isoformat()})

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return _answer({"status": "ok"})

    @blueprint.get("/readyz")
    def readyz() -> Response:
        if stopping():
            return _answer({"status": "stopping"}, 503)
        results = {name: _result(name, check) for name, check in checks.items()}
        ready = all(result == "ok" for result in results.values())
        answer = {"status": "ready" if ready else "not ready", **results}
        return _answer(answer, 200 if ready else 503)

    def _result(name: str, check: Check) -> str:
        at, result = seen.get(name, (0.0, ""))
        if not result or time.monotonic() - at > READY_SECONDS:
            try:
                check()
                result = "ok"
            except Refusal as refusal:
                result = refusal.detail
            seen[name] = (time.monotonic(), result)
        return result

    return blueprint


def _answer(document: dict[str, str], status: int = 200) -> Response:
    response = jsonify(document)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
