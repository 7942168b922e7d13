"""The dialect of a manifest that ESPHome and ESP Web Tools read alike: `manifest.json`.

ESPHome's `update.http_request` fetches it every six hours, for display. It wants exactly 200, takes
the build whose `chipFamily` is its own, and compares `version` with its own by equality: any other
version is an update for it, an empty one is none. So the version must be right for the chip that
asks: `?chip=esp32s3` says it, or the registry knows it. `path` is put behind the folder of the
manifest's URL (the query is lost there) unless "http" occurs in it.

ESP Web Tools takes `parts` of the build for the chip that it finds on the cable. Nobody knows that
one before, so its page asks with `?chip=any` and is shown the newest release of each chip.
"""

import re

from ota_http_server.domain.errors import Conflict, NotFound
from ota_http_server.domain.flash_layout import Placed, flash_layout
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.offer import Hold
from ota_http_server.domain.release import ReleaseImage
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.manifest_links import Links, ManifestLinks
from ota_http_server.http.manifests import asking_of, encoded, manifest
from ota_http_server.http.place import Place
from ota_http_server.http.said import Said
from ota_http_server.operations.present import Present, Shown

ANY_CHIP = "any"
SUMMARY_CHARACTERS_MAX = 255  # what Home Assistant keeps of one

_ESP32_VARIANT = re.compile(r"esp32([a-z]\d+)\Z")

Build = dict[str, object]


class EspHome:
    """`manifest.json`."""

    def __init__(self, present: Present, links: ManifestLinks) -> None:
        self._present = present
        self._links = links

    def answer(self, request: Request, caller: Identity, place: Place) -> Reply:
        said = Said.of(request)
        is_page = said.get("chip") == ANY_CHIP
        asked = said.without("chip") if is_page else said
        asking = asking_of(request, caller, place, asked)
        shown = self._present.to_people(asking) if is_page else self._present.by_chip(asking)
        links = self._links.of(request, caller, place.project, shown[0].device)
        found = _for_people(shown, links) if is_page else _for_board(shown, links)
        document = {"name": place.project, **found, "new_install_prompt_erase": True}
        return manifest(encoded(document))


def chip_family(chip: str) -> str:
    """`ESP32-S3` for `esp32s3`: the spelling of both readers."""
    return _ESP32_VARIANT.sub(lambda variant: f"esp32-{variant[1]}", chip).upper()


def _for_board(shown: list[Shown], links: Links) -> Build:
    """Of several chips with different newest versions, that of the newest release of all.

    Boards of the other chips find no build of theirs then, and no wrong version.
    """
    releases = [one.release for one in shown if one.release is not None]
    if not releases:
        return _held(shown)
    newest = max(releases, key=lambda release: release.order)
    chosen = [one for one in shown if one.release and one.release.number == newest.number]
    version = chosen[0].version or ""
    return {"version": version, "builds": [_build(one, links) for one in chosen]}


def _for_people(shown: list[Shown], links: Links) -> Build:
    """Every chip's newest; where they differ, the version says which is whose."""
    released = [one for one in shown if one.release is not None and one.chip is not None]
    if not released:
        raise NotFound(_reason(shown[0]))
    versions: dict[str, list[str]] = {}
    for one in released:
        versions.setdefault(one.version or "", []).append(chip_family(one.chip or ""))
    version = next(iter(versions))
    if len(versions) > 1:
        version = ", ".join(f"{each} ({', '.join(chips)})" for each, chips in versions.items())
    return {"version": version, "builds": [_build(one, links) for one in released]}


def _held(shown: list[Shown]) -> Build:
    """Its own version, or none, and builds without an image: there is nothing to do.

    A board that finds no build of its chip takes the whole manifest for broken.
    """
    chips = {one.chip: _reason(one) for one in shown if one.chip is not None}
    if not chips:
        raise NotFound(_reason(shown[0]))
    return {
        "version": shown[0].version or "",
        "builds": [
            {
                "chipFamily": chip_family(chip),
                "ota": {"path": "", "md5": "", "summary": reason[:SUMMARY_CHARACTERS_MAX]},
            }
            for chip, reason in chips.items()
        ],
    }


def _reason(one: Shown) -> str:
    decision = one.decision
    return f"{decision.reason}: {decision.detail}" if isinstance(decision, Hold) else ""


def _build(one: Shown, links: Links) -> Build:
    if one.chip is None:
        raise Conflict("the images do not say their chip: ask with ?chip=…")
    build: Build = {"chipFamily": chip_family(one.chip)}
    if one.image is not None and one.image.part != "factory":
        build["ota"] = _ota(one, one.image, links)
    placed = flash_layout(one.release, one.chip, one.image) if one.release else []
    if placed:
        build["parts"] = [_part(part, links) for part in placed]
    return build


def _ota(one: Shown, image: ReleaseImage, links: Links) -> Build:
    ota: Build = {"path": _path(image, links), "md5": image.md5}
    notes = one.release.notes.strip() if one.release else ""
    if notes:
        ota["summary"] = notes[:SUMMARY_CHARACTERS_MAX]
    return ota


def _part(part: Placed, links: Links) -> Build:
    return {"path": _path(part.image, links), "offset": part.offset}


def _path(image: ReleaseImage, links: Links) -> str:
    """ESPHome takes any path with "http" in it for a whole URL."""
    path = links.beside(image)
    return links.absolute(image) if "http" in path else path
