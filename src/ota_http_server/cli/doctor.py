"""`ota_http_server doctor`: is this set-up safe and sound? Each finding is a sentence."""

import json
import os
import sys
from datetime import UTC, datetime

import click

from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.serve import is_public
from ota_http_server.domain.errors import Misconfigured, Refusal
from ota_http_server.levels import strangers
from ota_http_server.operations.check_safety import unsafe
from ota_http_server.operations.collect import Collection
from ota_http_server.operations.prepare import Places
from ota_http_server.operations.verify_audit import verify_audit
from ota_http_server.ota import Ota, Stores, opened_ota
from ota_http_server.security.certificates import own_files
from ota_http_server.security.inspection import inspect_pair, warnings
from ota_http_server.settings import Settings


@click.command()
@json_option
@data_options
def doctor(settings: Settings, as_json: bool) -> None:
    """Look for weak secrets, bad certificates, damaged images and a broken audit chain.

    Exit status 0 if nothing was found, 1 otherwise.
    """
    with opened_ota(settings) as ota:
        found = {
            "settings": _settings(settings, ota.stores),
            "certificate": _certificate(settings),
            "firmware": _firmware(settings, ota.collection),
            "releases": _releases(settings, ota),
            "audit": _audit(ota.stores),
        }
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for area, findings in found.items():
            click.echo(f"{area}: {'ok' if not findings else ''}".rstrip())
            for finding in findings:
                click.echo(f"  - {finding}")
    sys.exit(1 if any(found.values()) else 0)


def _settings(settings: Settings, stores: Stores) -> list[str]:
    return strangers(os.environ) + unsafe(
        stores.secrets,
        algorithm=settings.jwt_alg,
        tokens_off=settings.no_jwt,
        plain_http=settings.no_certs,
        public=is_public(settings.host),
        database_file=settings.database_file,
    )


def _certificate(settings: Settings) -> list[str]:
    if settings.no_certs:
        return []
    own = own_files(Places(settings.data_dir).tls)
    if settings.cert is None and not own.server_cert.exists():
        return []  # the first start makes it
    try:
        facts = inspect_pair(
            settings.cert or own.server_cert, settings.key or own.server_key, datetime.now(UTC)
        )
    except Misconfigured as error:
        return [str(error)]
    return warnings(facts)


def _firmware(settings: Settings, collection: Collection) -> list[str]:
    if not settings.firmware_path.exists():
        return []  # the first start makes it
    findings = []
    for project in collection.folder.projects():
        for name in collection.names(project) or ():
            try:
                collection.find(project, name)
            except Refusal as refusal:
                findings.append(f"{project}/{name}: {refusal.detail}")
    return findings


def _releases(settings: Settings, ota: Ota) -> list[str]:
    """Files that can be downloaded and are offered to no device."""
    if not settings.firmware_path.exists():
        return []
    findings = []
    for project in ota.collection.folder.projects():
        ota.release_folder.follow(project)
        kept_out = ota.release_folder.kept_out(project)
        findings += [f"{project}/{name} is not released: {why}" for name, why in kept_out.items()]
    return findings


def _audit(stores: Stores) -> list[str]:
    verdict = verify_audit(stores.database, stores.places.audit_head, stores.secrets.audit, None)
    return [] if verdict.ok else list(verdict.findings)
