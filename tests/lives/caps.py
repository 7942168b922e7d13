"""How many may update at a time: one attempt of a device, and the caps of a rollout's policy."""

from collections.abc import Mapping

from ota_http_server.domain.rollout import Rollout
from tests.lives.boards import Board
from tests.lives.ledger import Entry

OPEN = {"offered", "downloading", "downloaded", "installed"}


class Caps:
    """Counts for itself which attempts are open. A silent one that is heard of again counts, too:
    it may exceed a cap, and nobody else begins meanwhile."""

    def __init__(self, boards: Mapping[str, Board]) -> None:
        self._boards = boards
        self._open: dict[str, Entry] = {}
        """By device."""
        self._latest: dict[str, int] = {}
        self._offered: dict[int, list[tuple[float, str]]] = {}
        """By rollout: when, and to whom."""
        self.clock_stepped = False
        """Then nobody can say which offers were of one period."""

    def opened(self, entry: Entry, rollout: Rollout | None) -> None:
        assert entry.device is not None
        assert entry.device not in self._open, f"two attempts at a time: {entry}"
        self._open[entry.device] = entry
        self._latest[entry.device] = entry.subject
        if rollout is not None:
            self._check_open(entry, rollout)
            self._check_period(entry, rollout)

    def moved(self, entry: Entry) -> None:
        device = entry.device or ""
        known = self._open.get(device, entry)
        if entry.after in OPEN:
            assert self._latest[device] == entry.subject, f"a later one was opened: {entry}"
            self._open[device] = known
        elif known.subject == entry.subject:
            self._open.pop(device, None)

    def _check_open(self, entry: Entry, rollout: Rollout) -> None:
        policy = rollout.policy
        mine = [one.device for one in self._open.values() if one.rollout == rollout.id]
        most = policy.concurrent_max
        assert len(mine) == entry.open, f"{len(mine)} are open: {entry}"
        assert most is None or len(mine) <= most, f"{len(mine)} of {most} update: {entry}"
        if policy.site_tag is not None:
            site = self._boards[entry.device or ""].site
            there = [name for name in mine if self._boards[name or ""].site == site]
            assert site is None or len(there) <= policy.site_max, f"{there} update: {entry}"

    def _check_period(self, entry: Entry, rollout: Rollout) -> None:
        offers = self._offered.setdefault(rollout.id, [])
        offers.append((entry.at, entry.device or ""))
        most, seconds = rollout.policy.offers_max, rollout.policy.period_seconds
        if most is not None and not self.clock_stepped:
            # Rows have whole seconds.
            within = {device for at, device in offers if at > entry.at - seconds + 2}
            assert len(within) <= most, f"{len(within)} of {most} in a period: {entry}"
