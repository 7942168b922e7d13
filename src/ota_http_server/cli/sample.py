"""`ota_http_server sample`: an image to try the server with, made here and free of any program."""

import json
import re
from pathlib import Path

import click

from ota_http_server.cli.options import common_options, json_option
from ota_http_server.domain.errors import Invalid, Misconfigured
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.identity import project_name
from ota_http_server.settings import Settings

PAYLOAD_KIB = 1_500  # about what a real application with Wi-Fi and TLS has
NO_BOARD = 9999  # a least chip revision that no chip has: no bootloader starts this image


@click.command()
@click.option("--project", default="sample", show_default=True, help="Project to put it in.")
@click.option("--version", "wanted", default="1.0.0", show_default=True, help="Its version.")
@click.option(
    "--kib",
    default=PAYLOAD_KIB,
    show_default=True,
    type=click.IntRange(1, 15_000),
    help="Size of its payload, in KiB.",
)
@json_option
@common_options
def sample(settings: Settings, project: str, wanted: str, kib: int, as_json: bool) -> None:
    """Make a valid ESP-IDF image in the firmware folder; one that is there is left alone.

    Its header, checksum and digest are right, so every client takes it, but it holds no program:
    its least chip revision keeps real boards from booting it.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,30}", wanted):
        raise Invalid("--version must be 1 to 31 of A-Z a-z 0-9 . + -")
    folder = settings.firmware_path / project_name(project)
    path = folder / f"{project}-{wanted}.bin"
    try:
        made = not path.exists()
        if made:
            folder.mkdir(parents=True, exist_ok=True)
            write_sample(path, project, wanted, kib)
    except OSError as error:
        raise Misconfigured(f"{folder}: no image can be put there ({error.strerror})") from None
    if as_json:
        click.echo(json.dumps({"path": str(path), "made": made}))
    else:
        click.echo(f"{'made' if made else 'kept'} {path}")


def write_sample(path: Path, project: str, version: str, kib: int) -> None:
    """Under a name that is not served first, so that nobody gets half of it."""
    image = esp_application(
        version=version,
        project=project[:31],
        payload_bytes=kib * 1024,
        min_chip_revision=NO_BOARD,
    )
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_bytes(image)
    unfinished.replace(path)
