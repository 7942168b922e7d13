"""Asking over HTTP in tests: the server itself, or a proxy in front of it.

On `http.client`, which follows nothing, repeats nothing and hides nothing.
"""

import http.client
import json
import socket
import ssl
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 60.0
"""How long anything may take on a slow and noisy machine before a test gives up."""

DEVICE = "e6f87d77-4216-4be1-ab83-b5fa6792b747"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `headers` finds a field in any case; None if it is not there."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Door(ABC):
    """An address that answers HTTP: the server itself, or a proxy in front of it.

    Over TLS it trusts the CA in `ca` only, so the certificate must name 127.0.0.1.
    """

    port: int
    tls: bool
    ca: Path

    @property
    @abstractmethod
    def admin_secret(self) -> str:
        """What the admin endpoints behind it ask for."""

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def connect(self, source: str | None = None) -> http.client.HTTPConnection:
        """A connection for `ask`, open until closed; `source` is the caller's own address."""
        where = ("127.0.0.1", self.port)
        own = None if source is None else (source, 0)
        if not self.tls:
            return http.client.HTTPConnection(*where, timeout=PATIENCE_SECONDS, source_address=own)
        return http.client.HTTPSConnection(
            *where, timeout=PATIENCE_SECONDS, source_address=own, context=self._trusting()
        )

    def get(self, path: str, token: str | None = None, **headers: str) -> Answer:
        """One GET on a connection of its own; `Range="bytes=0-"` and the like are headers."""
        return self.ask("GET", path, token, **headers)

    def ask(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: bytes | None = None,
        **headers: str,
    ) -> Answer:
        """As `ask` below, on a connection of its own."""
        connection = self.connect()
        try:
            return ask(connection, method, path, token, body, **headers)
        finally:
            connection.close()

    def raw(self, said: bytes) -> bytes:
        """Says these bytes and no more, and returns all that is answered until the other closes.

        End a request with `Connection: close`, or it takes as long as the server's patience.
        """
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS) as plain:
            if not self.tls:
                return _say(plain, said)
            with self._trusting().wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                return _say(secure, said)

    def admin(self, path: str, document: object, **headers: str) -> Answer:
        """A POST of JSON with the admin secret (or another, given as `X_Admin_Secret`)."""
        said = {"X_Admin_Secret": self.admin_secret, "Content_Type": "application/json"} | headers
        return self.ask("POST", path, body=json.dumps(document).encode(), **said)

    def mint(
        self, project: str, device: str = DEVICE, minutes: int | None = None, **more: Any
    ) -> str:
        """A device token, from the running server."""
        wish = {"device_id": device, "project": project, **more}
        if minutes is not None:
            wish["expires_minutes"] = minutes
        answer = self.admin("/admin/generate_token", wish)
        assert answer.status == 200, answer.body
        return str(answer.json()["token"])

    def revoke(self, **body: str) -> Answer:
        """Revokes by `jti`, `token` or `device_id`."""
        answer = self.admin("/admin/revoke_token", body)
        assert answer.status == 200, answer.body
        return answer

    def _trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    token: str | None = None,
    body: bytes | None = None,
    **headers: str,
) -> Answer:
    """A request and its whole answer on an open connection; `_` in names of headers means `-`.

    Raises `http.client.IncompleteRead` if the body is shorter than announced.
    """
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        fields["Authorization"] = f"Bearer {token}"
    connection.request(method, path, body, fields)
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def _say(line: socket.socket, said: bytes) -> bytes:
    line.sendall(said)
    answer = b""
    try:
        while block := line.recv(65_536):
            answer += block
    except ConnectionResetError:
        pass  # what came before it counts
    return answer
