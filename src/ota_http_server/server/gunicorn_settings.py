"""What gunicorn is told: in code alone, no file, command line or environment has a say."""

import logging
import os
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from ota_http_server.server.arbiter import STUCK_SECONDS, Shared
from ota_http_server.server.worker import Worker

_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108


class Application(BaseApplication):  # type: ignore[misc]
    """Carries our objects through gunicorn to the worker."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        super().__init__()

    def load_config(self) -> None:
        options = self.shared.options
        settings: dict[str, Any] = {
            "bind": [],
            "workers": options.workers,
            "worker_class": Worker,
            "logger_class": QuietLog,
            "timeout": STUCK_SECONDS,
            "control_socket_disable": True,
            "preload_app": False,
            "umask": 0o077,
        }
        if _MEMORY_FOLDER.is_dir() and os.access(_MEMORY_FOLDER, os.W_OK):
            # The heartbeat is the time stamp of a file; on a busy disk it would come late.
            settings["worker_tmp_dir"] = str(_MEMORY_FOLDER)
        for name, value in settings.items():
            self.cfg.set(name, value)

    def init(self, parser: Any, opts: Any, args: Any) -> None:
        """gunicorn's command line, which is not used."""

    def load(self) -> None:
        """The worker makes the application itself."""


class QuietLog:
    """gunicorn's log, in ours: its complaints are heard, its chatter is not."""

    access_log_enabled = False

    def __init__(self, cfg: Any) -> None:
        self.cfg = cfg
        self._log = logging.getLogger("ota_http_server.server")

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg

    def debug(self, message: str, *args: Any, **_more: Any) -> None:
        """Nothing that an operator could use."""

    info = access = debug

    def warning(self, message: str, *args: Any, **more: Any) -> None:
        self._log.warning(message, *args, **more)

    def error(self, message: str, *args: Any, **more: Any) -> None:
        self._log.error(message, *args, **more)

    critical = error

    def exception(self, message: str, *args: Any, **more: Any) -> None:
        self._log.error(message, *args, **{"exc_info": True} | more)

    def log(self, level: int, message: str, *args: Any, **more: Any) -> None:
        self._log.log(level, message, *args, **more)

    def reopen_files(self) -> None:
        """There are none."""

    def close_on_exec(self) -> None:
        """There are none."""
