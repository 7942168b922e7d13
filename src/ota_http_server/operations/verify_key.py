"""Verifying an API key: from memory, so that a wrong one costs no query.

The digests of all unrevoked keys are kept as a snapshot, which is read anew when the counter of
keys moved: a revocation holds everywhere within two seconds. A key that is not known is looked for
once more after asking for that counter, so that one given a moment ago, by the command line or
another process, opens at once.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from ota_http_server.domain.api_key import KEY_PATTERN, ApiKey
from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.domain.operator import Operator
from ota_http_server.operations.give_key import key_digest
from ota_http_server.operations.news import News
from ota_http_server.storage.counters import KEYS
from ota_http_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class _Snapshot:
    count: int = -1
    keys: Mapping[str, ApiKey] = field(default_factory=dict)
    """By digest."""


class KeyVerifier:
    """Turns a key into an Operator. One for each process."""

    def __init__(self, database: Database, news: News) -> None:
        self._database = database
        self._news = news
        self._known = _Snapshot()

    def verify(self, text: str, address: str) -> Operator:
        """Whose key this is; `Unauthenticated` if it does not hold (any more)."""
        if not KEY_PATTERN.match(text):
            raise Unauthenticated("not the form of an API key")
        digest = key_digest(text)
        # What the look-up's time may tell is about the digest of a guess, which leads to no key.
        key = self._keys(self._news.of(KEYS)).get(digest)
        if key is None:
            key = self._keys(self._news.fresh(KEYS)).get(digest)
        if key is None or not hmac.compare_digest(key.digest, digest):
            raise Unauthenticated("no such API key, or it was revoked")
        if not key.holds(int(self._database.clock().timestamp())):
            raise Unauthenticated(f"the API key {key.name} has expired")
        return Operator(key.name, address, key.role, key.project)

    def refresh(self) -> None:
        """By a chore: a key that was never shown here opens, too, while the database is away."""
        self._keys(self._news.of(KEYS))

    def _keys(self, count: int) -> Mapping[str, ApiKey]:
        if count != self._known.count:
            with self._database.reading() as rows:
                found = rows.api_keys.unrevoked()
            self._known = _Snapshot(count, {key.digest: key for key in found})
        return self._known.keys
