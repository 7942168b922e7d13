"""The dialect of esp32FOTA: `esp32fota.json`.

The library takes an object, or the first fitting one of a list, whose `type` is the firmware's name
and whose `version` is a higher semantic version than its own; an empty list is nothing to do. It
does not look at chips, so where the board's is not known, `type` has the chip behind it. The place
is `url`, or `host`, `port` and `bin` (TLS on 443 and 4433 alone), and only beside these it flashes
a file system too. All of it must fit into ArduinoJson's 2,048 bytes.
"""

import re
from urllib.parse import urlsplit

from ota_http_server.domain.errors import Conflict
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.offer import Offer
from ota_http_server.domain.release import Release, ReleaseImage
from ota_http_server.domain.version import version_key
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.manifest_links import Links, ManifestLinks
from ota_http_server.http.manifests import asking_of, encoded, manifest
from ota_http_server.http.place import Place
from ota_http_server.http.said import Said
from ota_http_server.operations.present import Present, Shown

MEMORY_BYTES_MAX = 2_048
ENTRY_BYTES_MORE = 80  # that an entry takes in ArduinoJson's memory beside its text
TYPE_CHARACTERS_MAX = 64
NUMBERS_MAX = 3
TLS_PORTS = (443, 4433)

_NUMBERS = re.compile(r"\Av?[0-9]+(?:\.[0-9]+)*")
_NO_SEMANTIC_CHARACTER = re.compile(r"[^0-9A-Za-z.+-]")
_MAC_NUMBER = re.compile(r"[0-9]{1,15}")  # six bytes have that many digits

Entry = dict[str, object]


class Esp32Fota:
    """`esp32fota.json`."""

    def __init__(self, present: Present, links: ManifestLinks) -> None:
        self._present = present
        self._links = links

    def answer(self, request: Request, caller: Identity, place: Place) -> Reply:
        said = Said.of(request)
        asking = asking_of(request, caller, place, said, _mac(said.get("id")))
        shown = self._present.by_chip(asking)
        links = self._links.of(request, caller, place.project, shown[0].device)
        name = (said.get("type") or place.project)[:TYPE_CHARACTERS_MAX]
        entries = [
            _entry(f"{name}-{one.chip}" if len(shown) > 1 else name, one, one.image, links)
            for one in shown
            if one.image is not None and not _is_settled(one)
        ]
        return manifest(_encoded(entries))


def semantic(version: str) -> str | None:
    """The version as the library reads it: three numbers, and what stands behind them."""
    key = version_key(version)
    if not key.orders or len(key.fields) > NUMBERS_MAX:
        return None
    numbers = ".".join(map(str, (*key.fields, 0, 0, 0)[:NUMBERS_MAX]))
    behind = _NO_SEMANTIC_CHARACTER.sub("", _NUMBERS.sub("", version, count=1))
    return numbers + (f"-{behind.lstrip('.')}" if behind[:1] not in ("", "-", "+") else behind)


def _mac(number: str | None) -> str | None:
    """The address whose first byte is the lowest of the number, as ESP.getEfuseMac() gives it."""
    if number is None or not _MAC_NUMBER.fullmatch(number) or int(number) >= 2**48:
        return number
    return int(number).to_bytes(6, "little").hex(":")


def _is_settled(one: Shown) -> bool:
    """It told what it runs, and has that for good: the library's comparison is not needed."""
    return one.says_what_runs and not isinstance(one.decision, Offer)


def _entry(name: str, one: Shown, image: ReleaseImage, links: Links) -> Entry:
    version = semantic(one.release.version) if one.release else None
    if version is None:
        raise Conflict("esp32FOTA compares up to three numbers, and the version has no such form")
    entry: Entry = {"type": name, "version": version}
    filesystem = _filesystem(one.release, one.chip) if one.release else None
    server = urlsplit(links.request.base_url)
    port = server.port or (443 if server.scheme == "https" else 80)
    if filesystem is None or (server.scheme == "https") != (port in TLS_PORTS):
        return entry | {"url": links.absolute(image)}
    entry |= {"host": server.netloc.removesuffix(f":{port}"), "port": port}
    entry |= {"bin": links.rooted(image), _kind(filesystem): links.rooted(filesystem)}
    return entry


def _filesystem(release: Release, chip: str | None) -> ReleaseImage | None:
    """The last one that came for this chip."""
    images = (i for i in reversed(release.images) if i.part == "filesystem")
    return next((image for image in images if image.chip in (None, chip)), None)


def _kind(filesystem: ReleaseImage) -> str:
    if filesystem.format == "littlefs":
        return "littlefs"
    return "fatfs" if "fatfs" in filesystem.name.lower() else "spiffs"


def _encoded(entries: list[Entry]) -> bytes:
    document = entries[0] if len(entries) == 1 else entries
    body = encoded(document)
    if len(body) + ENTRY_BYTES_MORE * len(entries) > MEMORY_BYTES_MAX:
        raise Conflict("too many chips for the library's memory: ask with ?chip=…")
    return body
