"""`ota_http_server try`: one client against any URL, and which of its needs the server breaks."""

import json
import re
import ssl
import sys
from pathlib import Path

import click

from ota_http_server.cli.options import json_option
from ota_http_server.domain.errors import Invalid, Misconfigured
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.line import Access, tls_context
from ota_http_server.simulation.needs import CLIENTS, SENDS_NO_HEADER, Finding, Verdict, examine

TOKEN_CHARACTERS_MAX = 16_384
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}):[ \t]*([\x20-\x7e]{0,8192})")


@click.command("try")
@click.argument("client", type=click.Choice(list(CLIENTS)), metavar="CLIENT")
@click.argument("url")
@click.option(
    "--token", metavar="TOKEN|-", help="Show this token, as the client would; - reads it."
)
@click.option("--header", "headers", metavar="'NAME: VALUE'", multiple=True, help="Send this too.")
@click.option("--ca", type=click.Path(path_type=Path), metavar="FILE", help="Trust this CA alone.")
@click.option("--insecure", is_flag=True, help="Trust any certificate.")
@json_option
def try_client(
    client: str,
    url: str,
    token: str | None,
    headers: tuple[str, ...],
    ca: Path | None,
    insecure: bool,
    as_json: bool,
) -> None:
    """Ask a server, this one or any other, as CLIENT would, and say which need it breaks.

    CLIENT is esp-idf, arduino, esp8266, esphome, swupdate, rauc, zephyr, esp32fota, ota-pull,
    micropython or tasmota. URL is what that client is configured with: an image, a manifest, a
    check (…/check), or a hawkBit server or controller. At most 64 MiB are downloaded. Nothing is
    flashed, and no hawkBit action is closed.

    Exit status 0 if no need is broken, 1 if one is, 2 if nobody answers at the URL.
    """
    if client in SENDS_NO_HEADER and (token or headers):
        raise click.UsageError(f"{client} sends no header: the token belongs into the URL's path")
    if ca is not None and insecure:
        raise click.UsageError("--ca and --insecure exclude each other")
    access = Access(token=_read(token), headers=_parsed(headers), tls=_tls(ca, insecure))
    try:
        findings = examine(client, url, access)
    except Failed as failed:
        raise Misconfigured(f"not tried: {failed}") from None
    broken = [one for one in findings if one.verdict is Verdict.BROKEN]
    if as_json:
        click.echo(json.dumps({"client": client, "broken": len(broken), "needs": _rows(findings)}))
    else:
        for one in findings:
            click.echo(_line(one))
    sys.exit(1 if broken else 0)


def _line(finding: Finding) -> str:
    need = finding.need
    text = f"{finding.verdict:<10}{need.says}" + (f" ({finding.found})" if finding.found else "")
    if finding.verdict is Verdict.BROKEN:
        text += f". Otherwise: {need.then}. Mend: {need.mend}."
    return "".join(c if c.isprintable() else "?" for c in text)  # names come from the server


def _rows(findings: list[Finding]) -> list[dict[str, str]]:
    return [
        {
            "need": one.need.says,
            "verdict": str(one.verdict).lower(),
            "found": one.found,
            "otherwise": one.need.then,
            "mend": one.need.mend,
        }
        for one in findings
    ]


def _read(token: str | None) -> str | None:
    """A token given as `-` comes from standard input: an argument stands in the process list."""
    text = sys.stdin.read(TOKEN_CHARACTERS_MAX).strip() if token == "-" else token  # noqa: S105
    if text is not None and not re.fullmatch(r"[\x21-\x7e]+", text):
        raise Invalid("--token must be printable characters without blanks")
    return text


def _parsed(headers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = [_HEADER.fullmatch(header) for header in headers]
    if None in found:
        raise Invalid("--header must look like 'Name: value'")
    return tuple((one[1], one[2]) for one in found if one is not None)


def _tls(ca: Path | None, insecure: bool) -> ssl.SSLContext:
    try:
        return tls_context(ca, verify=not insecure)
    except OSError as error:  # ssl.SSLError is one
        raise Misconfigured(f"{ca} cannot be used as a CA: {error.strerror or error}") from None
