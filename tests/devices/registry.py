"""The rows of a running server, for tests that ask what it knows: a second process on its folder.

with rows_of(server) as ota:
    token = give_credential(ota, "gateway-1", "gateway")
"""

from contextlib import contextmanager

from ota_http_server.operations.verify_token import credential_of
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings
from ota_http_server.storage.credentials import Credential, Kind


@contextmanager
def rows_of(server):
    settings = Settings(
        www_dir=server.folder / "www",
        data_dir=server.data_dir,
        ota_audit_log=server.folder / "ota_audit.log",
    )
    with opened_ota(settings) as ota:
        yield ota


def change(server, work):
    with rows_of(server) as ota:
        return ota.stores.database.change(work)


def give_credential(server, device, project, kind=Kind.DEVICE):
    """An opaque one, which Zephyr can keep; a gateway's is for no device ("")."""
    with rows_of(server) as ota:
        text = ota.opaque.new_credential()
        digest = credential_of(text).hex()
        row = Credential(digest, kind, device, project, 0, "test")
        ota.stores.database.change(lambda tx: tx.credentials.add(row))
    return text


def device_of(server, device):
    with rows_of(server) as ota, ota.stores.database.reading() as rows:
        return rows.devices.get(device)


def attempts_of(server, device):
    """The latest first."""
    with rows_of(server) as ota, ota.stores.database.reading() as rows:
        return rows.attempts.of_device(device, 50)


def states_of(server, device):
    return [str(attempt.state) for attempt in attempts_of(server, device)]


def lines_of(server, attempt):
    with rows_of(server) as ota, ota.stores.database.reading() as rows:
        return [line.text for line in rows.attempts.lines(attempt)]
