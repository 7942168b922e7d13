"""`ota_http_server audit`: does the audit chain still tell what happened?"""

import json
from dataclasses import asdict
from pathlib import Path

import click

from ota_http_server.cli.options import data_options, json_option
from ota_http_server.operations.verify_audit import Verdict, verify_audit
from ota_http_server.ota import open_stores
from ota_http_server.settings import Settings


@click.group()
def audit() -> None:
    """Look after the audit log."""


@audit.command()
@data_options
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A copy of audit.head that was kept elsewhere: shows a tail that was cut since.",
)
@json_option
def verify(settings: Settings, against: Path | None, as_json: bool) -> None:
    """Find events that were changed, removed, put elsewhere or cut off.

    Exit status 0 if the chain holds, 1 if it does not.
    """
    stores = open_stores(settings)
    try:
        verdict = verify_audit(
            stores.database, Path(stores.audit_head_path), stores.audit_key, against
        )
    finally:
        stores.database.close()
    click.echo(json.dumps(asdict(verdict)) if as_json else _text(verdict))
    if not verdict.ok:
        raise click.exceptions.Exit(1)


def _text(verdict: Verdict) -> str:
    held = "the audit chain holds" if verdict.ok else "THE AUDIT CHAIN DOES NOT HOLD"
    lines = [f"{held}: {verdict.count} events"]
    lines += [f"  found: {finding}" for finding in verdict.findings]
    lines += [f"  note: {note}" for note in verdict.notes]
    return "\n".join(lines)
