"""Every noun of the API, in the order of the document."""

from ota_http_server.api.v1.endpoint import Noun
from ota_http_server.api.v1.events import EVENTS
from ota_http_server.api.v1.keys import KEYS
from ota_http_server.api.v1.projects import PROJECTS
from ota_http_server.api.v1.tokens import TOKENS

NOUNS: tuple[Noun, ...] = (PROJECTS, TOKENS, KEYS, EVENTS)
