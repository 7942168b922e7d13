"""The poll, and what the device says of itself.

A deployment is shown until the device reports its end: SWUpdate and Zephyr report it after the
reboot, and only if the poll still shows the same action. Zephyr polls again after each thing that
it did, so a link is gone as soon as it was answered.
"""

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.attributes import Mode
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.observation import RESTART_SECONDS
from ota_http_server.domain.offer import Offer
from ota_http_server.domain.sighting import Sighting
from ota_http_server.domain.version import identity
from ota_http_server.http.exchange import Reply
from ota_http_server.operations.check_in import Answer
from ota_http_server.operations.report import Told, Word
from ota_http_server.operations.visit import Visit
from ota_http_server.protocols.hawkbit import documents, words
from ota_http_server.protocols.hawkbit.asked import Asked, Operations
from ota_http_server.protocols.hawkbit.attributes import sighting_of
from ota_http_server.protocols.hawkbit.links import Links
from ota_http_server.protocols.hawkbit.media import CREATED, DONE, body_object, document

NO_SUCH_TARGET = "there is no such target here"
SAYS_VERSION = (VersionFrom.DEVICE, VersionFrom.IMAGE)

ASKED_SECONDS_MAX = 2 * 3_600
"""So long after an installation the device is asked what it runs, every now and then."""
CANCEL_SECONDS_MAX = 24 * 3_600
"""rauc-hawkbit-updater may never answer a cancellation. Who was away for so long has restarted
since, and holds no download any more."""


class Polling:
    def __init__(self, operations: Operations) -> None:
        self._check_in = operations.check_in
        self._report = operations.report
        self._keep_attributes = operations.keep_attributes
        self._registry = operations.registry
        self._database = operations.database
        self._wall = operations.wall

    def poll(self, asked: Asked) -> Reply:
        answer = self._check_in(asked.visit, converses=True)
        if (unanswered := self._unanswered(answer.attempt)) is not None:
            detail = "it never answered the cancellation"
            self._report(asked.visit, Word(Told.CANCELED, unanswered.id, detail))
            answer = self._check_in(asked.visit, converses=True)
        links = self._links(asked.visit, answer, asked.links)
        return document(asked.request, documents.poll(answer.poll_seconds, links))

    def attributes(self, asked: Asked) -> Reply:
        """`PUT configData`: the facts in it first, so that what failed half-way is said again."""
        wish = words.attributes(body_object(asked.request))
        said = {} if wish.mode is Mode.REMOVE else wish.said
        sighting = sighting_of(said, asked.request.header("User-Agent"))
        self._sees(asked.visit, sighting)
        self._keep_attributes(asked.visit, wish.mode, wish.said)
        return DONE

    def runs(self, asked: Asked) -> Reply:
        """`PUT installedBase`: 201 for news, 200 for what was known, 404 for no release of ours."""
        name, version = words.installed(body_object(asked.request))
        sighting = Sighting.of(version=version)
        with self._database.reading() as rows:
            release = rows.releases.get(asked.visit.project, version)
            device = rows.devices.get(asked.visit.device)
        names = {image.name for image in release.images} if release is not None else set()
        if release is None or name not in {release.project, *names}:
            raise NotFound(f"there is no {name} {version} here")
        self._sees(asked.visit, sighting)
        return DONE if _is_known(device, version) else CREATED

    def _sees(self, visit: Visit, sighting: Sighting) -> None:
        answer = self._check_in(visit, sighting, opens=False, converses=True)
        _own(visit, answer.device)

    def _links(self, visit: Visit, answer: Answer, links: Links) -> dict[str, str]:
        device = answer.device
        if device is None:
            return {}  # it comes again, and may be registered by then
        _own(visit, device)
        shown = {}
        attempt = answer.attempt
        if attempt is not None and attempt.is_canceling:
            shown["cancelAction"] = links.cancel(attempt.id)
        elif isinstance(answer.decision, Offer) and answer.decision.attempt is not None:
            shown["deploymentBase"] = links.deployment(answer.decision.attempt.id)
        if (installed := self._installed(device, attempt)) is not None:
            shown["installedBase"] = links.installed(installed.id)
        if not device.blocked and (device.attributes_wanted or self._asks(device, attempt)):
            shown["configData"] = links.config_data
        return shown

    def _installed(self, device: Device, attempt: Attempt | None) -> Attempt | None:
        """The latest action, if that is what the device runs."""
        if attempt is None and not device.attributes_wanted:  # then it is a look into memory
            known = self._registry.find(device.id)
            attempt = known.latest if known is not None else None
        done = attempt is not None and attempt.state in (State.INSTALLED, State.VERIFIED)
        return attempt if done else None

    def _asks(self, device: Device, attempt: Attempt | None) -> bool:
        """A device that tells its version did so before its reboot, maybe: it is asked again."""
        if attempt is None or attempt.installed_at is None or attempt.state is not State.INSTALLED:
            return False
        at = self._wall()
        return (
            device.version_from in SAYS_VERSION
            and at - attempt.installed_at < ASKED_SECONDS_MAX
            and at - attempt.changed_at >= RESTART_SECONDS
        )

    def _unanswered(self, attempt: Attempt | None) -> Attempt | None:
        """The attempt, if it was called off so long ago that no answer will come."""
        if attempt is None or not attempt.is_canceling:
            return None
        return attempt if self._wall() - attempt.changed_at > CANCEL_SECONDS_MAX else None


def _own(visit: Visit, device: Device | None) -> None:
    if device is None or device.project != visit.project:
        raise NotFound(NO_SUCH_TARGET)


def _is_known(device: Device | None, version: str) -> bool:
    if device is None or device.version is None or device.version_from not in SAYS_VERSION:
        return False
    return identity(device.version) == identity(version)
