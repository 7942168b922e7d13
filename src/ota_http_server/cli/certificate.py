"""The certificate that a serving process shows: the one configured, or our own, kept fresh.

To be imported after gevent's patches: what it needs imports `ssl`.
"""

from datetime import UTC, datetime
from pathlib import Path

from ota_http_server.domain.errors import Misconfigured, Refusal
from ota_http_server.logs import logger
from ota_http_server.operations.prepare import Places, start_lock
from ota_http_server.operations.run_server import was_started
from ota_http_server.security.certificates import ensure_own, own_files
from ota_http_server.security.hosts import host_names
from ota_http_server.security.inspection import inspect_pair, warnings
from ota_http_server.settings import Settings
from ota_http_server.storage.database import Database

LOG = logger("start")

# The starting process renews, and it alone hears signals and replaces workers: it waits for no
# other process, there is another try a minute later.
RENEWAL_LOCK_SECONDS = 0.5


class ShownCertificate:
    """Its two files; None where the server speaks plain HTTP."""

    def __init__(self, settings: Settings) -> None:
        self.on = not settings.no_certs
        self._own = own_files(Places(settings.data_dir).tls)
        self._data = settings.data_dir
        self._is_own = self.on and settings.cert is None
        self.certificate: Path | None = None
        self.key: Path | None = None
        if self.on:
            self.certificate = settings.cert or self._own.server_cert
            self.key = settings.key or self._own.server_key

    def prepare(self, database: Database) -> None:
        """At the start: makes our own if it is missing, and says what is wrong with either.

        Raises `Misconfigured` if the server cannot show it.
        """
        if self._is_own:
            self._make(database)
            LOG.info("boards trust this server by %s", self._own.ca_cert.absolute())
        if self.certificate is not None and self.key is not None:
            for warning in warnings(inspect_pair(self.certificate, self.key, datetime.now(UTC))):
                LOG.warning("%s", warning)

    def renew(self) -> None:
        """Makes our own anew when it is due; the server notices the changed file.

        Founds no authority: one that is gone while the server runs has to be brought back.
        """
        if not self._is_own:
            return
        names = host_names()
        try:
            if not self._data.is_dir():
                raise Misconfigured(f"{self._data} is gone: restore it")
            with start_lock(self._data, RENEWAL_LOCK_SECONDS):
                ensure_own(self._own.ca_cert.parent, names, datetime.now(UTC), may_found=False)
        except (Misconfigured, Refusal, OSError) as error:
            LOG.error("the certificate was not renewed: %s", error)

    def _make(self, database: Database) -> None:
        names = host_names()
        with start_lock(self._data):
            is_founding = not (self._own.ca_cert.exists() or self._own.ca_key.exists())
            ensure_own(self._own.ca_cert.parent, names, datetime.now(UTC))
        if is_founding and was_started(database):
            LOG.warning(
                "%s is a new authority (CA), although this database was served from before: boards"
                " built with an earlier one refuse this server. Not meant? Stop, and restore %s",
                self._own.ca_cert,
                self._own.ca_cert.parent,
            )
