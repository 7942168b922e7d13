"""Every knob by every level, and which level wins."""

import dataclasses
from ipaddress import ip_network
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from ota_http_server.cli import cli
from ota_http_server.domain.errors import Misconfigured
from ota_http_server.levels import read_settings, strangers
from ota_http_server.security.secrets import read_secret_file
from ota_http_server.settings import Settings, env_name, knobs, option_names

BRIEF = Path(__file__).parent / "fixtures" / "brief_config.toml"
BRIEF_OPTIONS = """
    --host --port --cert --key --no-certs --no-jwt --jwt-alg --jwt-expiry --jwt-secret
    --admin-secret --www-dir --firmware-dir --url-firmware --ota-audit-log --config --help
"""
BRIEF_VARIABLES = {
    "jwt_alg": "OTA_JWT_ALGORITHM",
    "jwt_expiry": "OTA_JWT_EXPIRY_MINUTES",
    "jwt_secret": "OTA_JWT_SECRET",
    "admin_secret": "OTA_ADMIN_SECRET",
    "ota_audit_log": "OTA_AUDIT_LOG",
}

# Three values of each knob, as TOML and as text. Where the rule below makes none, it is said here.
NAMED = {
    "cert": ["a/c.pem", "b/c.pem", "c/c.pem"],
    "key": ["a/k.pem", "b/k.pem", "c/k.pem"],
    "database_url": ["sqlite:///a", "sqlite:///b", "postgresql://c/c"],
    "public_url": ["https://a", "https://b:1", "http://c"],
    "jwt_expiry_max": [100, 200, 300],
    "jwt_alg": ["HS384", "HS512", "HS256"],
    "transfer": ["x-sendfile", "x-accel-redirect", "direct"],
    "access_log": ["off", "all", "refusals"],
    "log_format": ["json", "text", "json"],
    "log_level": ["debug", "warning", "error"],
}
PAIRED = {"cert": ("key", "k"), "key": ("cert", "c")}
NETWORKS = ["10.0.0.0/8", "192.168.0.0/16", "127.0.0.1/32"]


def samples(key):
    """Three legal values of a knob, each different from the one before."""
    field, knob = knobs()[key]
    if key in NAMED:
        return [Path(text) for text in NAMED[key]] if key in ("cert", "key") else NAMED[key]
    if field.type is bool:
        return [not field.default, field.default, not field.default]
    if key == "trusted_proxies":
        return [(ip_network(text),) for text in NETWORKS]
    if int in (field.type, *get_args(field.type)) or field.type is float:
        return [knob.least + n for n in (1, 2, 3)]
    kind = Path if Path in (field.type, *get_args(field.type)) else str
    return [kind(text) for text in ("first", "second", "third")]


def text_of(value):
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def toml_of(value):
    if isinstance(value, tuple):
        return str([str(network) for network in value])
    return f'"{value}"' if isinstance(value, (str, Path)) else text_of(value)


def read(tmp_path, *, file="", env=None, line=None):
    config = tmp_path / "config.toml"
    config.write_text(f"[parameters]\n{file}\n")
    return read_settings(line or {}, env or {}, config, read_secret_file)


def refusal(tmp_path, **levels):
    with pytest.raises(Misconfigured) as error:
        read(tmp_path, **levels)
    return str(error.value)


def partner(key):
    """`cert` is nothing without `key`."""
    return {PAIRED[key][0]: PAIRED[key][1]} if key in PAIRED else {}


@pytest.mark.parametrize("key", knobs())
def test_each_level_overrides_the_one_below(tmp_path, key):
    _, knob = knobs()[key]
    low, middle, high = samples(key)
    file = "\n".join(
        [f"{key} = {toml_of(low)}", *(f'{k} = "{v}"' for k, v in partner(key).items())]
    )
    env = {env_name(key, knob): text_of(middle)}

    by_file = read(tmp_path, file=file)
    by_env = read(tmp_path, file=file, env=env)
    by_line = read(tmp_path, file=file, env=env, line={key: text_of(high)})

    assert [getattr(values, key) for values in (by_file, by_env, by_line)] == [low, middle, high]


@pytest.mark.parametrize("key", knobs())
def test_without_any_level_the_default_is_in_force(tmp_path, key):
    field, _ = knobs()[key]

    assert getattr(read(tmp_path), key) == field.default


@given(st.data())
def test_whatever_levels_speak_the_highest_that_does_is_heard(tmp_path_factory, data):
    tmp_path = tmp_path_factory.mktemp("levels")
    key = data.draw(st.sampled_from([key for key in knobs() if key not in PAIRED]))
    field, knob = knobs()[key]
    low, middle, high = samples(key)
    speaks = data.draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))

    values = read(
        tmp_path,
        file=f"{key} = {toml_of(low)}" if speaks[0] else "",
        env={env_name(key, knob): text_of(middle)} if speaks[1] else {},
        line={key: text_of(high)} if speaks[2] else {},
    )

    heard = [value for spoke, value in zip(speaks, (low, middle, high), strict=True) if spoke]
    assert getattr(values, key) == (heard[-1] if heard else field.default)


def test_the_names_of_the_first_server_are_all_here():
    offered = {name for parameter in cli.params for name in parameter.opts}
    help_page = CliRunner().invoke(cli, ["--help"]).output

    assert set(BRIEF_OPTIONS.split()) - {"--help"} <= offered
    assert all(name in help_page for name in BRIEF_OPTIONS.split())
    assert {key: env_name(key, knobs()[key][1]) for key in BRIEF_VARIABLES} == BRIEF_VARIABLES


@pytest.mark.parametrize("key", [k for k, (field, _) in knobs().items() if field.type is bool])
def test_the_command_line_can_say_each_truth_and_its_opposite(key):
    option = next(parameter for parameter in cli.params if parameter.name == key)

    assert (*option.opts, *option.secondary_opts) == option_names(key, bool)
    assert len(option_names(key, bool)) == 2


def test_the_opposites_of_the_negatives_are_plain():
    assert option_names("no_certs", bool) == ("--no-certs", "--certs")
    assert option_names("no_jwt", bool) == ("--no-jwt", "--jwt")
    assert option_names("query_token", bool) == ("--query-token", "--no-query-token")


def test_the_first_servers_example_file_is_read(tmp_path):
    values = read(tmp_path, file=BRIEF.read_text().removeprefix("[parameters]\n"))

    assert (values.port, values.jwt_alg, values.jwt_expiry) == (8080, "HS512", 60)
    assert (values.jwt_secret, values.admin_secret) == ("supersecret", "adminsecret")
    assert values.firmware_path == Path("www/firmware")


@pytest.mark.parametrize("word", ["true", "1", "yes", "on", "True", "YES", " on "])
def test_a_truth_of_the_environment_has_many_words(tmp_path, word):
    assert read(tmp_path, env={"OTA_NO_JWT": word}).no_jwt is True


@pytest.mark.parametrize("word", ["false", "0", "no", "off", "False", "NO"])
def test_so_has_its_opposite(tmp_path, word):
    assert read(tmp_path, file="no_jwt = true", env={"OTA_NO_JWT": word}).no_jwt is False


@pytest.mark.parametrize("key", knobs())
def test_an_empty_variable_is_not_set(tmp_path, key):
    name = env_name(key, knobs()[key][1])

    assert read(tmp_path, env={name: ""}) == read(tmp_path)


@pytest.mark.parametrize("key", [k for k, (field, _) in knobs().items() if field.default is None])
def test_an_empty_text_in_the_file_is_not_set_where_the_default_is_worked_out(tmp_path, key):
    assert read(tmp_path, file=f'{key} = ""') == read(tmp_path)


@pytest.mark.parametrize("key", [k for k, (_, knob) in knobs().items() if knob.secret])
def test_a_secret_is_read_from_the_file_that_the_environment_names(tmp_path, key):
    text = "sqlite:///of/a/file" if key == "database_url" else "secret of a file"
    secret = tmp_path / "secret"
    secret.write_text(f"{text}\n")
    secret.chmod(0o600)
    name = env_name(key, knobs()[key][1])

    values = read(tmp_path, file=f'{key} = "sqlite:///x"', env={f"{name}_FILE": str(secret)})

    assert getattr(values, key) == text


def test_a_secret_and_its_file_at_once_are_refused(tmp_path):
    env = {"OTA_JWT_SECRET": "canary", "OTA_JWT_SECRET_FILE": "/run/secrets/jwt"}

    said = refusal(tmp_path, env=env)

    assert said == "the environment sets both OTA_JWT_SECRET and OTA_JWT_SECRET_FILE"


def test_a_secret_file_that_is_missing_is_named(tmp_path):
    said = refusal(tmp_path, env={"OTA_ADMIN_SECRET_FILE": "/nowhere/admin"})

    assert said == "/nowhere/admin: cannot be read: No such file or directory"


def test_an_unknown_variable_of_ours_is_pointed_out_with_the_nearest():
    said = strangers({"OTA_JWT_ALG": "HS256", "OTA_PORT": "1", "OTA_ADMIN_SECRET_FILE": "x"})

    assert said == [
        "the environment has OTA_JWT_ALG, which is no setting (did you mean 'OTA_JWT_ALGORITHM'?)"
    ]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("prot = 1", "unknown key 'prot' (did you mean 'port'?)"),
        ("zzz = 1", "unknown key 'zzz'"),
        ('port = "8071"', "port must be a whole number, not '8071'"),
        ("port = 8071.5", "port must be a whole number, not 8071.5"),
        ("port = true", "port must be a whole number, not True"),
        ("port = 0", "port must be at least 1, not 0"),
        ("port = 65536", "port must be at most 65535, not 65536"),
        ("no_jwt = 1", "no_jwt must be true or false, not 1"),
        ('no_jwt = "true"', "no_jwt must be true or false, not 'true'"),
        ("host = 1", "host must be a text in quotes, not 1"),
        ('host = ""', "host must be a text that is not empty, not ''"),
        ("www_dir = false", "www_dir must be a text in quotes, not False"),
        ('www_dir = ""', "www_dir must be a path, not ''"),
        ("jwt_secret = 12345", "jwt_secret must be a text in quotes"),
        ('jwt_alg = "RS256"', "jwt_alg must be one of HS256, HS384, HS512, not 'RS256'"),
        ('jwt_alg = "none"', "jwt_alg must be one of HS256, HS384, HS512, not 'none'"),
        ("keep_alive_seconds = nan", "keep_alive_seconds must be a finite number, not nan"),
        ("keep_alive_seconds = inf", "keep_alive_seconds must be a finite number, not inf"),
        ("backlog = 1000000000000", "backlog must be at most 65535, not 1000000000000"),
        (
            'trusted_proxies = ["here"]',
            "trusted_proxies must be networks such as 127.0.0.1/32 or 10.0.0.0/8, not ['here']",
        ),
    ],
)
def test_a_wrong_value_in_the_file_is_one_line_with_file_key_and_what_is_expected(
    tmp_path, file, said
):
    assert refusal(tmp_path, file=file) == f"{tmp_path / 'config.toml'}: {said}"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("jwt_expiry = 2000", "jwt_expiry (2000 minutes) is longer than jwt_expiry_max (1440)"),
        ('cert = "c.pem"', "cert is set but key is not; give both or none"),
        ('key = "k.pem"', "key is set but cert is not; give both or none"),
        ('url_firmware = "a b"', "url_firmware must be a path of letters, digits, - and _"),
        ('url_firmware = "/"', "url_firmware must be a path of letters, digits, - and _"),
        (
            'url_firmware = "admin/x"',
            "url_firmware must not begin with admin, a route of the server",
        ),
        ('public_url = "ota.lan"', "public_url must look like https://ota.example.com:8070"),
        (
            'database_url = "canary"',
            "database_url must look like postgresql://user:password@host/name"
            " or sqlite:////folder/ota.sqlite",
        ),
        (
            'database_url = "sqlite:///:memory:"',
            "database_url must name a file, not ':memory:'",
        ),
        (
            'database_url = "sqlite:///%3Amemory%3A"',
            "database_url must name a file, not ':memory:'",
        ),
        (
            'database_url = "sqlite:///file:x?mode=memory&uri=true"',
            "database_url must name a file, not 'file:x'",
        ),
        (
            'database_url = "postgresql://u:can@ary:pw@127.0.0.1/db"',
            "database_url has more than one @: in the password write %40 for @, %3A for :,"
            " %2F for / and %25 for %",
        ),
        ('database_url = "sqlite:///a%00b"', r"database_url must name a file, not 'a\x00b'"),
    ],
)
def test_values_that_do_not_go_together_or_mean_nothing_are_refused(tmp_path, file, said):
    assert refusal(tmp_path, file=file) == said


@pytest.mark.parametrize("key", ["data_dir", "ota_audit_log"])
def test_what_is_private_must_not_lie_where_firmware_is_served(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)

    said = refusal(tmp_path, file=f'{key} = "www/../www/firmware/x"')

    assert said.startswith(f"{key} (www/../www/firmware/x) must not lie in the firmware folder")


@pytest.mark.parametrize("name", ["www/firmware/lamp/ota.sqlite", "www/%66irmware/a?timeout=9"])
def test_a_database_must_not_lie_where_firmware_is_served(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)

    said = refusal(tmp_path, file=f'database_url = "sqlite:///{name}"')

    assert said.startswith("database_url (www/firmware/")
    assert "must not lie in the firmware folder" in said


def test_neither_must_the_files_that_hold_secrets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    served = Path("www/firmware/lamp")
    served.mkdir(parents=True)
    (served / "secret").write_text("a secret")
    (served / "secret").chmod(0o600)
    (served / "config.toml").write_text("[parameters]")

    with pytest.raises(Misconfigured, match=r"config \(www/firmware/lamp/config.toml\) must not"):
        read_settings({}, {}, served / "config.toml", read_secret_file)
    with pytest.raises(Misconfigured, match=r"OTA_JWT_SECRET_FILE \(www/.*secret\) must not"):
        read_settings({}, {"OTA_JWT_SECRET_FILE": f"{served}/secret"}, None, read_secret_file)


def test_links_that_go_round_are_not_followed_for_ever(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("www").symlink_to("www")

    assert read(tmp_path).firmware_path == Path("www/firmware")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[parameters\nport = 1", "is not valid TOML (Expected ']' at the end of a table"),
        (b"\x00\x01", "is not valid TOML"),
        (b"[parameters]\nhost = '\xff'", "is not text in UTF-8 (byte 21)"),
        (b"port = 1", "'port' stands outside of the [parameters] table"),
        (b"[paramters]\nport = 1", "'paramters' stands outside of the [parameters] table"),
        (b"parameters = 1", "parameters must be a table, [parameters]"),
        (b'[parameters]\n"a\\nb" = 1', r"unknown key 'a\nb'"),
        (b"x = " + b"[" * 10_000, "is not valid TOML"),
    ],
)
def test_a_file_that_is_none_is_one_line_with_its_name(tmp_path, content, said):
    config = tmp_path / "other.toml"
    config.write_bytes(content)

    with pytest.raises(Misconfigured) as error:
        read_settings({}, {}, config, read_secret_file)

    assert str(error.value).startswith(f"{config}: {said}")
    assert "\n" not in str(error.value)


def test_a_file_asked_for_by_name_must_be_there_and_be_a_file(tmp_path):
    with pytest.raises(Misconfigured, match="there is no such configuration file"):
        read_settings({}, {}, tmp_path / "none.toml", read_secret_file)
    with pytest.raises(Misconfigured, match=r"cannot be read \(Is a directory\)"):
        read_settings({}, {}, tmp_path, read_secret_file)


def test_the_working_folders_file_counts_unasked_if_it_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without = read_settings({}, {}, None, read_secret_file)
    Path("config.toml").write_text("[parameters]\nport = 9000\n")

    assert without == Settings()
    assert read_settings({}, {}, None, read_secret_file).port == 9000


def test_a_mark_that_windows_editors_begin_with_does_no_harm(tmp_path):
    config = tmp_path / "config.toml"
    config.write_bytes(b"\xef\xbb\xbf[parameters]\r\nport = 9000\r\n")

    assert read_settings({}, {}, config, read_secret_file).port == 9000


@given(st.binary(max_size=200))
def test_no_file_however_broken_ends_in_anything_but_settings_or_one_line(
    tmp_path_factory, content
):
    config = tmp_path_factory.mktemp("junk") / "config.toml"
    config.write_bytes(content)

    try:
        read_settings({}, {}, config, read_secret_file)
    except Misconfigured as error:
        assert str(error).startswith(f"{config}: ")
        assert str(error).isprintable()


@given(st.sampled_from(list(knobs())), st.text(max_size=60))
def test_no_variable_however_strange_ends_in_anything_but_settings_or_a_line(key, text):
    name = env_name(key, knobs()[key][1])

    try:
        read_settings({}, {name: text}, None, read_secret_file)
    except Misconfigured as error:
        assert key in str(error)


def test_secrets_are_not_in_the_repr():
    values = Settings(
        jwt_secret="canary-1", admin_secret="canary-2", database_url="postgresql://u:canary@h/d"
    )

    assert "canary" not in repr(values)
    assert dataclasses.asdict(values)["jwt_secret"] == "canary-1"


def test_a_data_folder_with_signs_that_urls_know_has_its_database_inside(tmp_path):
    folder = tmp_path / "100%41 ?#"

    values = Settings(data_dir=folder)

    assert make_url(values.database_address).database == str(folder / "ota.sqlite")
    assert values.database_file == folder / "ota.sqlite"


def test_only_sqlite_has_a_file_for_its_database():
    assert Settings(database_url="sqlite:////a/b?timeout=9").database_file == Path("/a/b")
    assert Settings(database_url="postgresql://host/name").database_file is None
