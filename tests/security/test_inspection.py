import os
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.security.certificates import ensure_own
from ota_http_server.security.inspection import inspect_pair, warnings
from tests.security.handshake import greeting, needs_openssl

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def files(tmp_path):
    return ensure_own(tmp_path / "tls", ["ota.lan", "127.0.0.1"], NOW)


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def refusal(certificate, key):
    with pytest.raises(Misconfigured) as caught:
        inspect_pair(certificate, key, NOW)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_good_pair_is_described_and_needs_no_warning(files):
    facts = inspect_pair(files.server_cert, files.server_key, NOW)

    assert facts.subject == "CN=ota.lan"
    assert facts.issuer.startswith("CN=ota_http_server CA ")
    assert facts.names == ("ota.lan", "127.0.0.1")
    assert facts.days_left == 397
    assert not facts.is_ca
    assert warnings(facts) == []


def test_a_missing_file_is_named(files, tmp_path):
    gone = tmp_path / "gone.pem"

    assert refusal(gone, files.server_key) == f"{gone} does not exist"
    assert refusal(files.server_cert, gone) == f"{gone} does not exist"


def test_a_folder_in_place_of_a_file_is_named(files, tmp_path):
    assert f"{tmp_path} cannot be read" in refusal(tmp_path, files.server_key)


def test_the_key_of_another_certificate_is_refused(files):
    line = refusal(files.server_cert, files.ca_key)

    assert line == f"{files.ca_key} is not the key of {files.server_cert}"


def test_swapped_files_are_recognised(files):
    assert "are certificate and key swapped?" in refusal(files.server_key, files.server_cert)
    assert "are certificate and key swapped?" in refusal(files.server_cert, files.server_cert)


@needs_openssl
def test_a_der_file_is_told_how_to_become_pem(files, tmp_path):
    der = tmp_path / "server.der"
    openssl("x509", "-in", files.server_cert, "-outform", "der", "-out", der)

    assert "looks like DER: convert it with" in refusal(der, files.server_key)


@needs_openssl
def test_a_request_is_not_taken_for_a_certificate(files, tmp_path):
    request = tmp_path / "server.csr"
    openssl("req", "-new", "-key", files.server_key, "-subj", "/CN=ota.lan", "-out", request)

    assert "an authority has to sign it first" in refusal(request, files.server_key)


@needs_openssl
def test_a_key_with_a_passphrase_is_told_how_to_lose_it(files, tmp_path):
    locked = tmp_path / "locked.pem"
    openssl(*("pkey", "-in", files.server_key, "-aes256", "-passout", "pass:x", "-out", locked))

    assert f"{locked} is locked by a passphrase" in refusal(files.server_cert, locked)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\xff" * 300_000])
def test_what_is_no_pem_file_is_named(files, tmp_path, junk):
    bad = tmp_path / "bad.pem"
    bad.write_bytes(junk)

    assert str(bad) in refusal(bad, files.server_key)
    assert str(bad) in refusal(files.server_cert, bad)


@pytest.mark.parametrize("which", ["server_cert", "server_key"])
def test_damage_inside_a_file_is_named(files, which):
    path = getattr(files, which)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[-1])

    assert f"{path} is damaged" in refusal(files.server_cert, files.server_key)


def test_a_chain_in_the_wrong_order_is_refused(files, tmp_path):
    chain = tmp_path / "chain.pem"
    chain.write_bytes(files.ca_cert.read_bytes() + files.server_cert.read_bytes())

    assert "must come first" in refusal(chain, files.server_key)


def test_a_whole_chain_needs_no_warning_and_a_stranger_in_it_does(files, tmp_path):
    other = ensure_own(tmp_path / "other", ["ota.lan"], NOW)
    chain = tmp_path / "chain.pem"

    chain.write_bytes(files.server_cert.read_bytes() + files.ca_cert.read_bytes())
    assert warnings(inspect_pair(chain, files.server_key, NOW)) == []

    chain.write_bytes(files.server_cert.read_bytes() + other.ca_cert.read_bytes())
    (line,) = warnings(inspect_pair(chain, files.server_key, NOW))
    assert "not signed by the one after it" in line


@needs_openssl
def test_a_key_file_that_openssl_wrote_with_its_parameters_is_accepted(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", key)
    openssl(*("req", "-x509", "-key", key, "-subj", "/CN=old", "-out", certificate, "-days", "9"))
    facts = inspect_pair(certificate, key, datetime.now(UTC))

    assert "BEGIN EC PARAMETERS" in key.read_text()
    assert facts.subject == "CN=old"


def test_certificate_and_key_may_share_a_file(files, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(files.server_key.read_bytes() + files.server_cert.read_bytes())
    both.chmod(0o600)

    assert warnings(inspect_pair(both, both, NOW)) == []


@pytest.mark.parametrize(
    ("later", "says"),
    [
        (timedelta(days=366), ""),
        (timedelta(days=367, seconds=1), "expires in 29 days"),
        (timedelta(days=397), "expired on"),
        (timedelta(days=500), "expired on"),
        (timedelta(days=-2), "is this machine's clock right?"),
    ],
)
def test_the_dates_are_a_warning_and_never_a_refusal(files, later, says):
    told = " ".join(warnings(inspect_pair(files.server_cert, files.server_key, NOW + later)))

    assert says in told
    assert bool(told) == bool(says)


def test_an_authority_given_as_server_certificate_is_a_warning_and_serves(files):
    facts = inspect_pair(files.ca_cert, files.ca_key, NOW)
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    careless.maximum_version = ssl.TLSVersion.TLSv1_2

    (line,) = warnings(facts)

    assert "is the certificate of an authority (CA), not of a server" in line
    assert greeting(careless, files.ca_cert, files.ca_key, "ota.lan") == b"hello"


@needs_openssl
def test_a_certificate_without_alternative_names_is_a_warning(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=ota.lan", "-days", "90"),
        *("-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate),
    )

    (line,) = warnings(inspect_pair(certificate, key, datetime.now(UTC)))

    assert "has no subjectAltName" in line


def test_a_key_that_every_user_can_read_is_a_warning(files):
    files.server_key.chmod(0o644)

    (line,) = warnings(inspect_pair(files.server_cert, files.server_key, NOW))

    assert line.startswith(f"{files.server_key} can be read by every user")


@pytest.mark.skipif(os.name == "nt", reason="modes of files mean little there")
@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_key_that_every_user_can_change_is_refused(files, mode):
    files.server_key.chmod(mode)

    assert refusal(files.server_cert, files.server_key) == (
        f"{files.server_key}: every user of this machine may change it; mend it with:"
        f" chmod 600 {files.server_key}"
    )


def test_a_key_that_a_group_can_use_is_a_choice(files):
    files.server_key.chmod(0o660)

    assert warnings(inspect_pair(files.server_cert, files.server_key, NOW)) == []
