"""A project with releases, and boards that read a document before they fetch an image."""

import base64
import json
from dataclasses import replace

from ota_http_server.domain.device import Device
from ota_http_server.domain.esp_sample import esp_application
from tests.protocols.controllers import a_credential

BOARD = "24:0a:c4:00:00:01"
DOCUMENTS = ("manifest.json", "esp32fota.json", "otapull.json", "micropython.json")


def lamp(version, chip="esp32", **facts):
    return esp_application(version=version, project="lamp", chip=chip, payload_bytes=2048, **facts)


def own_credential(ota, device=BOARD, project="lamp"):
    return a_credential(ota, device, project)


def basic(credential):
    return "Basic " + base64.b64encode(f"device:{credential}".encode()).decode()


def document(ota, name="manifest.json", token=None, query="", **headers):
    """The document, decoded; `query` without its question mark."""
    answer = ota.get(f"/firmware/lamp/{name}{'?' if query else ''}{query}", token, **headers)
    assert answer.status_code == 200, answer.data
    assert answer.headers["Content-Type"] == "application/json"
    return json.loads(answer.data)


def link_in(name, said):
    """Where the first image is, as the document has it."""
    match name:
        case "manifest.json":
            return said["builds"][0]["ota"]["path"]
        case "esp32fota.json":
            return said["url"]
        case "otapull.json":
            return said["Configurations"][0]["URL"]
    return said["firmware"]


def followed(link, folder="/firmware/lamp/"):
    """The path that a client asks for."""
    return link.removeprefix("http://localhost") if "://" in link else folder + link


def change_device(ota, device=BOARD, **facts):
    """An operator's hand."""

    def done(tx):
        known = tx.devices.get(device)
        if known is None:
            tx.devices.add(Device(id=device, project="lamp", created_at=1, **facts))
        else:
            tx.devices.change(replace(known, edition=known.edition + 1, **facts))

    ota.ota.stores.database.change(done)
    ota.ota.news.refresh()
    ota.ota.registry.forget(device)


def change_release(ota, version, **facts):
    def done(tx):
        release = tx.releases.get("lamp", version)
        tx.releases.change(replace(release, edition=release.edition + 1, **facts))

    ota.ota.stores.database.change(done)
    ota.ota.news.refresh()


def declare(ota, version, name, **facts):
    """What whoever publishes says of an image, and its bytes do not."""
    ota.ota.catalog.of("lamp")  # what lies in the folder is a release by now

    def done(tx):
        release = tx.releases.get("lamp", version)
        image = next(image for image in release.images if image.name == name)
        tx.releases.remove_image(release.number, name)
        tx.releases.add_image(release.number, replace(image, **facts), tx.second)

    ota.ota.stores.database.change(done)
    ota.ota.news.refresh()


def device_row(ota, device=BOARD):
    with ota.ota.stores.database.reading() as rows:
        return rows.devices.get(device)


def states(ota, device=BOARD):
    """Of its attempts, the latest first."""
    with ota.ota.stores.database.reading() as rows:
        return [str(attempt.state) for attempt in rows.attempts.of_device(device, 50)]
