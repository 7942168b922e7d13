"""The same application on Windows, where gunicorn does not exist: waitress runs it.

It has no TLS, so a proxy in front does that, as it does in the brief.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, TypeVar

from waitress import create_server

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.server.options import Hooks, Process, ServerOptions, WsgiApp

logger = logging.getLogger("ota_http_server.server")

T = TypeVar("T")

THREADS = 32
"""Each serves one request at a time; the proxy in front takes the slow readers off them."""
CLEANUP_SECONDS = 5
TICK_SECONDS = 10.0


def serve_waitress(
    make_app: Callable[[Process], WsgiApp], options: ServerOptions, hooks: Hooks
) -> int:
    """Serve in this one process until Ctrl-C; the exit status."""
    if options.certificate is not None or options.key is not None:
        raise Misconfigured(
            "this server does no TLS on Windows: let the proxy do it and start with --no-certs"
        )
    stopping = False
    with ThreadPoolExecutor(1, "writer") as writer:

        def in_writer(work: Callable[[], T], /) -> T:
            future: Future[T] = writer.submit(work)
            return future.result()

        def in_thread(work: Callable[[], T], /) -> T:
            return work()  # every request has a thread of its own already

        app = make_app(Process(lambda: stopping, in_thread, in_writer))
        server = _bound(app, options)
        hooks.started()
        try:
            with _ticking(hooks.tick):
                server.run()
        finally:
            stopping = True
            server.close()
            _end(app)
            hooks.stopped()
    return 0


def _bound(app: WsgiApp, options: ServerOptions) -> Any:
    try:
        return create_server(
            app,
            host=options.host,
            port=options.port,
            threads=THREADS,
            backlog=options.backlog,
            connection_limit=options.connections_max,
            channel_timeout=int(options.keep_alive_seconds),
            cleanup_interval=CLEANUP_SECONDS,
            max_request_header_size=16_384,
            ident=None,
            clear_untrusted_proxy_headers=False,
        )
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"cannot listen on {options.host} port {options.port}: {error}"
        ) from error


@contextmanager
def _ticking(tick: Callable[[], None]) -> Iterator[None]:
    """Calls it on a thread of its own now and then, as the starting process does elsewhere."""
    ended = Event()

    def run() -> None:
        while not ended.wait(TICK_SECONDS):
            try:
                tick()
            except Exception:  # pylint: disable=broad-exception-caught
                # The next tick may do better; the log has the whole of it.
                logger.exception("the regular work failed")

    thread = Thread(target=run, name="tick")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _end(app: WsgiApp) -> None:
    """Lets the application write what was only in memory; `stopped` comes after it in any case."""
    close = getattr(app, "close", None)
    if close is None:
        return
    try:
        close()
    except Exception:  # pylint: disable=broad-exception-caught
        logger.exception("the application did not end as it should")
