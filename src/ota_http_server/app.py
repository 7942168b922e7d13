"""Wiring: the only file that knows every room.

`create_app` is the whole product under any WSGI server; it reads like a parts list.
"""

import secrets as random
import shutil
from collections.abc import Callable

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from ota_http_server.api.admin import AdminDoor, admin_blueprint
from ota_http_server.api.status import status_blueprint
from ota_http_server.api.v1.blueprint import api_blueprint
from ota_http_server.api.v1.door import Door
from ota_http_server.domain.errors import DiskFull, Refusal, Unavailable
from ota_http_server.http.callers import Callers
from ota_http_server.http.device_api import DeviceApi
from ota_http_server.http.exchange import REASONS, Reply
from ota_http_server.http.firmware_door import FirmwareDialect, FirmwareDoor
from ota_http_server.http.grants import Grants
from ota_http_server.http.images import Images
from ota_http_server.http.lane import DeviceLane, Dialect
from ota_http_server.http.manifest_links import ManifestLinks
from ota_http_server.http.operators import Operators
from ota_http_server.http.pace import REFRESH_SECONDS as PACE_SECONDS
from ota_http_server.http.pace import Pace
from ota_http_server.http.problems import CODES, body_of, plain_problem, problem
from ota_http_server.http.proxies import Proxies
from ota_http_server.http.request_log import RequestLog
from ota_http_server.http.transfers import Transfers
from ota_http_server.logs import logger
from ota_http_server.operations import (
    brake,
    catalog,
    mark_silent,
    news,
    note_stop_files,
    progress,
    registry,
    steady_clock,
    steer_rollouts,
)
from ota_http_server.operations.background import Background, Chore
from ota_http_server.operations.begun_downloads import WRITE_SECONDS
from ota_http_server.operations.choose_filesystem import ChooseFilesystem
from ota_http_server.operations.download_rates import DownloadRates
from ota_http_server.operations.guess_project import GuessProject
from ota_http_server.operations.judge_file import JudgeFile
from ota_http_server.operations.keep_attributes import KeepAttributes
from ota_http_server.operations.lease import Leasing
from ota_http_server.operations.newest_image import NewestImage
from ota_http_server.operations.present import Present
from ota_http_server.operations.take_up import TakeUp
from ota_http_server.operations.tidy import Tidy, sweep
from ota_http_server.operations.verify_token import REFRESH_SECONDS
from ota_http_server.ota import (
    Host,
    Ota,
    firmware_prefix,
    open_ota,
)
from ota_http_server.protocols.arduino import Arduino
from ota_http_server.protocols.enrollment import Enrollment
from ota_http_server.protocols.esp32fota import Esp32Fota
from ota_http_server.protocols.esphome import EspHome
from ota_http_server.protocols.firmware_url import FirmwareUrl
from ota_http_server.protocols.hawkbit import Actions, Hawkbit, Operations
from ota_http_server.protocols.json_check import JsonCheck
from ota_http_server.protocols.latest_image import LatestImage
from ota_http_server.protocols.micropython import MicroPython
from ota_http_server.protocols.ota_pull import OtaPull
from ota_http_server.settings import Settings
from ota_http_server.storage.blobs import FREE_BYTES_MIN
from ota_http_server.web.flash import flash_blueprint
from ota_http_server.web.site import site_blueprint

__all__ = ["Host", "create_app"]

LOG = logger("app")

TIDY_SECONDS = 3_600.0


def create_app(settings: Settings, host: Host | None = None) -> Flask:
    """The application: complete, and started by its first request."""
    host = host or Host()
    ota = open_ota(settings, host)
    ota.catalog.follows_at_once = False  # a chore does it, and no poll waits for a lock
    proxies = Proxies(settings.trusted_proxies, settings.public_url)
    operators = Operators(ota.gate, ota.key_verifier, proxies, takes_secret=settings.shared_secret)
    admin = AdminDoor(operators, ota.mint, ota.revoke, settings.jwt_expiry, settings.jwt_expiry_max)
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the brief's order of claims
    app.register_blueprint(admin_blueprint(admin))
    app.register_blueprint(api_blueprint(_api_door(settings, ota, operators)))
    app.register_blueprint(status_blueprint(host.clock, host.stopping, _checks(ota)))
    app.register_blueprint(site_blueprint(settings.www_dir))
    app.register_blueprint(
        flash_blueprint(firmware_prefix(settings), asks_for_credential=not settings.no_jwt)
    )
    log = RequestLog(settings.access_log)
    _refuse_in_one_way(app, proxies, log)
    transfers = Transfers(
        settings.transfer,
        settings.transfer_prefix,
        monotonic=host.monotonic,
        heard=ota.progress.sent,
    )
    pace = Pace(
        settings.download_bytes_per_second or None,
        DownloadRates(ota.stores.database, ota.news),
        processes=host.processes,
        monotonic=host.monotonic,
    )
    background = Background(_chores(settings, ota, host, transfers, pace, log))
    app.wsgi_app = DeviceLane(  # type: ignore[method-assign]
        app.wsgi_app,
        _dialects(settings, ota, host),
        proxies,
        transfers,
        log,
        pace,
        before=background.ensure_started,
    )
    app.extensions["ota"] = ota
    app.extensions["background"] = background
    return app


def _api_door(settings: Settings, ota: Ota, operators: Operators) -> Door:
    return Door(
        begin_rollout=ota.begin_rollout,
        roll_out=ota.roll_out,
        stop=ota.stop,
        operators=operators,
        database=ota.stores.database,
        folders=ota.collection.folder.projects,
        follow=ota.catalog.of,
        keys=ota.keys,
        projects=ota.projects,
        mint=ota.mint,
        revoke=ota.revoke,
        publish=ota.publish,
        change_release=ota.change_release,
        explain=ota.explain,
        enroll=ota.enroll,
        look_after=ota.look_after,
        claims=ota.claims,
        device_keys=ota.admit_key,
        lifetime_minutes=settings.jwt_expiry,
        lifetime_minutes_max=settings.jwt_expiry_max,
    )


def _enrollment(settings: Settings, ota: Ota) -> Enrollment:
    return Enrollment(
        ota.redeem_claim, ota.ask_with_key, ota.mint_with_key, poll_seconds=settings.poll_seconds
    )


def _dialects(settings: Settings, ota: Ota, host: Host) -> list[Dialect]:
    grants = None
    if not settings.no_jwt:
        grants = Grants(ota.credentials, wall=host.wall, monotonic=host.monotonic)
    callers = Callers(grants, query_token=settings.query_token)
    prefix = firmware_prefix(settings)
    take_up = TakeUp(ota.registry, ota.check_in)
    images = Images(ota.blobs, ota.registry, ota.brake)
    plain = FirmwareUrl(prefix, ota.download, ota.describe, images, take_up)
    links = ManifestLinks(prefix, ota.opaque, host.wall)
    newest = NewestImage(ota.stores.database, ota.catalog, ota.registry, ota.begun, ota.reach)
    lies_there = ota.collection.lies_there
    latest = LatestImage(newest, links, images, plain, lies_there)
    named: dict[str, FirmwareDialect] = dict.fromkeys(latest.names, latest)
    named |= _manifests(ota, links)
    arduino = Arduino(
        ota.check_in,
        JudgeFile(ota.catalog, ota.download, ota.registry, ota.brake),
        ChooseFilesystem(ota.catalog),
        images,
        lies_there,
    )
    json_check = JsonCheck(callers, ota.check_in, ota.report, links)
    return [
        FirmwareDoor(prefix, callers, named, [arduino], plain, poll_seconds=settings.poll_seconds),
        DeviceApi([json_check, _enrollment(settings, ota)]),
        _hawkbit(ota, host, callers, images),
    ]


def _manifests(ota: Ota, links: ManifestLinks) -> dict[str, FirmwareDialect]:
    clock = ota.stores.database.clock
    present = Present(ota.catalog, ota.registry, ota.check_in, ota.reach, clock)
    return {
        "manifest.json": EspHome(present, links),
        "esp32fota.json": Esp32Fota(present, links),
        "otapull.json": OtaPull(present, links),
        "micropython.json": MicroPython(present, links),
    }


def _hawkbit(ota: Ota, host: Host, callers: Callers, images: Images) -> Hawkbit:
    database, folders = ota.stores.database, ota.collection.folder.projects
    operations = Operations(
        check_in=ota.check_in,
        report=ota.report,
        keep_attributes=KeepAttributes(database, ota.registry),
        guess_project=GuessProject(database, ota.registry, folders),
        registry=ota.registry,
        database=database,
        actions=Actions(database, monotonic=host.monotonic),
        images=images,
        wall=host.wall,
    )
    return Hawkbit(callers, operations)


def _chores(
    settings: Settings, ota: Ota, host: Host, transfers: Transfers, pace: Pace, log: RequestLog
) -> list[Chore]:
    database, collection = ota.stores.database, ota.collection
    folder = ota.release_folder
    silent = mark_silent.MarkSilent(database, ota.registry, settings.silent_seconds)
    leasing = Leasing(database, "steering", monotonic=host.monotonic)
    tidying = Leasing(database, "tidying", monotonic=host.monotonic)
    note_stops = note_stop_files.NoteStopFiles(database, ota.brake)
    steering = steer_rollouts.SteerRollouts(database, leasing, silent, ota.brake)
    return [
        Chore("writing beginnings", WRITE_SECONDS, ota.begun.write),
        Chore("releasing", catalog.FOLLOW_SECONDS, ota.catalog.follow_noted),
        Chore("writing progress", progress.WRITE_SECONDS, ota.progress.write_due),
        Chore("writing visits", registry.WRITE_SECONDS, ota.registry.write),
        Chore("refreshing news", news.REFRESH_SECONDS, ota.news.refresh),
        Chore("learning rates", PACE_SECONDS, pace.refresh),
        Chore("learning keys", news.REFRESH_SECONDS, ota.key_verifier.refresh),
        Chore("looking at the clock", steady_clock.EVERY_SECONDS, ota.steady.look),
        Chore("looking for the stop", brake.LOOK_SECONDS, ota.brake.refresh),
        Chore("noting stop files", note_stop_files.EVERY_SECONDS, note_stops),
        Chore("steering rollouts", steer_rollouts.EVERY_SECONDS, steering),
        Chore("refreshing revocations", REFRESH_SECONDS, ota.verifier.refresh),
        Chore("writing owed lines", 5.0, lambda: ota.stores.journal.catch_up(database)),
        Chore("gathering refusals", 5.0, ota.gate.gather),
        Chore("logging transfers", 5.0, transfers.log_the_silent),
        Chore("logging refusals", 5.0, log.tell_of_the_rest),
        Chore(
            "sweeping",
            settings.sweep_seconds,
            lambda: sweep(collection, database, folder),
        ),
        Chore("repairing the log", TIDY_SECONDS, lambda: ota.stores.journal.repair(database)),
        Chore("tidying", TIDY_SECONDS, Tidy(collection, database, tidying)),
    ]


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
