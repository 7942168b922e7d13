"""Device tokens: minted and revoked, as at the brief's own endpoints."""

from marshmallow import fields

from ota_http_server.api.v1.endpoint import Answer, Call, Noun
from ota_http_server.api.v1.words import Number, Said, Text, Told
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.operator import Role
from ota_http_server.operations.mint_token import FIRMWARE_CHARACTERS_MAX, TokenWish
from ota_http_server.operations.revoke_token import TOKEN_CHARACTERS_MAX, TOKEN_ID_CHARACTERS_MAX

TOKENS = Noun("tokens", "Short-lived tokens (JWT) with which devices read firmware.")

MINUTES_MAX = 525_600
WARNING = "What the caller should know; null: nothing."


class TokenSaid(Said):
    """A token to be minted."""

    device_id = Text("A UUID.", characters_max=64, required=True)
    project = Text("Its folder need not be there yet.", characters_max=64, required=True)
    expires_minutes = Number(
        "At most `jwt_expiry_max`; left out, `jwt_expiry`.",
        least=1,
        most=MINUTES_MAX,
        allow_none=True,
    )
    current_fw = Text(
        "What the device runs now.", characters_max=FIRMWARE_CHARACTERS_MAX, allow_none=True
    )


class TokenTold(Told):
    """A new token."""

    token = Text()
    expires_at = fields.DateTime(format="iso")
    payload = fields.Dict(metadata={"description": "Its claims."})
    warning = Text(WARNING, allow_none=True)


class RevocationSaid(Said):
    """Exactly one of the three."""

    jti = Text("The token with this id.", characters_max=TOKEN_ID_CHARACTERS_MAX)
    token = Text("This token.", characters_max=TOKEN_CHARACTERS_MAX)
    device_id = Text("All tokens that this device has so far.", characters_max=64)


class RevocationTold(Told):
    """What was revoked."""

    revoked = Text(one_of=("jti", "token", "device_id"), attribute="what")
    at = fields.DateTime(format="iso")
    warning = Text(WARNING, allow_none=True)


@TOKENS.route(
    "POST", "/tokens", Role.OPERATOR, says=TokenSaid, tells=TokenTold, status=201, refuses=(409,)
)
def mint_token(call: Call) -> Answer:
    """Mint a token for a device."""
    said, door = call.said, call.door
    minutes = said.get("expires_minutes")
    wish = TokenWish.of(
        said["device_id"],
        said["project"],
        door.lifetime_minutes if minutes is None else minutes,
        said.get("current_fw"),
        lifetime_minutes_max=door.lifetime_minutes_max,
    )
    return Answer(door.mint(call.operator, wish))


@TOKENS.route("POST", "/tokens/revoke", Role.OPERATOR, says=RevocationSaid, tells=RevocationTold)
def revoke_tokens(call: Call) -> Answer:
    """Take a token back, or all that a device has so far.

    Every instance refuses it within two seconds. Whoever is for one project may revoke valid
    tokens and registered devices of it.
    """
    if len(call.said) != 1:
        raise Invalid("say exactly one of jti, token and device_id")
    ((what, value),) = call.said.items()
    revoke = call.door.revoke
    by = {"jti": revoke.by_id, "token": revoke.by_token, "device_id": revoke.by_device}
    return Answer(by[what](call.operator, value))
