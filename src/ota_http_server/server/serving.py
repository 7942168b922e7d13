"""Running the application until somebody stops it."""

import logging
import os
import sys
from collections.abc import Callable

from ota_http_server.server.options import Hooks, Process, ServerOptions, WsgiApp

logger = logging.getLogger("ota_http_server.server")

FILES_BESIDE_CONNECTIONS = 200
"""Images being sent, the database, the log, what Python itself has open."""


def serve(make_app: Callable[[Process], WsgiApp], options: ServerOptions, hooks: Hooks) -> int:
    """Bind, start the workers and stay until a signal; the exit status.

    `make_app` is called in each worker. What keeps the server from starting is `Misconfigured`,
    raised before anything is forked. `patching.patch` must have been called, early.
    """
    if sys.platform == "win32":
        # pylint: disable-next=import-outside-toplevel
        from ota_http_server.server.windows import serve_waitress

        return serve_waitress(make_app, options, hooks)
    # gunicorn and gevent do not exist on Windows.
    # pylint: disable=import-outside-toplevel
    from ota_http_server.server.accepting import listen
    from ota_http_server.server.arbiter import Arbiter, Shared
    from ota_http_server.server.gunicorn_settings import Application
    from ota_http_server.server.stopping import SharedStage
    from ota_http_server.server.tls import Certificate

    os.umask(0o077)
    _raise_file_limit(options.worker_connections)
    certificate = None
    if options.certificate is not None and options.key is not None:
        certificate = Certificate(options.certificate, options.key)
    listener = listen(options.host, options.port, options.backlog)
    try:
        shared = Shared(make_app, options, certificate, SharedStage())
        return Arbiter(Application(shared), listener, hooks).serve()
    finally:
        listener.close()


def _raise_file_limit(connections: int) -> None:
    """A connection is a file to the kernel, and during a download it holds a second one open."""
    import resource  # pylint: disable=import-outside-toplevel

    needed = connections + FILES_BESIDE_CONNECTIONS
    wanted = needed + connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):
        allowed = soft
    if allowed < needed:
        logger.warning(
            "this process may open %d files, %d connections per worker need %d: raise the limit "
            "(ulimit -n, LimitNOFILE= of systemd) or lower worker_connections",
            allowed,
            connections,
            needed,
        )
