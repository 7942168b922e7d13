"""What a client says of itself in its query, where its protocol has no other place for it.

    manifest.json?chip=esp32s3&version=1.4.0&device=24:0A:C4:00:00:01

The names are those of `/api/device/v1/check`. A name that means nothing here is passed over: people
put their own into URLs that they write into firmware.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.domain.sighting import Sighting
from ota_http_server.http.exchange import Request

FIELDS_MAX = 20  # there are nine names, and a client may add some of its own


@dataclass(frozen=True, slots=True)
class Said:
    """The query; of a name that stands twice the first counts."""

    fields: dict[str, str]

    @classmethod
    def of(cls, request: Request) -> "Said":
        if not request.query:
            return cls({})
        try:
            pairs = parse_qsl(request.query, max_num_fields=FIELDS_MAX)
        except ValueError:
            raise Invalid(f"a query may have at most {FIELDS_MAX} fields") from None
        return cls(dict(reversed(pairs)))

    def get(self, name: str) -> str | None:
        return self.fields.get(name)

    def without(self, name: str) -> "Said":
        return Said({key: value for key, value in self.fields.items() if key != name})

    def sighting(self) -> Sighting:
        """The facts, or `Invalid`."""
        get = self.fields.get
        return Sighting.of(
            version=get("version"),
            digests=(get("image_sha256"), get("image_md5")),
            chip=get("chip"),
            revision=get("revision"),
            board=get("board"),
            free_bytes=get("free_bytes"),
        )


def device_of(caller: Identity, request: Request) -> str:
    """Which device calls: the credential's, or as it says (`?device=`) where it may; "" if unknown.

    It may who speaks for all devices of a project, and anybody while tokens are off.
    """
    if caller.subject:
        return device_key(caller.subject)
    if not request.query or not (caller.is_gateway or caller.project is None):
        return ""
    try:
        claimed = Said.of(request).get("device")
        return device_key(claimed) if claimed else ""
    except Invalid:
        return ""  # nobody's download is a download too
