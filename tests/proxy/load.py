"""Clients that ask again and again and forgive nothing."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tests.asking import Answer, Door, ask

PAUSE_SECONDS = 0.02
"""Between two visits of a client: the machine must not be the one that fails."""

Say = Callable[[Callable[..., Answer]], None]
"""One visit: gets `ask` bound to a connection, and asserts what it was answered."""


@dataclass(slots=True)
class Client:
    """A visit again and again, on one connection kept alive or on a new one each."""

    name: str
    visit: Say
    keep_alive: bool
    visits: int = 0
    failures: list[str] = field(default_factory=list)


class Load:
    """Runs while the block runs; afterwards `failures` says what was lost."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.clients: list[Client] = []

    def add(self, name: str, visit: Say, *, keep_alive: bool) -> None:
        client = Client(name, visit, keep_alive)
        self.clients.append(client)
        self._threads.append(threading.Thread(target=self._run, args=(client,), daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def failures(self) -> list[str]:
        return [failure for client in self.clients for failure in client.failures]

    @property
    def visits(self) -> int:
        return sum(client.visits for client in self.clients)

    def _run(self, client: Client) -> None:
        connection = None
        while not self._over.is_set():
            if connection is None:
                connection = self._door.connect()
            try:
                client.visit(_bound(connection))
                client.visits += 1
            except Exception as error:  # pylint: disable=broad-exception-caught
                client.failures.append(f"{client.name}, visit {client.visits}: {error!r}")
                connection.close()
                connection = None
            else:
                if not client.keep_alive:
                    connection.close()
                    connection = None
            time.sleep(PAUSE_SECONDS)
        if connection is not None:
            connection.close()


def _bound(connection: object) -> Callable[..., Answer]:
    return lambda *said, **fields: ask(connection, *said, **fields)  # type: ignore[arg-type]
