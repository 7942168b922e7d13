import ssl
import stat
import subprocess
import sys
from dataclasses import astuple
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.security.authority import Authority, found, names_of, new_key
from ota_http_server.security.certificates import NAMES_MAX, ensure_own, make_set, own_files
from ota_http_server.security.hosts import certificate_name
from ota_http_server.security.pem import certificate_bytes, key_bytes
from tests.security.handshake import greeting, needs_openssl, trusting

NAMES = ["ota.lan", "localhost", "127.0.0.1", "::1"]
NOW = datetime.now(UTC).replace(microsecond=0)  # handshakes below read the real clock
DAY = timedelta(days=1)


def certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def contents(files):
    return [path.read_bytes() for path in astuple(files)]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)


def test_the_first_start_makes_four_private_files_in_a_private_folder(tmp_path):
    files = ensure_own(tmp_path / "data" / "tls", NAMES, NOW)

    assert sorted(tmp_path.glob("data/tls/*")) == sorted(astuple(files))
    assert {mode(path) for path in astuple(files)} == {0o600}
    assert mode(tmp_path / "data" / "tls") == 0o700


def test_the_next_start_changes_nothing(tmp_path):
    before = contents(ensure_own(tmp_path, NAMES, NOW))

    after = contents(ensure_own(tmp_path, NAMES, NOW + 300 * DAY))

    assert before == after


@needs_openssl
@pytest.mark.parametrize("name", NAMES)
def test_openssl_accepts_the_chain_for_every_name(tmp_path, name):
    files = ensure_own(tmp_path, NAMES, NOW)
    check = "-verify_ip" if name in ("127.0.0.1", "::1") else "-verify_hostname"

    result = openssl(
        *("verify", "-x509_strict", "-purpose", "sslserver", check, name),
        *("-CAfile", files.ca_cert, files.server_cert),
    )

    assert result.stdout.strip().endswith("OK"), result.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["ota.lan", "127.0.0.1"])
def test_a_client_that_trusts_the_authority_reaches_the_server(tmp_path, name, version):
    files = ensure_own(tmp_path, NAMES, NOW)
    client = trusting(files.ca_cert)
    client.minimum_version = client.maximum_version = version

    heard = greeting(client, files.server_cert, files.server_key, name)

    assert heard == b"hello"


def test_a_client_refuses_the_server_under_another_name(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)

    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        greeting(trusting(files.ca_cert), files.server_cert, files.server_key, "evil.lan")


def test_the_authority_of_one_installation_is_worth_nothing_at_another(tmp_path):
    ours = ensure_own(tmp_path / "ours", NAMES, NOW)
    theirs = ensure_own(tmp_path / "theirs", NAMES, NOW)

    with pytest.raises(ssl.SSLCertVerificationError):
        greeting(trusting(ours.ca_cert), theirs.server_cert, theirs.server_key, "ota.lan")

    assert certificate(ours.ca_cert).subject != certificate(theirs.ca_cert).subject


def test_the_first_name_is_the_common_name_and_all_are_alternative_names(tmp_path):
    made = certificate(ensure_own(tmp_path, NAMES, NOW).server_cert)

    assert made.subject.rfc4514_string() == "CN=ota.lan"
    assert names_of(made) == tuple(NAMES)


def test_a_name_too_long_for_the_common_name_is_an_alternative_name_all_the_same(tmp_path):
    long = ".".join(["long" * 10] * 5)

    made = certificate(ensure_own(tmp_path, [long, "ota.lan"], NOW).server_cert)

    assert made.subject.rfc4514_string() == "CN=ota.lan"
    assert names_of(made) == (long, "ota.lan")


def test_a_certificate_with_under_30_days_is_renewed_with_its_key_by_the_same_authority(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    ca_cert, ca_key, first, server_key = contents(files)
    nearly = certificate(files.server_cert).not_valid_after_utc - 29 * DAY

    ensure_own(tmp_path, NAMES, nearly)

    renewed = certificate(files.server_cert)
    assert contents(files) == [ca_cert, ca_key, certificate_bytes(renewed), server_key]
    assert renewed.serial_number != x509.load_pem_x509_certificate(first).serial_number
    assert renewed.not_valid_after_utc > nearly + 300 * DAY


def test_a_board_that_trusts_the_authority_accepts_the_renewed_certificate(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW - 380 * DAY)
    board = trusting(files.ca_cert)

    ensure_own(tmp_path, NAMES, NOW)

    assert greeting(board, files.server_cert, files.server_key, "ota.lan") == b"hello"


def test_a_new_address_of_the_host_joins_the_names_that_the_certificate_had(tmp_path):
    ensure_own(tmp_path, NAMES, NOW)

    files = ensure_own(tmp_path, ["ota.lan", "10.0.0.7"], NOW + DAY)

    made = certificate(files.server_cert)
    assert names_of(made) == ("ota.lan", "10.0.0.7", "localhost", "127.0.0.1", "::1")


def test_an_address_that_went_away_is_no_reason_for_a_new_certificate(tmp_path):
    before = contents(ensure_own(tmp_path, NAMES, NOW))

    assert contents(ensure_own(tmp_path, ["ota.lan"], NOW)) == before


def test_a_host_with_a_new_address_each_day_does_not_grow_its_certificate_for_ever(tmp_path):
    for day in range(NAMES_MAX + 20):
        files = ensure_own(tmp_path, ["ota.lan", f"10.0.0.{day}"], NOW + day * DAY)

    names = names_of(certificate(files.server_cert))
    assert len(names) == NAMES_MAX
    assert names[:3] == ("ota.lan", f"10.0.0.{day}", f"10.0.0.{day - 1}")


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_first_start_cut_short_is_completed_by_the_next(tmp_path, kept):
    files = ensure_own(tmp_path, NAMES, NOW)
    in_order = [files.ca_key, files.ca_cert, files.server_key, files.server_cert]
    survivors = [path.read_bytes() for path in in_order[:kept]]
    for path in in_order[kept:]:
        path.unlink()
    (tmp_path / ".part.server_cert.pem").write_bytes(b"half of")

    ensure_own(tmp_path, NAMES, NOW)

    assert [path.read_bytes() for path in in_order[:kept]] == survivors
    assert greeting(trusting(files.ca_cert), files.server_cert, files.server_key, "ota.lan")
    assert not list(tmp_path.glob(".part*"))


def test_an_authority_founded_again_from_its_key_is_the_one_that_boards_trust(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    burnt_in = tmp_path / "firmware_ca.pem"
    files.ca_cert.rename(burnt_in)

    ensure_own(tmp_path, NAMES, NOW)

    assert greeting(trusting(burnt_in), files.server_cert, files.server_key, "ota.lan")


def test_a_lost_server_key_gets_a_successor_and_a_certificate(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    files.server_key.unlink()

    ensure_own(tmp_path, ["ota.lan"], NOW)

    assert greeting(trusting(files.ca_cert), files.server_cert, files.server_key, "localhost")


def test_with_the_authority_key_taken_away_the_pair_goes_on_serving(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    files.ca_key.unlink()
    before = files.server_cert.read_bytes()

    ensure_own(tmp_path, ["new.lan"], NOW + 390 * DAY)

    assert files.server_cert.read_bytes() == before
    assert not files.ca_key.exists()


def test_an_authority_without_its_key_is_never_replaced_by_a_new_one(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    before = files.ca_cert.read_bytes()
    files.ca_key.unlink()
    files.server_cert.unlink()

    with pytest.raises(Misconfigured, match=r"ca_key\.pem is gone while .*ca_cert\.pem is there"):
        ensure_own(tmp_path, NAMES, NOW)

    assert files.ca_cert.read_bytes() == before


@pytest.mark.parametrize("gone", ["the folder", "ca_cert", "both of the authority"])
def test_a_running_server_founds_no_authority_in_place_of_one_that_is_away(tmp_path, gone):
    files = ensure_own(tmp_path / "tls", NAMES, NOW)
    if gone == "the folder":
        (tmp_path / "tls").rename(tmp_path / "away")
    else:
        for path in [files.ca_cert, files.ca_key][: 1 if gone == "ca_cert" else 2]:
            path.rename(path.with_suffix(".away"))
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(Misconfigured, match=r"ca_cert\.pem is gone: restore it"):
        ensure_own(tmp_path / "tls", ["new.lan"], NOW, may_found=False)

    assert sorted(tmp_path.rglob("*")) == before


def test_a_running_server_renews_by_the_authority_that_it_has(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    board = trusting(files.ca_cert)

    ensure_own(tmp_path, ["new.lan"], NOW, may_found=False)

    assert greeting(board, files.server_cert, files.server_key, "new.lan") == b"hello"


def test_a_certificate_from_elsewhere_is_not_overwritten(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    foreign = found(new_key(), NOW).issue(["ota.lan"], new_key().public_key(), NOW, 90)
    files.server_cert.write_bytes(certificate_bytes(foreign))

    with pytest.raises(Misconfigured, match="was not signed by"):
        ensure_own(tmp_path, NAMES, NOW)

    assert certificate(files.server_cert) == foreign


def test_no_certificate_outlives_its_authority_and_its_last_days_are_not_spent_renewing(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    end = certificate(files.ca_cert).not_valid_after_utc

    ensure_own(tmp_path, NAMES, end - 20 * DAY)
    last = contents(files)

    assert certificate(files.server_cert).not_valid_after_utc == end
    assert contents(ensure_own(tmp_path, NAMES, end - 10 * DAY)) == last
    assert contents(ensure_own(tmp_path, ["new.lan"], end + 10 * DAY)) == last


def test_an_authority_that_has_expired_signs_nothing_and_nothing_is_replaced(tmp_path):
    files, _ = make_set(tmp_path, NAMES, NOW, 90, replace=False)
    before = contents(files)

    with pytest.raises(Misconfigured, match=r"ca_cert\.pem has expired"):
        make_set(tmp_path, NAMES, NOW + 21 * 365 * DAY, 90, replace=True)

    assert contents(files) == before


def test_a_first_start_with_a_clock_in_1970_makes_certificates_for_today(tmp_path):
    made = ensure_own(tmp_path, NAMES, datetime(1970, 1, 1, tzinfo=UTC))
    before = contents(made)

    assert certificate(made.ca_cert).not_valid_after_utc > NOW + 10 * 365 * DAY
    assert contents(ensure_own(tmp_path, NAMES, datetime(1970, 1, 2, tzinfo=UTC))) == before
    ensure_own(tmp_path, NAMES, NOW)
    assert greeting(trusting(made.ca_cert), made.server_cert, made.server_key, "ota.lan")


def test_a_certificate_made_under_a_clock_years_ahead_is_made_again(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    ensure_own(tmp_path, NAMES, NOW + 900 * DAY)

    ensure_own(tmp_path, NAMES, NOW)

    assert greeting(trusting(files.ca_cert), files.server_cert, files.server_key, "ota.lan")


def test_a_damaged_file_is_named(tmp_path):
    files = ensure_own(tmp_path, NAMES, NOW)
    files.ca_key.write_text("")

    with pytest.raises(Misconfigured, match=r"ca_key\.pem is not a PEM private key: it is empty"):
        ensure_own(tmp_path, NAMES, NOW)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "tls").write_text("a file")

    with pytest.raises(Misconfigured, match="tls cannot be made"):
        ensure_own(tmp_path / "tls", NAMES, NOW)


def test_a_link_in_place_of_the_temporary_file_is_not_written_through(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / ".part.ca_key.pem").symlink_to(victim)

    ensure_own(tmp_path / "tls", NAMES, NOW)

    assert victim.read_text() == "mine"


STARTER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from filelock import FileLock
from ota_http_server.security.certificates import ensure_own
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with FileLock(folder / "first_start.lock"):
    files = ensure_own(folder / "tls", [sys.argv[2]], datetime.now(UTC))
    print(files.ca_cert.read_bytes().hex(), files.server_key.read_bytes().hex())
"""


def test_three_processes_started_at_once_agree_on_authority_and_key(tmp_path):
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, tmp_path, f"host{number}.lan"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for starter in starters:
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        starter.stdin.write("go\n")
        starter.stdin.flush()

    said = {starter.communicate(timeout=120)[0] for starter in starters}

    assert len(said) == 1
    names = names_of(certificate(own_files(tmp_path / "tls").server_cert))
    assert set(names) == {"host0.lan", "host1.lan", "host2.lan"}


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
host_names = st.lists(labels, min_size=1, max_size=4).map(".".join)
alphabetic = host_names.filter(lambda name: not name.rpartition(".")[2].isdigit())
everything = st.one_of(alphabetic, alphabetic.map("*.a.{}".format), st.ip_addresses().map(str))
AUTHORITY: Authority = found(new_key(), NOW)
KEY = new_key()


@settings(deadline=None)
@given(st.lists(everything, min_size=1, max_size=8, unique_by=certificate_name))
def test_a_certificate_names_exactly_what_was_asked(names):
    checked = [certificate_name(name) for name in names]

    made = AUTHORITY.issue(checked, KEY.public_key(), NOW, 30)

    assert list(names_of(made)) == checked
    assert AUTHORITY.issued(x509.load_pem_x509_certificate(certificate_bytes(made)))
    assert b"PRIVATE" in key_bytes(KEY)
