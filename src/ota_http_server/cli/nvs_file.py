"""`--nvs`: a board's way in as a table for ESP-IDF's `nvs_partition_gen`, on paper or in a file."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.domain.nvs import nvs_csv
from ota_http_server.settings import Settings

STDOUT = "-"


def nvs_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--nvs`, which the function receives as `place`, and `--url`."""
    url = click.option(
        "--url", help="The server's address, as the board reaches it.  [default: public_url]"
    )
    place = click.option(
        "--nvs",
        "place",
        metavar="FILE|-",
        help="Write it as CSV for nvs_partition_gen, in place of the text alone; - prints it.",
    )
    return place(url(command))


@contextmanager
def nvs_target(place: str | None) -> Iterator[TextIO | None]:
    """Where the table goes: opened before anything is given that would be lost otherwise.

    A file is for its owner alone, and is there when all went well.
    """
    if place is None or place == STDOUT:
        yield None if place is None else sys.stdout
        return
    path = Path(place)
    if path.exists() and not path.is_file():
        raise Misconfigured(f"{place} is no file; - prints the table")
    partial = path.with_name(f".part.{path.name}")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise Misconfigured(f"{place} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def write_nvs(target: TextIO, values: Mapping[str, str | None]) -> None:
    """Writes the table; what is None is left out."""
    table = nvs_csv({key: value for key, value in values.items() if value})
    click.echo(table, file=target, nl=False)


def address_of(settings: Settings, url: str | None) -> str | None:
    """The server's address for boards; without one they must have it from somewhere else."""
    address = (url or settings.public_url or "").rstrip("/")
    if not address:
        click.echo("note: neither --url nor public_url is set, so the table has no url", err=True)
    return address or None
