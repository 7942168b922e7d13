"""The first start, and every one after it: data folder, secrets and schema are there and sound.

Three instances started at the same instant in an empty folder agree, because all of it happens
under one lock file. Doing it again changes nothing.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.logs import logger
from ota_http_server.operations.run_server import was_started
from ota_http_server.security.secrets import load_or_make
from ota_http_server.storage.database import Database
from ota_http_server.storage.migrations.migrate import migrate

LOG = logger("start")

LOCK_FILE = "start.lock"
LOCK_SECONDS_MAX = 60.0  # a first start makes keys and a schema; it takes a second or two


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie in the data folder."""

    data: Path

    @property
    def jwt_secret(self) -> Path:
        return self.data / "secrets" / "jwt"

    @property
    def admin_secret(self) -> Path:
        return self.data / "secrets" / "admin"

    @property
    def device_secret(self) -> Path:
        return self.data / "secrets" / "devices"

    @property
    def audit_key(self) -> Path:
        return self.data / "secrets" / "audit"

    @property
    def audit_head(self) -> Path:
        return self.data / "audit.head"

    @property
    def blobs(self) -> Path:
        return self.data / "blobs"

    @property
    def tls(self) -> Path:
        return self.data / "tls"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the process holds in memory and shows to nobody."""

    jwt: str = field(repr=False)
    admin: str = field(repr=False)
    devices: str = field(repr=False)
    """What device credentials and download tickets are made with: apart from the tokens' secret,
    so that a new one of those leaves every board its credential."""
    audit: bytes = field(repr=False)
    jwt_also: str | None = field(default=None, repr=False)
    """Tokens that this one signed are accepted too."""


@contextmanager
def start_lock(data: Path, seconds_max: float = LOCK_SECONDS_MAX) -> Iterator[None]:
    """Held by whoever makes something in the data folder that others must not make too.

    `Misconfigured` if the folder cannot be made or written, or another start does not let go.
    """
    make_data_folder(data)
    lock = FileLock(data / LOCK_FILE, timeout=seconds_max, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise Misconfigured(
            f"{data / LOCK_FILE} could not be had for {seconds_max:g} seconds: another start"
            " hangs, or the data folder takes no files"
        ) from None
    except OSError as error:
        raise Misconfigured(
            f"{data}: the data folder cannot be written ({error.strerror})"
        ) from None
    try:
        yield
    finally:
        lock.release()


def make_data_folder(data: Path) -> None:
    """A folder for its owner only; `Misconfigured` if it cannot be made or written."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{data}: the data folder cannot be made ({error.strerror})") from None


def owner_beside_root(places: Places) -> str | None:
    """Whose data root is about to work on; None where nobody else's server can be meant.

    What root makes here (the head of the audit chain, rows, locks) the owner's server could not
    read. The key of the audit tells whose it is: every first start makes one.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd  # pylint: disable=import-outside-toplevel  # there is none on Windows

    witness = places.audit_key if places.audit_key.exists() else places.data
    owner = witness.stat().st_uid if witness.exists() else 0
    if owner == 0:
        return None
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"#{owner}"  # as sudo takes it


def prepare(
    places: Places,
    database_url: str,
    *,
    jwt_secret: str | None,
    admin_secret: str | None,
    device_secret: str | None = None,
    jwt_secret_also: str | None = None,
) -> Secrets:
    """Makes what is missing. Secrets given by the settings are used as they are, and not kept."""
    given = {places.jwt_secret: jwt_secret, places.admin_secret: admin_secret}
    with start_lock(places.data):
        kept = [path for path in (*given, places.audit_key) if not given.get(path)]
        made = [path for path in kept if not path.exists()]
        lacks_devices = not device_secret and not places.device_secret.exists()
        secrets = Secrets(
            jwt=jwt_secret or load_or_make(places.jwt_secret),
            admin=admin_secret or load_or_make(places.admin_secret),
            devices=device_secret or load_or_make(places.device_secret),
            audit=load_or_make(places.audit_key).encode(),
            jwt_also=jwt_secret_also,
        )
        migrate(database_url)
        if lacks_devices and _has_credentials(database_url):
            made.append(places.device_secret)
        if made and _was_used(database_url):
            LOG.warning(
                "made anew, although this database was served from before: %s; what was signed or"
                " opened by the old is refused now. Not meant? Stop, and restore the data folder",
                ", ".join(map(str, made)),
            )
    return secrets


def _has_credentials(database_url: str) -> bool:
    """An older version made no secret for devices, and gave them no credentials either."""
    database = Database(database_url)
    try:
        with database.reading() as rows:
            return rows.credentials.any()
    finally:
        database.close()


def _was_used(database_url: str) -> bool:
    database = Database(database_url)
    try:
        return was_started(database)
    finally:
        database.close()
