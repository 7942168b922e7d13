"""Every knob once: its name, type, default and meaning stand on one line of `Settings`.

The command line, the environment, `config.toml` and `docs/reference/settings.md` derive from
that line. Values come from four levels, each overriding the one before:
defaults < configuration file < environment < command line. They are read at start only.
"""

import dataclasses
import os
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.knob import DEVICES, FILES, LIMITS, LOGS, PROXY, SERVE, TOKENS, Knob, knob

Network = IPv4Network | IPv6Network
MIB = 2**20
DAY_SECONDS = 24 * 3600
MADE = "made in the data folder"

OWN_ROUTES = ("admin", "api", "favicon.ico", "flash", "healthz", "readyz", "status")
"""Firmware under one of these paths would hide the server's own answers."""

SQLITE = "sqlite:///"
DATABASE_URL = re.compile(rf"({SQLITE}[^?]|postgresql(\+psycopg)?://[^\s])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:  # pylint: disable=too-many-instance-attributes
    """How this server runs. Relative paths count from the working folder."""

    host: str = knob("0.0.0.0", "address to listen on", SERVE)  # noqa: S104 - the brief's default
    port: int = knob(8071, "port to listen on", SERVE, least=1, most=65535)
    no_certs: bool = knob(False, "serve plain HTTP instead of HTTPS", SERVE)
    cert: Path | None = knob(None, "certificate (PEM) to show", SERVE, shown_default=MADE)
    key: Path | None = knob(None, "private key (PEM) of the certificate", SERVE, shown_default=MADE)
    public_url: str | None = knob(
        None,
        "scheme and host that devices use, for absolute URLs",
        SERVE,
        shown_default="as the request came",
    )
    workers: int | None = knob(
        None, "worker processes", SERVE, least=1, most=64, shown_default="one per core, up to 4"
    )

    www_dir: Path = knob(Path("www"), "folder of the favicon and of the firmware folder", FILES)
    firmware_dir: Path = knob(
        Path("firmware"), "folder of the projects, inside the www folder", FILES
    )
    url_firmware: str = knob("firmware", "path under which firmware is served", FILES)
    data_dir: Path = knob(
        Path("data"), "folder of the database, blobs, secrets and own certificates", FILES
    )
    database_url: str | None = knob(
        None,
        "SQLAlchemy URL of the database",
        FILES,
        secret=True,
        shown_default="`ota.sqlite` in the data folder",
    )
    image_bytes_max: int = knob(
        1024 * MIB,
        "largest image, in bytes (SWUpdate and RAUC bundles are big)",
        FILES,
        least=1,
        most=1024**4,
    )
    sweep_seconds: int = knob(
        60,
        "seconds between two looks through the whole firmware folder",
        FILES,
        least=1,
        most=DAY_SECONDS,
    )

    no_jwt: bool = knob(False, "serve firmware without tokens, and ignore those that come", TOKENS)
    jwt_alg: str = knob(
        "HS256",
        "how tokens are signed",
        TOKENS,
        env="OTA_JWT_ALGORITHM",
        choices=("HS256", "HS384", "HS512"),
    )
    jwt_expiry: int = knob(
        30,
        "minutes a token lives unless asked otherwise",
        TOKENS,
        env="OTA_JWT_EXPIRY_MINUTES",
        least=1,
        most=525_600,
    )
    jwt_expiry_max: int = knob(1440, "most minutes a token may live", TOKENS, least=1, most=525_600)
    jwt_secret: str | None = knob(
        None, "secret that signs tokens", TOKENS, secret=True, shown_default=MADE
    )
    jwt_secret_also: str | None = knob(
        None,
        "another secret whose tokens are accepted, while one follows the other",
        TOKENS,
        secret=True,
        shown_default="none",
    )
    admin_secret: str | None = knob(
        None, "secret of the admin endpoints", TOKENS, secret=True, shown_default=MADE
    )
    shared_secret: bool = knob(True, "let the admin secret open the admin endpoints", TOKENS)
    device_secret: str | None = knob(
        None,
        "secret that device credentials and download tickets are made with",
        TOKENS,
        secret=True,
        shown_default=MADE,
    )
    query_token: bool = knob(True, "accept `?token=` on GET and HEAD", TOKENS)

    poll_seconds: int = knob(
        300,
        "seconds that a device waits between check-ins",
        DEVICES,
        least=10,
        most=DAY_SECONDS - 1,
    )
    silent_seconds: int = knob(
        DAY_SECONDS,
        "seconds without a word after which a begun update counts as silent",
        DEVICES,
        least=60,
        most=365 * DAY_SECONDS,
    )
    downloads_max: int = knob(
        0, "most devices that download at a time; 0: any number", DEVICES, least=0, most=1_000_000
    )
    download_bytes_per_second: int = knob(
        0,
        "most bytes a second of all downloads together; 0: any number",
        DEVICES,
        least=0,
        most=10**12,
    )
    devices_max: int = knob(
        100_000, "most devices in the registry", DEVICES, least=1, most=10_000_000
    )

    trusted_proxies: tuple[Network, ...] = knob(
        (), "networks whose X-Forwarded-* headers count", PROXY, shown_default="none"
    )
    transfer: str = knob(
        "direct",
        "who sends the bytes: this server, or the proxy by a header",
        PROXY,
        choices=("direct", "x-sendfile", "x-accel-redirect"),
    )
    transfer_prefix: str = knob(
        "/_blobs", "internal location of the blobs for x-accel-redirect", PROXY
    )
    transfer_group: str | None = knob(
        None,
        "group that may read the blobs, for a proxy that sends them",
        PROXY,
        shown_default="nobody else",
    )

    worker_connections: int = knob(
        10_000, "most connections of one worker", LIMITS, least=10, most=1_000_000
    )
    backlog: int = knob(4_096, "connections the kernel keeps waiting", LIMITS, least=1, most=65_535)
    connections_max: int = knob(
        1_024,
        "most connections without a valid credential, per worker",
        LIMITS,
        least=1,
        most=1_000_000,
    )
    connections_per_address_max: int = knob(
        256, "the same from one address", LIMITS, least=1, most=1_000_000
    )
    header_seconds_max: float = knob(
        10.0, "seconds a request's header may take", LIMITS, least=0.1, most=DAY_SECONDS
    )
    handshake_seconds_max: float = knob(
        10.0, "seconds a TLS handshake may take", LIMITS, least=0.1, most=DAY_SECONDS
    )
    body_seconds_max: float = knob(
        30.0, "seconds a request's body may take", LIMITS, least=0.1, most=DAY_SECONDS
    )
    keep_alive_seconds: float = knob(
        15.0, "seconds an idle connection is kept", LIMITS, least=0.1, most=DAY_SECONDS
    )
    send_stall_seconds_max: float = knob(
        30.0, "seconds a send may make no progress", LIMITS, least=0.1, most=DAY_SECONDS
    )
    stop_delay_seconds: float = knob(
        1.0,
        "seconds between saying goodbye and accepting no more",
        LIMITS,
        least=0,
        most=DAY_SECONDS,
    )
    stop_seconds_max: float = knob(
        900.0,
        "seconds that running downloads get to finish at a stop",
        LIMITS,
        least=0,
        most=DAY_SECONDS,
    )

    ota_audit_log: Path = knob(Path("ota_audit.log"), "audit log file", LOGS, env="OTA_AUDIT_LOG")
    access_log: str = knob(
        "refusals",
        "which requests are logged beside finished downloads",
        LOGS,
        choices=("off", "refusals", "all"),
    )
    log_format: str = knob("text", "form of a log line", LOGS, choices=("text", "json"))
    log_level: str = knob(
        "info",
        "least serious line that is logged",
        LOGS,
        choices=("debug", "info", "warning", "error"),
    )

    def __post_init__(self) -> None:
        if self.jwt_expiry > self.jwt_expiry_max:
            raise Misconfigured(
                f"jwt_expiry ({self.jwt_expiry} minutes) is longer than"
                f" jwt_expiry_max ({self.jwt_expiry_max})"
            )
        if (self.cert is None) != (self.key is None):
            given, missing = ("cert", "key") if self.key is None else ("key", "cert")
            raise Misconfigured(f"{given} is set but {missing} is not; give both or none")
        prefix = self.url_firmware.strip("/")
        if not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", prefix):
            raise Misconfigured("url_firmware must be a path of letters, digits, - and _")
        if (first := prefix.partition("/")[0]) in OWN_ROUTES:
            raise Misconfigured(f"url_firmware must not begin with {first}, a route of the server")
        if self.public_url and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+", self.public_url):
            raise Misconfigured("public_url must look like https://ota.example.com:8070")
        if self.database_url and not DATABASE_URL.match(self.database_url):
            # Not the value: it may hold a password.
            raise Misconfigured(
                "database_url must look like postgresql://user:password@host/name"
                " or sqlite:////folder/ota.sqlite"
            )
        if self.database_url and self.database_file is None and self.database_url.count("@") > 1:
            # What stands behind the first would be taken for the host, and shown when it fails.
            raise Misconfigured(
                "database_url has more than one @: in the password write %40 for @, %3A for :,"
                " %2F for / and %25 for %"
            )
        name = str(self.database_file or "")
        if name.startswith((":", "file:")) or "\0" in name:
            # In memory, each connection and each process would have rows of its own.
            raise Misconfigured(f"database_url must name a file, not {name!r}")
        self.keep_from_www("data_dir", self.data_dir)
        self.keep_from_www("database_url", self.database_file)
        self.keep_from_www("key", self.key)
        self.keep_from_www("ota_audit_log", self.ota_audit_log)

    def keep_from_www(self, name: str, path: Path | None) -> None:
        """Refuses a private place in the firmware folder, which is served to whoever has a token.

        `name` is what the operator set to it.
        """
        served = os.path.realpath(self.firmware_path)  # `resolve` raises where links go round
        if path is not None and Path(os.path.realpath(path)).is_relative_to(served):
            raise Misconfigured(f"{name} ({path}) must not lie in the firmware folder, {served}")

    @property
    def firmware_path(self) -> Path:
        return self.www_dir / self.firmware_dir

    @property
    def database_address(self) -> str:
        if self.database_url:
            return self.database_url
        return f"{SQLITE}{quote(str(self.data_dir.absolute() / 'ota.sqlite'))}"

    @property
    def database_file(self) -> Path | None:
        """Where SQLite keeps the rows; None with another database."""
        address = self.database_address
        if not address.startswith(SQLITE):
            return None
        return Path(unquote(address.removeprefix(SQLITE).partition("?")[0]))

    @property
    def worker_count(self) -> int:
        return self.workers or min(os.cpu_count() or 1, 4)


def knobs() -> dict[str, tuple["dataclasses.Field[Any]", Knob]]:
    """Every setting by its key, in the order in which they are written above."""
    return {f.name: (f, f.metadata["knob"]) for f in dataclasses.fields(Settings)}


def env_name(key: str, of: Knob) -> str:
    return of.env or "OTA_" + key.upper()


def option_names(key: str, kind: object) -> tuple[str, ...]:
    """The options of a knob: `_` becomes `-`, and each boolean has its opposite too.

    Without the opposite, the highest level could not take back what a lower one says.
    """
    name = key.replace("_", "-")
    if kind is not bool:
        return (f"--{name}",)
    opposite = name.removeprefix("no-") if name.startswith("no-") else f"no-{name}"
    return (f"--{name}", f"--{opposite}")
