"""Servers that do what a test says, and boards that run an image."""

from contextlib import ExitStack

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.simulation.board import GOOD, Board, Firmware
from ota_http_server.simulation.line import Access
from tests.simulation.scripted import PATIENCE_SECONDS, Scripted

OLD = esp_application(version="1.0.0", project="lamp", payload_bytes=20_000, seed=1)
NEW = esp_application(version="2.0.0", project="lamp", payload_bytes=200_000, seed=2)


def board(behaviour=GOOD, **more):
    """One that runs `OLD`."""
    return Board(Firmware.of(OLD), behaviour=behaviour, **more)


def access(token=None, **more):
    """More patient than the clients are: the machine may be slow."""
    return Access(token=token, patience_seconds=PATIENCE_SECONDS, **more)


@pytest.fixture(name="serve")
def serving():
    """A function that starts a scripted server; all are stopped at the end."""
    with ExitStack() as running:
        yield lambda answer: running.enter_context(Scripted(answer))
