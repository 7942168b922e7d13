"""What a transaction offers: its moment, and one set of queries per noun.

The journal that turns committed events into audit lines is named here by what it does, so that
`database` needs to know nothing of files.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Protocol

from sqlalchemy import Connection

from ota_http_server.storage.api_keys import ApiKeys
from ota_http_server.storage.attempts import Attempts
from ota_http_server.storage.claims import Claims
from ota_http_server.storage.counters import Counters
from ota_http_server.storage.credentials import Credentials
from ota_http_server.storage.device_keys import DeviceKeys
from ota_http_server.storage.devices import Devices
from ota_http_server.storage.downloads import Downloads
from ota_http_server.storage.events import Event, Events
from ota_http_server.storage.files import Files
from ota_http_server.storage.images import Images
from ota_http_server.storage.leases import Leases
from ota_http_server.storage.projects import Projects
from ota_http_server.storage.releases import Releases
from ota_http_server.storage.revocations import Revocations
from ota_http_server.storage.rollouts import Rollouts
from ota_http_server.storage.secret_tries import SecretTries
from ota_http_server.storage.stops import Stops


class Journal(Protocol):
    """Where the lines of committed events go."""

    name: str
    """Names the log file among several hosts' that share one database (a digest)."""

    def before_first(self, events: Events) -> None:
        """Called in a transaction before its first event is added; it may look at older ones."""

    def committed(self, events: Sequence[Event]) -> None:
        """Writes a line for each event; called after the commit, never before."""


class Reading:
    """A consistent view; `now` is the one clock reading of this transaction."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now

    @property
    def second(self) -> int:
        return int(self.now.timestamp())

    @cached_property
    def images(self) -> Images:
        return Images(self.connection)

    @cached_property
    def files(self) -> Files:
        return Files(self.connection)

    @cached_property
    def downloads(self) -> Downloads:
        return Downloads(self.connection)

    @cached_property
    def revocations(self) -> Revocations:
        return Revocations(self.connection)

    @cached_property
    def secret_tries(self) -> SecretTries:
        return SecretTries(self.connection)

    @cached_property
    def projects(self) -> Projects:
        return Projects(self.connection)

    @cached_property
    def releases(self) -> Releases:
        return Releases(self.connection)

    @cached_property
    def devices(self) -> Devices:
        return Devices(self.connection)

    @cached_property
    def attempts(self) -> Attempts:
        return Attempts(self.connection)

    @cached_property
    def rollouts(self) -> Rollouts:
        return Rollouts(self.connection)

    @cached_property
    def stops(self) -> Stops:
        return Stops(self.connection)

    @cached_property
    def leases(self) -> Leases:
        return Leases(self.connection)

    @cached_property
    def credentials(self) -> Credentials:
        return Credentials(self.connection)

    @cached_property
    def claims(self) -> Claims:
        return Claims(self.connection)

    @cached_property
    def device_keys(self) -> DeviceKeys:
        return DeviceKeys(self.connection)

    @cached_property
    def api_keys(self) -> ApiKeys:
        return ApiKeys(self.connection)

    @cached_property
    def counters(self) -> Counters:
        return Counters(self.connection)

    @cached_property
    def events(self) -> Events:
        return Events(self.connection, self.second, "")


class Writing(Reading):
    """A view that may change rows."""

    def __init__(self, connection: Connection, now: datetime, journal: Journal | None) -> None:
        super().__init__(connection, now)
        self._journal = journal

    @cached_property
    def events(self) -> Events:
        if self._journal is None:
            return Events(self.connection, self.second, "")
        journal = self._journal
        return Events(self.connection, self.second, journal.name, journal.before_first)
