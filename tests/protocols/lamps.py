"""Boards of the project `lamp`, in this process: their images, their credentials, what they say.

drop(ota, "1.1.0", chip="esp32s3")                       # a release of the folder
publish(ota, "1.1.0", ("lamp.bin", lamp("1.1.0")))       # one that came by no folder
say(ota, "GET /firmware/lamp/latest.bin HTTP/1.0…")      # a request as it was recorded
"""

from dataclasses import replace

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.image import BytesSource, read_image
from ota_http_server.domain.release import Release, ReleaseImage, part_of
from ota_http_server.storage.credentials import Kind
from ota_http_server.storage.images import Image
from tests.protocols import controllers

PROJECT = "lamp"
BOARD = "24:0a:c4:00:00:01"


def lamp(version, **facts):
    return esp_application(version=version, **{"project": PROJECT, "payload_bytes": 2_048} | facts)


def a_credential(ota, device=BOARD, project=PROJECT, kind=Kind.DEVICE):
    return controllers.a_credential(ota, device, project, kind)


def drop(ota, version, name=None, **facts):
    """A release of the folder, noticed already; its image."""
    content = lamp(version, **facts)
    ota.drop_old(PROJECT, name or f"lamp-{version}.bin", content)
    ota.ota.catalog.of(PROJECT)
    return content


def publish(ota, version, *files, **more):
    """A release that came by no folder: `files` are pairs of name and content."""
    images = [(name, _image(ota, content)) for name, content in files]

    def published(tx):
        release = Release(
            number=0, project=PROJECT, version=version, published_at=tx.second, **more
        )
        number = tx.releases.add(release).number
        for name, image in images:
            part = part_of(image.kind, name)
            declared = ReleaseImage(name=name, sha256=image.sha256, size=image.size, part=part)
            tx.images.add(image, tx.second)
            tx.releases.add_image(number, replace(declared, chip=image.chip), tx.second)

    ota.ota.stores.database.change(published)
    ota.clock.pass_seconds(2)


def _image(ota, content):
    with ota.ota.blobs.receiving(2**24) as partial:
        partial.write(content)
        blob = ota.ota.blobs.keep(partial)
    facts = read_image(BytesSource(content))
    return Image.of(facts, sha256=blob.sha256, size=blob.size, md5=blob.md5, sha1=blob.sha1)


def say(ota, raw):
    """A request without a body: its fields reach the application as they stand there."""
    first, *fields = raw.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = [tuple(field.split(": ", 1)) for field in fields]
    return ota.client.open(target, method=method, headers=headers, buffered=True)


def device_of(ota, device=BOARD):
    with ota.ota.stores.database.reading() as rows:
        return rows.devices.get(device)


def change_device(ota, change, device=BOARD):
    """As an operator would: `change` takes the device and gives another."""
    ota.ota.stores.database.change(lambda tx: tx.devices.change(change(tx.devices.get(device))))
    ota.ota.registry.forget(device)


def states_of(ota, device=BOARD):
    """Of its attempts, the latest first."""
    with ota.ota.stores.database.reading() as rows:
        return [str(attempt.state) for attempt in rows.attempts.of_device(device, 50)]
