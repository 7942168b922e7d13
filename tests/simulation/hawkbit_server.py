"""A hawkBit server for one controller, right in everything but for what a test makes wrong."""

import hashlib
import json
import re
from dataclasses import dataclass, field

from tests.simulation.scripted import Asked, Files, reply

BASE = re.compile(r"/default/controller/v1/([^/?]+)(/[^?]*)?", re.IGNORECASE)


def artifact(name, content, url, **changes):
    """How a deployment describes an artifact."""
    hashes = {name: hashlib.new(name, content).hexdigest() for name in ("sha1", "md5", "sha256")}
    links = {"download": {"href": url}, "download-http": {"href": url}}
    return {"filename": name, "size": len(content), "hashes": hashes, "_links": links} | changes


@dataclass
class Hawkbit:
    """One action at most; `poll`, `deployment` and `artifact` are laid over what is right."""

    content: bytes = b""
    name: str = "image.swu"
    part: str = "os"
    version: str = "2.0.0"
    action: int | None = 1001
    cancels: bool = False
    wants_attributes: bool = True
    forgets_attributes: bool = False
    keeps_offering: bool = True
    feedback_status: int = 200
    sized: bool = True
    keeps: bool = True
    lower_case: bool = True
    poll: dict = field(default_factory=dict)
    deployment: dict = field(default_factory=dict)
    artifact: dict = field(default_factory=dict)
    files: Files | None = None
    more_chunks: int = 0
    root: str = ""
    attributes: dict = field(default_factory=dict)
    feedback: list = field(default_factory=list)
    cancel_feedback: list = field(default_factory=list)

    def __post_init__(self):
        self.files = self.files or Files({})

    def __call__(self, asked: Asked) -> bytes:
        self.root = f"http://{asked.headers['host']}"
        if asked.path.startswith("/download/"):
            self.files.files = {asked.path: self.content}
            return self.files(asked)
        place = BASE.match(asked.path)
        if place is None or (not self.lower_case and "/DEFAULT/" not in asked.path):
            return self._say(404, {})
        return self._controller(asked, place[1], place[2] or "")

    def _controller(self, asked, controller, tail):
        document = json.loads(asked.body) if asked.body else None
        if tail == "":
            return self._say(200, self._poll(controller))
        if tail == "/configData":
            self.attributes = document["data"]
            self.wants_attributes = self.forgets_attributes
            return self._say(200)
        if tail == f"/deploymentBase/{self.action}":
            return self._say(200, self._deployment())
        if tail == f"/cancelAction/{self.action}":
            stop = {"stopId": str(self.action)}
            return self._say(200, {"id": str(self.action), "cancelAction": stop})
        if tail == f"/cancelAction/{self.action}/feedback":
            return self._cancelled(document["status"])
        if re.fullmatch(r"/deploymentBase/\d+/feedback", tail):
            return self._told(document["status"])
        return self._say(404, {})

    def _told(self, status):
        self.feedback.append(status)
        if status["execution"] == "closed" or not self.keeps_offering:
            self.action = None
        return self._say(self.feedback_status)

    def _cancelled(self, status):
        self.cancel_feedback.append(status)
        self.cancels = False
        if status["execution"] == "closed" and status["result"]["finished"] == "success":
            self.action = None
        return self._say(200)

    def _poll(self, controller):
        base = f"{self.root}/DEFAULT/controller/v1/{controller}"
        links = {}
        if self.wants_attributes:
            links["configData"] = {"href": f"{base}/configData"}
        if self.cancels:
            links["cancelAction"] = {"href": f"{base}/cancelAction/{self.action}"}
        elif self.action is not None:
            links["deploymentBase"] = {"href": f"{base}/deploymentBase/{self.action}?c=-21"}
        return {"config": {"polling": {"sleep": "00:05:00"}}, "_links": links} | self.poll

    def _deployment(self):
        one = artifact(self.name, self.content, f"{self.root}/download/{self.name}")
        chunk = {"part": self.part, "version": self.version, "name": "gateway"}
        chunk["artifacts"] = [one | self.artifact]
        deployment = {"download": "forced", "update": "forced"}
        deployment["chunks"] = [chunk] * (1 + self.more_chunks)
        return {"id": str(self.action), "deployment": deployment | self.deployment}

    def _say(self, status, document=None):
        body = b"" if document is None else json.dumps(document).encode()
        headers = {} if self.keeps else {"Connection": "close"}
        return reply(status, body, sized=self.sized, **headers)
