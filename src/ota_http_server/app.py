"""Wiring: the only file that knows every room.

`create_app` is the whole product under any WSGI server; it reads like a parts list.
"""

import secrets as random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from ota_http_server.api.admin import AdminDoor, admin_blueprint
from ota_http_server.api.status import status_blueprint
from ota_http_server.domain.errors import DiskFull, Misconfigured, Refusal, Unavailable
from ota_http_server.http.callers import Callers
from ota_http_server.http.exchange import REASONS, Reply
from ota_http_server.http.grants import Grants
from ota_http_server.http.lane import DeviceLane, Dialect
from ota_http_server.http.problems import CODES, body_of, plain_problem, problem
from ota_http_server.http.proxies import Proxies
from ota_http_server.http.request_log import RequestLog
from ota_http_server.http.transfers import Transfers
from ota_http_server.logs import logger
from ota_http_server.operations.background import Background, Chore
from ota_http_server.operations.begun_downloads import WRITE_SECONDS, BegunDownloads
from ota_http_server.operations.collect import Collection
from ota_http_server.operations.describe_project import DescribeProject
from ota_http_server.operations.download import Download
from ota_http_server.operations.mint_token import MintToken
from ota_http_server.operations.prepare import Places, Secrets, prepare
from ota_http_server.operations.revoke_token import RevokeToken
from ota_http_server.operations.tidy import sweep, tidy
from ota_http_server.operations.try_admin_secret import AdminGate
from ota_http_server.operations.verify_token import REFRESH_SECONDS, TokenVerifier
from ota_http_server.protocols.firmware_url import FirmwareUrl
from ota_http_server.security.secrets import same_secret
from ota_http_server.security.tokens import Tokens
from ota_http_server.settings import Settings
from ota_http_server.storage.audit_head import AuditHead
from ota_http_server.storage.blobs import FREE_BYTES_MIN, Blobs
from ota_http_server.storage.database import Clock, Database, now_utc, run_here
from ota_http_server.storage.folder import Folder
from ota_http_server.storage.journal import FileJournal
from ota_http_server.web.site import site_blueprint

LOG = logger("app")

TIDY_SECONDS = 3_600.0

Run = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True, slots=True)
class Host:
    """What the process that runs the application lends it. The defaults suit any WSGI server.

    Work given to one of the two must not give work to the other: it would wait in a thread that
    gevent does not know how to wake.
    """

    stopping: Callable[[], bool] = lambda: False
    in_thread: Run = run_here
    in_writer: Run = run_here
    clock: Clock = now_utc
    """For what is written down."""
    wall: Callable[[], float] = time.time
    """The same time as unix seconds: asked for at every request, so no object is made of it."""
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Stores:
    """Rows, bytes and secrets, opened."""

    database: Database
    journal: FileJournal
    places: Places
    secrets: Secrets

    @property
    def audit_head_path(self) -> Path:
        return self.places.audit_head

    @property
    def audit_key(self) -> bytes:
        return self.secrets.audit


@dataclass(frozen=True, slots=True)
class Ota:
    """The operations on opened stores: what every door, HTTP or the command line, works with."""

    stores: Stores
    tokens: Tokens
    verifier: TokenVerifier
    blobs: Blobs
    collection: Collection
    begun: BegunDownloads
    download: Download
    mint: MintToken
    revoke: RevokeToken
    gate: AdminGate

    def flush(self) -> None:
        """Writes what was only gathered in memory; before the process ends."""
        self.begun.write()
        self.gate.gather(all_minutes=True)


def open_stores(settings: Settings, host: Host | None = None) -> Stores:
    """Opens everything, making on a first start what is missing; raises `Misconfigured`."""
    host = host or Host()
    places = Places(settings.data_dir)
    secrets = prepare(
        places,
        settings.database_address,
        jwt_secret=settings.jwt_secret,
        admin_secret=settings.admin_secret,
    )
    journal = FileJournal(settings.ota_audit_log, AuditHead(places.audit_head, secrets.audit))
    database = Database(
        settings.database_address, clock=host.clock, run=host.in_writer, journal=journal
    )
    return Stores(database, journal, places, secrets)


def open_ota(settings: Settings, host: Host | None = None) -> Ota:
    """The operations, ready to be called."""
    host = host or Host()
    stores = open_stores(settings, host)
    database, secrets = stores.database, stores.secrets
    tokens = Tokens(secrets.jwt, settings.jwt_alg, settings.jwt_expiry_max * 60)
    verifier = TokenVerifier(tokens, database, monotonic=host.monotonic)
    blobs = Blobs(stores.places.blobs, _group(settings.transfer_group))
    collection = Collection(
        Folder(settings.firmware_path),
        blobs,
        database,
        image_bytes_max=settings.image_bytes_max,
        in_thread=host.in_thread,
        monotonic=host.monotonic,
        wall=host.wall,
    )
    begun = BegunDownloads(database, wall=host.wall)
    return Ota(
        stores,
        tokens,
        verifier,
        blobs,
        collection,
        begun,
        Download(database, collection, begun),
        MintToken(database, tokens, collection, _prefix(settings)),
        RevokeToken(database, tokens, verifier),
        AdminGate(database, lambda given: same_secret(given, secrets.admin), host.clock),
    )


@contextmanager
def opened_ota(settings: Settings) -> Iterator[Ota]:
    """The same for one command: at the end of the block the database is closed."""
    ota = open_ota(settings)
    try:
        yield ota
    finally:
        ota.stores.database.close()


def create_app(settings: Settings, host: Host | None = None) -> Flask:
    """The application: complete, and started by its first request."""
    host = host or Host()
    ota = open_ota(settings, host)
    proxies = Proxies(settings.trusted_proxies, settings.public_url)
    admin = AdminDoor(
        ota.gate, ota.mint, ota.revoke, proxies, settings.jwt_expiry, settings.jwt_expiry_max
    )
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the brief's order of claims
    app.register_blueprint(admin_blueprint(admin))
    app.register_blueprint(status_blueprint(host.clock, host.stopping, _checks(ota)))
    app.register_blueprint(site_blueprint(settings.www_dir))
    log = RequestLog(settings.access_log)
    _refuse_in_one_way(app, proxies, log)
    transfers = Transfers(settings.transfer, settings.transfer_prefix, monotonic=host.monotonic)
    background = Background(_chores(settings, ota, transfers, log))
    app.wsgi_app = DeviceLane(  # type: ignore[method-assign]
        app.wsgi_app,
        _dialects(settings, ota, host),
        proxies,
        transfers,
        log,
        before=background.ensure_started,
    )
    app.extensions["ota"] = ota
    app.extensions["background"] = background
    return app


def _dialects(settings: Settings, ota: Ota, host: Host) -> list[Dialect]:
    grants = None
    if not settings.no_jwt:
        grants = Grants(ota.verifier, wall=host.wall, monotonic=host.monotonic)
    callers = Callers(grants, query_token=settings.query_token)
    describe = DescribeProject(ota.collection)
    return [FirmwareUrl(_prefix(settings), callers, ota.download, describe, ota.blobs)]


def _chores(settings: Settings, ota: Ota, transfers: Transfers, log: RequestLog) -> list[Chore]:
    database, collection = ota.stores.database, ota.collection
    return [
        Chore("writing beginnings", WRITE_SECONDS, ota.begun.write),
        Chore("refreshing revocations", REFRESH_SECONDS, ota.verifier.refresh),
        Chore("writing owed lines", 5.0, lambda: ota.stores.journal.catch_up(database)),
        Chore("gathering refusals", 5.0, ota.gate.gather),
        Chore("logging transfers", 5.0, transfers.log_the_silent),
        Chore("logging refusals", 5.0, log.tell_of_the_rest),
        Chore("sweeping", settings.sweep_seconds, lambda: sweep(collection, database)),
        Chore("repairing the log", TIDY_SECONDS, lambda: ota.stores.journal.repair(database)),
        Chore("tidying", TIDY_SECONDS, lambda: tidy(collection, database)),
    ]


def _prefix(settings: Settings) -> str:
    return f"/{settings.url_firmware.strip('/')}/"


def _refuse_in_one_way(app: Flask, proxies: Proxies, log: RequestLog) -> None:
    @app.after_request
    def answered(response: Response) -> Response:
        if response.status_code < 400:
            log.answered(request.environ, proxies.caller(request.environ), response.status_code)
        return response

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        reply = problem(refusal)
        log.refused(request.environ, proxies.caller(request.environ), reply.status, refusal.detail)
        return _response(reply)

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> Response:
        status = error.code or 500
        log.refused(request.environ, proxies.caller(request.environ), status, error.name)
        code = CODES.get(status, "refused")
        response = _response(plain_problem(status, body_of(status, code, error.name)))
        for name, value in error.get_headers(request.environ):
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def broken(_error: Exception) -> Response:
        incident = random.token_hex(6)
        LOG.exception("incident %s", incident)
        detail = "a mistake of the server; its log has the whole of it under this id"
        return _response(plain_problem(500, body_of(500, "internal", detail, id=incident)))


def _response(reply: Reply) -> Response:
    body = b"".join(part for part in reply.body if isinstance(part, bytes))
    status = f"{reply.status} {REASONS.get(reply.status, 'Error')}"
    return Response(body, status, list(reply.headers))


def _checks(ota: Ota) -> dict[str, Callable[[], None]]:
    stores = ota.stores

    def database() -> None:
        with stores.database.reading() as rows:
            rows.revocations.counter()

    def disk() -> None:
        try:
            free = shutil.disk_usage(stores.places.data).free
        except OSError as error:
            raise Unavailable(f"the data folder cannot be read: {error.strerror}") from error
        if free < FREE_BYTES_MIN:  # below this a write may fail half-way
            raise DiskFull(f"only {free:,} bytes are free in the data folder")

    return {"database": database, "disk": disk, "firmware": ota.collection.folder.check}


def _group(name: str | None) -> int | None:
    if name is None:
        return None
    try:
        import grp  # pylint: disable=import-outside-toplevel  # there is none on Windows

        return grp.getgrnam(name).gr_gid
    except (ImportError, KeyError):
        raise Misconfigured(f"transfer_group: there is no group {name!r} here") from None
