"""What Arduino's update libraries need, and Tasmota, which is built on them."""

from dataclasses import replace

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.arduino import (
    PATIENCE_SECONDS,
    ArduinoEsp32,
    ArduinoEsp8266,
    HttpUpdate,
)
from ota_http_server.simulation.board import FLASH_BYTES, Board
from ota_http_server.simulation.line import Access
from ota_http_server.simulation.needs.finding import Need
from ota_http_server.simulation.needs.image import ESP_BYTE, ImageLook, ImageNeeds
from ota_http_server.simulation.needs.probe import ANSWERS, TRY_MAC, Probe
from ota_http_server.simulation.redirects import NO_REDIRECTS
from ota_http_server.simulation.tasmota import URL_CHARACTERS_MAX, renamed

LENGTH = '"Server Did Not Report Size": it gives up'


def _image_needs(magic: str) -> ImageNeeds:
    return ImageNeeds.of(
        PATIENCE_SECONDS,
        status='"Wrong HTTP Code", "File Not Found (404)" or "Forbidden (403)": it gives up',
        redirect='"Wrong HTTP Code": it follows none unless the sketch asks for it',
        redirect_rule="no redirect",
        length=LENGTH,
        magic=magic,
        wrong_magic='"Verify Bin Header Failed": it gives up',
        wrong_md5='"Wrong MD5": it gives up after the whole download',
    )


ESP32_IMAGE = _image_needs("0xE9")
ESP8266_IMAGE = _image_needs("0xE9, or 0x1F of a .bin.gz")
VERSION = Need(
    "a request in mode `version` is answered with x-version",
    "getAvailableVersion() returns nothing; updates themselves do not need it",
    "answer 200 with the header x-version",
)
ESP32_NEEDS = (ANSWERS, *ESP32_IMAGE.all())
ESP8266_NEEDS = (ANSWERS, *ESP8266_IMAGE.all(), VERSION)


class ArduinoNeeds:
    """The ESP32's; others differ in the names below."""

    needs = ESP32_NEEDS
    image = ESP32_IMAGE
    first_bytes = ESP_BYTE
    kind: type[HttpUpdate] = ArduinoEsp32
    chip = "esp32"

    def __init__(self, url: str, access: Access) -> None:
        board = Board(mac=TRY_MAC, chip=self.chip, free_bytes=FLASH_BYTES)
        self._look = ImageLook(self.image, PATIENCE_SECONDS, NO_REDIRECTS, self.first_bytes)
        self._client = self.kind(url, board, access)

    def examine(self, probe: Probe) -> None:
        self._look.fetch(probe, self._client.address, self._client.request)


class OnEsp8266(ArduinoNeeds):
    image = ESP8266_IMAGE
    first_bytes = b"\xe9\x1f"
    kind = ArduinoEsp8266
    chip = "esp8266"


class Esp8266Needs(OnEsp8266):
    needs = ESP8266_NEEDS

    def examine(self, probe: Probe) -> None:
        super().examine(probe)
        request = self._client.request(self._client.address, "version")
        said = probe.ask(self._client.address, request).headers.get("x-version")
        if said:
            probe.notes.ok(VERSION, said)
        else:
            probe.notes.untried(VERSION, "none came; only getAvailableVersion() asks for it")


URL_FITS = Need(
    f"the URL has at most {URL_CHARACTERS_MAX} characters",
    "it asks for a part of the URL",
    "use a short credential in the path",
)
NO_QUERY = Need(
    "nothing stands behind the file name in the URL",
    "it changes what stands behind the last `/`: a token there is mangled",
    "put the credential into the path: /firmware/<project>/<token>/<file>",
)
VARIANTS = Need(
    "names that are not there (-minimal, .gz) are answered with 404",
    "it flashes what it gets under such a name",
    "answer 404, not a page that says so with 200",
)
TASMOTA_NEEDS = (URL_FITS, NO_QUERY, ANSWERS, *ESP8266_IMAGE.all(), VARIANTS)


class TasmotaNeeds(OnEsp8266):
    needs = TASMOTA_NEEDS

    def __init__(self, url: str, access: Access) -> None:
        super().__init__(url, replace(access, token=None, headers=()))
        self._url = url

    def examine(self, probe: Probe) -> None:
        length = len(self._url)
        probe.notes.judge(URL_FITS, length <= URL_CHARACTERS_MAX, f"{length} characters")
        probe.notes.judge(NO_QUERY, "?" not in self._url, "" if "?" not in self._url else "a query")
        super().examine(probe)
        for url in (renamed(self._url, "minimal"), f"{self._url}.gz"):
            address = Address.of(url)
            answer = probe.ask(address, self._client.request(address))
            good = answer.status == 404 or answer.body[:1] in (b"\xe9", b"\x1f")
            probe.notes.judge(VARIANTS, good, f"{address.shown}: {answer.status}")
