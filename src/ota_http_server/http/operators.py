"""Who operates the server: an API key or the admin secret of a request, and the Operator it makes.

`X-Admin-Secret` counts first, then `X-API-Key`, then `Authorization: Bearer`: the first one
present decides alone, so that a bad one is never papered over by another. An Authorization of
another scheme is not ours: a proxy in front may have asked for it.
"""

from collections.abc import Mapping
from typing import Any

from ota_http_server.domain.api_key import KEY_PREFIX
from ota_http_server.domain.errors import Forbidden, Unauthenticated
from ota_http_server.domain.operator import Operator
from ota_http_server.http.exchange import trust_connection
from ota_http_server.http.proxies import Proxies
from ota_http_server.operations.try_admin_secret import AdminGate
from ota_http_server.operations.verify_key import KeyVerifier

SWITCHED_OFF = "the admin secret is switched off here (shared_secret); show an API key"


class Operators:
    """`takes_secret`: whether the admin secret opens anything."""

    def __init__(
        self, gate: AdminGate, keys: KeyVerifier, proxies: Proxies, *, takes_secret: bool
    ) -> None:
        self._gate = gate
        self._keys = keys
        self._proxies = proxies
        self._takes_secret = takes_secret

    def identify(self, environ: Mapping[str, Any]) -> Operator:
        """Who asks; `Unauthenticated`, or `TooMany` for whoever guesses the admin secret."""
        if environ.get("HTTP_X_ADMIN_SECRET") is None:
            return self._by_key(environ)
        try:
            return self._by_secret(environ)
        except Forbidden as refusal:
            raise Unauthenticated(refusal.detail) from refusal

    def identify_as_before_keys(self, environ: Mapping[str, Any]) -> Operator:
        """The same for the brief's endpoints: without a key, all but the secret is `Forbidden`."""
        if environ.get("HTTP_X_ADMIN_SECRET") is None and _key_of(environ) is not None:
            return self._by_key(environ)
        return self._by_secret(environ)

    def _by_secret(self, environ: Mapping[str, Any]) -> Operator:
        address = self._proxies.caller(environ)
        if not self._takes_secret:
            raise Forbidden(SWITCHED_OFF)
        self._gate.admit(environ.get("HTTP_X_ADMIN_SECRET"), address)
        return _trusted(environ, Operator("shared-secret", address))

    def _by_key(self, environ: Mapping[str, Any]) -> Operator:
        address = self._proxies.caller(environ)
        key = _key_of(environ)
        if key is None:
            raise Unauthenticated("no API key", shown=False)
        try:
            return _trusted(environ, self._keys.verify(key, address))
        except Unauthenticated:
            self._gate.note_refused(address)
            raise


def _key_of(environ: Mapping[str, Any]) -> str | None:
    """The key as it was shown, whatever it is."""
    key = environ.get("HTTP_X_API_KEY")
    if key is not None:
        return str(key).strip()
    scheme, _, rest = str(environ.get("HTTP_AUTHORIZATION", "")).strip().partition(" ")
    key = rest.strip()
    return key if scheme.lower() == "bearer" and key.startswith(KEY_PREFIX) else None


def _trusted(environ: Mapping[str, Any], operator: Operator) -> Operator:
    trust_connection(environ)
    return operator
