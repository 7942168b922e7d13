import os
import stat
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.security.secrets import (
    equal_secrets,
    load_or_make,
    read_secret_file,
    same_secret,
    weaknesses,
)
from tests.security.forge import unhurried

needs_posix = pytest.mark.skipif(os.name != "posix", reason="file modes mean nothing here")


def written(path, content="b1946ac92492d2347c62\n", mode=0o600):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_is_made_once_and_kept(tmp_path):
    path = tmp_path / "data" / "secrets" / "jwt"

    first = load_or_make(path)

    assert load_or_make(path) == first
    assert path.read_text() == first + "\n"
    assert os.listdir(path.parent) == ["jwt"]


def test_every_made_secret_is_another_and_strong_enough_for_every_algorithm(tmp_path):
    made = [load_or_make(tmp_path / str(number)) for number in range(20)]

    assert len(set(made)) == 20
    assert not [found for secret in made for found in weaknesses("jwt_secret", secret, 64)]
    assert all(len(secret) >= 64 * 4 / 3 for secret in made)


@needs_posix
def test_only_we_may_enter_the_folder_and_read_the_file(tmp_path):
    before = os.umask(0)
    try:
        load_or_make(tmp_path / "data" / "secrets" / "jwt")
    finally:
        os.umask(before)

    assert mode_of(tmp_path / "data") == 0o700
    assert mode_of(tmp_path / "data" / "secrets") == 0o700
    assert mode_of(tmp_path / "data" / "secrets" / "jwt") == 0o600


@needs_posix
def test_a_folder_that_was_there_is_closed_to_others_when_a_secret_is_made(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets").chmod(0o775)

    load_or_make(tmp_path / "secrets" / "jwt")

    assert mode_of(tmp_path / "secrets") == 0o700


def test_what_a_start_cut_short_left_behind_is_not_used(tmp_path):
    written(tmp_path / ".jwt.new", "half a sec")

    secret = load_or_make(tmp_path / "jwt")

    assert "half" not in secret
    assert os.listdir(tmp_path) == ["jwt"]


@needs_posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_kept_secret_that_others_may_read_or_write_is_refused(tmp_path, mode):
    path = written(tmp_path / "jwt", mode=mode)

    with pytest.raises(Misconfigured) as refusal:
        load_or_make(path)

    assert f"chmod 600 {path}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@needs_posix
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_a_kept_secret_that_others_may_replace_is_refused(tmp_path, mode):
    path = written(tmp_path / "jwt")
    tmp_path.chmod(mode)

    with pytest.raises(Misconfigured, match="chmod 700"):
        load_or_make(path)


@needs_posix
def test_a_kept_secret_behind_a_link_is_refused_and_nothing_is_made_behind_it(tmp_path):
    (tmp_path / "jwt").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Misconfigured, match="symbolic link"):
        load_or_make(tmp_path / "jwt")

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("content", ["", "\n", " \n", "\r\n"])
@pytest.mark.parametrize("read", [load_or_make, read_secret_file])
def test_an_empty_file_is_no_secret(tmp_path, read, content):
    path = written(tmp_path / "jwt", content)

    with pytest.raises(Misconfigured, match="jwt: is empty"):
        read(path)


@pytest.mark.parametrize("read", [load_or_make, read_secret_file])
@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xff\xfe\x00", "not text"), (b"x" * 4097, "4096 bytes")],
)
def test_a_file_that_cannot_hold_a_secret_is_refused_by_name(tmp_path, read, content, reason):
    path = written(tmp_path / "jwt", content)

    with pytest.raises(Misconfigured, match=f"jwt: .*{reason}"):
        read(path)


@needs_posix
@pytest.mark.parametrize("read", [load_or_make, read_secret_file])
def test_a_folder_or_a_pipe_in_the_place_of_the_secret_is_refused_at_once(tmp_path, read):
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)

    with pytest.raises(Misconfigured, match="folder: is not a file"):
        read(tmp_path / "folder")
    with pytest.raises(Misconfigured, match="pipe: is not a file"):
        read(tmp_path / "pipe")


@pytest.mark.parametrize("read", [load_or_make, read_secret_file])
def test_a_place_where_no_file_can_be_is_refused_by_name(tmp_path, read):
    written(tmp_path / "a file")

    with pytest.raises(Misconfigured, match="jwt: cannot be"):
        read(tmp_path / "a file" / "jwt")


def test_a_missing_secret_file_is_refused_and_not_made(tmp_path):
    with pytest.raises(Misconfigured, match=r"admin: cannot be read: No such file"):
        read_secret_file(tmp_path / "admin")

    assert not (tmp_path / "admin").exists()


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("plain", "plain"),
        ("plain\n", "plain"),
        ("plain\r\n", "plain"),
        ("two ends\n\n", "two ends\n"),
        (" blanks stay ", " blanks stay "),
        ("schlüssel\n", "schlüssel"),
    ],
)
def test_one_line_end_is_not_part_of_a_secret(tmp_path, content, secret):
    assert read_secret_file(written(tmp_path / "admin", content)) == secret


@needs_posix
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
def test_a_named_file_of_ours_that_everybody_may_read_is_refused(tmp_path, mode):
    path = written(tmp_path / "my admin", mode=mode)

    with pytest.raises(Misconfigured, match=f"chmod 600 '{path}'"):
        read_secret_file(path)


@needs_posix
@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_named_file_may_be_shared_with_a_group(tmp_path, mode):
    assert read_secret_file(written(tmp_path / "admin", mode=mode)) == "b1946ac92492d2347c62"


@needs_posix
def test_a_named_file_may_be_a_link_as_container_secrets_are(tmp_path):
    (tmp_path / "admin").symlink_to(written(tmp_path / "..data"))

    assert read_secret_file(tmp_path / "admin") == "b1946ac92492d2347c62"


@needs_posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_file_of_somebody_else_may_be_readable_but_not_writable_by_all(tmp_path):
    readable = written(tmp_path / "readable", mode=0o444)
    writable = written(tmp_path / "writable", mode=0o646)
    os.chown(readable, 12345, 12345)
    os.chown(writable, 12345, 12345)

    assert read_secret_file(readable) == "b1946ac92492d2347c62"
    with pytest.raises(Misconfigured, match="chmod 600"):
        read_secret_file(writable)


def test_the_command_that_mends_a_file_mends_it(tmp_path):
    path = written(tmp_path / "it's mine", mode=0o644)
    with pytest.raises(Misconfigured) as refusal:
        load_or_make(path)

    subprocess.run(str(refusal.value).split("mend it with: ")[1], shell=True, check=True)

    assert load_or_make(path) == "b1946ac92492d2347c62"


@unhurried
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_secret_is_recognised_as_typed_and_as_a_header_brings_it(secret):
    assert same_secret(secret, secret)
    assert same_secret(secret.encode().decode("latin-1"), secret)


@unhurried
@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_anything_else_is_refused_without_an_error(given_text, secret):
    spellings = {secret, secret.encode().decode("latin-1")}
    latin = given_text.encode("latin-1", "ignore")

    if given_text not in spellings and latin != secret.encode():
        assert not same_secret(given_text, secret)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("", ""),
        ("", "b1946ac9"),
        ("b1946ac9", ""),
        ("b1946ac", "b1946ac9"),
        ("b1946ac99", "b1946ac9"),
        ("B1946AC9", "b1946ac9"),
        ("b1946ac9 ", "b1946ac9"),
        ("中1946ac9", "?1946ac9"),
        ("\ud8001946ac9", "b1946ac9"),
    ],
)
def test_a_secret_that_is_not_quite_the_same_is_another(text, secret):
    assert not same_secret(text, secret)


def test_a_secret_that_is_no_utf_8_can_be_given_in_a_header():
    from_environment = b"caf\xe9".decode("utf-8", "surrogateescape")

    assert same_secret("caf\xe9", from_environment)


@pytest.mark.parametrize(
    "secret",
    [
        "secret",
        "supersecret",
        "adminsecret",
        "changeme",
        "CHANGE_ME",
        "change-me-now!",
        "password",
        "passw0rd123",
        "your-very-long-secret-value",
        "my_super_secret_jwt_key_2024",
        "supersecret" * 10,
        "adminsecret-" * 8,
    ],
)
def test_a_well_known_word_is_found_however_it_is_dressed(secret):
    assert "jwt_secret is a well-known word" in weaknesses("jwt_secret", secret, 1)


@pytest.mark.parametrize(("bytes_min", "found"), [(20, []), (21, ["x is shorter than 21 bytes"])])
def test_a_secret_is_measured_in_bytes(bytes_min, found):
    assert weaknesses("x", "b1946ac92492d2347cä", bytes_min) == found


@pytest.mark.parametrize(
    ("secret", "found"),
    [
        ("a" * 64, "x uses fewer than 8 different characters"),
        ("1234567" * 10, "x uses fewer than 8 different characters"),
        ("0123456789abcdef" * 4, "x repeats a shorter text"),
    ],
)
def test_a_long_secret_of_little_content_is_found(secret, found):
    assert found in weaknesses("x", secret, 32)


def test_the_secrets_of_the_example_configuration_are_weak_by_name():
    assert weaknesses("jwt_secret", "supersecret", 64)
    assert weaknesses("admin_secret", "adminsecret", 16)


@unhurried
@given(st.text(max_size=80), st.integers(1, 64))
def test_a_warning_never_shows_the_secret(secret, bytes_min):
    shown = " ".join(weaknesses("jwt_secret", secret, bytes_min))
    fixed = " ".join(weaknesses("jwt_secret", "", bytes_min) + weaknesses("jwt_secret", "a", 99))
    known = fixed + " is a well-known word repeats a shorter text"

    assert set(shown.split()) <= set(known.split())


def test_long_secrets_are_judged_at_once():
    for secret in ("changeme" * 500 + "!x", "secret" * 600 + "y", "a" * 4095 + "b"):
        assert isinstance(weaknesses("x", secret, 32), list)


def test_settings_that_share_a_secret_are_named_two_by_two():
    settings = {"jwt_secret": "one", "admin_secret": "one", "other": "two", "unset": "", "no": ""}

    found = equal_secrets(settings)

    assert found == ["jwt_secret and admin_secret are the same secret: who learns one has both"]
