"""Looking after one device: what people settle about it, and what they put an end to.

After these operations return, this process knows; the others within two seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from ota_http_server.domain.attempt import BEGUN, Attempt, State
from ota_http_server.domain.device import Device
from ota_http_server.domain.device_settings import changed
from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import Conflict
from ota_http_server.domain.identity import device_key
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.operations.enroll import taken_back
from ota_http_server.operations.find_device import device_for
from ota_http_server.operations.move_attempt import move
from ota_http_server.operations.news import News
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.verify_token import TokenVerifier
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

T = TypeVar("T")


class LookAfterDevice:
    """The operations; one for each process."""

    def __init__(
        self, database: Database, news: News, registry: Registry, verifier: TokenVerifier
    ) -> None:
        self._database = database
        self._news = news
        self._registry = registry
        self._verifier = verifier

    def change(
        self,
        operator: Operator,
        device_id: str,
        wish: Mapping[str, object],
        expected: Expected = ANY_EDITION,
    ) -> Device:
        """The device with these settings. What is so already is no change and no event.

        Moved to another project it takes its credentials along; `Outdated` for another edition.
        """
        device_id = device_key(device_id)

        def done(tx: Writing) -> Device:
            before = device_for(tx, operator, device_id)
            expected.check(before.edition)
            after = changed(before, wish, tx.second)
            if after == before:
                return before
            operator.must(Role.OPERATOR, after.project)
            after = replace(after, edition=before.edition + 1)
            tx.devices.change(after)
            if after.project != before.project:
                _move(tx, after)
            names = [name for name in wish if getattr(after, name) != getattr(before, name)]
            _note(tx, "change_device", operator, after, changed="+".join(sorted(names)))
            return after

        return self._done(device_id, done)

    def wipe(self, operator: Operator, device_id: str) -> Device:
        """Lets it try again: earlier failures and deliveries count no more."""
        device_id = device_key(device_id)

        def done(tx: Writing) -> Device:
            device = device_for(tx, operator, device_id)
            tx.devices.wipe(device_id)
            attempt = tx.attempts.latest_of(device_id)
            if attempt is not None and attempt.is_canceling:
                move(tx, attempt, State.CANCELED, "let go before the device agreed")
            elif attempt is not None and attempt.is_open and attempt.deliveries:
                tx.attempts.change(replace(attempt, deliveries=0))
            _note(tx, "retry_device", operator, device)
            return device

        return self._done(device_id, done)

    def cancel(self, operator: Operator, device_id: str) -> Attempt:
        """Calls its open attempt off: at once if nothing began, else as soon as it agrees.

        Raises `Conflict` where nothing is open, and for what it has installed already.
        """
        device_id = device_key(device_id)

        def done(tx: Writing) -> Attempt:
            device = device_for(tx, operator, device_id)
            attempt = tx.attempts.latest_of(device_id)
            if attempt is None or not attempt.is_open:
                raise Conflict("no update of this device is under way")
            if attempt.cancel_asked:
                return attempt
            if not attempt.may_become(State.CANCELED):
                raise Conflict(f"it is too late: {attempt.version} is installed already")
            attempt = called_off(tx, attempt)
            _note(tx, "cancel_attempt", operator, device, attempt=attempt.id)
            return attempt

        return self._done(device_id, done)

    def remove(
        self, operator: Operator, device_id: str, expected: Expected = ANY_EDITION
    ) -> Device:
        """Forgets the device, its attempts and all that it had; its tokens so far are revoked.

        Where its project lets devices in at their first check-in, it can come back with a new one.
        """
        device_id = device_key(device_id)

        def done(tx: Writing) -> Device:
            tx.device_keys.take_turn()
            device = device_for(tx, operator, device_id)
            expected.check(device.edition)
            taken_back(tx, device, operator.name)
            tx.credentials.forget(one.digest for one in tx.credentials.of_device(device_id))
            tx.device_keys.forget_device(device_id)
            tx.attempts.forget_device(device_id)
            tx.devices.remove(device_id)
            _note(tx, "remove_device", operator, device)
            return device

        return self._done(device_id, done)

    def _done(self, device_id: str, work: Callable[[Writing], T]) -> T:
        result = self._database.change(work)
        self._news.refresh()
        self._registry.forget(device_id)
        self._verifier.refresh()
        return result


def _move(tx: Writing, device: Device) -> None:
    """To its new project: with all that it has, and without a try at the old one's releases."""
    tx.credentials.move_device(device.id, device.project)
    tx.device_keys.move_device(device.id, device.project)
    attempt = tx.attempts.latest_of(device.id)
    if attempt is not None and attempt.is_open:
        move(tx, attempt, State.SUPERSEDED, "the device was moved to another project")


def called_off(tx: Writing, attempt: Attempt, *, with_rollout: bool = False) -> Attempt:
    """The attempt, ended at once if nothing began, else as soon as the device agrees."""
    attempt = replace(attempt, cancel_asked=True, with_rollout=with_rollout, changed_at=tx.second)
    if attempt.state not in BEGUN:
        return move(tx, attempt, State.CANCELED, "called off before it began")
    tx.attempts.change(attempt)
    return attempt


def _note(tx: Writing, action: str, operator: Operator, device: Device, **more: str | int) -> None:
    tx.events.add(
        action,
        IP=operator.address,
        device=device.id,
        project=device.project,
        actor=operator.name,
        **more,
    )
