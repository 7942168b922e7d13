"""How a simulated device gives up: always with the words that the real one would log."""


class Failed(Exception):
    """The device gives up, and says why as its log would."""


class Unreachable(Failed):
    """Nobody answered at that address: no name, no connection, no agreement on TLS."""


class Silent(Failed):
    """Connected, and then nothing came for longer than the device waits."""


class Cut(Failed):
    """The connection ended too early; `received` is the part of the body that had come."""

    def __init__(self, reason: str, received: bytes = b"", status: int = 0) -> None:
        super().__init__(reason)
        self.received = received
        self.status = status
        """Of the answer that was cut, 0 if not even its head had come."""


class TooMuch(Failed):
    """The answer is larger than whoever asks wants to have."""
