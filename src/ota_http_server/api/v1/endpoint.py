"""An endpoint: what it takes, what it tells, and the function between the two.

The same words describe it in the OpenAPI document and are held to at each call, so the two cannot
say different things.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ota_http_server.api.v1.arriving import Arriving
from ota_http_server.api.v1.door import Door
from ota_http_server.api.v1.words import Said, Told
from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.operator import Operator, Role


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an endpoint: who asks, and what was said, in the right shape."""

    door: Door
    operator: Operator
    path: Mapping[str, str]
    query: Mapping[str, Any]
    said: Mapping[str, Any]
    expected: Expected = ANY_EDITION
    """From `If-Match`."""
    arriving: Arriving | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is told; `body` has the attributes that the endpoint's schema names."""

    body: Any = None
    status: int | None = None
    """None: the endpoint's usual one."""
    edition: int | None = None
    """Of a single thing that people change; it becomes the ETag."""
    location: str | None = None
    """The path, below the API's own, of what was made."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of many, and the cursor behind the last of them if there are more."""

    items: list[Any]
    next: str | None


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`path` names its variable parts in braces."""

    method: str
    path: str
    handler: Handler
    role: Role
    """What the caller must be at least; the operation sees to it."""
    status: int = 200
    says: type[Said] | None = None
    """The JSON body."""
    may_be_empty: bool = False
    """The body may be left out."""
    asks: type[Said] | None = None
    """The query."""
    tells: type[Told] | None = None
    pages: bool = False
    has_edition: bool = False
    uploads: bool = False
    """The body is bytes."""
    may_make: bool = False
    """It answers 201 where it made something, else its usual status."""
    refuses: tuple[int, ...] = ()
    """Statuses beside those that follow from the above."""

    @property
    def name(self) -> str:
        return self.handler.__name__

    @property
    def variables(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]


@dataclass(slots=True)
class Noun:
    """Endpoints about one thing; each file of them fills one."""

    name: str
    about: str
    endpoints: list[Endpoint] = field(default_factory=list)

    def route(
        self, method: str, path: str, role: Role = Role.VIEWER, **more: Any
    ) -> Callable[[Handler], Handler]:
        """Decorates the function that answers; its docstring goes into the document."""

        def add(handler: Handler) -> Handler:
            self.endpoints.append(
                Endpoint(method=method, path=path, handler=handler, role=role, **more)
            )
            return handler

        return add
