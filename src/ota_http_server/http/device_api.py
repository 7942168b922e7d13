"""The door below `/api/device/v1/`: what boards ask and tell in JSON.

A name tells whose request it is; each part identifies its callers itself, for some of them have no
credential yet.
"""

from collections.abc import Sequence
from typing import Protocol

from ota_http_server.domain.errors import NotFound
from ota_http_server.http.exchange import Reply, Request


class Part(Protocol):
    """Answers what is asked under its names."""

    @property
    def names(self) -> Sequence[str]:
        """What may stand behind the prefix."""

    def answer(self, request: Request) -> Reply:
        """Translates; it refuses methods that its name does not know."""


class DeviceApi:
    """The door, for the lane."""

    prefix = "/api/device/v1/"
    methods: Sequence[str] = ("GET", "HEAD", "POST")

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = {name: part for part in parts for name in part.names}

    def answer(self, request: Request) -> Reply:
        part = self._parts.get(request.path[len(self.prefix) :])
        if part is None:
            raise NotFound(f"below {self.prefix} there are {', '.join(self._parts)}")
        return part.answer(request)
