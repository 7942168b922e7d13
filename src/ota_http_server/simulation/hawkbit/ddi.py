"""What the three hawkBit clients have in common: where a controller lives, and its credential.

`url` is a whole one (`http://host/DEFAULT/controller/v1/board-1`) or a server, whose tenant is
then `DEFAULT` and whose controller id is given apart.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ota_http_server.simulation.address import Address, request_bytes
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.board import Board, Device
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.line import Access, Words

TENANT = "DEFAULT"
Fields = tuple[tuple[str, str], ...]
_WHOLE = re.compile(r"(?P<server>.+?)/(?P<tenant>[^/]+)/controller/v1/(?P<controller>[^/?#]+)/?")
_SLEEP = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})")


@dataclass(frozen=True, slots=True)
class Target:
    """One controller of one tenant."""

    server: str
    tenant: str
    controller: str

    @classmethod
    def of(cls, url: str, controller: str) -> "Target":
        whole = _WHOLE.fullmatch(url)
        if whole is not None:
            return cls(whole["server"], whole["tenant"], whole["controller"])
        return cls(url.rstrip("/"), TENANT, controller)

    def address(self, *parts: str) -> Address:
        tail = "".join(f"/{part}" for part in parts)
        return Address.of(f"{self.server}/{self.tenant}/controller/v1/{self.controller}{tail}")


class Ddi(Device, ABC):
    """A board whose client polls a controller."""

    media_type = "application/json"

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access,
        words: Words,
        patience_seconds: float,
        *,
        controller: str | None = None,
        gateway: bool = False,
        attributes: Mapping[str, str] | None = None,
        redials: bool = False,
    ) -> None:
        super().__init__(board, access, words, patience_seconds, redials=redials)
        own = controller or "board-" + board.mac.replace(":", "").lower()
        self.target = Target.of(url, own)
        self.scheme = "GatewayToken" if gateway else "TargetToken"
        self._attributes = attributes

    @property
    def attributes(self) -> dict[str, str]:
        """What it says of itself."""
        if self._attributes is not None:
            return dict(self._attributes)
        version = self.board.said_version
        return {"hardware": self.board.chip} | ({"version": version} if version else {})

    def authorization(self) -> list[tuple[str, str]]:
        if self.access.token is None:
            return []
        return [("Authorization", f"{self.scheme} {self.access.token}")]

    @abstractmethod
    def fields(self, address: Address, *, binary: bool) -> list[tuple[str, str]]:
        """What it sends with every request; `binary`: for an artifact."""

    def request(
        self,
        method: str,
        address: Address,
        document: Mapping[str, Any] | None = None,
        *,
        extra: Fields = (),
        binary: bool = False,
    ) -> bytes:
        body = b"" if document is None else json.dumps(document).encode()
        fields = [*self.fields(address, binary=binary), *extra]
        if document is not None:
            fields += [("Content-Type", self.media_type), ("Content-Length", str(len(body)))]
        return request_bytes(f"{method} {address.target} HTTP/1.1", fields, body)

    def send(
        self,
        method: str,
        address: Address,
        document: Mapping[str, Any] | None = None,
        *,
        extra: Fields = (),
        binary: bool = False,
    ) -> Answer:
        request = self.request(method, address, document, extra=extra, binary=binary)
        return self.line.ask(address, request, bodiless=method == "HEAD")


def found(document: Any, *names: str) -> Any:
    """What lies at this path of objects, None if there is nothing."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def text(document: Any, *names: str, complaint: str) -> str:
    """The string at this path, or `Failed`."""
    value = found(document, *names)
    if not isinstance(value, str):
        raise Failed(complaint)
    return value


def link(poll: Any, name: str) -> str | None:
    """The href of a link of a poll, None if there is none."""
    href = found(poll, "_links", name, "href")
    return href if isinstance(href, str) else None


def sleep_seconds(poll: Any) -> int | None:
    """What `config.polling.sleep` says, as `strptime("%H:%M:%S")` reads it."""
    value = found(poll, "config", "polling", "sleep")
    said = _SLEEP.match(value) if isinstance(value, str) else None
    if said is None:
        return None
    hours, minutes, seconds = (int(number) for number in said.groups())
    return hours * 3600 + minutes * 60 + seconds
