"""Every noun of the API, in the order of the document."""

from ota_http_server.api.v1.claims import CLAIMS
from ota_http_server.api.v1.credentials import CREDENTIALS
from ota_http_server.api.v1.device_keys import DEVICE_KEYS
from ota_http_server.api.v1.devices import DEVICES
from ota_http_server.api.v1.endpoint import Noun
from ota_http_server.api.v1.events import EVENTS
from ota_http_server.api.v1.images import IMAGES
from ota_http_server.api.v1.keys import KEYS
from ota_http_server.api.v1.projects import PROJECTS
from ota_http_server.api.v1.releases import RELEASES
from ota_http_server.api.v1.rollouts import ROLLOUTS
from ota_http_server.api.v1.stops import STOP
from ota_http_server.api.v1.tokens import TOKENS

NOUNS: tuple[Noun, ...] = (
    PROJECTS,
    RELEASES,
    IMAGES,
    ROLLOUTS,
    STOP,
    DEVICES,
    TOKENS,
    CREDENTIALS,
    CLAIMS,
    DEVICE_KEYS,
    KEYS,
    EVENTS,
)
