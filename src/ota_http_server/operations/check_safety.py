"""What is unsafe about the way a server is set up, in sentences that name no secret."""

from pathlib import Path

from ota_http_server.operations.prepare import Secrets
from ota_http_server.security.secrets import equal_secrets, weaknesses
from ota_http_server.security.tokens import SECRET_BYTES_MIN
from ota_http_server.storage.mounts import network_kind

ADMIN_SECRET_BYTES_MIN = 16  # 128 bits of a random one; it is typed by people, so no more

DEVICE_SECRET_BYTES_MIN = 32  # as much as the hash that it keys


def unsafe(
    secrets: Secrets,
    *,
    algorithm: str,
    tokens_off: bool,
    plain_http: bool,
    public: bool,
    database_file: Path | None,
) -> list[str]:
    """One sentence for each danger; an empty list if there is none."""
    said = _weak("jwt_secret", secrets.jwt, SECRET_BYTES_MIN[algorithm])
    if secrets.jwt_also is not None:
        said += _weak("jwt_secret_also", secrets.jwt_also, SECRET_BYTES_MIN[algorithm])
    said += _weak("admin_secret", secrets.admin, ADMIN_SECRET_BYTES_MIN)
    said += _weak("device_secret", secrets.devices, DEVICE_SECRET_BYTES_MIN)
    said += equal_secrets(
        {
            "jwt_secret": secrets.jwt,
            "jwt_secret_also": secrets.jwt_also or "",
            "admin_secret": secrets.admin,
            "device_secret": secrets.devices,
        }
    )
    if tokens_off:
        reach = "everybody who reaches this server" if public else "every program on this host"
        said.append(f"no_jwt: {reach} can download every image without a token")
    if plain_http and public:
        said.append(
            "no_certs on an address that others reach: tokens, the admin secret and images can be"
            " read and changed on the way; let a proxy do TLS and listen on 127.0.0.1"
        )
    if database_file is not None and (kind := network_kind(database_file)):
        said.append(
            f"the database, {database_file}, lies on {kind}, a file system that is shared or comes"
            " over a network: SQLite's locks may not hold there, and rows may be damaged; put"
            " data_dir on a disk of this host, or use PostgreSQL"
        )
    return said


def _weak(name: str, secret: str, bytes_min: int) -> list[str]:
    """One sentence for a secret, however many things are wrong with it."""
    reasons = [why.removeprefix(f"{name} ") for why in weaknesses(name, secret, bytes_min)]
    return [f"{name} is weak: it {', it '.join(reasons)}"] if reasons else []
