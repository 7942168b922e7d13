"""Opaque device credentials and download tickets: what a device shows where a JWT is too much.

A credential is 32 of `[A-Za-z0-9]`: Zephyr's hawkBit client takes no more, Tasmota's whole URL
has 200 characters. Of those, 26 are random and 6 are a keyed sum of them, so that a stranger's
guesses are refused without asking the database. The server keeps its SHA-256 only.

A ticket opens one image for one device for an hour. The server makes it for URLs that it hands
out, which must carry no credential that opens anything else.
"""

import hashlib
import hmac
import re
import secrets
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.domain.identity import SUBJECT_PATTERN

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits
RANDOM_CHARACTERS = 26  # 154 bits
SUM_CHARACTERS = 6  # 35 bits: one guess in thirty thousand million costs a look at the database
CREDENTIAL_PATTERN = re.compile(r"[A-Za-z0-9]{32}\Z")

TICKET_SECONDS = 3_600  # as long as a begun download stays its device's
TICKET_PATTERN = re.compile(r"t([0-9a-f]{8})\.([A-Za-z0-9_-]{0,86})\.([A-Za-z0-9_-]{22})\Z")
DIGEST_CHARACTERS = 16  # of the image's SHA-256, as in its URL


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket that holds says."""

    device: str
    """"" where nobody knows which device it is."""
    issued_at: int
    expires_at: int


class Opaque:
    """Makes and checks both with keys that follow from the server's one secret."""

    def __init__(self, secret: str) -> None:
        self._sum_key = _derived(secret, b"credential")
        self._ticket_key = _derived(secret, b"download ticket")

    def new_credential(self) -> str:
        random = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))
        return random + self._sum(random)

    def may_be_credential(self, text: str) -> bool:
        """Whether it was made with this secret; if it still holds, its row says."""
        if not CREDENTIAL_PATTERN.match(text):
            return False
        random, its_sum = text[:RANDOM_CHARACTERS], text[RANDOM_CHARACTERS:]
        return hmac.compare_digest(self._sum(random).encode(), its_sum.encode())

    def new_ticket(self, device: str, project: str, sha256: str, now: int) -> str:
        """`now` in unix seconds; the ticket goes into the path of an image's immutable URL."""
        expires = f"{now + TICKET_SECONDS:08x}"
        name = urlsafe_b64encode(device.encode()).decode().rstrip("=")
        return f"t{expires}.{name}.{self._seal(expires, device, project, sha256)}"

    def read_ticket(self, text: str, project: str, digest_start: str, now: int) -> Ticket:
        """The ticket, if it opens this image of this project now; else `Unauthenticated`."""
        match = TICKET_PATTERN.match(text)
        if match is None:
            raise Unauthenticated("no download ticket")
        expires, name, seal = match.groups()
        device = _device(name)
        expected = self._seal(expires, device, project, digest_start)
        if not hmac.compare_digest(expected.encode(), seal.encode()):
            raise Unauthenticated("the download ticket does not hold for this image")
        expires_at = int(expires, 16)
        if now >= expires_at:
            raise Unauthenticated("the download ticket has expired")
        return Ticket(device, expires_at - TICKET_SECONDS, expires_at)

    def _sum(self, random: str) -> str:
        number = int.from_bytes(_mac(self._sum_key, random.encode())[:8], "big")
        digits = []
        for _ in range(SUM_CHARACTERS):
            number, digit = divmod(number, len(ALPHABET))
            digits.append(ALPHABET[digit])
        return "".join(digits)

    def _seal(self, expires: str, device: str, project: str, sha256: str) -> str:
        said = "\n".join((expires, device, project, sha256[:DIGEST_CHARACTERS]))
        return urlsafe_b64encode(_mac(self._ticket_key, said.encode())[:16]).decode().rstrip("=")


def _device(name: str) -> str:
    try:
        device = urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode("ascii")
    except ValueError:
        raise Unauthenticated("the download ticket names no device") from None
    if device and not SUBJECT_PATTERN.match(device):
        raise Unauthenticated("the download ticket names no device")
    return device


def _derived(secret: str, purpose: bytes) -> bytes:
    return _mac(secret.encode("utf-8", "surrogateescape"), b"ota_http_server " + purpose)


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)
