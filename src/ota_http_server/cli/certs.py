"""`ota_http_server certs`: a private authority and a server certificate from it, for operators.

The server makes itself a pair of its own when it has none; this command is for those who want
the names, the place and the moment in their own hands, or a certificate for the proxy in front.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ota_http_server.cli.options import json_option
from ota_http_server.domain.errors import Conflict, Invalid, Misconfigured
from ota_http_server.security.authority import names_of
from ota_http_server.security.certificates import make_set
from ota_http_server.security.hosts import host_names
from ota_http_server.security.pem import read_certificates

# With the day that it is dated back just under 825 days, the longest that Apple's systems accept
# of a server certificate from anybody (support.apple.com/103769).
SERVER_DAYS = 820
SERVER_DAYS_MAX = 7300


class Stop(click.ClickException):
    """One line on the error stream, exit status 2: nothing was overwritten."""

    exit_code = 2


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("certs"),
    show_default=True,
    help="Folder for the four files.",
)
@click.option(
    "--days",
    type=click.IntRange(1, SERVER_DAYS_MAX),
    default=SERVER_DAYS,
    show_default=True,
    help="How long the server certificate is valid; it ends with the CA at the latest.",
)
@click.option("--force", is_flag=True, help="Replace the server certificate and its key.")
@json_option
def certs(names: tuple[str, ...], folder: Path, days: int, force: bool, as_json: bool) -> None:
    """Make a CA and a server certificate for NAMES.

    NAMES are the host names and addresses under which boards reach the server, the main one
    first (it becomes the CN); without any, those of this host. Host names are the better choice:
    Mbed TLS before 3.5 does not match addresses.

    A CA (ca_cert.pem, ca_key.pem) that is in the folder already is used again and never
    overwritten, so boards that trust it trust the new certificate too.
    """
    now = datetime.now(UTC)
    try:
        files, certificate = make_set(folder, names or host_names(), now, days, replace=force)
        authority = read_certificates(files.ca_cert)[0]
    except (Conflict, Invalid, Misconfigured) as problem:
        raise Stop(str(problem)) from problem
    made = {
        **{name: str(path) for name, path in asdict(files).items()},
        "names": list(names_of(certificate)),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "ca_not_after": authority.not_valid_after_utc.isoformat(),
    }
    click.echo(json.dumps(made) if as_json else _told(made))


def _told(made: dict[str, Any]) -> str:
    return f"""\
For {", ".join(made["names"])}:
  {made["ca_cert"]}  until {made["ca_not_after"][:10]}: build it into the firmware
  {made["ca_key"]}  signs for any host: keep it offline, not on the server
  {made["server_cert"]}  until {made["not_after"][:10]}
  {made["server_key"]}  stays on the server

Start the server with
  ota_http_server --cert {made["server_cert"]} --key {made["server_key"]}"""
