"""What `make run` starts: the server on a sample image, and what to try with it.

On a loopback address it serves plain HTTP; on any other one TLS with the certificate of its own
authority. Everything printed from the first `#` on can be pasted into a shell as it is.
"""

import argparse
import http.client
import os
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from ipaddress import ip_address
from pathlib import Path

from ota_http_server.cli.options import load
from ota_http_server.cli.serve import is_public
from ota_http_server.domain.errors import Misconfigured
from ota_http_server.operations.prepare import Places
from ota_http_server.security.certificates import own_files
from ota_http_server.security.hosts import primary_address
from ota_http_server.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = (sys.executable, "-m", "ota_http_server")

SAMPLE = "sample/sample-1.0.0.bin"
DEVICE = "e6f87d77-4216-4be1-ab83-b5fa6792b747"

READY_SECONDS_MAX = 120.0  # a first start makes keys and tables; on a small board that takes long
LOOK_SECONDS = 0.1


def main() -> int:
    """Runs the server until it is told to stop; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", default="8071")
    given = parser.parse_args()
    os.chdir(ROOT)
    options = {"host": given.host, "port": given.port, "no_certs": not is_public(given.host)}
    try:
        settings = load(options)
    except Misconfigured as error:
        sys.exit(f"make run: {error}")
    if _answers(settings):
        sys.exit(f"make run: port {given.port} is taken; choose another: make run PORT=8072")
    if status := subprocess.run([*PROGRAM, "sample"], check=False).returncode:
        return status
    print("Starting the server; Ctrl-C stops it.", flush=True)
    certs = "--no-certs" if settings.no_certs else "--certs"
    place = ("--host", given.host, "--port", given.port)
    with subprocess.Popen([*PROGRAM, certs, *place]) as server:
        # Ctrl-C reaches the server by itself, a signal to this process alone does not.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        if _is_ready(settings, server):
            print(what_to_try(settings), flush=True)
        return server.wait()


def what_to_try(settings: Settings) -> str:
    """Comments and commands for a shell, and for boards what trusts this server."""
    url, trust = _url(settings), _trust(settings)
    image = (settings.firmware_path / SAMPLE).absolute()
    parts = [
        f"""
# The server is ready. Paste this into another terminal.

# 1. A token for one device and one project. {_about_secret(settings)}
TOKEN=$({_secret_header(settings)} | curl -sS{trust} -H @- -H 'Content-Type: application/json' \\
  -d '{{"device_id":"{DEVICE}","project":"sample"}}' \\
  {url}/admin/generate_token | sed -n 's/.*"token":"\\([^"]*\\)".*/\\1/p')

# 2. The sample image with this token.
curl -sS -f{trust} -o downloaded.bin -H "Authorization: Bearer $TOKEN" \\
  {url}/{settings.url_firmware.strip("/")}/{SAMPLE}

# 3. It is the same. Now put a .bin of yours into a folder beside the sample's.
cmp downloaded.bin {shlex.quote(str(image))} && echo the same

# 4. What a board that runs 0.9.0 is told when it asks by itself.
curl -sS -f{trust} -H "Authorization: Bearer $TOKEN" \\
  '{url}/api/device/v1/check?version=0.9.0&chip=esp32&revision=9999'"""
    ]
    if not settings.no_certs:
        parts.append(_for_boards(settings, url))
    return "\n".join(parts) + "\n"


def _for_boards(settings: Settings, url: str) -> str:
    lines = [f"\n# On the network this server is {url}"]
    if settings.cert is None:
        authority = own_files(Places(settings.data_dir).tls).ca_cert.absolute()
        lines += [
            "# Boards trust it by the certificate of its authority:",
            f"#   {authority}",
            "# ESP-IDF: copy that file beside your main.c, and in CMakeLists.txt say",
            '#   idf_component_register(SRCS "main.c" EMBED_TXTFILES "ca_cert.pem")',
            "# and in main.c",
            '#   extern const char ca_cert_pem_start[] asm("_binary_ca_cert_pem_start");',
            "#   esp_http_client_config_t config = {",
            f'#       .url = "{url}/{settings.url_firmware.strip("/")}/{SAMPLE}",',
            "#       .cert_pem = ca_cert_pem_start,",
            "#   };",
        ]
    return "\n".join(lines)


def _about_secret(settings: Settings) -> str:
    if settings.admin_secret is not None:
        return "The admin secret is the one\n#    that is configured: have it in OTA_ADMIN_SECRET."
    place = Places(settings.data_dir).admin_secret.absolute()
    return f"The admin secret is read from\n#    its file, so no process list shows it: {place}"


def _secret_header(settings: Settings) -> str:
    if settings.admin_secret is not None:
        return "printf 'X-Admin-Secret: %s' \"$OTA_ADMIN_SECRET\""
    place = Places(settings.data_dir).admin_secret.absolute()
    return f"sed 's/^/X-Admin-Secret: /' {shlex.quote(str(place))}"


def _trust(settings: Settings) -> str:
    if settings.no_certs or settings.cert is not None:
        return ""
    authority = own_files(Places(settings.data_dir).tls).ca_cert.absolute()
    return f" --cacert {shlex.quote(str(authority))}"


def _url(settings: Settings) -> str:
    address = _address(settings.host)
    host = f"[{address}]" if ":" in address else address
    return f"{'http' if settings.no_certs else 'https'}://{host}:{settings.port}"


def _address(host: str) -> str:
    """Where others reach a server that listens on `host`, which may mean every address."""
    try:
        everywhere = ip_address(host).is_unspecified
    except ValueError:
        everywhere = False
    return (primary_address() or "127.0.0.1") if everywhere else host


def _is_ready(settings: Settings, server: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while server.poll() is None and time.monotonic() < deadline:
        if _answers(settings):
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _answers(settings: Settings) -> bool:
    """Whether somebody on the port says that it is ready. Only a look: nothing is trusted."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    place = (_address(settings.host), settings.port)
    try:
        with socket.create_connection(place, timeout=5) as plain:
            if settings.no_certs:
                return _status(plain) == 200
            with context.wrap_socket(plain) as wrapped:
                return _status(wrapped) == 200
    except (OSError, http.client.HTTPException):
        return False


def _status(connection: socket.socket) -> int:
    connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.status


if __name__ == "__main__":
    sys.exit(main())
