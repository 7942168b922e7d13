"""Who calls: the one credential of a request that counts, and the Identity it gives.

The Authorization header counts first, then the query, then the path: the first one present
decides alone, so that a bad one is never papered over by another.
"""

import base64
import binascii
import hashlib
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.domain.identity import ANYONE, Identity
from ota_http_server.http.exchange import Request
from ota_http_server.http.grants import Grants
from ota_http_server.http.place import Place
from ota_http_server.security.credentials import TICKET_PATTERN

TOKEN_PARAMETER = "token="  # noqa: S105 - the brief's name of it
SAFE_METHODS = ("GET", "HEAD")


class Callers:
    """Turns a request into an Identity. `grants` is None while tokens are switched off."""

    def __init__(self, grants: Grants | None, *, query_token: bool = True) -> None:
        self._grants = grants
        self._query_token = query_token

    def identify(
        self, request: Request, path_token: str | None = None, place: Place | None = None
    ) -> Identity:
        """The caller; raises `Unauthenticated` for no credential and for one that does not hold.

        `place` is what the path names: a download ticket in it opens that image alone.
        """
        if self._grants is None:
            return _anyone(request.address)
        authorization = request.header("authorization")
        if authorization is not None:
            return self._grants.identify(_authorized(authorization))
        token = self._in_query(request)
        if token is None:
            token = path_token
            if token and place and place.digest_start and TICKET_PATTERN.match(token):
                return self._grants.ticket(token, place.project, place.digest_start)
        if token is None:
            raise Unauthenticated("no credential", shown=False)
        return self._grants.identify(token)

    def _in_query(self, request: Request) -> str | None:
        """`?token=…`, for GET and HEAD only: nothing that changes anything takes it."""
        if not self._query_token or not request.query or request.method not in SAFE_METHODS:
            return None
        for parameter in request.query.split("&"):
            if parameter.startswith(TOKEN_PARAMETER):
                return unquote(parameter[len(TOKEN_PARAMETER) :])
        return None


def shows_again(request: Request) -> bool:
    """Whether the client shows its credential wherever it is sent: one in a header, that is."""
    return request.header("authorization") is not None


@lru_cache(maxsize=1024)
def _anyone(address: str) -> Identity:
    """Everybody while tokens are off; what one address began it goes on with."""
    return replace(ANYONE, credential=hashlib.sha256(address.encode()).digest())


def _authorized(header: str) -> str:
    """The token in an Authorization header: Bearer, or Basic with the token as password."""
    scheme, _, rest = header.strip().partition(" ")
    match scheme.lower():
        case "bearer" | "targettoken" | "gatewaytoken":  # hawkBit's clients say the latter two
            return rest.strip()
        case "basic":
            return _basic_password(rest.strip())
    raise Unauthenticated("the Authorization scheme is none that is known here")


def _basic_password(encoded: str) -> str:
    """RFC 7617: user and password in base64; who the user is does not matter here."""
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise Unauthenticated("Basic credentials that are not base64 of UTF-8") from None
    return text.partition(":")[2]
