"""A dictionary that forgets its oldest entries: what strangers can fill must have an end."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """Keeps at most `entries_max`; the first put in is the first forgotten."""

    __slots__ = ("_entries", "_entries_max", "get")

    def __init__(self, entries_max: int) -> None:
        self._entries: dict[K, V] = {}
        self._entries_max = entries_max
        self.get = self._entries.get  # bound once: this is on the hot path

    def put(self, key: K, value: V) -> V:
        self._entries.pop(key, None)
        while len(self._entries) >= self._entries_max:
            try:
                del self._entries[next(iter(self._entries))]
            except (KeyError, StopIteration, RuntimeError):
                break  # another thread was faster; the bound holds again at the next put
        self._entries[key] = value
        return value

    def forget(self, key: K) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
