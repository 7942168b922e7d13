"""Verifying the audit chain: were events changed, removed, put elsewhere or cut off?

The chain of hashes shows what happened inside it; the head, kept apart and sealed, shows whether
its end is still there and whether the whole was forged anew. A copy of the head kept elsewhere
does the same against somebody who could replace the head as well.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ota_http_server.storage.audit_head import Head, SpoiltHead, read_head
from ota_http_server.storage.database import Database
from ota_http_server.storage.events import NOTHING_BEFORE, Event

PAGE = 1_000
FINDINGS_MAX = 100  # the first tell the story; a forged chain has one for every event


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. Each finding and note is a sentence."""

    ok: bool
    count: int
    """Events that there are."""
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    """Worth knowing, and no sign of tampering."""


def verify_audit(
    database: Database, head_path: Path, key: bytes, against: Path | None = None
) -> Verdict:
    """Reads the whole chain, in pages, and compares it with its head (and with a copy of it)."""
    findings: list[str] = []
    notes: list[str] = []
    heads: dict[str, Head] = {}
    # Heads before rows: what is added meanwhile then only makes the rows longer.
    for name, path in (("the head", head_path), ("the copy of the head", against)):
        try:
            head = None if path is None else read_head(path, key)
        except SpoiltHead as error:
            findings.append(str(error))
            continue
        if head is not None:
            heads[name] = head
        elif path is not None and (path == against or _any(database)):
            findings.append(f"{name} is missing: there is no {path}")
    chain = _Chain({head.count for head in heads.values()})
    findings += chain.follow(_events(database))
    for name, head in heads.items():
        found, noted = _compare(name, head, chain)
        findings += found
        notes += noted
    return Verdict(not findings, chain.count, tuple(findings), tuple(notes))


class _Chain:
    """Walks the chain and remembers the hashes that heads name."""

    def __init__(self, named: set[int]) -> None:
        self.count = 0
        self.last_id = 0
        self.hashes = {0: NOTHING_BEFORE}
        self._named = named

    def follow(self, events: Iterable[Event]) -> list[str]:
        findings: list[str] = []
        previous = NOTHING_BEFORE
        for event in events:
            if len(findings) < FINDINGS_MAX:
                findings += self._look(event, previous)
                if len(findings) >= FINDINGS_MAX:
                    findings.append("there is more like this; only the first is listed")
            self.count += 1
            self.last_id = event.id
            previous = event.hash
            if event.id in self._named:
                self.hashes[event.id] = event.hash
        return findings

    def _look(self, event: Event, previous: str) -> Iterator[str]:
        if event.id != self.last_id + 1:
            yield _missing(self.last_id + 1, event.id - 1)
        elif event.previous != previous:
            yield f"event {event.id} does not follow the event before it"
        if event.hash != event.true_hash():
            yield f"event {event.id} was changed: its hash does not fit its content"


def _compare(name: str, head: Head, chain: _Chain) -> tuple[list[str], list[str]]:
    if head.count > chain.last_id:
        cut = _missing(chain.last_id + 1, head.count)
        return [f"the end of the chain is cut off: {cut}, as {name} shows"], []
    if chain.hashes.get(head.count) != head.hash:
        return [f"event {head.count} is not the one that {name} names"], []
    if head.count < chain.last_id:
        behind = chain.last_id - head.count
        return [], [
            f"{name} is {behind} behind the rows, as after a crash, beside another host or in an"
            " older copy; what came later is guarded by its chain alone"
        ]
    return [], []


def _missing(first: int, last: int) -> str:
    return f"event {first} is missing" if first == last else f"events {first} to {last} are missing"


def _events(database: Database) -> Iterator[Event]:
    after = 0
    while True:
        with database.reading() as tx:
            page = tx.events.page(after, PAGE)
        if not page:
            return
        yield from page
        after = page[-1].id


def _any(database: Database) -> bool:
    with database.reading() as tx:
        return tx.events.last() is not None
