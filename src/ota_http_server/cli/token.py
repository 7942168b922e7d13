"""`ota_http_server token`: mint, revoke and look into tokens from the shell of the server."""

import base64
import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from ota_http_server.cli.options import data_options, json_option
from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.domain.operator import Operator
from ota_http_server.operations.mint_token import TokenWish
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings

SHELL = Operator("shell", None)


@click.group()
def token() -> None:
    """Mint, revoke and inspect device tokens."""


@token.command()
@click.option("--device", required=True, metavar="UUID", help="Device that the token is for.")
@click.option("--project", required=True, help="Project that it may read.")
@click.option("--minutes", type=int, help="How long it lives.  [default: jwt_expiry]")
@click.option("--firmware", metavar="VERSION", help="Version that the device runs now.")
@json_option
@data_options
def mint(
    settings: Settings,
    device: str,
    project: str,
    minutes: int | None,
    firmware: str | None,
    as_json: bool,
) -> None:
    """Print a new token, and nothing else, so that it can go into a variable or a file."""
    wish = TokenWish.of(
        device,
        project,
        settings.jwt_expiry if minutes is None else minutes,
        firmware,
        lifetime_minutes_max=settings.jwt_expiry_max,
    )
    with opened_ota(settings) as ota:
        minted = ota.mint(SHELL, wish)
    if minted.warning:
        click.echo(f"warning: {minted.warning}", err=True)
    answer = {
        "token": minted.token,
        "expires_at": minted.expires_at.isoformat(),
        "payload": minted.payload,
    }
    click.echo(json.dumps(answer, indent=2) if as_json else minted.token)


@token.command()
@click.option("--jti", help="Revoke the token with this id.")
@click.option("--token", "text", metavar="TOKEN|-", help="Revoke this token; - reads it.")
@click.option("--device", metavar="UUID", help="Revoke all tokens that this device has so far.")
@json_option
@data_options
def revoke(
    settings: Settings, jti: str | None, text: str | None, device: str | None, as_json: bool
) -> None:
    """Take tokens back. Running servers refuse them within two seconds."""
    if [jti, text, device].count(None) != 2:
        raise click.UsageError("say exactly one of --jti, --token and --device")
    with opened_ota(settings) as ota:
        if jti is not None:
            revoked = ota.revoke.by_id(SHELL, jti)
        elif text is not None:
            revoked = ota.revoke.by_token(SHELL, _read(text))
        else:
            revoked = ota.revoke.by_device(SHELL, str(device))
    if revoked.warning:
        click.echo(f"warning: {revoked.warning}", err=True)
    answer = {"revoked": revoked.what, "at": revoked.at.isoformat()}
    click.echo(json.dumps(answer) if as_json else f"revoked by {revoked.what}")


@token.command()
@click.argument("text", metavar="[TOKEN]", default="-")
@json_option
@data_options
def inspect(settings: Settings, text: str, as_json: bool) -> None:
    """Say what a token claims and whether this server accepts it now; without TOKEN it is read.

    Exit status 0 if it is accepted, 1 if not.
    """
    given = _read(text)
    now = datetime.now(UTC)
    reason = None
    with opened_ota(settings) as ota:
        try:
            ota.verifier.verify(given, int(now.timestamp()))
        except Unauthenticated as refusal:
            reason = refusal.detail
    claims = _claims(given)
    answer = {"accepted": reason is None, "reason": reason, "claims": claims}
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo("accepted" if reason is None else f"refused: {reason}")
        for name, value in (claims or {}).items():
            click.echo(f"  {name:<12} {_shown(name, value)}")
    sys.exit(0 if reason is None else 1)


def _read(text: str) -> str:
    """A token given as `-` comes from standard input: an argument stands in the process list."""
    return sys.stdin.read(16_384).strip() if text == "-" else text


def _claims(text: str) -> dict[str, Any] | None:
    """The claims as they are written, whether or not they are to be believed."""
    try:
        middle = text.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _shown(name: str, value: Any) -> str:
    if name in ("exp", "iat", "nbf") and isinstance(value, int):
        try:
            return f"{value} ({datetime.fromtimestamp(value, UTC).isoformat()})"
        except (ValueError, OverflowError, OSError):
            pass
    return json.dumps(value)
