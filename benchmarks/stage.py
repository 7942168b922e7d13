"""What a run needs before anybody starts: an image, tokens, a certificate, all in one folder."""

import os
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jwt

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.security.certificates import TlsFiles, make_set

HOST = "127.0.0.1"
PROJECT = "lamp"
HARDWARE = "esp32"
NEWEST = "2.0.0"
IMAGE_PATH = f"/firmware/{PROJECT}/lamp-1.4.0.bin"
SLOW_IMAGE_PATH = f"/firmware/{PROJECT}/lamp-{NEWEST}.bin"
VERSIONS_PATH = f"/firmware/{PROJECT}/versions"
VERSIONS_BODY = b'{"versions":["1.4.0","2.0.0"],"count":2,"latest":"2.0.0"}'

PAYLOAD_BYTES = 1_499_600
"""With what an image has around it, 1.5 MB: an ESP32 application with Wi-Fi and TLS."""
SLOW_PAYLOAD_BYTES = 2_000_000
"""At 40 KB/s it lasts for 50 seconds, longer than any slow reader is watched."""
TOKEN_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Stage:
    """The folder of one run and what was put into it."""

    folder: Path
    image_bytes: int
    secret: str
    tls: TlsFiles

    @property
    def www(self) -> Path:
        return self.folder / "www"

    def token(self) -> str:
        """A token for a device of its own, as the product would mint it."""
        now = int(time.time())
        claims = {
            "sub": str(uuid.uuid4()),
            "project": PROJECT,
            "roles": ["device", "ota_client"],
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": secrets.token_urlsafe(9),
            "fw_version": "1.0.0",
        }
        return jwt.encode(claims, self.secret, algorithm="HS256")

    def environment(self) -> dict[str, str]:
        """For all servers: what a shell has set for the product must not change a measurement."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OTA_")}
        return kept | {"OTA_JWT_SECRET": self.secret, "JWT_SECRET": self.secret}


def prepare(folder: Path) -> Stage:
    """Write everything into an empty folder."""
    images = {
        Path(IMAGE_PATH).name: _image("1.4.0", PAYLOAD_BYTES),
        Path(SLOW_IMAGE_PATH).name: _image(NEWEST, SLOW_PAYLOAD_BYTES),
    }
    project = folder / "www" / "firmware" / PROJECT
    # nginx has the same tree with the small answer as a file; the others make it themselves.
    static = folder / "static" / "firmware" / PROJECT
    for place in (project, static):
        place.mkdir(parents=True)
        for name, image in images.items():
            (place / name).write_bytes(image)
    (static / "versions").write_bytes(VERSIONS_BODY)
    tls, _ = make_set(folder / "certs", [HOST], datetime.now(UTC), 2, replace=False)
    image_bytes = len(images[Path(IMAGE_PATH).name])
    return Stage(folder, image_bytes, secrets.token_urlsafe(32), tls)


def _image(version: str, payload_bytes: int) -> bytes:
    return esp_application(
        version=version, project=PROJECT, chip=HARDWARE, payload_bytes=payload_bytes
    )
