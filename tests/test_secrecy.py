"""What holds a secret does not show it, whoever prints it into a log or a traceback."""

from datetime import UTC, datetime

from ota_http_server.operations.mint_token import Minted
from ota_http_server.operations.prepare import Secrets
from ota_http_server.ota import open_stores
from ota_http_server.settings import Settings


def test_the_secrets_of_a_process_are_not_in_their_repr():
    assert "canary" not in repr(Secrets("canary-1", "canary-2", "canary-3", b"canary-4"))


def test_neither_are_they_in_that_of_what_holds_them(tmp_path):
    stores = open_stores(Settings(data_dir=tmp_path / "data", ota_audit_log=tmp_path / "log"))
    stores.database.close()

    secrets = [stores.secrets.jwt, stores.secrets.admin, stores.secrets.devices]
    secrets.append(stores.secrets.audit.decode())

    assert not [secret for secret in secrets if secret in repr(stores)]


def test_a_minted_token_is_not_in_its_repr():
    assert "canary" not in repr(Minted("canary", {}, datetime.now(UTC), None))
