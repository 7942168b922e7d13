"""Starting with nothing, starting again, starting three at once, and not starting at all."""

import http.client
import json
import shutil
import socket
import ssl
import stat
import sys
from pathlib import Path

import pytest

from ota_http_server.cli.serve import is_public
from tests.cli.calling import Caller, real
from tests.running import DEVICE, PATIENCE_SECONDS, Server, free_port

ROOT = Path(__file__).parents[1]
BRIEF = ROOT / "tests" / "fixtures" / "brief_config.toml"
SECRETS = ("secrets/jwt", "secrets/admin", "secrets/devices", "secrets/audit")
KEYS = ("tls/ca_key.pem", "tls/server_key.pem")
CANARIES = {
    "OTA_JWT_SECRET": "canary-jwt-0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "OTA_ADMIN_SECRET": "canary-admin-9876543210-abcdefghijklmnopqrstuvwxyz",
}


def kept(data_dir):
    """Everything secret, and the authority that boards are built with."""
    return {name: (data_dir / name).read_bytes() for name in (*SECRETS, *KEYS, "tls/ca_cert.pem")}


def admin(server, path, document, secret):
    """As `Server.admin`, for a secret that does not lie in the data folder."""
    headers = {"X_Admin_Secret": secret, "Content_Type": "application/json"}
    return server.ask("POST", path, body=json.dumps(document).encode(), **headers)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A server that was started with nothing configured, over TLS, and has stopped again."""
    folder = tmp_path_factory.mktemp("first")
    with Server(folder, tls=True) as server:
        server.mint("lamp")
        assert server.stop() == 0
    return server


def test_what_the_first_start_makes_is_for_its_owner_alone(started):
    data = started.data_dir

    made = [path for path in data.rglob("*") if path.name != "ca_cert.pem"]
    assert {path.relative_to(data).as_posix() for path in made} >= {*SECRETS, *KEYS, "ota.sqlite"}
    assert {mode(path) for path in made if path.is_file()} == {0o600}
    assert {mode(path) for path in (data, *made) if path.is_dir()} == {0o700}
    assert mode(started.folder / "ota_audit.log") == 0o600


def test_the_places_are_printed_and_the_values_are_not(started):
    assert "the secret in data/secrets/jwt" in started.log
    assert "the admin secret lies in data/secrets/admin" in started.log
    assert str(started.data_dir / "tls" / "ca_cert.pem") in started.log
    for name in SECRETS:
        assert (started.data_dir / name).read_text().strip() not in started.log


def test_the_second_start_makes_nothing_anew(started, tmp_path):
    shutil.copytree(started.folder, tmp_path, dirs_exist_ok=True)
    before = kept(tmp_path / "data")

    with Server(tmp_path, tls=True) as server:
        status = server.get("/status").status

    assert (status, kept(tmp_path / "data")) == (200, before)


def test_three_servers_started_at_once_in_an_empty_folder_agree(tmp_path):
    servers = [Server(tmp_path, tls=True) for _ in range(3)]
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.await_ready()

        tokens = [server.mint("lamp") for server in servers]
        answers = [
            server.get("/firmware/lamp/versions", token).status
            for server in servers
            for token in tokens
        ]
    finally:
        for server in servers:
            server.kill()

    assert set(answers) == {404}  # no such project, but not one token is refused
    lines = (tmp_path / "ota_audit.log").read_text()
    assert lines.count("Action=server_start") == lines.count("Action=generate_token") == 3
    assert not any("error" in server.log or "Traceback" in server.log for server in servers)


def test_the_first_servers_example_file_starts_with_one_warning_for_each_weak_secret(tmp_path):
    shutil.copy(BRIEF, tmp_path / "config.toml")

    with Server(tmp_path, tls=True) as server:
        wish = {"device_id": DEVICE, "project": "smart_fan"}
        answer = admin(server, "/admin/generate_token", wish, "adminsecret")

    warnings = [line for line in server.log.splitlines() if " warning " in line]
    assert answer.status == 200
    assert len([line for line in warnings if "start: jwt_secret is weak: it " in line]) == 1
    assert len([line for line in warnings if "start: admin_secret is weak: it " in line]) == 1
    assert len(warnings) == 2
    assert "supersecret" not in server.log
    assert "adminsecret" not in server.log


def test_no_secret_and_no_token_is_ever_in_an_output(tmp_path, monkeypatch, capsys):
    options = ("--log-level", "debug", "--access-log", "all", "--database-url")
    url = f"sqlite:///{tmp_path}/canary-url.sqlite"
    env = {**CANARIES, "OTA_CANARY": "1"}
    with Server(tmp_path, *options, url, env=env) as server:
        secret = CANARIES["OTA_ADMIN_SECRET"]
        wish = {"device_id": DEVICE, "project": "lamp"}
        token = admin(server, "/admin/generate_token", wish, secret).json()["token"]
        answers = [
            server.get("/firmware/lamp/x.bin", token),
            server.get(f"/firmware/lamp/x.bin?token={token}"),
            server.get(f"/firmware/lamp/{token}/x.bin"),
            server.get(f"/{CANARIES['OTA_JWT_SECRET'][:9]}?token={token}"),
            admin(server, "/admin/generate_token", {"device_id": token}, secret),
            admin(server, "/admin/revoke_token", {"token": token}, secret),
            admin(server, "/admin/generate_token", wish, "guessed"),
            server.get("/status"),
            server.get("/readyz"),
            server.get("/healthz"),
        ]
        server.stop()
    call = Caller(tmp_path, monkeypatch, capsys)
    shell = [
        call(*words.split(), **env)
        for words in ("settings", "settings --json", "doctor", "audit verify", "token inspect x")
    ]

    audit = (tmp_path / "ota_audit.log").read_text()
    said = "".join(
        [server.log, audit, *(str(a.headers) + a.body.decode() for a in answers), *map(str, shell)]
    )
    for hidden in (*CANARIES.values(), token, token.rpartition(".")[2], "guessed"):
        assert hidden not in said
    assert "--database-url: the process list shows it" in server.log
    assert "the environment has OTA_CANARY, which is no setting" in server.log


def test_secrets_given_as_options_work_and_are_warned_of(tmp_path):
    options = (
        *("--jwt-secret", CANARIES["OTA_JWT_SECRET"]),
        *("--admin-secret", CANARIES["OTA_ADMIN_SECRET"]),
    )
    with Server(tmp_path, *options) as server:
        answer = admin(server, "/admin/revoke_token", {"jti": "x"}, CANARIES["OTA_ADMIN_SECRET"])

    assert answer.status == 200
    assert server.log.count("the process list shows it to everybody on this host") == 2
    assert "canary" not in server.log
    assert not (tmp_path / "data" / "secrets" / "jwt").exists()


class Script(Server):
    """`python http_server.py …` of the checkout, with a certificate whose names do not matter."""

    @property
    def command(self):
        return [sys.executable, str(ROOT / "http_server.py"), *super().command[3:]]

    def connect(self):
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=PATIENCE_SECONDS, context=trusting
        )


def test_the_first_servers_example_command_starts_and_is_warned_of_its_authority(tmp_path):
    made = real(tmp_path, "certs", "ota.lan")
    (tmp_path / "certs" / "ca_key.pem").chmod(0o664)  # as a clone with umask 002 has it
    options = """--cert certs/ca_cert.pem --key certs/ca_key.pem
        --www-dir www --firmware-dir firmware --url-firmware firmware"""

    with Script(tmp_path, *options.split(), tls=True) as server:
        status = server.get("/status").status

    assert (made.status, status) == (0, 200)
    assert server.log.count("certs/ca_cert.pem is the certificate of an authority (CA)") == 1
    assert server.log.count("certs/ca_key.pem can be read by every user of this machine") == 1
    assert not (tmp_path / "data" / "tls").exists()


def broken_database(folder):
    (folder / "data").mkdir()
    (folder / "data" / "ota.sqlite").write_bytes(b"this is no database" * 100)
    return (), "the database cannot be used: file is not a database"


def file_in_place_of_the_data_folder(folder):
    (folder / "data").write_text("")
    return (), "data: the data folder cannot be made (File exists)"


def data_folder_that_takes_no_files(folder):
    (folder / "data" / "start.lock").mkdir(parents=True)
    return (), "data: the data folder cannot be written (Is a directory)"


def file_in_place_of_the_www_folder(folder):
    (folder / "www").write_text("")
    return (), "www/firmware: the firmware folder cannot be made (Not a directory)"


def audit_log_nowhere(_folder):
    options = ("--ota-audit-log", "nowhere/audit.log")
    return options, "ota_audit_log: nowhere/audit.log cannot be written (No such file or directory)"


def certificate_that_is_missing(_folder):
    return ("--certs", "--cert", "c.pem", "--key", "k.pem"), "c.pem does not exist"


def certificate_that_is_none(folder):
    (folder / "c.pem").write_text("no certificate")
    return ("--certs", "--cert", "c.pem", "--key", "c.pem"), "c.pem is not a PEM certificate"


def secret_that_others_may_read(folder):
    (folder / "data" / "secrets").mkdir(parents=True)
    secret = folder / "data" / "secrets" / "jwt"
    secret.write_text("a secret that everybody on this host knows")
    secret.chmod(0o644)
    return (), "data/secrets/jwt: others may read or change it; mend it with: chmod 600"


def group_that_is_not_there(_folder):
    options = ("--transfer-group", "no-such-group")
    return options, "transfer_group: there is no group 'no-such-group' here"


def database_at_no_port(_folder):
    return ("--database-url", "postgresql://ota@db.example.com:port/ota"), "no database URL"


def database_with_a_password_that_is_not_escaped(_folder):
    return ("--database-url", "postgresql://ota:p@canary@127.0.0.1/ota"), "write %40 for @"


def database_without_a_server(_folder):
    url = f"postgresql://user:canary@127.0.0.1:{free_port()}/ota"
    return ("--database-url", url), "the database cannot be used: connection failed"


def address_of_somebody_else(_folder):
    return ("--host", "203.0.113.255"), "203.0.113.255"


@pytest.mark.parametrize(
    "spoil",
    [
        broken_database,
        file_in_place_of_the_data_folder,
        data_folder_that_takes_no_files,
        file_in_place_of_the_www_folder,
        audit_log_nowhere,
        certificate_that_is_missing,
        certificate_that_is_none,
        secret_that_others_may_read,
        group_that_is_not_there,
        database_at_no_port,
        database_with_a_password_that_is_not_escaped,
        database_without_a_server,
        address_of_somebody_else,
    ],
)
def test_what_keeps_it_from_starting_is_one_clear_line_and_exit_status_2(tmp_path, spoil):
    options, expected = spoil(tmp_path)

    said = real(tmp_path, "--no-certs", "--host", "127.0.0.1", "--port", str(free_port()), *options)

    complaints = [line for line in said.err.splitlines() if not line.startswith("2")]
    assert said.status == 2
    assert len(complaints) == 1
    assert complaints[0].startswith("ota_http_server: ")
    assert expected in complaints[0]
    assert "canary" not in said.err


def test_a_port_that_is_taken_is_one_clear_line_and_exit_status_2(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        said = real(tmp_path, "--no-certs", "--host", "127.0.0.1", "--port", str(port))

    assert said.status == 2
    assert said.err.splitlines()[-1] == (
        f"ota_http_server: cannot listen on 127.0.0.1 port {port}:"
        " another process is listening there"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_only_this_host_reaches_loopback(host):
    assert not is_public(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "ota.lan"])
def test_others_reach_every_other_address(host):
    assert is_public(host)
