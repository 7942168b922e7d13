"""`ota_http_server publish`: images become a release, here or on a server somewhere else."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ota_http_server.app import opened_ota
from ota_http_server.cli.options import data_options
from ota_http_server.cli.publishing import Here, Publisher, There
from ota_http_server.cli.remote import Remote
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.errors import Invalid, Misconfigured, Refusal
from ota_http_server.domain.image import ImageFacts, read_image
from ota_http_server.operations.release_wish import PARTS, ReleaseWish, file_name, reason
from ota_http_server.security.secrets import read_secret_file
from ota_http_server.settings import Settings

EXIT_REFUSED = 1


@dataclass(frozen=True, slots=True)
class Looked:
    """A file on this disk, and what it is."""

    path: Path
    size: int
    sha256: str
    facts: ImageFacts


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--project", required=True, help="Project that they are for.")
@click.option("--version", help="Version of the release.  [default: the first image's own]")
@click.option("--channel", help="Channel that it goes to.  [default: stable]")
@click.option("--notes", help="What is new, for people.")
@click.option(
    "--notes-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same from a file.",
)
@click.option("--min-from", metavar="VERSION", help="Lowest version that may go to this one.")
@click.option("--security", is_flag=True, help="It closes a hole.")
@click.option("--chip", help="Chip that the images are for, where their bytes do not say.")
@click.option("--board", "boards", multiple=True, help="Board that they are for; may be repeated.")
@click.option("--part", type=click.Choice(PARTS), help="What they are, where bytes do not say.")
@click.option("--draft", is_flag=True, help="Leave it a draft.")
@click.option("--force", metavar="REASON", help="Overrule what stands against it, for this reason.")
@click.option("--dry-run", is_flag=True, help="Only say what the files are; nothing is sent.")
@click.option(
    "--server",
    envvar="OTA_SERVER",
    metavar="URL",
    help="A server somewhere else. [env: OTA_SERVER]",
)
@click.option(
    "--key",
    envvar="OTA_API_KEY",
    metavar="KEY|-",
    help="API key for it; - reads it. [env: OTA_API_KEY; OTA_API_KEY_FILE names a file]",
)
@click.option("--ca", type=click.Path(path_type=Path), metavar="FILE", help="Trust this CA alone.")
@click.option("--json", "as_json", is_flag=True, help="Say it for programs.")
@data_options
def publish(settings: Settings, files: tuple[Path, ...], **options: Any) -> None:
    """Publish FILES as one release of a project.

    Without --server it works on the data folder of this host. With it the images go to that
    server, with an API key that may publish. The same files again are fine; a version that was
    published with other bytes is refused.

    Exit status 0 if it is published, 1 if it was refused, 2 if the call is wrong or nobody answers.
    """
    looked = [_looked(path) for path in files]
    version = options["version"] or looked[0].facts.version
    if version is None:
        raise Invalid(f"{looked[0].path.name} carries no version: say --version")
    wish = ReleaseWish.of(
        options["project"],
        version,
        options["channel"],
        _notes(options["notes"], options["notes_file"]),
        options["min_from"],
        options["security"] or None,
    )
    force = None if options["force"] is None else reason(options["force"])
    if options["dry_run"]:
        _say(options["as_json"], {"release": wish.version, "images": [_row(one) for one in looked]})
        return
    try:
        with _publisher(settings, options) as publisher:
            release = _published(publisher, wish, looked, options, force)
    except Refusal as refusal:
        click.echo(f"ota_http_server: refused: {refusal.detail}", err=True)
        sys.exit(EXIT_REFUSED)
    _say(options["as_json"], release)


def _published(
    publisher: Publisher,
    wish: ReleaseWish,
    looked: list[Looked],
    options: dict[str, Any],
    force: str | None,
) -> dict[str, Any]:
    publisher.draft(wish)
    declared = {"chip": options["chip"], "part": options["part"], "hardware": options["boards"]}
    quiet = options["as_json"] or not sys.stderr.isatty()
    for one in looked:
        with _bar(one, quiet) as progress:
            publisher.add_image(
                wish, one.path, one.sha256, progress, declared=declared, force=force
            )
    return publisher.show(wish) if options["draft"] else publisher.publish(wish, force)


@contextmanager
def _publisher(settings: Settings, options: dict[str, Any]) -> Iterator[Publisher]:
    if options["server"]:
        key = _key(options["key"])
        yield There(Remote(options["server"].rstrip("/"), key, options["ca"]))
        return
    with opened_ota(settings) as ota:
        yield Here(ota, SHELL)


@contextmanager
def _bar(one: Looked, quiet: bool) -> Iterator[Any]:
    if quiet:
        yield lambda _bytes: None
        return
    with click.progressbar(length=one.size, label=one.path.name, file=sys.stderr) as progress:
        yield progress.update


def _key(given: str | None) -> str:
    """The key, from wherever it is not seen: a process list shows every argument."""
    if given == "-":
        given = sys.stdin.read(1_024).strip()
    elif not given and (path := os.environ.get("OTA_API_KEY_FILE")):
        given = read_secret_file(Path(path))
    if not given:
        raise Misconfigured("--server needs an API key: OTA_API_KEY, OTA_API_KEY_FILE or --key -")
    return given


def _looked(path: Path) -> Looked:
    """What the file is; `Unfit` for a mistake, found before anything is sent."""
    file_name(path.name)
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(2**20):
            digest.update(block)
        return Looked(path, path.stat().st_size, digest.hexdigest(), read_image(_File(content)))


@dataclass(frozen=True, slots=True)
class _File:
    """A file as the readers of formats want it."""

    content: Any

    @property
    def size(self) -> int:
        return int(self.content.seek(0, 2))

    def read_at(self, offset: int, length: int, /) -> bytes:
        self.content.seek(offset)
        return bytes(self.content.read(length))


def _notes(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise click.UsageError("--notes and --notes-file exclude each other")
    return file.read_text(encoding="utf-8", errors="replace") if file is not None else text


def _row(one: Looked) -> dict[str, Any]:
    facts = one.facts
    return {
        "file": one.path.name,
        "size": one.size,
        "sha256": one.sha256,
        "format": facts.format,
        "kind": facts.kind,
        "chip": facts.chip,
        "version": facts.version,
        "project": facts.project,
        "secure_version": facts.secure_version,
        "hardware": list(facts.hardware),
    }


def _say(as_json: bool, document: dict[str, Any]) -> None:
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    state = document.get("state", "would be")
    click.echo(f"{document['release']} {state}")
    for image in document["images"]:
        what = [image.get(fact) for fact in ("format", "kind", "chip", "version")]
        said = ", ".join(str(word) for word in what if word)
        click.echo(f"  {image['file']}  {image['size']:,} bytes  {said}")
