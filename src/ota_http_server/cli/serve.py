"""Serving: settings are read, what is missing is made, and then the server runs until told.

gevent's patches come first, before anything imports `ssl` or Flask; that is why the rest is
imported inside.
"""

# pylint: disable=import-outside-toplevel

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ota_http_server import logs
from ota_http_server.cli.options import load, shown_secrets
from ota_http_server.domain.errors import Misconfigured, Refusal
from ota_http_server.levels import strangers
from ota_http_server.server.patching import patch
from ota_http_server.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

    from ota_http_server.cli.certificate import ShownCertificate
    from ota_http_server.operations.background import Background
    from ota_http_server.ota import Ota, Stores
    from ota_http_server.server.options import Hooks, Process, ServerOptions, WsgiApp

LOG = logs.logger("start")

RENEW_SECONDS = 60.0  # asking for this host's names may take a second where a resolver is dead


def run(options: Mapping[str, object]) -> int:
    """Serves until a signal; the exit status. Raises `Misconfigured` for what cannot work."""
    settings = load(options)
    if sys.platform != "win32":
        os.umask(0o077)  # whatever is made is ours alone
        patch()
    logs.configure(settings.log_format, settings.log_level)
    for warning in [*shown_secrets(options), *strangers(os.environ)]:
        LOG.warning("%s", warning)
    return _serve(settings)


def _serve(settings: Settings) -> int:
    from ota_http_server.app import Host, create_app
    from ota_http_server.cli.certificate import ShownCertificate
    from ota_http_server.server.serving import serve

    _make_firmware_folder(settings.firmware_path)
    # Made here once for what it says about the settings: a worker could not say it so well.
    stores = create_app(settings).extensions["ota"].stores
    _open_audit_log(settings.ota_audit_log)
    _warn(settings, stores)
    tls = ShownCertificate(settings)
    tls.prepare(stores.database)

    def make_app(process: "Process") -> "WsgiApp":
        host = Host(
            process.stopping, process.in_thread, process.in_writer, processes=process.processes
        )
        return _Application(create_app(settings, host))

    LOG.info("data lies in %s", settings.data_dir.absolute())
    return serve(make_app, _options(settings, tls), _hooks(settings, stores, tls))


class _Application:
    """The application of one worker, with the end that the server calls when the last one left."""

    def __init__(self, app: "Flask") -> None:
        self._answer = app.wsgi_app
        self._ota: Ota = app.extensions["ota"]
        self._background: Background = app.extensions["background"]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._answer(environ, start_response)

    def close(self) -> None:
        """Writes down what was only in memory."""
        self._background.stop()
        try:
            self._ota.flush()
        except Refusal as refusal:
            LOG.error("what was gathered in memory is lost: %s", refusal.detail)
        self._ota.stores.database.close()


def _make_firmware_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"{path}: the firmware folder cannot be made ({error.strerror})"
        ) from None


def _open_audit_log(path: Path) -> None:
    """A log that takes no line later, for want of room, is waited for; at the start it is wrong."""
    try:
        # As the log itself does it: for reading too, a pipe would wait for its reader otherwise.
        os.close(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600))
    except OSError as error:
        raise Misconfigured(f"ota_audit_log: {path} cannot be written ({error.strerror})") from None


def _options(settings: Settings, tls: "ShownCertificate") -> "ServerOptions":
    from ota_http_server.server.options import ServerOptions

    return ServerOptions(
        host=settings.host,
        port=settings.port,
        workers=settings.worker_count,
        certificate=tls.certificate,
        key=tls.key,
        worker_connections=settings.worker_connections,
        backlog=settings.backlog,
        header_seconds_max=settings.header_seconds_max,
        handshake_seconds_max=settings.handshake_seconds_max,
        body_seconds_max=settings.body_seconds_max,
        keep_alive_seconds=settings.keep_alive_seconds,
        send_stall_seconds_max=settings.send_stall_seconds_max,
        stop_delay_seconds=settings.stop_delay_seconds,
        stop_seconds_max=settings.stop_seconds_max,
        connections_per_address_max=settings.connections_per_address_max,
        connections_max=settings.connections_max,
        trusted_proxies=settings.trusted_proxies,
    )


def _hooks(settings: Settings, stores: "Stores", tls: "ShownCertificate") -> "Hooks":
    from ota_http_server.operations.run_server import note_start, note_stop
    from ota_http_server.server.options import Hooks

    renewed = [0.0]

    def started() -> None:
        note_start(stores.database, stores.journal, settings.port)
        # The workers are forked next: no connection of ours may go along.
        stores.database.close()
        scheme = "https" if tls.on else "http"
        LOG.info("serving %s://%s:%d", scheme, settings.host, settings.port)

    def tick() -> None:
        now = datetime.now(UTC).timestamp()
        if abs(now - renewed[0]) > RENEW_SECONDS:
            renewed[0] = now
            tls.renew()

    def stopped() -> None:
        try:
            note_stop(stores.database, stores.journal, settings.port)
        except Refusal as refusal:
            LOG.error("the stop is not in the audit log: %s", refusal.detail)
        stores.database.close()
        LOG.info("stopped")

    return Hooks(started, tick, stopped)


def _warn(settings: Settings, stores: "Stores") -> None:
    """Says loudly, once, what is unsafe about this start; never a secret's value."""
    from ota_http_server.operations.check_safety import unsafe
    from ota_http_server.operations.prepare import owner_beside_root

    if owner := owner_beside_root(stores.places):
        LOG.warning(
            "%s belongs to %s, and this server runs as root: what it makes there, a server of %s"
            " could not read",
            settings.data_dir,
            owner,
            owner,
        )
    for warning in unsafe(
        stores.secrets,
        algorithm=settings.jwt_alg,
        tokens_off=settings.no_jwt,
        plain_http=settings.no_certs,
        public=is_public(settings.host),
        database_file=settings.database_file,
    ):
        LOG.warning("%s", warning)
    if settings.jwt_secret is None:
        LOG.info("tokens are signed by the secret in %s", stores.places.jwt_secret)
    if settings.admin_secret is None:
        LOG.info("the admin secret lies in %s", stores.places.admin_secret)


def is_public(host: str) -> bool:
    """Whether others than this host can reach the address that is listened on."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
