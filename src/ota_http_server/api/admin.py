"""The admin endpoints of the brief: tokens are minted and revoked here.

Whoever knows the admin secret may; it comes in `X-Admin-Secret`, and wrong ones are slowed down.
An API key of an operator may too.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request

from ota_http_server.domain.errors import Invalid, NotJson
from ota_http_server.domain.operator import Operator
from ota_http_server.http.json_body import json_object, read_bounded
from ota_http_server.http.operators import Operators
from ota_http_server.operations.mint_token import MintToken, TokenWish
from ota_http_server.operations.revoke_token import RevokeToken

MINT_FIELDS = ("device_id", "project", "expires_minutes", "current_fw")
REVOKE_FIELDS = ("jti", "token", "device_id")


@dataclass(frozen=True, slots=True)
class AdminDoor:
    """What the endpoints need."""

    operators: Operators
    mint: MintToken
    revoke: RevokeToken
    lifetime_minutes: int
    lifetime_minutes_max: int


def admin_blueprint(door: AdminDoor) -> Blueprint:
    admin = Blueprint("admin", __name__, url_prefix="/admin")

    @admin.post("/generate_token")
    def generate_token() -> Response:
        operator = _operator(door)
        body, warning = _body(MINT_FIELDS)
        wish = TokenWish.of(
            body.get("device_id"),
            body.get("project"),
            _or_default(body.get("expires_minutes"), door.lifetime_minutes),
            body.get("current_fw"),
            lifetime_minutes_max=door.lifetime_minutes_max,
        )
        minted = door.mint(operator, wish)
        return _answer(
            {
                "token": minted.token,
                "expires_at": minted.expires_at.isoformat(),
                "payload": minted.payload,
            },
            warning,
            minted.warning,
        )

    @admin.post("/revoke_token")
    def revoke_token() -> Response:
        operator = _operator(door)
        body, warning = _body(REVOKE_FIELDS)
        key, value = _only(body)
        by: dict[str, Callable[[Operator, str], Any]] = {
            "jti": door.revoke.by_id,
            "token": door.revoke.by_token,
            "device_id": door.revoke.by_device,
        }
        revoked = by[key](operator, value)
        answer = {"revoked": revoked.what, "at": revoked.at.isoformat()}
        return _answer(answer, warning, revoked.warning)

    return admin


def _operator(door: AdminDoor) -> Operator:
    """Who may come in, before the body is looked at."""
    return door.operators.identify_as_before_keys(request.environ)


def _body(fields: tuple[str, ...]) -> tuple[dict[str, Any], str | None]:
    """The JSON object, and a warning about keys that mean nothing here."""
    if request.content_encoding:
        raise NotJson("a body with a Content-Encoding is not taken")
    body = json_object(request.content_type, read_bounded(request.stream))
    strange = [key for key in body if key not in fields]
    if not strange:
        return body, None
    near = difflib.get_close_matches(strange[0], fields, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return body, f"{strange[0][:64]} means nothing here{hint}"


def _or_default(value: object, default: int) -> object:
    return default if value is None else value


def _only(body: dict[str, Any]) -> tuple[str, str]:
    given = [(key, body[key]) for key in REVOKE_FIELDS if body.get(key) is not None]
    if len(given) != 1 or not isinstance(given[0][1], str):
        raise Invalid("say exactly one of jti, token and device_id, as text")
    return given[0]


def _answer(document: dict[str, Any], *warnings: str | None) -> Response:
    said = "; ".join(warning for warning in warnings if warning)
    response = jsonify({**document, "warning": said} if said else document)
    response.headers["Cache-Control"] = "no-store"
    return response
