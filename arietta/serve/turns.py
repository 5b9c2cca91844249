"""Whose turn is next: clients one after the other, and of each what has waited longest.

turns = Turns[str]()
turns.add("192.0.2.1", "a file")
client, work = turns.pop()  # however much of others waits, after one of each of them
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """What clients wait with; not locked, so threads that share it take turns by themselves."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Item]] = {}  # clients in the order of their turns

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, client: str, item: Item) -> None:
        """Let an item wait, behind what else its client waits with."""
        self._waiting.setdefault(client, deque()).append(item)

    def discard(self, client: str, item: Item) -> bool:
        """Give up an item; return whether it still waited."""
        items = self._waiting.get(client, ())
        if item not in items:
            return False
        self._waiting[client].remove(item)
        if not self._waiting[client]:
            del self._waiting[client]
        return True

    def pop(self, may_begin: Callable[[str], bool] = lambda _: True) -> tuple[str, Item] | None:
        """Take the next item, of a client who may begin; None where nothing waits that may."""
        client = next(filter(may_begin, self._waiting), None)
        if client is None:
            return None
        items = self._waiting.pop(client)
        item = items.popleft()
        if items:
            self._waiting[client] = items  # behind the other clients
        return client, item
