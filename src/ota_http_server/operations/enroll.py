"""Enrolling by an operator: a device comes into the registry and gets a credential of its own.

The text of a credential is told once, to whoever asked for it; the server keeps its digest. After
these operations return, this process knows; the others within two seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ota_http_server.domain.device import Device
from ota_http_server.domain.device_key import KeyState
from ota_http_server.domain.device_settings import changed
from ota_http_server.domain.errors import Conflict, Invalid, NotFound
from ota_http_server.domain.identity import device_key, enrolled_id, project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.operations.find_device import device_for
from ota_http_server.operations.issue_credential import NAME_CHARACTERS, IssuedCredential, issued
from ota_http_server.operations.news import News
from ota_http_server.operations.register_device import found_or_registered
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.verify_token import TokenVerifier
from ota_http_server.security.credentials import Opaque
from ota_http_server.storage.credentials import Credential
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

DIGEST_START_PATTERN = re.compile(r"[0-9a-f]{8,64}\Z")
ALIKE_MAX = 20  # digests that begin alike; two of eight digits are rare already

GATEWAY_WARNING = (
    "whoever has this key speaks for every device of the project, and can say that any of them runs"
    " anything; give devices credentials of their own where you can"
)
NO_FACTS: Mapping[str, object] = MappingProxyType({})


class Enroll:
    """The operations; one for each process."""

    def __init__(
        self,
        database: Database,
        opaque: Opaque,
        news: News,
        registry: Registry,
        verifier: TokenVerifier,
        *,
        devices_max: int,
    ) -> None:
        self._database = database
        self._opaque = opaque
        self._news = news
        self._registry = registry
        self._verifier = verifier
        self._devices_max = devices_max

    def register(
        self, operator: Operator, project: str, device_id: str, facts: Mapping[str, object]
    ) -> Device:
        """Puts a device into the registry. `facts` are settings; `Conflict` if it is there."""
        new = _checked(operator, project, device_id, facts)

        def registered(tx: Writing) -> Device:
            return self._registered(tx, operator, new, facts, must_be_new=True)[0]

        device = self._database.change(registered)
        self._tell(device.id)
        return device

    def issue(
        self,
        operator: Operator,
        project: str,
        device_id: str,
        facts: Mapping[str, object] = NO_FACTS,
        *,
        must_be_new: bool = False,
    ) -> IssuedCredential:
        """One credential more for the device; `facts` count if it comes into the registry by it.

        Raises `Conflict` for a device of another project, and for one that has too many.
        """
        new = _checked(operator, project, device_id, facts)
        text = self._opaque.new_credential()

        def given(tx: Writing) -> IssuedCredential:
            device, is_new = self._registered(tx, operator, new, facts, must_be_new=must_be_new)
            credential = issued(tx, text, device.id, project, operator.name, operator.address)
            return IssuedCredential(credential, text, is_new)

        result = self._database.change(given)
        self._tell(new.id)
        return result

    def gateway(self, operator: Operator, project: str) -> IssuedCredential:
        """A key that speaks for every device of the project, as hawkBit's gateways need it."""
        project_name(project)
        operator.must(Role.OPERATOR, project)
        text = self._opaque.new_credential()

        def given(tx: Writing) -> Credential:
            return issued(tx, text, "", project, operator.name, operator.address)

        credential = self._database.change(given)
        return IssuedCredential(credential, text, True, GATEWAY_WARNING)

    def revoke(self, operator: Operator, digest_start: str) -> Credential:
        """One credential, by the beginning of its digest. Again is no error, and no event."""
        operator.must(Role.OPERATOR, operator.project)
        if not DIGEST_START_PATTERN.match(digest_start):
            raise Invalid("say at least 8 hexadecimal digits of the credential's digest")

        def revoked(tx: Writing) -> Credential:
            found = tx.credentials.starting(digest_start, ALIKE_MAX)
            found = [one for one in found if operator.may_see(one.project)]
            if not found:
                raise NotFound("there is no such credential")
            if len(found) > 1:
                raise Conflict("more than one credential begins so: say more of the digest")
            credential = found[0]
            if tx.credentials.revoke(credential.digest, tx.second):
                tx.events.add(
                    "revoke_credential",
                    IP=operator.address,
                    device=credential.device or None,
                    project=credential.project,
                    actor=operator.name,
                    credential=credential.digest[:NAME_CHARACTERS],
                )
            return tx.credentials.get(credential.digest) or credential

        credential = self._database.change(revoked)
        self._verifier.refresh()
        return credential

    def revoke_all(self, operator: Operator, device_id: str) -> int:
        """Whatever opens anything in the device's name: credentials, tokens so far, its key.

        How many credentials and keys were good until now. A claim code may let it in again.
        """
        device_id = device_key(device_id)

        def revoked(tx: Writing) -> int:
            tx.device_keys.take_turn()
            device = device_for(tx, operator, device_id)
            count = taken_back(tx, device, operator.name)
            tx.events.add(
                "revoke_credential",
                IP=operator.address,
                device=device.id,
                project=device.project,
                actor=operator.name,
                count=count,
            )
            return count

        count = self._database.change(revoked)
        self._verifier.refresh()
        return count

    def _registered(
        self,
        tx: Writing,
        operator: Operator,
        new: Device,
        facts: Mapping[str, object],
        *,
        must_be_new: bool,
    ) -> tuple[Device, bool]:
        wished = changed(replace(new, created_at=tx.second), facts, tx.second)
        device, is_new = found_or_registered(
            tx, replace(wished, created_by=operator.name), self._devices_max
        )
        if device.project != new.project:
            raise Conflict(f"device {device.id} belongs to another project")
        if must_be_new and not is_new:
            raise Conflict(f"device {device.id} is in the registry already")
        return device, is_new

    def _tell(self, device_id: str) -> None:
        self._news.refresh()
        self._registry.forget(device_id)


def taken_back(tx: Writing, device: Device, by: str) -> int:
    """Revokes all that the device has, and counts the credentials and keys among it.

    Whoever calls has the turn of the keys, and the device locked.
    """
    live = [one for one in tx.credentials.of_device(device.id) if one.revoked_at is None]
    for credential in live:
        tx.credentials.revoke(credential.digest, tx.second)
    keys = tx.device_keys.of_device(device.project, device.id, KeyState.ACCEPTED)
    for key in keys:
        tx.device_keys.put(
            replace(key, state=KeyState.REJECTED, decided_at=tx.second, decided_by=by)
        )
    tx.revocations.revoke_device(device.id, tx.second)
    return len(live) + len(keys)


def _checked(
    operator: Operator, project: str, device_id: str, facts: Mapping[str, object]
) -> Device:
    """The device that is asked for; `facts` must name no other project."""
    device = Device(id=enrolled_id(device_id), project=project_name(project))
    operator.must(Role.OPERATOR, project)
    if "project" in facts:
        raise Invalid("a device comes into the project that was named")
    return device
