"""The dialect of ESP32-OTA-Pull: `otapull.json`.

The library goes through `Configurations` and takes the first one that names its `Board`, or none,
and whose `Version` is higher than its own or missing. Higher means as a string, so that "3.9" is
newer than "3.10". Therefore only what this device is offered is listed; and where its URL told
what it runs (`?version=`) and the strings order the other way, the version is left out. It sends no
headers of anybody's, so a credential must stand in the path.
"""

from ota_http_server.domain.errors import Conflict
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.offer import Offer
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.manifest_links import Links, ManifestLinks
from ota_http_server.http.manifests import asking_of, encoded, manifest
from ota_http_server.http.place import Place
from ota_http_server.http.said import Said
from ota_http_server.operations.present import Present, Shown, is_unknown

MEMORY_BYTES_MAX = 6_000  # the library's DynamicJsonDocument
ENTRY_BYTES_MORE = 80  # that a configuration takes in it beside its text

Configuration = dict[str, str]


class OtaPull:
    """`otapull.json`."""

    def __init__(self, present: Present, links: ManifestLinks) -> None:
        self._present = present
        self._links = links

    def answer(self, request: Request, caller: Identity, place: Place) -> Reply:
        asking = asking_of(request, caller, place, Said.of(request))
        shown = self._present.by_board(asking)
        if len(shown) == 1 and is_unknown(shown[0].decision):
            raise Conflict("there are images for several boards: ask with ?chip=… or ?board=…")
        links = self._links.of(request, caller, place.project, shown[0].device)
        if len(shown) == 1:
            found = _configuration(shown[0], links, asking.sighting.version)
            return _reply([found] if found else [])
        return _reply(
            [
                {"Board": one.board or "", **_configuration(one, links, asking.sighting.version)}
                for one in shown
                if one.image is not None
            ]
        )


def _configuration(one: Shown, links: Links, said: str | None) -> Configuration:
    """Empty where there is nothing to say. A held device is told its own version."""
    version = one.version or ""
    if one.image is None:
        return {"Version": version, "URL": ""} if version else {}
    url = links.absolute(one.image)
    if isinstance(one.decision, Offer) and said is not None and version <= said:
        return {"URL": url}
    return {"Version": version, "URL": url}


def _reply(configurations: list[Configuration]) -> Reply:
    document = {"Configurations": configurations}
    body = encoded(document)
    if len(body) + ENTRY_BYTES_MORE * len(configurations) > MEMORY_BYTES_MAX:
        raise Conflict("too many boards for the library's memory: ask with ?board=…")
    return manifest(body)
