"""The starting process: gunicorn's arbiter, told how this server stops, reloads and ticks."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from gunicorn import arbiter
from gunicorn.app.base import BaseApplication
from gunicorn.errors import HaltServer

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.server.options import Hooks, Process, ServerOptions, WsgiApp
from ota_http_server.server.stopping import SharedStage, Stage, refuse_new_connections
from ota_http_server.server.tls import Certificate

logger = logging.getLogger("ota_http_server.server")

ROUND_SECONDS = 1.0
TICK_SECONDS = 10.0
RESPAWN_SECONDS = 2.0
"""How long to wait before a worker that could not start is tried again."""
STOPPING_POLL_SECONDS = 0.05
LAST_SECONDS = 2.0
"""How long a worker that was told to end at once may take for it."""
STUCK_SECONDS = 300
"""A worker that has not once come back to its main loop for so long is replaced. Busy ones come
back between two requests; only an endless loop does not."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the starting process prepares and every worker inherits."""

    make_app: Callable[[Process], WsgiApp]
    options: ServerOptions
    certificate: Certificate | None
    stage: SharedStage


class Arbiter(arbiter.Arbiter):  # type: ignore[misc]
    """Overrides what gunicorn would do with the listener, with SIGHUP and with a stop."""

    def __init__(self, application: BaseApplication, listener: Any, hooks: Hooks) -> None:
        for leaked in ("GUNICORN_PID", "GUNICORN_FD"):
            os.environ.pop(leaked, None)  # they would make us the successor of another gunicorn
        super().__init__(application)
        self.shared: Shared = application.shared
        self.LISTENERS = [listener]  # pylint: disable=invalid-name
        self.WORKERS: dict[int, Any] = {}  # pylint: disable=invalid-name
        self._hooks = hooks
        self._tick_due = monotonic() + TICK_SECONDS
        self._respawn_due = 0.0

    def serve(self) -> int:
        """Run until a signal ends it; the exit status."""
        self.start()
        self._hooks.started()
        # A full collection writes into every object, and the pages that the workers share with
        # us would become their own. What is there now is out of its sight, and stays shared.
        gc.collect()
        gc.freeze()
        status, graceful = 0, False
        while True:
            try:
                self._take_care()
            except StopIteration:
                graceful = True
                break
            except KeyboardInterrupt:
                break
            except HaltServer as halt:
                if self.WORKERS and self.shared.stage.was_served:
                    # Those that run may go on; what the new one lacked may come back.
                    logger.error("a worker could not start again: %s", halt.reason)
                    self._respawn_due = monotonic() + RESPAWN_SECONDS
                    continue
                logger.error("the server ends: %s", halt.reason)
                status = int(halt.exit_status)
                break
            except Exception:  # pylint: disable=broad-exception-caught
                logger.exception("the server ends, the starting process failed")
                status = 1
                break
        try:
            self.stop(graceful)
        except HaltServer:
            self.kill_workers(signal.SIGKILL)
        self._hooks.stopped()
        return status

    def _take_care(self) -> None:
        """One round of the starting process: about a second, or until a signal."""
        if monotonic() >= self._respawn_due:
            self.manage_workers()
        self._take_signals(ROUND_SECONDS)
        self.murder_workers()
        self._tick()

    def stop(self, graceful: bool = True) -> None:
        """Announce, wait, fall silent, let the workers finish; a second signal ends it at once."""
        options, stage = self.shared.options, self.shared.stage
        begun = monotonic()
        limit = begun + options.stop_seconds_max + LAST_SECONDS
        stage.now = Stage.STOPPING
        self.kill_workers(signal.SIGTERM)
        while self.WORKERS and monotonic() < limit:
            if not graceful and stage.now is not Stage.ENDING:
                self._fall_silent(Stage.ENDING)
                self.kill_workers(signal.SIGQUIT)
                limit = monotonic() + LAST_SECONDS
            elif self.LISTENERS and monotonic() - begun >= options.stop_delay_seconds:
                self._fall_silent(Stage.SILENT)
            try:
                self._take_signals(STOPPING_POLL_SECONDS)
            except (StopIteration, KeyboardInterrupt):
                graceful = False
            self.reap_workers()
        self.kill_workers(signal.SIGKILL)
        self._fall_silent(Stage.ENDING)
        self.reap_workers()

    def handle_hup(self) -> None:
        """Read the certificate again, here and in every worker; nothing else changes."""
        if self.shared.certificate is not None:
            self.shared.certificate.reload()
        self.kill_workers(signal.SIGHUP)

    def handle_term(self) -> None:
        """A polite stop; a second one ends it."""
        raise StopIteration

    def handle_int(self) -> None:
        raise KeyboardInterrupt

    handle_quit = handle_int

    def handle_usr2(self) -> None:
        """gunicorn would start a second server here; this one is replaced by its supervisor."""

    handle_usr1 = handle_ttin = handle_ttou = handle_winch = handle_usr2

    def spawn_worker(self) -> int:
        """As gunicorn's, but a worker never returns into the code that started the server."""
        starter = os.getpid()
        try:
            return int(super().spawn_worker())
        except BaseException as error:  # pylint: disable=broad-exception-caught
            if os.getpid() == starter:
                raise
            status = error.code if isinstance(error, SystemExit) else 1
            logging.shutdown()
            sys.stderr.flush()
            os._exit(status if isinstance(status, int) else 1)

    def _take_signals(self, seconds: float) -> None:
        for number in self.wait_for_signals(timeout=seconds):
            getattr(self, f"handle_{signal.Signals(number).name[3:].lower()}")()

    def _fall_silent(self, stage: Stage) -> None:
        for listener in self.LISTENERS:
            refuse_new_connections(listener)
        self.shared.stage.now = stage
        for listener in self.LISTENERS:
            listener.close()
        self.LISTENERS = []

    def _tick(self) -> None:
        if self.shared.certificate is not None:
            self.shared.certificate.reload_if_changed()
        if monotonic() < self._tick_due:
            return
        self._tick_due = monotonic() + TICK_SECONDS
        try:
            self._hooks.tick()
        except Misconfigured as error:
            logger.error("%s", error)
        except Exception:  # pylint: disable=broad-exception-caught
            logger.exception("the regular work of the starting process failed")
