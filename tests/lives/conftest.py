"""Lives that end with their test."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.lives.fleet_life import Life
from tests.lives.stock import CHIPS

Live = Callable[..., Life]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Begins a life of this seed; 1.0.0 and 1.1.0 are published, for boards of these chips."""
    lives: list[Life] = []

    def begun(seed: int, chips: Sequence[str] = CHIPS, **facts: object) -> Life:
        folder = tmp_path / str(len(lives))
        folder.mkdir()
        life = Life(folder, seed, **facts)
        lives.append(life)
        for version in ("1.0.0", "1.1.0"):
            life.publish(version, chips)
        return life

    yield begun
    for life in lives:
        life.close()
