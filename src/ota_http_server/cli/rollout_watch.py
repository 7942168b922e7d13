"""Watching a rollout until it ends: redrawn in place on a terminal, else a line a change."""

import json
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import click

from ota_http_server.api.v1.rollout_words import RolloutTold, told
from ota_http_server.cli.rollout_view import (
    Seen,
    coloured,
    drawn,
    fitted,
    in_a_line,
    what_counts,
)
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.operator import Role
from ota_http_server.domain.rollout import State
from ota_http_server.operations.look_at_fleet import Counts, counted
from ota_http_server.operations.show_rollout import shown
from ota_http_server.operations.write_rollout import rollout_for
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Reading

EVERY_SECONDS = 1.0
FLEET_SECONDS = 30.0  # counting 50,000 devices takes a second of a processor
WRONG_MAX = 10
WRONG = ("failed", "rolled_back", "silent")
ENDS = {State.FINISHED: 0, State.HALTED: 1, State.ABORTED: 1}
"""States that end the watching, and its exit status: a script goes on where all went well."""


class Look:
    """At one rollout; its devices are counted anew now and then."""

    def __init__(
        self,
        database: Database,
        number: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._number = number
        self._monotonic = monotonic
        self._counted_at = float("-inf")
        self._counts: Counts | None = None

    def __call__(self) -> Seen:
        if self._monotonic() - self._counted_at >= FLEET_SECONDS:
            self._count()
        with self._database.reading() as rows:
            rollout = rollout_for(rows, SHELL, self._number, role=Role.VIEWER)
            one = shown(rows, rollout, self._counts)
            return Seen(one, _wrong(rows, self._number) if one.tally.bad else ())

    def _count(self) -> None:
        with self._database.reading() as rows:
            rollout = rollout_for(rows, SHELL, self._number, role=Role.VIEWER)
        self._counts = counted(self._database, rollout)
        self._counted_at = self._monotonic()


class Screen(Protocol):
    """Where it is shown."""

    def show(self, seen: Seen) -> None: ...

    def miss(self, why: str) -> None: ...


class Terminal:
    """Draws over what it drew before."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._height = 0

    def show(self, seen: Seen) -> None:
        self._lines = drawn(seen)
        self._draw(self._lines)

    def miss(self, why: str) -> None:
        self._draw([*self._lines, "", f"{why}; trying again"])

    def _draw(self, lines: list[str]) -> None:
        size = shutil.get_terminal_size()
        lines = fitted(lines, size.columns, size.lines)
        up = f"\r\x1b[{self._height}A" if self._height else ""
        text = coloured("\n".join(lines)).replace("\n", "\x1b[K\n")
        click.echo(f"{up}{text}\x1b[K\n\x1b[J", nl=False)
        self._height = len(lines)


class Lines:
    """A line when something changed: for people, or an object for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._last: object = None
        self._missed = False

    def show(self, seen: Seen) -> None:
        self._missed = False
        now = what_counts(seen)
        if now == self._last:
            return
        self._last = now
        if self._as_json:
            click.echo(json.dumps(RolloutTold().dump(told(seen.shown))))
        else:
            click.echo(f"{_moment()} {in_a_line(seen)}")

    def miss(self, why: str) -> None:
        if not self._missed:
            click.echo(f"{_moment()} {why}; trying again", err=True)
        self._missed = True


def screen_for(*, as_json: bool) -> Screen:
    return Terminal() if sys.stdout.isatty() and not as_json else Lines(as_json=as_json)


def watch(look: Look, screen: Screen, pause: Callable[[float], object] = time.sleep) -> int:
    """Shows it until it ends; the exit status. While the database is away, what was seen stays."""
    while True:
        try:
            seen = look()
        except Unavailable as away:
            screen.miss(away.detail)
        else:
            screen.show(seen)
            if seen.rollout.state in ENDS:
                return ENDS[seen.rollout.state]
        pause(EVERY_SECONDS)


def _wrong(rows: Reading, number: int) -> tuple[tuple[str, str], ...]:
    found = [
        (device, what)
        for what in WRONG
        for device in rows.rollouts.came_to(number, what, "", WRONG_MAX)
    ]
    return tuple(sorted(found)[:WRONG_MAX])


def _moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
