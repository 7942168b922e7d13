"""The dialect of boards that have no credential yet, or have it made with a key of their own.

    enroll      a claim code → the board's own credential
    challenge   something to sign, good for five minutes
    key         a public key, and the challenge signed with it → it waits, or is accepted
    token       the signed challenge of an accepted key → a short token, or a lasting credential

All are POST with JSON. A board says what it is in the words of `check`; what it says beyond that is
ignored. Answers have a few hundred bytes: a board has a kilobyte for them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ota_http_server.domain.device_key import KeyState
from ota_http_server.domain.errors import Invalid, NotJson
from ota_http_server.domain.sighting import Sighting
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.json_body import device_body, json_object
from ota_http_server.http.lane import not_allowed
from ota_http_server.operations.ask_with_key import AskWithKey, SignedWords
from ota_http_server.operations.mint_with_key import MintWithKey
from ota_http_server.operations.redeem_claim import RedeemClaim
from ota_http_server.operations.visit import poll_seconds_of
from ota_http_server.security.challenges import CHALLENGE_SECONDS

METHODS = ("POST",)
GIVES = ("token", "credential")

Fields = Mapping[str, Any]


class Enrollment:
    """For the door of `/api/device/v1/`."""

    names: Sequence[str] = ("enroll", "challenge", "key", "token")

    def __init__(
        self, redeem: RedeemClaim, ask: AskWithKey, mint: MintWithKey, *, poll_seconds: int
    ) -> None:
        self._redeem = redeem
        self._ask = ask
        self._mint = mint
        self._poll_seconds = poll_seconds

    def answer(self, request: Request) -> Reply:
        if request.method not in METHODS:
            return not_allowed(METHODS)
        match request.path.rpartition("/")[2]:
            case "enroll":
                return self._enrolled(request)
            case "challenge":
                challenge = self._ask.challenge()
                return _reply(200, challenge=challenge, expires_in=CHALLENGE_SECONDS)
            case "key":
                return self._asked(request)
            case _:
                return self._minted(request)

    def _enrolled(self, request: Request) -> Reply:
        said = _fields(request)
        sighting = Sighting.of(
            version=said.get("version"),
            chip=said.get("chip"),
            revision=said.get("revision"),
            board=said.get("board"),
            free_bytes=said.get("free_bytes"),
        )
        given = self._redeem(said.get("code"), said.get("device_id"), sighting, request.address)
        request.trust_connection()
        # 200 where the board lost the first answer: it took no second place of the claim.
        return _reply(
            201 if given.is_first else 200,
            device_id=given.credential.device,
            project=given.credential.project,
            credential=given.text,
        )

    def _asked(self, request: Request) -> Reply:
        said = _fields(request)
        key = self._ask(_words(said), said.get("public_key"), request.address)
        facts = {"device_id": key.device, "fingerprint": key.fingerprint}
        if key.state is KeyState.ACCEPTED:
            return _reply(200, state=str(key.state), **facts)
        wait = poll_seconds_of(key.device, self._poll_seconds)
        return _reply(202, state=str(key.state), **facts, poll_seconds=wait)

    def _minted(self, request: Request) -> Reply:
        said = _fields(request)
        kind = said.get("kind", GIVES[0])
        if kind not in GIVES:
            raise Invalid(f"kind must be one of {', '.join(GIVES)}")
        words = _words(said)
        if kind == "credential":
            given = self._mint.credential(words, request.address)
            request.trust_connection()
            return _reply(200, credential=given.text)
        minted = self._mint.token(words, request.address)
        request.trust_connection()
        return _reply(200, token=minted.token, expires_at=minted.expires_at.isoformat())


def _words(said: Fields) -> SignedWords:
    return SignedWords.of(
        said.get("project"), said.get("device_id"), said.get("challenge"), said.get("signature")
    )


def _fields(request: Request) -> Fields:
    if request.header("content-encoding"):
        raise NotJson("a body with a Content-Encoding is not taken")
    return json_object(request.environ.get("CONTENT_TYPE"), device_body(request))


def _reply(status: int, **document: str | int) -> Reply:
    body = json.dumps(document, separators=(",", ":")).encode()
    headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return Reply(status, headers, (body,))
