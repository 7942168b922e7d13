"""A URL taken apart as small HTTP clients do it: nothing is decoded, nothing normalised."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ota_http_server.simulation.failed import Failed

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query as they stand in the request line."""
    user_and_password: str | None = None

    @classmethod
    def of(cls, url: str) -> "Address":
        """The parts of an absolute URL, or `Failed`."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Failed(f"invalid URL: {url}") from None
        if parts.scheme not in PORTS or not parts.hostname or not url.isascii() or " " in url:
            raise Failed(f"invalid URL: {url}")
        who, at, _ = parts.netloc.rpartition("@")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = PORTS[parts.scheme] if port is None else port
        return cls(parts.scheme, parts.hostname, port, target, who if at else None)

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def host_field(self) -> str:
        """The `Host` field: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL, without the password that was in it."""
        return f"{self.scheme}://{self.host_field}{self.target}"

    @property
    def shown(self) -> str:
        """For messages: without what may be a credential, in query or path."""
        name = self.path.rpartition("/")[2]
        return f"{self.scheme}://{self.host_field}/{'…/' if self.path.count('/') > 1 else ''}{name}"

    def at(self, target: str) -> "Address":
        """Another target on the same server."""
        return replace(self, target=target)

    def moved(self, location: str) -> "Address":
        """Where a `Location` leads, seen from here; the credentials stay behind."""
        if location.startswith("/") and not location.startswith("//"):
            return replace(self, target=location)
        return Address.of(location)


def request_bytes(first: str, fields: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """A request as it goes onto the wire: the fields in this order, in this spelling."""
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{first}\r\n{head}\r\n".encode() + body
