"""`ota_http_server publish`: images become a release, here or on a server somewhere else."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ota_http_server.cli import one_line
from ota_http_server.cli.looking import Looked, look, refused_anywhere
from ota_http_server.cli.options import SHOWN_SECRETS, data_options, json_option
from ota_http_server.cli.publishing import Here, Publisher, There
from ota_http_server.cli.remote import KEY_CHARACTERS_MAX, Progress, Remote
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.errors import (
    DiskFull,
    Invalid,
    Misconfigured,
    Refusal,
    TooMany,
    Unavailable,
)
from ota_http_server.domain.release import NOTES_CHARACTERS_MAX
from ota_http_server.operations.release_wish import PARTS, ReleaseWish, Upload, reason
from ota_http_server.ota import opened_ota
from ota_http_server.security.secrets import read_secret_file
from ota_http_server.settings import Settings

EXIT_REFUSED = 1
NOT_NOW = (Invalid, Unavailable, DiskFull, TooMany)
"""The call is wrong, or another one would do: not the images are refused."""


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--project", required=True, help="Project that they are for.")
@click.option("--version", help="Version of the release.  [default: the first that one carries]")
@click.option("--channel", help="Channel that it goes to.  [default: stable]")
@click.option("--notes", help="What is new, for people.")
@click.option(
    "--notes-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same from a file.",
)
@click.option("--min-from", metavar="VERSION", help="Lowest version that may go to this one.")
@click.option("--security", is_flag=True, help="It closes a hole.")
@click.option(
    "--floor/--no-floor", default=None, help="No device goes past it: older ones go to it first."
)
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
@json_option
@data_options
def publish(settings: Settings, files: tuple[Path, ...], **options: Any) -> None:
    """Publish FILES as one release of a project.

    Without --server it works on the data folder of this host. With it the images go to that
    server, with an API key that may publish. The same files again are fine; a version that was
    published with other bytes is refused. What is refused leaves nothing behind.

    Exit status 0 if it is published, 1 if it was refused, 2 if the call is wrong or nobody answers.
    """
    if options["force"] is not None:
        options["force"] = reason(options["force"])
    try:
        looked = [look(path) for path in files]
        wish = _wish(looked, options)
        uploads = [_upload(one, options) for one in looked]
        if options["dry_run"]:
            _rehearse(looked, wish, uploads, options)
            return
        with _publisher(settings, options) as publisher, _all_or_nothing(publisher, wish, uploads):
            release = _published(publisher, wish, looked, uploads, options)
    except NOT_NOW:
        raise
    except Refusal as refusal:
        click.echo(f"ota_http_server: refused: {one_line(refusal.detail)}", err=True)
        sys.exit(EXIT_REFUSED)
    headline = f"{release['project']} {release['release']} is {release['state']}"
    _say(options["as_json"], release, headline)


def _published(
    publisher: Publisher,
    wish: ReleaseWish,
    looked: list[Looked],
    uploads: list[Upload],
    options: dict[str, Any],
) -> dict[str, Any]:
    publisher.draft(wish)
    for one, upload in zip(looked, uploads, strict=True):
        with _bar(one, quiet=options["as_json"] or not sys.stderr.isatty()) as progress:
            publisher.add_image(wish, one.path, upload, progress, options["force"])
    return publisher.show(wish) if options["draft"] else publisher.publish(wish, options["force"])


def _rehearse(
    looked: list[Looked], wish: ReleaseWish, uploads: list[Upload], options: dict[str, Any]
) -> None:
    """Says what the files are, and ends with 1 if one would be refused."""
    against = [
        refused_anywhere(one, wish, upload) for one, upload in zip(looked, uploads, strict=True)
    ]
    images = [one.row() | {"refused": why} for one, why in zip(looked, against, strict=True)]
    document = {"project": wish.project, "release": wish.version, "images": images}
    _say(options["as_json"], document, f"{wish.project} {wish.version} would be published")
    if any(against) and options["force"] is None:
        sys.exit(EXIT_REFUSED)


@contextmanager
def _all_or_nothing(
    publisher: Publisher, wish: ReleaseWish, uploads: list[Upload]
) -> Iterator[None]:
    """A draft that was begun here goes when it is refused: the next try is about other bytes.

    It stays where others have put images into it meanwhile.
    """
    is_new = not publisher.knows(wish)
    try:
        yield
    except Refusal:
        with suppress(Refusal, Misconfigured):
            names = {image["file"] for image in publisher.show(wish)["images"]} if is_new else set()
            if is_new and names <= {upload.name for upload in uploads}:
                publisher.remove_draft(wish)
        raise


@contextmanager
def _publisher(settings: Settings, options: dict[str, Any]) -> Iterator[Publisher]:
    if options["server"]:
        remote = Remote.of(options["server"], _key(options["key"]), options["ca"])
        if remote.shows_the_key:
            click.echo(
                f"warning: over {remote.url} everybody on the way can read the key", err=True
            )
        yield There(remote)
        return
    with opened_ota(settings) as ota:
        yield Here(ota, SHELL)


@contextmanager
def _bar(one: Looked, *, quiet: bool) -> Iterator[Progress]:
    if quiet:
        yield lambda _bytes: None
        return
    with click.progressbar(length=one.size, label=one.name, file=sys.stderr) as progress:
        yield progress.update


def _key(given: str | None) -> str:
    """The key, from wherever it is not seen: a process list shows every argument."""
    if given == "-":
        return sys.stdin.read(KEY_CHARACTERS_MAX + 2)
    context = click.get_current_context()
    if given and context.get_parameter_source("key") is ParameterSource.COMMANDLINE:
        click.echo(f"warning: --key: {SHOWN_SECRETS}", err=True)
    if not given and (path := os.environ.get("OTA_API_KEY_FILE")):
        given = read_secret_file(Path(path))
    if not given:
        raise Misconfigured("--server needs an API key: OTA_API_KEY, OTA_API_KEY_FILE or --key -")
    return given


def _wish(looked: list[Looked], options: dict[str, Any]) -> ReleaseWish:
    carried = (one.facts.version for one in looked if one.facts.version)
    version = options["version"] or next(carried, None)
    if version is None:
        raise Invalid(f"{looked[0].name} carries no version: say --version")
    return ReleaseWish.of(
        options["project"],
        version,
        options["channel"],
        _notes(options["notes"], options["notes_file"]),
        options["min_from"],
        options["security"] or None,
        options["floor"],
    )


def _upload(one: Looked, options: dict[str, Any]) -> Upload:
    """What is declared of the file."""
    return Upload.of(
        one.name,
        (),
        one.size,
        chip=options["chip"],
        hardware=options["boards"],
        part=options["part"],
        sha256=one.sha256,
    )


def _notes(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise click.UsageError("--notes and --notes-file exclude each other")
    if file is None:
        return text
    with file.open(encoding="utf-8", errors="replace") as content:
        return content.read(NOTES_CHARACTERS_MAX + 1)  # one too many is refused in words


def _say(as_json: bool, document: dict[str, Any], headline: str) -> None:
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(headline)
    for image in document["images"]:
        what = [image.get(fact) for fact in ("format", "kind", "chip", "version")]
        counter = f"counter {image['secure_version']}" if image.get("secure_version") else ""
        said = ", ".join(str(word) for word in (*what, counter) if word)
        click.echo(one_line(f"  {image['file']}  {image['size']:,} bytes  {said}"))
        for why in image.get("refused", ()):
            click.echo(one_line(f"    refused: {why}"))
