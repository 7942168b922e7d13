"""Making and checking claim codes.

Of a code's 20 characters 16 are random, 80 bits, and 4 are a keyed sum of them: a stranger's
guesses, and a person's slips, are refused without asking the database. Nobody can try the codes
of a stolen backup faster than by 2^80 hashes, so their SHA-256 needs no salt.
"""

import hashlib
import hmac
import secrets

from ota_http_server.domain.claim import CODE_ALPHABET, grouped, plain_code

RANDOM_CHARACTERS = 16  # five bits each
SUM_CHARACTERS = 4  # one guess in a million costs a look at the database


class ClaimCodes:
    """Works with a key that follows from the server's one secret for devices."""

    def __init__(self, secret: str) -> None:
        purpose = b"ota_http_server claim code"
        self._key = hmac.digest(secret.encode("utf-8", "surrogateescape"), purpose, hashlib.sha256)

    def new(self) -> str:
        """A code as it is shown."""
        random = "".join(secrets.choice(CODE_ALPHABET) for _ in range(RANDOM_CHARACTERS))
        return grouped(random + self._sum(random))

    def digest(self, typed: str) -> str | None:
        """What the server keeps of this code; None for one that was not made with this secret."""
        code = plain_code(typed)
        if code is None:
            return None
        random, its_sum = code[:RANDOM_CHARACTERS], code[RANDOM_CHARACTERS:]
        if not hmac.compare_digest(self._sum(random).encode(), its_sum.encode()):
            return None
        return hashlib.sha256(code.encode()).hexdigest()

    def _sum(self, random: str) -> str:
        number = int.from_bytes(hmac.digest(self._key, random.encode(), hashlib.sha256)[:8], "big")
        digits = []
        for _ in range(SUM_CHARACTERS):
            number, digit = divmod(number, len(CODE_ALPHABET))
            digits.append(CODE_ALPHABET[digit])
        return "".join(digits)
