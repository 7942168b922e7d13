"""The numbers in `deploy/` that must agree with the server's own."""

import re
from pathlib import Path

from ota_http_server.server.framing import FIELDS_MAX, REQUEST_LINE_BYTES_MAX
from ota_http_server.settings import Settings, knobs

DEPLOY = Path(__file__).parents[2] / "deploy"
APACHE = (DEPLOY / "apache" / "ota.conf").read_text()
APACHE_PROXY = (DEPLOY / "apache" / "httpd-proxy-ota.conf").read_text()
NGINX = (DEPLOY / "nginx" / "ota.conf").read_text()
UNIT = (DEPLOY / "systemd" / "ota_http_server@.service").read_text()
SECRETS = (DEPLOY / "systemd" / "secrets.conf").read_text()


def number(text, pattern):
    return int(re.search(rf"(?m)^\s*{pattern}", text)[1])


def test_proxies_end_idle_connections_before_the_instances_do():
    upstream = NGINX[: NGINX.index("server {\n    listen")]

    assert number(APACHE_PROXY, r'Define OTA_IDLE_SECONDS "(\d+)"') < Settings().keep_alive_seconds
    assert number(upstream, r"keepalive_timeout (\d+)s") < Settings().keep_alive_seconds


def test_proxies_refuse_what_the_instances_would_refuse():
    assert number(APACHE, r"LimitRequestLine (\d+)") == REQUEST_LINE_BYTES_MAX
    assert number(APACHE, r"LimitRequestFields (\d+)") == FIELDS_MAX
    assert number(NGINX, r"large_client_header_buffers 4 (\d+)k") * 1024 == REQUEST_LINE_BYTES_MAX


def test_both_proxies_take_the_same_forged_fields_away():
    by_apache = set(re.findall(r"(?m)^RequestHeader unset (\S+)", APACHE_PROXY))
    by_nginx = set(re.findall(r"(?m)^ +proxy_set_header (\S+) ", NGINX))

    assert by_apache <= by_nginx


def test_systemd_waits_longer_for_a_stop_than_the_server_does():
    assert number(UNIT, r"TimeoutStopSec=(\d+)") > Settings().stop_seconds_max


def test_systemd_lets_the_server_open_as_many_files_as_it_needs():
    assert number(UNIT, r"LimitNOFILE=(\d+)") > 2 * Settings().worker_connections


def test_systemd_hands_over_secrets_under_names_that_the_server_reads():
    assert "OTA_ADMIN_SECRET_FILE=%d/admin_secret" in SECRETS
    assert "OTA_JWT_SECRET_FILE=%d/jwt_secret" in SECRETS
    assert {"admin_secret", "jwt_secret"} <= set(knobs())
