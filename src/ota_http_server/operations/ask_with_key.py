"""Asking with a key pair: a device asks to be let in, and has tokens made once it is.

It signs who it wants to be and a fresh challenge of ours. What is cheap is looked at first, and a
stranger can write at most a bounded number of pending keys, and those only where a project takes
keys at all. A pending device gets nothing.
"""

from dataclasses import dataclass

from ota_http_server.domain.device_key import ANY_DEVICE, DeviceKey, KeyState, signed_words
from ota_http_server.domain.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from ota_http_server.domain.identity import enrolled_id, project_name
from ota_http_server.operations.admit_key import admitted, check_free
from ota_http_server.operations.download import NO_SUCH_PROJECT
from ota_http_server.operations.news import News
from ota_http_server.operations.slow_guessing import network_of
from ota_http_server.security.challenges import Challenges
from ota_http_server.security.device_signatures import (
    PublicKey,
    check_signature,
    fingerprint,
    pem_of,
    public_key,
)
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Reading, Writing

PENDING_MAX = 1_000  # of one project
PENDING_OF_NETWORK_MAX = 250  # of them from one network, so that nobody fills the list alone
FULL_RETRY_SECONDS = 3_600
CHALLENGE_CHARACTERS_MAX = 64


@dataclass(frozen=True, slots=True)
class SignedWords:
    """Who a device wants to be, and its proof. Right in form; what it is worth is seen later."""

    project: str
    device: str
    challenge: str
    signature: object

    @classmethod
    def of(
        cls, project: object, device_id: object, challenge: object, signature: object
    ) -> "SignedWords":
        """From words from outside, or `Invalid`."""
        if not isinstance(project, str):
            raise Invalid("project is needed, as text")
        if not isinstance(challenge, str) or len(challenge) > CHALLENGE_CHARACTERS_MAX:
            raise Invalid("challenge is needed, as the server gave it")
        if not isinstance(device_id, str):
            raise Invalid("device_id is needed, as text")
        # The words are signed as they were said; only what follows from them is canonical.
        project_name(project)
        enrolled_id(device_id)
        return cls(project, device_id, challenge, signature)

    @property
    def device_key(self) -> str:
        return enrolled_id(self.device)

    def check(self, key: PublicKey) -> None:
        check_signature(
            key, self.signature, signed_words(self.project, self.device, self.challenge)
        )


class AskWithKey:
    """The operation; one for each process."""

    def __init__(
        self, database: Database, challenges: Challenges, news: News, *, devices_max: int
    ) -> None:
        self._database = database
        self._challenges = challenges
        self._news = news
        self._devices_max = devices_max

    def challenge(self) -> str:
        """Something to sign, good for five minutes."""
        return self._challenges.new(self._now())

    def __call__(self, words: SignedWords, key_text: object, address: str) -> DeviceKey:
        """The key as it stands now: pending, or accepted.

        Raises `NotFound` where the project takes no keys, `Unauthenticated` where challenge or
        signature do not hold, `Forbidden` for a rejected key.
        """
        self._challenges.check(words.challenge, self._now())
        with self._database.reading() as rows:
            if not rows.projects.get(words.project).accepts_keys:
                raise NotFound(NO_SUCH_PROJECT)
        key = public_key(key_text)
        words.check(key)
        with self._database.reading() as rows:
            known = _standing(rows, words, fingerprint(key))
        if known is not None:
            return known
        asked = self._database.change(lambda tx: self._asked(tx, words, key, address))
        self._news.refresh()
        return asked

    def _asked(self, tx: Writing, words: SignedWords, key: PublicKey, address: str) -> DeviceKey:
        tx.device_keys.take_turn()
        known = _standing(tx, words, fingerprint(key))
        if known is not None:
            return known
        asks = DeviceKey(
            fingerprint=fingerprint(key),
            project=words.project,
            device=words.device_key,
            public_key=pem_of(key),
            state=KeyState.PENDING,
            address=address[:64],
            created_at=tx.second,
        )
        announced = tx.device_keys.get(asks.fingerprint)
        if announced is not None:
            check_free(tx, announced.device, asks.device)
            by = announced.decided_by or asks.name
            return admitted(tx, asks, by, address or None, self._devices_max)
        _check_room(tx, words.project, address)
        tx.device_keys.put(asks)
        return asks

    def _now(self) -> int:
        return int(self._database.clock().timestamp())


def _standing(rows: Reading, words: SignedWords, name: str) -> DeviceKey | None:
    """The key, if it has asked before; None if it is new, or was only announced."""
    key = rows.device_keys.get(name)
    if key is None:
        return None
    if key.project != words.project or key.device not in (words.device_key, ANY_DEVICE):
        raise Conflict("this key is another device's")
    if key.state is KeyState.REJECTED:
        raise Forbidden("this key was rejected")
    return None if key.state is KeyState.ANNOUNCED else key


def _check_room(tx: Writing, project: str, address: str) -> None:
    networks = [network_of(one) for one in tx.device_keys.pending_addresses(project)]
    mine = networks.count(network_of(address))
    if len(networks) >= PENDING_MAX or mine >= PENDING_OF_NETWORK_MAX:
        raise TooMany("too many keys wait for an operator already", FULL_RETRY_SECONDS)
