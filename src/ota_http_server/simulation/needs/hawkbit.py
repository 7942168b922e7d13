"""What SWUpdate, rauc-hawkbit-updater and Zephyr need of a hawkBit server, each for itself."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.board import Board
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.hawkbit import rauc, swupdate, zephyr
from ota_http_server.simulation.hawkbit.ddi import TENANT as TENANT_NAME
from ota_http_server.simulation.hawkbit.ddi import Ddi, link
from ota_http_server.simulation.hawkbit.swupdate_json import chunks_of
from ota_http_server.simulation.line import Access
from ota_http_server.simulation.needs import artifact
from ota_http_server.simulation.needs.artifact import ArtifactLook
from ota_http_server.simulation.needs.ddi import (
    DEPLOYMENT_NEEDS,
    OFFER,
    POLL_NEEDS,
    DdiLook,
    artifacts,
)
from ota_http_server.simulation.needs.finding import Need, Stop, reason
from ota_http_server.simulation.needs.probe import TRY_MAC, Probe
from ota_http_server.simulation.redirects import NO_REDIRECTS, Rules

CONTROLLER = "ota-try"
SLOT_BYTES = 2**31
TAIL_CHARACTERS_MAX = 49
PATH_CHARACTERS_MAX = 199

NAMES = Need(
    "there is a file named .swu, and beside it only .zck",
    '"No suitable .swu image found": the action is closed as failed',
    "keep the file names of bundles as they are",
)
TOKEN = Need(
    "the token has at most 32 characters",
    "its request has no end and is never answered",
    "give it an opaque device credential in place of a JWT",
)
LENGTH = Need(
    "every answer has a Content-Length, an empty one too",
    '"HTTP response len mismatch", or a division by zero',
    "send Content-Length: 0 with empty answers; no chunks, also from the proxy",
)
ALIVE = Need(
    "one connection serves the whole run",
    "it sends the next request into a closed connection and ends the run",
    "keep connections alive: HTTP/1.1, no `Connection: close`",
)
TENANT = Need(
    "the tenant is found in lower case too, and the links say DEFAULT",
    "older ones post to /default and want /DEFAULT in the download link",
    "compare tenants without case",
)
SHORT = Need(
    f"URLs are short: behind deploymentBase/ {TAIL_CHARACTERS_MAX} characters, downloads"
    f" {PATH_CHARACTERS_MAX}",
    "they are cut off in its buffers",
    "no long query strings; a short path for artifacts",
)


class HawkbitNeeds:
    """Poll, attributes, deployment, artifact; the same way for all three."""

    own: tuple[Need, ...] = ()
    after: tuple[Need, ...] = ()
    hashes: tuple[str, ...] = ("sha1",)

    def __init__(self, client: Ddi, rules: Rules, files: tuple[Need, ...]) -> None:
        self.client = client
        self._rules = rules
        self.needs = (*self.own, *POLL_NEEDS, *DEPLOYMENT_NEEDS, *self.after, *files)

    def examine(self, probe: Probe) -> None:
        self.begin(probe)
        look = DdiLook(self.client, probe)
        poll = look.attributes(look.poll())
        self.polled(probe, poll)
        document = look.deployment(poll)
        try:
            one, href = self.chosen(document)
        except Failed as failed:
            probe.notes.broken(OFFER, reason(failed))
            raise Stop from None
        look.report(document)
        self.offered(probe, link(poll, "deploymentBase") or "", href)
        ArtifactLook(probe, self.client, self._rules).examine(one, href, self.hashes)
        self.fetched(probe)

    @abstractmethod
    def chosen(self, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The artifact that the client takes, and its link; `Failed` as the client says it."""

    def begin(self, probe: Probe) -> None:
        """Before the first request."""

    def polled(self, probe: Probe, poll: dict[str, Any]) -> None:
        """After the polls."""

    def offered(self, probe: Probe, deployment: str, href: str) -> None:
        """Before the artifact is fetched."""

    def fetched(self, probe: Probe) -> None:
        """At the end."""


FILES = (artifact.HASHES, artifact.SIZE, artifact.FETCHED, artifact.DIGEST, artifact.RESUMED)


class SwUpdateNeeds(HawkbitNeeds):
    after = (NAMES,)

    def __init__(self, url: str, access: Access) -> None:
        client = swupdate.SwUpdate(url, Board(mac=TRY_MAC), access, controller=CONTROLLER)
        files = (*FILES, artifact.HEAD, artifact.SEVERAL)
        super().__init__(client, swupdate.REDIRECTS, files)
        self._client = client
        self._names: list[str] = []

    def chosen(self, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
        found_now = [one for chunk in chunks_of(document) for one in chunk["artifacts"]]
        self._names = [one["filename"] for one in found_now]
        bundles = [one for one in found_now if one["filename"].endswith(".swu")]
        if not found_now:
            raise Failed("No suitable .swu image found")
        one = (bundles or found_now)[0]
        return one, self._client.link_of(one)

    def offered(self, probe: Probe, deployment: str, href: str) -> None:
        others = [name for name in self._names if not name.endswith((".swu", ".zck"))]
        good = not others and any(name.endswith(".swu") for name in self._names)
        probe.notes.judge(NAMES, good, ", ".join(self._names))


class RaucNeeds(HawkbitNeeds):
    def __init__(self, url: str, access: Access) -> None:
        client = rauc.Rauc(url, Board(mac=TRY_MAC), access, controller=CONTROLLER)
        super().__init__(client, rauc.REDIRECTS, (*FILES, artifact.BEHIND))

    def chosen(self, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
        rauc.modes_of(document)
        url = rauc.artifact_of(document).url
        return artifacts(document)[0], url


class ZephyrNeeds(HawkbitNeeds):
    own = (TOKEN,)
    after = (SHORT, TENANT, LENGTH, ALIVE)
    hashes = ("sha256",)

    def __init__(self, url: str, access: Access) -> None:
        self._token = access.token or ""
        board = Board(mac=TRY_MAC, free_bytes=SLOT_BYTES)
        self._client = zephyr.Zephyr(url, board, access, controller=CONTROLLER)
        super().__init__(self._client, NO_REDIRECTS, FILES)

    def begin(self, probe: Probe) -> None:
        length = len(self._token)
        probe.notes.demand(TOKEN, length <= zephyr.TOKEN_CHARACTERS_MAX, f"{length} characters")

    def polled(self, probe: Probe, poll: dict[str, Any]) -> None:
        self._watch(probe)
        self._tenant(probe)

    def chosen(self, document: dict[str, Any]) -> tuple[dict[str, Any], str]:
        path = self._client.artifact_of(document)[3]
        # Of the link only the path counts: the server is the one that was configured.
        return artifacts(document)[0], self._client.target.address().at(path).url

    def offered(self, probe: Probe, deployment: str, href: str) -> None:
        tail, path = deployment.partition("deploymentBase/")[2], Address.of(href).target
        good = len(tail) <= TAIL_CHARACTERS_MAX and len(path) <= PATH_CHARACTERS_MAX
        probe.notes.judge(SHORT, good, f"{len(tail)} and {len(path)} characters")

    def fetched(self, probe: Probe) -> None:
        self._watch(probe)

    def _watch(self, probe: Probe) -> None:
        unsized = ", ".join(probe.unsized)
        probe.notes.judge(LENGTH, not unsized, f"none at {unsized}" if unsized else "")
        times = probe.line.opened
        probe.notes.judge(ALIVE, times == 1, f"{times} connection{'s' * (times > 1)}")

    def _tenant(self, probe: Probe) -> None:
        target = self._client.target
        if target.tenant.upper() != TENANT_NAME:
            probe.notes.untried(TENANT, f"this tenant is {target.tenant}")
            return
        address = replace(target, tenant=target.tenant.lower()).address()
        answer = probe.ask(address, self._client.request("GET", address))
        good = answer.status == 200 and f"/{TENANT_NAME.lower()}/" not in answer.body.decode(
            "latin-1"
        )
        probe.notes.judge(TENANT, good, f"{answer.status}")
