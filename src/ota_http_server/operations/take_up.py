"""Taking up an offer by fetching it.

Who reads a manifest (ESPHome every six hours, for display) tells nobody what it makes of it. So a
manifest opens no attempt: the download of the image does, if that is what this device is offered.
"""

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.logs import logger
from ota_http_server.operations.check_in import CheckIn
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.visit import Visit

LOG = logger("check-in")


class TakeUp:
    """The operation; one for each process."""

    def __init__(self, registry: Registry, check_in: CheckIn) -> None:
        self._registry = registry
        self._check_in = check_in

    def __call__(self, visit: Visit, sha256: str) -> None:
        """The device begins to fetch this image; whether that is an attempt, its offer says.

        It never stands in the way of the download: what cannot be written now is not noted.
        """
        try:
            known = self._registry.find(visit.device)
            if known is None:
                return  # it never asked for an offer
            attempt = known.open_attempt
            if attempt is None or attempt.sha256 != sha256:
                self._check_in(visit, opens_for=sha256, compares=True)
        except (Unavailable, DiskFull) as away:
            LOG.debug("no attempt of %s was noted: %s", visit.device, away.detail)
