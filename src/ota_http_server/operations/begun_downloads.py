"""Which image each credential began: remembered at once, written in batches, read by everybody.

Beginnings are gathered in memory and written a few times a second, so that the other instances
know them and no download waits for the disk. Two moments cannot wait for the batch, because a
board would be given pieces of two images: when a credential that began another image begins
anew, the row is written before the answer; and when somebody goes on with an image that replaced
another one a moment ago and nobody knows what he began, another instance may be about to write
it: he is asked to come again.
"""

import time
from collections.abc import Callable
from threading import Lock

from ota_http_server.domain.errors import Refusal, Unavailable
from ota_http_server.logs import logger
from ota_http_server.operations.bounded import Bounded
from ota_http_server.storage.database import Database
from ota_http_server.storage.downloads import Beginning

LOG = logger("download")

RESUME_SECONDS_MAX = 3_600  # how long a begun image stays this credential's
WRITE_SECONDS = 0.2  # how often beginnings are written
SETTLING_SECONDS = 7  # so long may an instance that waits for the database owe its beginnings
REWRITE_MS = 300_000  # a beginning younger than this is known well enough
REMEMBERED_MAX = 20_000  # beginnings in memory, some 300 bytes each
PENDING_MAX = 5_000  # beginnings not yet written; beyond this the newest stay in memory only

Key = tuple[bytes, str, str]
"""Credential, project, name."""


class BegunDownloads:
    """One for each process. `wall` is in unix seconds."""

    def __init__(
        self,
        database: Database,
        *,
        wall: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._database = database
        self._wall = wall
        self._pause = pause
        self._begun: Bounded[Key, Beginning] = Bounded(REMEMBERED_MAX)
        self._unreplaced: Bounded[tuple[str, str], int] = Bounded(REMEMBERED_MAX)
        """Project and name → since when they hold their image, where they held no other before.
        Noted only once that second is over: in one second a name may be given two images."""
        self._pending: dict[Key, Beginning] = {}
        self._turn = Lock()
        self._away = False

    def begin(self, key: Key, sha256: str, modified_at: int, collected_at: int) -> None:
        """Notes that this image is sent from its byte 0; `collected_at` is when it came here."""
        now = self._wall()
        known = self._begun.get(key)
        is_recent = now - collected_at <= RESUME_SECONDS_MAX
        same = known is not None and known.sha256 == sha256
        if same and known and not is_recent and 0 <= now * 1000 - known.at_ms < REWRITE_MS:
            return
        beginning = Beginning(*key, sha256, modified_at, int(now * 1000))
        self._begun.put(key, beginning)
        if is_recent and not same and self._supersedes(beginning) and self._write([beginning]):
            return
        with self._turn:
            if len(self._pending) < PENDING_MAX:
                self._pending[key] = beginning

    def begun(self, key: Key, sha256: str, collected_at: int) -> Beginning | None:
        """What this credential began within the hour, if that may be another image than this one.

        `sha256` is what the file holds now, since `collected_at`. None also says that it is the
        image to go on with. Raises `Unavailable` where a guess could mix two images.
        """
        now = self._wall()
        if now - collected_at > RESUME_SECONDS_MAX:
            return None  # older than any download that still counts
        name = key[1:]
        if self._unreplaced.get(name) == collected_at:
            return None  # nobody can have begun another one; on the hot path, as is the next
        known = self._begun.get(key)
        if known and _is_since(known, sha256, collected_at):
            return None
        if not self._is_replaced(key):
            if now > collected_at + 1:
                self._unreplaced.put(name, collected_at)
            return None
        begun = self._latest(key)
        if begun is None and now - collected_at <= SETTLING_SECONDS:
            self._pause(2 * WRITE_SECONDS)
            begun = self._latest(key)
            if begun is None:
                raise Unavailable("the file was replaced just now; try again in a moment")
        if begun and _is_since(begun, sha256, collected_at):
            self._begun.put(key, begun)
        return self._still_counting(begun, now)

    def begun_lately(self, key: Key) -> Beginning | None:
        """The same while the file is changing."""
        return self._still_counting(self._latest(key), self._wall())

    def begun_as_newest(self, key: Key, since: int, *, in_the_middle: bool) -> Beginning | None:
        """The same for a name that stands for whatever is the newest, which it is `since` then.

        Raises `Unavailable` for who is in the middle of an image, where a guess could mix two.
        """
        begun, now = self._latest(key), self._wall()
        if begun is None and in_the_middle and now - since <= SETTLING_SECONDS:
            self._pause(2 * WRITE_SECONDS)
            begun = self._latest(key)
            if begun is None:
                raise Unavailable("a newer image came just now; try again in a moment")
        return self._still_counting(begun, now)

    def write(self) -> None:
        """Writes what was gathered; called by the background every `WRITE_SECONDS`."""
        if not self._pending:
            return
        with self._turn:
            pending, self._pending = self._pending, {}
        if not self._write(list(pending.values())):
            with self._turn:
                room = PENDING_MAX - len(self._pending)
                kept = dict(list(pending.items())[: max(0, room)])
                self._pending = {**kept, **self._pending}

    @staticmethod
    def _still_counting(begun: Beginning | None, now: float) -> Beginning | None:
        if begun is None or now - begun.at_ms / 1000 > RESUME_SECONDS_MAX:
            return None
        return begun

    def _latest(self, key: Key) -> Beginning | None:
        """Another process may know of a later beginning than this one, or not yet of ours."""
        with self._database.reading() as rows:
            row = rows.downloads.begun(*key)
        memory = self._begun.get(key)
        if row is None or memory is None:
            return row or memory
        return row if row.at_ms > memory.at_ms else memory

    def _is_replaced(self, key: Key) -> bool:
        """Whether the name held another image before, which somebody may have begun."""
        with self._database.reading() as rows:
            return rows.downloads.has_ended(key[1], key[2])

    def _supersedes(self, beginning: Beginning) -> bool:
        """Whether the others believe that this credential is busy with another image."""
        try:
            with self._database.reading() as rows:
                row = rows.downloads.begun(*_key(beginning))
        except Refusal:
            return True
        return row is not None and row.sha256 != beginning.sha256

    def _write(self, beginnings: list[Beginning]) -> bool:
        try:
            self._database.change(lambda tx: tx.downloads.begin(beginnings))
        except Refusal as refusal:
            if not self._away:
                LOG.warning("begun downloads wait to be written: %s", refusal.detail)
            self._away = True
            return False
        self._away = False
        return True


def _is_since(beginning: Beginning, sha256: str, collected_at: int) -> bool:
    """Begun when the name held this image already: since then nobody began another one."""
    return beginning.sha256 == sha256 and beginning.at_ms > (collected_at + 1) * 1000


def _key(beginning: Beginning) -> Key:
    return beginning.credential, beginning.project, beginning.name
