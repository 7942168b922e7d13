"""Arduino's HTTPClient in HTTP/1.1, on which esp32FOTA and ESP32-OTA-Pull are built."""

from ota_http_server.simulation.address import Address, request_bytes
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.line import Access, Line, Words
from ota_http_server.simulation.redirects import Rules, follow

PATIENCE_SECONDS = 5.0  # HTTPCLIENT_DEFAULT_TCP_TIMEOUT

WORDS = Words(
    refused="HTTP error: connection refused",
    silent="HTTP error: read Timeout",
    cut="HTTP error: connection lost",
    nonsense="HTTP error: no HTTP server",
)
STRICT_REDIRECTS = Rules(most=10, to_plain=False, complaint="new URL not the same protocol")


def get(line: Line, address: Address, access: Access, rules: Rules) -> Answer:
    """One GET."""

    def ask(there: Address) -> Answer:
        return line.ask(there, request(there, access))

    return follow(address, ask, rules)[1]


def request(address: Address, access: Access) -> bytes:
    fields = [
        ("Host", address.host_field),
        ("User-Agent", "ESP32HTTPClient"),
        ("Connection", "keep-alive"),
        ("Accept-Encoding", "identity;q=1,chunked;q=0.1,*;q=0"),
    ]
    if access.token is not None:
        fields.append(("Authorization", f"Bearer {access.token}"))
    return request_bytes(f"GET {address.target} HTTP/1.1", [*fields, *access.headers])
