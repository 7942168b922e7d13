"""What the hawkBit clients need of polls, attributes and deployments.

Nothing is closed here: a real action of a real device stays what it is, one `proceeding` is all
that is reported. What a server makes of a final report can therefore not be tried.
"""

import re
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.hawkbit.ddi import Ddi, found, link
from ota_http_server.simulation.needs.finding import Need, object_of
from ota_http_server.simulation.needs.probe import ANSWERS, Probe

INSTALLS = ("attempt", "forced")
WORK_LINKS = ("confirmationBase", "cancelAction", "deploymentBase")

POLL = Need(
    "the poll is answered with exactly 200, without a redirect, and a JSON object",
    "it logs the status (401: the token) and polls again later",
    "check tenant, controller id and token (TargetToken or GatewayToken, one blank between)",
)
SLEEP = Need(
    "config.polling.sleep is there and HH:MM:SS, eight characters",
    "SWUpdate refuses the whole poll; the others keep an interval of their own",
    'write "00:05:00"',
)
LINKS = Need(
    "every link is an absolute URL",
    "it cannot follow it",
    "build links from a public URL that is set, not from Host; trust X-Forwarded-* of the proxy",
)
ONE = Need(
    "at most one of cancelAction, deploymentBase and confirmationBase",
    "it does one thing and misses the other; none of the three knows confirmationBase",
    "show the most urgent one only, and confirm for clients that cannot",
)
CANCEL = Need(
    "the link of cancelAction has no query",
    "SWUpdate and Zephyr write /feedback behind it: the answer goes astray",
    "leave ?c= to deploymentBase",
)
CONFIG = Need(
    "attributes (PUT configData) are taken with 200, and the link is gone afterwards",
    "Zephyr starts again and again and never comes to the deployment",
    "answer 200 with an empty body and Content-Length: 0, and show the link only while wanted",
)
OFFER = Need(
    "the deployment is answered with 200 and JSON that the client can read",
    "it cannot begin, or closes the action as failed",
    "one chunk with one artifact; see the field that is named here",
)
ID = Need(
    "the action's id is a string of digits that fits 32 bits",
    "it cannot read it",
    "count from 1001 and skip ids of one digit followed by zeros: an old Zephyr drops the first",
)
MODE = Need(
    "deployment.download and deployment.update are forced or attempt",
    "skip: SWUpdate closes the action with success, rauc downloads and does not install",
    'write "forced" for what shall be installed now',
)
FEEDBACK = Need(
    "feedback (proceeding) is taken with 200",
    "rauc logs an error with every step; the operator sees nothing",
    "accept unknown fields, empty details, progress 0/0 and a media type with charset",
)
KEPT = Need(
    "the deployment is still shown after it",
    "success, which is reported after the reboot, is never sent",
    "show deploymentBase until the action has a final report",
)
POLL_NEEDS = (ANSWERS, POLL, SLEEP, LINKS, ONE, CANCEL, CONFIG)
DEPLOYMENT_NEEDS = (OFFER, ID, MODE, FEEDBACK, KEPT)


class DdiLook:
    """Polls, puts attributes, reads the deployment."""

    def __init__(self, client: Ddi, probe: Probe) -> None:
        self._client = client
        self._probe = probe
        self._notes = probe.notes

    def poll(self) -> dict[str, Any]:
        answer = self.ask("GET", self._client.target.address())
        document = object_of(answer)
        good = answer.status == 200 and document is not None
        self._notes.demand(POLL, good, f"{answer.status}, {len(answer.body)} bytes")
        assert document is not None
        sleep = found(document, "config", "polling", "sleep")
        is_time = isinstance(sleep, str) and re.fullmatch(r"\d\d:[0-5]\d:[0-5]\d", sleep)
        self._notes.judge(SLEEP, bool(is_time), str(sleep))
        self._links(document)
        return document

    def _links(self, poll: dict[str, Any]) -> None:
        links = poll.get("_links")
        names = list(links) if isinstance(links, dict) else []
        relative = [name for name in names if not _is_absolute(link(poll, name))]
        shown = ", ".join(names) or "none"
        self._notes.judge(
            LINKS, not relative, f"relative: {', '.join(relative)}" * bool(relative) or shown
        )
        work = [name for name in WORK_LINKS if name in names]
        good = len(work) <= 1 and "confirmationBase" not in work
        self._notes.judge(ONE, good, ", ".join(work) or "none")
        if cancel := link(poll, "cancelAction"):
            self._notes.judge(CANCEL, "?" not in cancel, cancel)
        else:
            self._notes.untried(CANCEL, "nothing is canceled now")

    def attributes(self, poll: dict[str, Any]) -> dict[str, Any]:
        """The next poll, after they were put if they were asked for."""
        if link(poll, "configData") is None:
            self._notes.untried(CONFIG, "the server does not ask for attributes now")
            return poll
        document = {"mode": "merge", "data": self._client.attributes}
        answer = self.ask("PUT", self._client.target.address("configData"), document)
        after = self.poll()
        stays = link(after, "configData") is not None
        found_now = f"{answer.status}" + (", and the link is still there" if stays else "")
        self._notes.judge(CONFIG, answer.status == 200 and not stays, found_now)
        return after

    def deployment(self, poll: dict[str, Any]) -> dict[str, Any]:
        href = link(poll, "deploymentBase")
        if href is None:
            raise self._notes.end("the server offers this controller nothing now")
        answer = self.ask("GET", Address.of(href))
        document = object_of(answer)
        self._notes.demand(OFFER, answer.status == 200 and document is not None, str(answer.status))
        assert document is not None
        value = document.get("id")
        self._notes.judge(ID, _is_good_id(value), f"id: {value!r}")
        modes = [found(document, "deployment", name) for name in ("download", "update")]
        good = all(mode in INSTALLS for mode in modes)
        self._notes.judge(MODE, good, f"download, update: {modes[0]}, {modes[1]}")
        return document

    def report(self, document: dict[str, Any]) -> None:
        """One `proceeding`, and whether the deployment stays."""
        action = str(document.get("id"))
        said = {
            "id": action,
            "time": "20250101T000000",
            "status": {
                "execution": "proceeding",
                "result": {"finished": "none", "progress": {"cnt": 0, "of": 0}},
                "details": [],
            },
        }
        address = self._client.target.address("deploymentBase", action, "feedback")
        answer = self.ask("POST", address, said)
        self._notes.judge(FEEDBACK, answer.status == 200, str(answer.status))
        still = link(self.poll(), "deploymentBase")
        self._notes.judge(KEPT, still is not None, still or "the link is gone")

    def ask(self, method: str, address: Address, document: dict[str, Any] | None = None) -> Answer:
        return self._probe.ask(address, self._client.request(method, address, document))


def artifacts(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Of all chunks; whatever is no object is left out."""
    chunks = found(document, "deployment", "chunks")
    lists = [found(chunk, "artifacts") for chunk in chunks] if isinstance(chunks, list) else []
    return [
        one for some in lists if isinstance(some, list) for one in some if isinstance(one, dict)
    ]


def _is_good_id(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9]\d{0,9}", value):
        return False
    return int(value) < 2**31 and value[1:].strip("0") != ""


def _is_absolute(href: str | None) -> bool:
    return href is not None and re.match(r"https?://[^/]+/", href) is not None
