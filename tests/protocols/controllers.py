"""A hawkBit target in this process: it polls, follows links and reports, in words of the test.

target = Target(ota, "gateway-1", a_credential(ota, "gateway-1"))
target.says(version="1.0.0", hw_revision="1.0")
assert "deploymentBase" in target.links()
"""

import json
from dataclasses import replace

from ota_http_server.domain.swupdate_sample import swupdate_bundle
from ota_http_server.operations.verify_token import credential_of
from ota_http_server.storage.credentials import Credential, Kind

PROJECT = "gateway"
DEVICE = "gateway-1"


def a_credential(ota, device=DEVICE, project=PROJECT, kind=Kind.DEVICE):
    """An opaque one, as the server gives them out."""
    text = ota.ota.opaque.new_credential()
    owner = device if kind is Kind.DEVICE else ""
    row = Credential(credential_of(text).hex(), kind, owner, project, ota.clock.second, "test")
    ota.ota.stores.database.change(lambda tx: tx.credentials.add(row))
    return text


def bundle(version, **facts):
    return swupdate_bundle(version=version, payload_bytes=4096, **facts)


def publish(ota, version, content=None, project=PROJECT):
    """A bundle as a release, by the folder."""
    content = content or bundle(version)
    ota.drop_old(project, f"{project}-{version}.swu", content)
    return content


class Target:
    """One controller; `scheme` None leaves the credential out."""

    def __init__(self, ota, device=DEVICE, token=None, scheme="TargetToken", tenant="DEFAULT"):
        self.ota = ota
        self.device = device
        self.token = token
        self.scheme = scheme
        self.path = f"/{tenant}/controller/v1/{device}"

    def ask(self, method, path="", document=None, **headers):
        """`path` is below the controller's, or a whole URL of ours."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None and self.scheme is not None:
            fields.setdefault("Authorization", f"{self.scheme} {self.token}")
        body = document if isinstance(document, bytes | None) else json.dumps(document).encode()
        if body is not None:
            fields.setdefault("Content-Type", "application/json;charset=UTF-8")
        where = path.removeprefix("http://localhost") if "://" in path else self.path + path
        return self.ota.client.open(where, method=method, headers=fields, data=body, buffered=True)

    def poll(self):
        answer = self.ask("GET")
        assert answer.status_code == 200, answer.data
        return answer.get_json(force=True)

    def links(self):
        """Name → href of what the poll shows."""
        return {name: link["href"] for name, link in self.poll()["_links"].items()}

    def says(self, mode=None, **attributes):
        """PUT configData."""
        document = {"data": attributes} | ({"mode": mode} if mode else {})
        return self.ask("PUT", "/configData", document)

    def offered(self):
        """The action's id, polled for."""
        href = self.links()["deploymentBase"]
        return int(href.rpartition("/")[2].partition("?")[0])

    def deployment(self):
        answer = self.ask("GET", self.links()["deploymentBase"])
        assert answer.status_code == 200, answer.data
        return answer.get_json(force=True)

    def artifact(self):
        (chunk,) = self.deployment()["deployment"]["chunks"]
        return chunk["artifacts"][0]

    def reports(self, action, execution, finished="none", details=(), place="deploymentBase"):
        status = {"execution": execution, "result": {"finished": finished}, "details": details}
        document = {"id": str(action), "time": "20251009T153412", "status": status}
        return self.ask("POST", f"/{place}/{action}/feedback", document)

    # --- what the registry knows

    @property
    def row(self):
        with self.ota.ota.stores.database.reading() as rows:
            return rows.devices.get(self.device)

    @property
    def attempts(self):
        """The latest first."""
        with self.ota.ota.stores.database.reading() as rows:
            return rows.attempts.of_device(self.device, 50)

    @property
    def state(self):
        return str(self.attempts[0].state)

    def cancel(self):
        """As an operator asks it."""

        def asked(tx):
            attempt = tx.attempts.latest_of(self.device)
            tx.attempts.change(replace(attempt, cancel_asked=True, changed_at=tx.second))

        self.ota.ota.stores.database.change(asked)
        self.ota.ota.registry.forget(self.device)


def knows(target, version="1.0.0", **attributes):
    """It said once what it is, so that it may be offered something."""
    said = {"version": version, "hw_revision": "1.0"} | attributes
    assert target.says(**said).status_code == 200
    return target
