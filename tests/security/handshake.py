"""A real TLS server and client on the loopback, for a single handshake."""

import shutil
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs the openssl command (Debian: openssl)"
)

TIMEOUT_SECONDS = 30  # a slow machine; a handshake takes milliseconds


def trusting(ca_cert):
    """A client that trusts this authority alone and is as strict as OpenSSL can be."""
    context = ssl.create_default_context(cafile=str(ca_cert))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@contextmanager
def serving(certificate, key):
    """The port of a server that greets one client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_SECONDS)
        greeter = threading.Thread(target=_greet, args=(listener, context))
        greeter.start()
        try:
            yield listener.getsockname()[1]
        finally:
            greeter.join(TIMEOUT_SECONDS)


def _greet(listener, context):
    connection, _ = listener.accept()
    connection.settimeout(TIMEOUT_SECONDS)
    try:
        with connection, context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"hello")
    except OSError:  # the client refused us, as some tests want
        return


def greeting(context, certificate, key, name):
    """What the client hears from the server that it believes to be `name`."""
    with (
        serving(certificate, key) as port,
        socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection,
        context.wrap_socket(connection, server_hostname=name) as secure,
    ):
        return secure.recv(5)
