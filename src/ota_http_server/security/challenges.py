"""Challenges for devices with a key pair: the server's own word for a moment, which it need not
remember.

`<unix second, hex>.<seal>`. A signature over one proves that the key was there within the last
five minutes; what somebody recorded earlier is worth nothing.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

from ota_http_server.domain.errors import Unauthenticated

CHALLENGE_SECONDS = 300  # a slow board on a slow line needs a few
AHEAD_SECONDS_MAX = 60  # another instance's clock
CHALLENGE_PATTERN = re.compile(r"([0-9a-f]{8})\.([A-Za-z0-9_-]{22})\Z")


class Challenges:
    """Works with a key that follows from the server's one secret for devices."""

    def __init__(self, secret: str) -> None:
        purpose = b"ota_http_server challenge"
        self._key = hmac.digest(secret.encode("utf-8", "surrogateescape"), purpose, hashlib.sha256)

    def new(self, now: int) -> str:
        moment = f"{now:08x}"
        return f"{moment}.{self._seal(moment)}"

    def check(self, challenge: str, now: int) -> None:
        """Raises `Unauthenticated` unless it is one of ours and fresh."""
        match = CHALLENGE_PATTERN.match(challenge)
        if match is None:
            raise Unauthenticated("no challenge of ours")
        moment, seal = match.groups()
        if not hmac.compare_digest(self._seal(moment).encode(), seal.encode()):
            raise Unauthenticated("no challenge of ours")
        if not -AHEAD_SECONDS_MAX <= now - int(moment, 16) < CHALLENGE_SECONDS:
            raise Unauthenticated("the challenge is too old")

    def _seal(self, moment: str) -> str:
        seal = hmac.digest(self._key, moment.encode(), hashlib.sha256)[:16]
        return urlsafe_b64encode(seal).decode().rstrip("=")
