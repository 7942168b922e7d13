"""A program for tests: processes that publish without end, each killed at a random moment.

`python -m tests.operations.publish_killed URL FOLDER ROUNDS SEED`; two processes live at a time.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.operator import Operator
from ota_http_server.operations.news import News
from ota_http_server.operations.publish_release import PublishRelease
from ota_http_server.operations.receive_image import ReceiveImage
from ota_http_server.operations.release_wish import Upload
from ota_http_server.storage.blobs import Blobs
from ota_http_server.storage.database import Database
from tests.killing import child, kill_in_pairs

ALIVE_SECONDS_MAX = 0.25
PIPELINE = Operator("pipeline", None)
BLOCK_BYTES = 8_192


def opened(url: str, folder: Path) -> tuple[Database, Blobs, PublishRelease]:
    database, blobs = Database(url), Blobs(folder / "blobs")
    receive = ReceiveImage(blobs, image_bytes_max=2**24, in_thread=lambda work: work())
    return database, blobs, PublishRelease(database, receive, News(database))


def publish_forever(url: str, folder: Path, started: int, seed: int) -> None:
    _, _, publish = opened(url, folder)
    os.write(started, b".")
    for number in range(10**6):
        version = f"{seed}.{number}.0"
        for chip in ("esp32", "esp32s3"):
            image = esp_application(
                version=version, project="lamp", chip=chip, payload_bytes=60_000, seed=seed
            )
            upload = Upload.of(f"lamp-{chip}.bin", blocks(image), len(image))
            publish.add_image(PIPELINE, "lamp", version, upload)
        publish.publish(PIPELINE, "lamp", version)


def blocks(image: bytes) -> Iterator[bytes]:
    for at in range(0, len(image), BLOCK_BYTES):
        yield image[at : at + BLOCK_BYTES]


def main(url: str, folder: str, rounds: str, seed: str) -> None:
    def begin(number: int) -> int:
        return child(lambda started: publish_forever(url, Path(folder), started, number))

    kill_in_pairs(begin, int(rounds), int(seed), ALIVE_SECONDS_MAX)


if __name__ == "__main__":
    main(*sys.argv[1:])
