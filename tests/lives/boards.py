"""Simulated boards: what they say, and what a release does to them. They know nothing of a server.

A board asks, is offered an image, fetches and writes it, restarts. Everything that may go wrong on
the way is its fate with that release; what the network does to its words is not its business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from random import Random

from ota_http_server.domain.sighting import Sighting
from ota_http_server.operations.report import Told


class Fate(StrEnum):
    """What a release does to a board."""

    RUNS = auto()
    FAILS = auto()
    """It cannot write the image, and says so where it tells anything."""
    ROLLS_BACK = auto()
    """It restarts, and its boot loader takes the old image again."""
    BRICKS = auto()
    """It restarts, and nobody ever hears of it again."""
    LOSES_POWER = auto()
    """Once, when it has fetched the image; it is back hours later, with the old one."""


class Act(StrEnum):
    """What a board does by itself, some time after it was offered an image."""

    FETCHED = auto()
    """The server saw the whole image go out."""
    TELL = auto()
    RESTART = auto()
    ASK = auto()
    """It asks before it restarts, with its old words."""
    GIVE_UP = auto()


@dataclass(frozen=True, slots=True)
class Plan:
    """One act of an update."""

    after_seconds: float
    act: Act
    told: Told | None = None


@dataclass(slots=True, kw_only=True)
class Board:
    id: str
    chip: str | None
    version: str
    """What it runs in truth."""
    tells: bool = True
    """It reports how it goes; others are only seen to run the new version, or not."""
    is_seen: bool = True
    """The server sees what it fetches; else something in front of it sends the images."""
    asks_early: bool = False
    """It asks between its report and its restart, with its old words."""
    fates: Mapping[str, Fate] = field(default_factory=dict)
    """By version; it runs all others."""
    site: str | None = None
    """A tag, where several boards are."""
    is_new: bool = False
    """The registry has nothing but its name and its tags, until it asks."""
    lost_power: bool = False
    is_dead: bool = False
    is_busy: bool = False

    def sighting(self) -> Sighting:
        return Sighting(version=self.version, chip=self.chip)

    def fate(self, version: str) -> Fate:
        return self.fates.get(version, Fate.RUNS)

    def is_well(self, version: str) -> bool:
        """Nothing that this release does to it is bad."""
        return self.fate(version) in (Fate.RUNS, Fate.LOSES_POWER)

    def updates(self, version: str, random: Random) -> list[Plan]:
        """How it goes on with an offer of this version."""
        self.is_busy = True
        fetched = random.uniform(5.0, 90.0)
        written = fetched + random.uniform(2.0, 8.0)
        acts = [self._says(1.0, Told.DOWNLOADING)]
        acts += [Plan(fetched, Act.FETCHED)] if self.is_seen else []
        if self.fate(version) is Fate.FAILS:
            return [*_known(*acts, self._says(written, Told.FAILED)), Plan(written, Act.GIVE_UP)]
        if self.fate(version) is Fate.LOSES_POWER and not self.lost_power:
            self.lost_power = True
            acts += [self._says(fetched, Told.DOWNLOADED)]
            return [*_known(*acts), Plan(random.uniform(600.0, 7_200.0), Act.GIVE_UP)]
        acts += [self._says(written, Told.INSTALLED)]
        if self.asks_early:
            acts += [Plan(written + 5.0, Act.ASK)]
        # A boot loader that goes back lets the new image try for a while.
        trial = 90.0 if self.fate(version) is Fate.ROLLS_BACK else 0.0
        return [*_known(*acts), Plan(written + random.uniform(8.0, 25.0) + trial, Act.RESTART)]

    def _says(self, after_seconds: float, told: Told) -> Plan | None:
        return Plan(after_seconds, Act.TELL, told) if self.tells else None

    def restarts(self, version: str) -> None:
        """After the image of this version was written."""
        self.is_busy = False
        fate = self.fate(version)
        self.is_dead = fate is Fate.BRICKS
        if fate in (Fate.RUNS, Fate.LOSES_POWER):
            self.version = version

    def gives_up(self) -> None:
        self.is_busy = False


def _known(*plans: Plan | None) -> list[Plan]:
    return [plan for plan in plans if plan is not None]


def a_fleet(
    size: int,
    random: Random,
    *,
    version: str = "1.1.0",
    fate: Fate = Fate.RUNS,
    chance: float = 1.0,
    tell: float = 0.7,
    is_seen: bool = True,
    early: float = 0.1,
) -> list[Board]:
    """Boards that run 1.0.0. The version has this fate with some of them; some of them tell."""
    return [
        Board(
            id=f"board-{n}",
            chip="esp32",
            version="1.0.0",
            tells=random.random() < tell,
            is_seen=is_seen,
            asks_early=random.random() < early,
            fates={version: fate} if random.random() < chance else {},
        )
        for n in range(size)
    ]
