"""Giving API keys to people and programs, and taking them back.

The text of a key is shown once, to whoever creates it; the server keeps its digest.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from ota_http_server.domain.api_key import KEY_PREFIX, LIFE_DAYS_MAX, ApiKey, key_name, role_of
from ota_http_server.domain.errors import Conflict, Invalid, NotFound
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.operations.news import News
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

KEY_BYTES = 32
KEYS_MAX = 10_000  # every process has the digests of all of them in memory
DAY_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What is asked for."""

    name: str
    role: Role
    project: str | None
    expires_at: int | None
    """In unix seconds; None: it ends when it is revoked."""

    @classmethod
    def of(cls, name: object, role: object, project: object, expires_at: int | None) -> "KeyWish":
        """The wish that these words from outside express, or `Invalid`."""
        if project is not None and not isinstance(project, str):
            raise Invalid("project must be text, or left out for a key to all projects")
        only = None if project is None else project_name(project)
        return cls(key_name(name), role_of(role), only, expires_at)


@dataclass(frozen=True, slots=True)
class Given:
    """A new key, with its text."""

    key: ApiKey
    text: str = field(repr=False)


def key_digest(text: str) -> str:
    """What the server keeps of a key."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class GiveKey:
    """The operations. After they return, this process knows; the others within two seconds."""

    def __init__(
        self, database: Database, news: News, random: Callable[[int], str] = secrets.token_urlsafe
    ) -> None:
        self._database = database
        self._news = news
        self._random = random

    def create(self, operator: Operator, wish: KeyWish) -> Given:
        """Raises `Conflict` for a name that was given before, to a revoked key too."""
        operator.must(Role.ADMIN, wish.project)
        text = KEY_PREFIX + self._random(KEY_BYTES)

        def created(tx: Writing) -> ApiKey:
            tx.api_keys.take_turn()
            _check_end(wish.expires_at, tx.second)
            if tx.api_keys.get(wish.name) is not None:
                # The audit log names keys: two with one name would be one actor.
                raise Conflict(f"there is, or was, a key {wish.name}; take another name")
            if tx.api_keys.count() >= KEYS_MAX:
                raise Conflict(f"there are {KEYS_MAX:,} keys already")
            key = ApiKey(
                wish.name,
                key_digest(text),
                wish.role,
                wish.project,
                created_at=tx.second,
                created_by=operator.name,
                expires_at=wish.expires_at,
            )
            tx.api_keys.add(key)
            _note(tx, "create_key", operator, key)
            return key

        key = self._database.change(created)
        self._news.refresh()
        return Given(key, text)

    def revoke(self, operator: Operator, name: str) -> ApiKey:
        """Revoking it again is no error, and no event."""
        operator.must(Role.ADMIN, operator.project)

        def revoked(tx: Writing) -> ApiKey:
            key = tx.api_keys.get(name)
            if key is None or not _may_see(operator, key):
                raise NotFound("there is no such key")
            if tx.api_keys.revoke(name, tx.second):
                _note(tx, "revoke_key", operator, key)
            return tx.api_keys.get(name) or key

        key = self._database.change(revoked)
        self._news.refresh()
        return key


def _may_see(operator: Operator, key: ApiKey) -> bool:
    return operator.project is None or operator.project == key.project


def _check_end(expires_at: int | None, now: int) -> None:
    if expires_at is not None and not now < expires_at <= now + LIFE_DAYS_MAX * DAY_SECONDS:
        raise Invalid(
            f"expires_at must lie in the future, {LIFE_DAYS_MAX} days at most; left out, the key"
            " has no end"
        )


def _note(tx: Writing, action: str, operator: Operator, key: ApiKey) -> None:
    tx.events.add(
        action,
        IP=operator.address,
        project=key.project,
        exp=key.expires_at,
        actor=operator.name,
        key=key.name,
        role=key.role.word,
    )
